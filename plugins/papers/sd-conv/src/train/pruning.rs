//! Which weights are kept while training.

use crate::config::{Fill, MaskForm, MaskKind, MaskScope, PaperConfig};
use crate::mask::{DensityController, ThresholdForm, keeps, step_slope};
use crate::network::shapes;
use rand::seq::SliceRandom;
use zoo_core::Result;
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::params::{Init, ParamStore};

/// Parameter of a fresh threshold: about 5 % of the greatest weight.
const START: f32 = -3.0;
/// A layer that keeps less than this has collapsed; its thresholds begin again.
const COLLAPSED: f64 = 0.01;
/// Keeps the quotient of the soft threshold finite.
const TINY: f32 = 1e-12;

/// Sizes of a layer's kernels.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    kernels: usize,
    outputs: usize,
    each: usize,
}

/// The masks of all layers.
pub(super) struct Pruning {
    kind: MaskKind,
    form: MaskForm,
    fill: Fill,
    shared: bool,
    gain: f32,
    layers: Vec<Sizes>,
    controller: DensityController,
    /// Fixed masks by layer, one value a weight of a kernel: the kernels share them.
    fixed: Vec<Vec<f32>>,
}

/// What stands where the mask keeps a weight, and where it does not: `[K, outputs, inputs * 9]` each.
struct Sides {
    kept: Tensor<3>,
    /// `None` for zeros.
    other: Option<Tensor<3>>,
}

impl Sides {
    /// One side or the other by a mask of ones and zeros.
    fn by(self, mask: Tensor<3>) -> Tensor<3> {
        match self.other {
            None => self.kept * mask,
            Some(other) => other.clone() + (self.kept - other) * mask,
        }
    }

    /// What a weight gains by being kept.
    fn gain(&self) -> Tensor<3> {
        match &self.other {
            None => self.kept.clone(),
            Some(other) => self.kept.clone() - other.clone(),
        }
    }
}

/// A layer's kernels as they are to be used.
pub(super) struct Pruned {
    /// `[K, outputs, inputs * 9]`.
    pub(super) weight: Tensor<3>,
    /// Share of weights kept.
    pub(super) density: f64,
    /// `exp(-t)` of all thresholds, `[n]`.
    pub(super) softness: Option<Tensor<1>>,
}

fn weight_name(layer: usize) -> String {
    format!("layer{}.B.convC.weight", layer + 1)
}

fn fill_name(layer: usize) -> String {
    format!("layer{}.B.convC.static", layer + 1)
}

fn phi_name(layer: usize) -> String {
    format!("layer{}.B.convC.phi", layer + 1)
}

fn threshold_name(layer: usize) -> String {
    format!("layer{}.threshold", layer + 1)
}

impl Pruning {
    pub(super) fn new(paper: &PaperConfig) -> Self {
        let sizes = |s: &crate::layer::Shape| Sizes { kernels: s.kernels, outputs: s.outputs, each: s.inputs * 9 };
        Self {
            kind: paper.mask.kind,
            form: paper.mask.form,
            fill: paper.mask.fill,
            shared: paper.network.mask_scope == MaskScope::Shared,
            gain: paper.train.threshold_gain as f32,
            layers: shapes(&paper.network).iter().map(sizes).collect(),
            controller: DensityController {
                target: paper.mask.density,
                gain: paper.train.pressure,
                rate: paper.train.pressure_rate,
                most: paper.train.pressure_bound,
                alpha: 0.0,
            },
            fixed: Vec::new(),
        }
    }

    /// Adds what pruning learns: a threshold for each output channel, of each kernel or of all, and what fills the gaps.
    pub(super) fn add_parameters(&self, params: &mut ParamStore, paper: &PaperConfig) -> Result<()> {
        if self.fill == Fill::Static {
            for (n, sizes) in self.layers.iter().enumerate() {
                params.parameter(fill_name(n), &[1, sizes.outputs, sizes.each], Init::Kaiming { fan: 9 * sizes.outputs })?;
                params.parameter(phi_name(n), &[1], Init::Constant(0.0))?;
            }
        }
        if paper.mask.kind != MaskKind::Learned {
            return Ok(());
        }
        for (n, sizes) in self.layers.iter().enumerate() {
            let groups = if self.shared { 1 } else { sizes.kernels };
            params.parameter(threshold_name(n), &[groups, sizes.outputs], Init::Constant(START / self.gain))?;
        }
        Ok(())
    }

