//! Networks to and from named tensors.
//!
//! The names are those of the public code's PyTorch `state_dict`: `w1 [N, d]`, `b1 [N]`, `w2 [1, N]`, `b2 [1]`, `_eta [1]`,
//! `_lam [1]` (both before their transform), optionally the gain `g1`.

use crate::config::{Kind, PaperConfig};
use crate::det_hebb::DetHebb;
use crate::lstm::Lstm;
use crate::net::{Form, HebbNet};
use std::collections::BTreeMap;
use zoo_core::{DType, Dialect, Error, Result, Tensor, Weights};

/// Names of HebbFF's tensors.
pub const NAMES: [&str; 6] = ["w1", "b1", "w2", "b2", "_eta", "_lam"];
/// Names of the LSTM's tensors.
pub const LSTM_NAMES: [&str; 5] = ["weight_ih_l0", "weight_hh_l0", "bias_l0", "w2", "b2"];
/// What else the authors' `state_dict` holds: state and switches, which the configuration states here.
const AUTHORS_BUFFERS: [&str; 8] = ["A", "plastic", "forceAnti", "forceHebb", "reparamLam", "reparamLamTau", "groundTruthPlast", "g1"];

/// Any network of this plugin.
#[derive(Clone, Debug, PartialEq)]
pub enum Net {
    /// HebbFF, with or without plasticity.
    Plastic(HebbNet),
    /// The gated baseline.
    Lstm(Lstm),
    /// The analytic detector.
    Det(DetHebb),
}

impl Net {
    /// The network that a configuration and its weights describe.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::Shape`], [`Error::DType`]; [`Error::Argument`] for values that are not finite.
    pub fn read(paper: &PaperConfig, weights: &Weights) -> Result<Self> {
        let (d, n) = (paper.task.d, paper.network.n);
        let wide = |name: &str, shape: &[usize]| -> Result<Vec<f64>> {
            let values: Vec<f64> = weights.f32(name, shape)?.iter().map(|v| f64::from(*v)).collect();
            match values.iter().find(|v| !v.is_finite()) {
                Some(bad) => Err(Error::argument(format!("weight `{name}`"), "finite numbers", bad)),
                None => Ok(values),
            }
        };
        match paper.network.kind {
            Kind::Plastic => {
                weights.expect_keys("weights of HebbFF", NAMES)?;
                let form = Form { d, n, force: paper.network.force, lam_param: paper.network.lam_param };
                let mut theta = transposed(&wide("w1", &[n, d])?, n, d);
                for (name, shape) in [("b1", &[n][..]), ("w2", &[1, n]), ("b2", &[1]), ("_eta", &[1]), ("_lam", &[1])] {
                    theta.extend(wide(name, shape)?);
                }
                Ok(Self::Plastic(HebbNet { form, theta }))
            }
            Kind::Lstm => {
                weights.expect_keys("weights of the LSTM", LSTM_NAMES)?;
                let mut theta = Vec::with_capacity(Lstm::parameters(d, n));
                for (name, shape) in LSTM_NAMES.iter().zip([&[4 * n, d][..], &[4 * n, n], &[4 * n], &[1, n], &[1]]) {
                    theta.extend(wide(name, shape)?);
                }
                Ok(Self::Lstm(Lstm { d, n, theta }))
            }
            Kind::DetHebb => {
                let design = paper.det_hebb.ok_or_else(|| Error::Config {
                    key: "det-hebb".into(),
                    expected: "a table with the detector's design".into(),
                    found: "nothing".into(),
                })?;
                Ok(Self::Det(DetHebb::new(design)?))
            }
        }
    }

    /// The network's tensors in single precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters do not fill the form.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::new();
        match self {
            Self::Plastic(net) => {
                let Form { d, n, .. } = net.form;
                let (w1, rest) = net.theta.split_at(d * n);
                weights.insert("w1", narrow(&[n, d], &transposed(w1, d, n))?);
                weights.insert("b1", narrow(&[n], &rest[..n])?);
                weights.insert("w2", narrow(&[1, n], &rest[n..2 * n])?);
                for (name, value) in NAMES[3..].iter().zip(&rest[2 * n..]) {
                    weights.insert(*name, narrow(&[1], &[*value])?);
                }
            }
            Self::Lstm(Lstm { d, n, theta }) => {
                let mut rest = theta.as_slice();
                for (name, shape) in LSTM_NAMES.iter().zip([vec![4 * n, *d], vec![4 * n, *n], vec![4 * n], vec![1, *n], vec![1]]) {
                    let (values, tail) = rest.split_at(shape.iter().product());
                    weights.insert(*name, narrow(&shape, values)?);
                    rest = tail;
                }
            }
            Self::Det(det) => {
                weights.insert("W", narrow(&[det.units(), det.design.address], &det.addresses())?);
                weights.insert("B", narrow(&[1], &[det.bias])?);
                weights.insert("gamma", narrow(&[1], &[det.gamma])?);
            }
        }
        Ok(weights)
    }
}

/// A tensor of single precision.
pub(crate) fn narrow(shape: &[usize], values: &[f64]) -> Result<Tensor> {
    #[allow(clippy::cast_possible_truncation, reason = "weights travel in single precision")]
    Tensor::from_vec(shape, values.iter().map(|v| *v as f32).collect::<Vec<f32>>())
}

/// Row-major `[rows, columns]` to row-major `[columns, rows]`.
pub(crate) fn transposed(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|j| (0..rows).map(move |i| values[i * columns + j])).collect()
}

/// Weights of HebbFF from a file. In the authors' dialect, `b1` and `w2` may be shared scalars, a gain is folded into `w1`,
/// and state and switches are left out.
///
/// # Errors
/// [`Error::NotOffered`] for another network than HebbFF in the authors' dialect; as [`Net::read`].
pub fn import(file: &Weights, dialect: Dialect, paper: &PaperConfig) -> Result<Weights> {
    if dialect == Dialect::Zoo {
        return Net::read(paper, file)?.weights().map(|weights| Weights { metadata: file.metadata.clone(), ..weights });
    }
    if paper.network.kind != Kind::Plastic {
        let hint = "the authors' names are those of HebbFF".into();
        return Err(Error::NotOffered { who: "hebbff".into(), what: "import in the authors' dialect".into(), hint });
    }
    let (d, n) = (paper.task.d, paper.network.n);
    let mut inner = Weights { tensors: file.tensors.clone(), metadata: BTreeMap::new() };
    inner.tensors.retain(|name, _| !AUTHORS_BUFFERS.contains(&name.as_str()));
    inner.expect_keys("the authors' HebbFF", NAMES)?;
    for (name, shape) in [("b1", vec![n]), ("w2", vec![1, n]), ("b2", vec![1]), ("_eta", vec![1]), ("_lam", vec![1])] {
        let tensor = inner.get(name)?;
        if tensor.dtype() != DType::F32 {
            return Err(Error::DType { what: format!("weight `{name}`"), expected: "f32".into(), found: tensor.dtype().to_string() });
        }
        let values: &[f32] = tensor.as_slice()?;
        let wanted: usize = shape.iter().product();
        let spread = if values.len() == 1 { vec![values[0]; wanted] } else { values.to_vec() };
        let tensor = Tensor::from_vec(shape, spread)?;
        inner.insert(name, tensor);
    }
    if let Some(gain) = file.tensors.get("g1") {
        let gain = gain.to_f32();
        let [gain] = gain[..] else { return Err(Error::shape("weight `g1`", [1], gain.len())) };
        // NaN is how the authors write "no gain".
        if !gain.is_nan() {
            let scaled = inner.f32("w1", &[n, d])?.iter().map(|w| w * gain).collect::<Vec<f32>>();
            inner.insert("w1", Tensor::from_vec([n, d], scaled)?);
        }
    }
    Net::read(paper, &inner)?.weights()
}