    /// Draws or computes the masks that training does not change.
    pub(super) fn fix(&mut self, paper: &PaperConfig, params: &ParamStore) -> Result<()> {
        let density = paper.mask.density;
        match self.kind {
            MaskKind::None | MaskKind::Learned => {}
            MaskKind::Random => {
                for (n, sizes) in self.layers.iter().enumerate() {
                    let count = sizes.outputs * sizes.each;
                    let kept = (density * count as f64).round() as usize;
                    let mut mask: Vec<f32> = (0..count).map(|i| if i < kept { 1.0 } else { 0.0 }).collect();
                    mask.shuffle(&mut params.seeds().stream("random mask", n as u64));
                    self.fixed.push(mask);
                }
            }
            MaskKind::Magnitude => {
                let sizes = (0..self.layers.len()).map(|n| self.magnitudes(params, n)).collect::<Result<Vec<_>>>()?;
                let mut all: Vec<f32> = sizes.concat();
                all.sort_by(|a, b| b.total_cmp(a));
                let kept = ((density * all.len() as f64).round() as usize).clamp(1, all.len());
                let least = all[kept - 1];
                self.fixed = sizes.into_iter().map(|m| m.into_iter().map(|v| if v >= least { 1.0 } else { 0.0 }).collect()).collect();
            }
        }
        Ok(())
    }

    /// Mean magnitude over the kernels, `[outputs * each]`.
    fn magnitudes(&self, params: &ParamStore, layer: usize) -> Result<Vec<f32>> {
        let Sizes { kernels, outputs, each } = self.layers[layer];
        let values = params.values(&weight_name(layer))?;
        let mut sums = vec![0.0; outputs * each];
        for kernel in values.chunks_exact(outputs * each) {
            sums.iter_mut().zip(kernel).for_each(|(s, v)| *s += v.abs() / kernels as f32);
        }
        Ok(sums)
    }

    /// Thresholds in units of weights, `[groups * outputs]`; none where none are learned.
    pub(super) fn thresholds(&self, params: &ParamStore, layer: usize) -> Result<Vec<f64>> {
        if self.kind != MaskKind::Learned {
            return Ok(Vec::new());
        }
        let largest = params.values(&weight_name(layer))?.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let s = params.values(&threshold_name(layer))?;
        Ok(s.iter().map(|s| ThresholdForm::Sigmoid.threshold(f64::from(s * self.gain), f64::from(largest)).0).collect())
    }

    fn sides(&self, params: &ParamStore, layer: usize, weight: Tensor<3>) -> Result<Sides> {
        if self.fill == Fill::Zero {
            return Ok(Sides { kept: weight, other: None });
        }
        let phi: Tensor<1> = params.get(&phi_name(layer))?;
        let share = (activation::sigmoid(phi) * 2.0).reshape([1, 1, 1]);
        let other: Tensor<3> = params.get(&fill_name(layer))?;
        let rest = share.clone().neg() + 2.0;
        let dims = weight.dims();
        Ok(Sides { kept: weight * share, other: Some((other * rest).expand(dims)) })
    }

    /// The kernels of a layer, pruned, with their way back.
    pub(super) fn apply(&self, params: &ParamStore, layer: usize) -> Result<Pruned> {
        let Sizes { kernels, outputs, each } = self.layers[layer];
        let weight: Tensor<5> = params.get(&weight_name(layer))?;
        let weight = weight.reshape([kernels, outputs, each]);
        match self.kind {
            MaskKind::None => Ok(Pruned { weight, density: 1.0, softness: None }),
            MaskKind::Random | MaskKind::Magnitude => {
                let mask = &self.fixed[layer];
                let density = f64::from(mask.iter().sum::<f32>()) / mask.len() as f64;
                let mask: Tensor<3> = params.input(mask.clone(), [1, outputs, each])?;
                Ok(Pruned { weight: self.sides(params, layer, weight)?.by(mask), density, softness: None })
            }
            MaskKind::Learned => self.learned(params, layer, weight),
        }
    }

    fn learned(&self, params: &ParamStore, layer: usize, weight: Tensor<3>) -> Result<Pruned> {
        let Sizes { kernels, outputs, each } = self.layers[layer];
        let groups = if self.shared { 1 } else { kernels };
        let values = params.values(&weight_name(layer))?;
        let sizes = if self.shared { self.magnitudes(params, layer)? } else { values.iter().map(|v| v.abs()).collect() };
        let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let free: Tensor<2> = params.get(&threshold_name(layer))?;
        let threshold = activation::sigmoid(free * self.gain) * largest;
        let softness = threshold.clone().neg().exp().reshape([groups * outputs]);
        let size = if self.shared { weight.clone().abs().mean_dim(0) } else { weight.clone().abs() };
        let above = size.clone() - threshold.reshape([groups, outputs, 1]);
        let levels = self.thresholds(params, layer)?;
        let over = |i: usize| f64::from(sizes[i]) - levels[i / each];
        let mask: Vec<f32> = (0..sizes.len()).map(|i| f32::from(u8::from(keeps(f64::from(sizes[i]), levels[i / each])))).collect();
        let density = f64::from(mask.iter().sum::<f32>()) / mask.len() as f64;
        let weight = match self.form {
            MaskForm::Soft => weight * (activation::relu(above) / (size + TINY)),
            MaskForm::Ste => {
                let slopes: Vec<f32> = (0..sizes.len()).map(|i| step_slope(over(i)) as f32).collect();
                let mask: Tensor<3> = params.input(mask, [groups, outputs, each])?;
                let slopes: Tensor<3> = params.input(slopes, [groups, outputs, each])?;
                // Nothing forwards; backwards, the slope of the step times what it lets through.
                let sides = self.sides(params, layer, weight)?;
                let estimate = sides.gain().detach() * slopes * above;
                sides.by(mask) + (estimate.clone() - estimate.detach())
            }
        };
        Ok(Pruned { weight, density, softness: Some(softness) })
    }

    /// The kernels of a layer as they leave training, and the share of them that the mask keeps.
    pub(super) fn pruned(&self, params: &ParamStore, layer: usize) -> Result<(Vec<f32>, f64)> {
        let applied = self.apply(params, layer)?;
        let values = applied.weight.into_data().try_into_vec::<f32>().unwrap_or_default();
        // A weight that is not kept may come out as -0.
        Ok((values.into_iter().map(|v| if v == 0.0 { 0.0 } else { v }).collect(), applied.density))
    }

    /// Takes in the density of a step and gives the pressure for it.
    pub(super) fn observe(&mut self, density: &[f64]) -> f32 {
        let weights: Vec<f64> = self.layers.iter().map(|s| (s.outputs * s.each) as f64).collect();
        let whole = density.iter().zip(&weights).map(|(d, w)| d * w).sum::<f64>() / weights.iter().sum::<f64>();
        self.controller.observe(whole) as f32
    }

    /// Begins a layer's thresholds again if they have pruned it away.
    pub(super) fn rescue(&self, params: &mut ParamStore, density: &[f64]) -> Result<()> {
        for (n, density) in density.iter().enumerate() {
            if self.kind == MaskKind::Learned && *density < COLLAPSED {
                let name = threshold_name(n);
                let count = params.values(&name)?.len();
                params.set_values(&name, vec![START / self.gain; count])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NetworkConfig;
    use crate::mask::{hard_backward, soft, soft_backward};

    /// Weights and, per output channel, a threshold, through the engine and by the formulas.
    fn agree(form: MaskForm) {
        let network =
            NetworkConfig { input: [1, 2, 2], widths: vec![1, 2], classes: 2, kernels: 2, reduction: 1, mask_scope: MaskScope::PerKernel };
        let mut paper = PaperConfig::plain(network);
        (paper.mask.kind, paper.mask.form, paper.mask.density) = (MaskKind::Learned, form, 0.5);
        let pruning = Pruning::new(&paper);
        let mut params = ParamStore::on_cpu(5);
        super::super::forward::add_tensors(&mut params, &paper, &pruning).unwrap();
        params.set_values(&threshold_name(0), vec![-0.2, 0.0, 0.1, -0.05]).unwrap();
        let weights = params.values(&weight_name(0)).unwrap();
        let thresholds = pruning.thresholds(&params, 0).unwrap();
        let pruned = pruning.apply(&params, 0).unwrap();
        let upstream: Vec<f32> = (0..weights.len()).map(|i| (i as f32 * 0.7).sin()).collect();
        let factor: Tensor<3> = params.input(upstream.clone(), [2, 2, 9]).unwrap();
        let values = pruned.weight.clone().into_data().try_into_vec::<f32>().unwrap();
        let grads = params.backward(&(pruned.weight * factor).sum());
        let largest = f64::from(weights.iter().fold(0.0f32, |m, v| m.max(v.abs())));
        let mut wanted = vec![0.0; 4];
        for (i, (&w, &g)) in weights.iter().zip(&upstream).enumerate() {
            let (w, g, t) = (f64::from(w), f64::from(g), thresholds[i / 9]);
            let (value, (dw, dt)) = match form {
                MaskForm::Ste => (if keeps(w, t) { w } else { 0.0 }, hard_backward(w, t, g)),
                MaskForm::Soft => (soft(w, t), soft_backward(w, t, g)),
            };
            assert!((f64::from(values[i]) - value).abs() < 1e-6, "{form:?} value {i}");
            assert!((f64::from(grads.by_name[&weight_name(0)][i]) - dw).abs() < 1e-5, "{form:?} weight {i}");
            let s = f64::from(params.values(&threshold_name(0)).unwrap()[i / 9]) * paper.train.threshold_gain;
            wanted[i / 9] += dt * ThresholdForm::Sigmoid.threshold(s, largest).1 * paper.train.threshold_gain;
        }
        for (found, wanted) in grads.by_name[&threshold_name(0)].iter().zip(wanted) {
            assert!((f64::from(*found) - wanted).abs() < 1e-4, "{form:?} {found} {wanted}");
        }
    }

    #[test]
    fn the_engine_goes_back_by_the_formulas() {
        agree(MaskForm::Ste);
        agree(MaskForm::Soft);
    }

    #[test]
    fn fixed_masks_keep_their_share() {
        let network =
            NetworkConfig { input: [1, 4, 4], widths: vec![2, 8, 8], classes: 2, kernels: 4, reduction: 4, mask_scope: MaskScope::Shared };
        for kind in [MaskKind::Random, MaskKind::Magnitude] {
            let mut paper = PaperConfig::plain(network.clone());
            (paper.mask.kind, paper.mask.density) = (kind, 0.25);
            let mut pruning = Pruning::new(&paper);
            let mut params = ParamStore::on_cpu(6);
            super::super::forward::add_tensors(&mut params, &paper, &pruning).unwrap();
            pruning.fix(&paper, &params).unwrap();
            let (kept, all) = pruning.fixed.iter().flatten().fold((0.0, 0.0), |(k, n), m| (k + m, n + 1.0));
            assert!((kept / all - 0.25f32).abs() < 0.005, "{kind:?} {kept} of {all}");
            // All kernels keep the same places.
            let (pruned, density) = pruning.pruned(&params, 1).unwrap();
            assert!((density - 0.25).abs() < 0.2, "{density}");
            let zero = |k: usize| pruned[k * 576..(k + 1) * 576].iter().map(|v| *v == 0.0).collect::<Vec<_>>();
            assert!((1..4).all(|k| zero(k) == zero(0)));
        }
    }

    #[test]
    fn a_static_kernel_fills_the_gaps() {
        let network =
            NetworkConfig { input: [1, 2, 2], widths: vec![1, 2], classes: 2, kernels: 2, reduction: 1, mask_scope: MaskScope::Shared };
        let mut paper = PaperConfig::plain(network);
        (paper.mask.kind, paper.mask.density, paper.mask.fill) = (MaskKind::Learned, 0.5, Fill::Static);
        let pruning = Pruning::new(&paper);
        let mut params = ParamStore::on_cpu(7);
        super::super::forward::add_tensors(&mut params, &paper, &pruning).unwrap();
        params.set_values(&threshold_name(0), vec![-0.05, -0.1]).unwrap();
        params.set_values(&phi_name(0), vec![0.3]).unwrap();
        let (weights, fill) = (params.values(&weight_name(0)).unwrap(), params.values(&fill_name(0)).unwrap());
        let thresholds = pruning.thresholds(&params, 0).unwrap();
        let upstream: Vec<f32> = (0..36).map(|i| (i as f32 * 0.7).sin()).collect();
        let pruned = pruning.apply(&params, 0).unwrap();
        let values = pruned.weight.clone().into_data().try_into_vec::<f32>().unwrap();
        let factor: Tensor<3> = params.input(upstream.clone(), [2, 2, 9]).unwrap();
        let grads = params.backward(&(pruned.weight * factor).sum());
        // By hand: share = 2 sigmoid(phi); a kept place has share * W, another (2 - share) * S.
        let sigmoid = 1.0 / (1.0 + (-0.3f64).exp());
        let share = 2.0 * sigmoid;
        let (mut kept, mut d_phi, mut d_fill) = (0, 0.0, [0.0; 18]);
        for (i, &g) in upstream.iter().enumerate() {
            let place = i % 18;
            let size = (f64::from(weights[place].abs()) + f64::from(weights[18 + place].abs())) / 2.0;
            let keep = size >= thresholds[place / 9];
            let (w, s, g) = (f64::from(weights[i]), f64::from(fill[place]), f64::from(g));
            let value = if keep { share * w } else { (2.0 - share) * s };
            assert!((f64::from(values[i]) - value).abs() < 1e-6, "place {i}");
            kept += usize::from(keep);
            d_phi += g * 2.0 * sigmoid * (1.0 - sigmoid) * if keep { w } else { -s };
            d_fill[place] += if keep { 0.0 } else { g * (2.0 - share) };
        }
        assert!(kept > 0 && kept < 36 && (pruned.density - kept as f64 / 36.0).abs() < 1e-12);
        assert!((f64::from(grads.by_name[&phi_name(0)][0]) - d_phi).abs() < 1e-5);
        for (found, wanted) in grads.by_name[&fill_name(0)].iter().zip(d_fill) {
            assert!((f64::from(*found) - wanted).abs() < 1e-5);
        }
    }
}
