//! Phantom patients (specification section 7): slices of an averaged head, warped by a known diffeomorphism, with a drawn lesion
//! that pushes the tissue around it. No tumour of any patient is in it.

mod lesion;

use crate::config::{NetworkConfig, PhantomConfig};
use crate::field::{compose, exponential, lengths};
use lesion::Lesion;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rayon::prelude::*;
use zoo_core::{Dataset, Error, Reporter, Result, Tensor};
use zoo_train::seeds::standard_normal;

/// Front-to-back place of the image's middle in the template's frame, mm.
const MIDDLE: f64 = -17.0;
/// Box blurs that make noise smooth, and their radius in pixels: about a Gaussian of 13 mm at 2 mm a pixel.
const BLURS: usize = 3;
const BLUR_RADIUS: usize = 6;
/// Squarings of the true deformations.
const SQUARINGS: u32 = 7;

/// Which patients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// To train on.
    Train,
    /// To choose by.
    Val,
    /// To count.
    Test,
}

impl Split {
    fn range(self, config: &PhantomConfig) -> std::ops::Range<usize> {
        let [train, val, test] = config.patients;
        match self {
            Self::Train => 0..train,
            Self::Val => train..train + val,
            Self::Test => train + val..train + val + test,
        }
    }

    fn levels(self, config: &PhantomConfig) -> &[f64] {
        &config.levels[self as usize]
    }
}

/// The T1 map of the template, head alone: what is not brain is 0.
pub struct Template {
    dims: [usize; 3],
    values: Vec<u8>,
    /// Millimetres of voxel (0, 0, 0); voxels are of 1 mm along the axes.
    origin: [f64; 3],
}

impl Template {
    /// Reads `t1` (u8 `[k, j, i]`) and `affine` (f64 `[4, 4]`), the first and last field of a data set's only item.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::DType`] or [`Error::Argument`] if the item is no template of 1 mm along the axes.
    pub fn read(dataset: &dyn Dataset) -> Result<Self> {
        let item = dataset.get(0)?;
        let [t1, .., affine] = item.as_slice() else {
            return Err(Error::shape("fields of the template", "a volume and its affine", item.len()));
        };
        Self::new(t1, affine)
    }

    /// From tensors.
    ///
    /// # Errors
    /// As [`Template::read`].
    pub fn new(t1: &Tensor, affine: &Tensor) -> Result<Self> {
        let &[k, j, i] = t1.shape() else { return Err(Error::shape("template volume", "[k, j, i]", t1.shape())) };
        if k * j * i == 0 || affine.shape() != [4, 4] {
            return Err(Error::shape("template volume and affine", "voxels, and [4, 4]", (t1.shape(), affine.shape())));
        }
        let a = affine.as_slice::<f64>()?;
        let unit = (0..3).all(|r| (0..3).all(|c| a[4 * r + c] == if r == c { 1.0 } else { 0.0 }));
        if !unit {
            return Err(Error::argument("affine of the template", "1 mm along the axes", format!("{a:?}")));
        }
        Ok(Self { dims: [i, j, k], values: t1.as_slice::<u8>()?.to_vec(), origin: [a[3], a[7], a[11]] })
    }

    /// Value from 0 to 1 at a place in mm, linear within the nearest slice; 0 outside.
    fn at(&self, x: f64, y: f64, z: f64) -> f64 {
        let place = [x - self.origin[0], y - self.origin[1], (z - self.origin[2]).round()];
        let inside = (0..3).all(|a| place[a] >= 0.0 && place[a] < (self.dims[a] - usize::from(a < 2)) as f64);
        if !inside {
            return 0.0;
        }
        let [u, v] = [place[0] as usize, place[1] as usize];
        let (fu, fv) = (place[0].fract(), place[1].fract());
        let start = (place[2] as usize * self.dims[1] + v) * self.dims[0] + u;
        let value = |offset: usize| f64::from(self.values[start + offset]) / 255.0;
        let row = self.dims[0];
        (value(0) * (1.0 - fu) + value(1) * fu) * (1.0 - fv) + (value(row) * (1.0 - fu) + value(row + 1) * fu) * fv
    }

    /// The slice at a height, front of the head at the top; `field` moves the place of each pixel.
    fn slice(&self, network: &NetworkConfig, level: f64, field: Option<&[f32]>) -> Vec<f32> {
        let side = network.grid[0];
        let plane = side * side;
        let middle = (side as f64 - 1.0) / 2.0;
        let value = |p: usize| {
            let moved = |axis: usize| field.map_or(0.0, |f| f64::from(f[axis * plane + p]));
            let (column, row) = ((p % side) as f64 + moved(0), (p / side) as f64 + moved(1));
            self.at((column - middle) * network.spacing, MIDDLE - (row - middle) * network.spacing, level) as f32
        };
        (0..plane).map(value).collect()
    }
}

/// One phantom patient. Maps are `side * side`, row by row; fields are as in [`crate::field`], on the patient's grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Patient {
    /// Number among all patients.
    pub index: usize,
    /// Height of the slice, mm.
    pub level: f64,
    /// Image with the lesion, from 0 to 1.
    pub x: Vec<f32>,
    /// The atlas's slice at the same height.
    pub y: Vec<f32>,
    /// The image as it would be without the lesion.
    pub clean: Vec<f32>,
    /// Where the lesion is.
    pub lesion: Vec<bool>,
    /// The lesion's shape at another place of the brain.
    pub elsewhere: Vec<bool>,
    /// Where the brain is, in the patient.
    pub brain: Vec<bool>,
    /// True displacement from the patient to the atlas, pixels, the lesion's push included.
    pub truth: Vec<f32>,
    /// The same without a lesion.
    pub clean_truth: Vec<f32>,
}

/// The patients of a split, in order; `limit` takes the first so many. Patient `i` depends on the seed and `i` alone.
///
/// # Errors
/// [`Error::Cancelled`]; what integrating finds.
pub fn patients(
    template: &Template,
    config: &PhantomConfig,
    network: &NetworkConfig,
    split: Split,
    limit: Option<usize>,
    reporter: &dyn Reporter,
) -> Result<Vec<Patient>> {
    let range = split.range(config);
    let count = limit.map_or(range.len(), |n| n.min(range.len()));
    let indices: Vec<usize> = range.take(count).collect();
    let task = format!("drawing {split:?} patients").to_lowercase();
    let mut all = Vec::with_capacity(count);
    for chunk in indices.chunks(16) {
        reporter.check()?;
        reporter.progress(&task, all.len() as u64, Some(count as u64), "patients");
        let drawn: Result<Vec<_>> = chunk.par_iter().map(|&index| patient(template, config, network, split, index)).collect();
        all.extend(drawn?);
    }
    reporter.progress(&task, count as u64, Some(count as u64), "patients");
    Ok(all)
}

fn patient(template: &Template, config: &PhantomConfig, network: &NetworkConfig, split: Split, index: usize) -> Result<Patient> {
    let mut rng = ChaCha12Rng::seed_from_u64(config.seed);
    rng.set_stream(index as u64 + 1);
    let levels = split.levels(config);
    let level = levels[index % levels.len()];
    let (side, grid) = (network.grid[0], network.grid.as_slice());
    let clean_truth = deformation(config, network, &mut rng)?;
    let head = template.slice(network, level, Some(&clean_truth));
    let lesion = Lesion::draw(config, network, &head, &mut rng);
    let truth = compose(&lesion.push, &clean_truth, grid)?;
    let mut image = template.slice(network, level, Some(&truth));
    let brain: Vec<bool> = image.iter().map(|v| *v > 0.0).collect();
    lesion.paint(&mut image);
    let look = Look::draw(config, side, &mut rng);
    let mut clean = head;
    look.apply(&mut image);
    look.apply(&mut clean);
    let mask: Vec<bool> = lesion.alpha.iter().zip(&brain).map(|(a, b)| *a > 0.5 && *b).collect();
    let elsewhere = lesion::elsewhere(&mask, &brain, side, &mut rng);
    let y = template.slice(network, level, None);
    Ok(Patient { index, level, x: image, y, clean, lesion: mask, elsewhere, brain, truth, clean_truth })
}

/// Standard normal noise, blurred and scaled to a deviation of 1.
fn smooth_noise(side: usize, radius: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut values: Vec<f32> = (0..side * side).map(|_| standard_normal(rng)).collect();
    for _ in 0..BLURS {
        for stride in [1, side] {
            let old = values.clone();
            for (p, value) in values.iter_mut().enumerate() {
                let at = (p / stride % side) as i64;
                let reach = radius as i64;
                let line = (at - reach).max(0)..=(at + reach).min(side as i64 - 1);
                *value = line.map(|q| old[(p as i64 + (q - at) * stride as i64) as usize]).sum();
            }
        }
    }
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32).sqrt().max(1e-12);
    values.iter().map(|v| (v - mean) / deviation).collect()
}

/// A diffeomorphism of the wanted peak, pixels.
fn deformation(config: &PhantomConfig, network: &NetworkConfig, rng: &mut impl Rng) -> Result<Vec<f32>> {
    let side = network.grid[0];
    let velocity = [smooth_noise(side, BLUR_RADIUS, rng), smooth_noise(side, BLUR_RADIUS, rng)].concat();
    let goal = (rng.random_range(config.warp[0]..=config.warp[1]) / network.spacing) as f32;
    let peak = |field: &[f32]| lengths(field, 2).into_iter().fold(0.0f32, f32::max).max(1e-6);
    // Integration changes lengths a little, so the goal is met by repeating it with a corrected velocity.
    let mut factor = goal / peak(&velocity);
    let mut field = Vec::new();
    for _ in 0..4 {
        let scaled: Vec<f32> = velocity.iter().map(|v| v * factor).collect();
        field = exponential(&scaled, 1.0, SQUARINGS, &network.grid)?;
        factor *= goal / peak(&field);
    }
    Ok(field)
}

/// How a scan looks: exponent, bias field, noise. Outside the head it stays 0.
struct Look {
    gamma: f32,
    bias: Vec<f32>,
    noise: Vec<f32>,
}

impl Look {
    fn draw(config: &PhantomConfig, side: usize, rng: &mut impl Rng) -> Self {
        let gamma = rng.random_range(config.gamma[0]..=config.gamma[1]) as f32;
        let strength = (config.bias * rng.random::<f64>()) as f32;
        let bias = smooth_noise(side, side / 6, rng).into_iter().map(|v| (strength * v.clamp(-2.0, 2.0) / 2.0).exp()).collect();
        let noise = (0..side * side).map(|_| config.noise as f32 * standard_normal(rng)).collect();
        Self { gamma, bias, noise }
    }

    fn apply(&self, image: &mut [f32]) {
        for ((value, bias), noise) in image.iter_mut().zip(&self.bias).zip(&self.noise) {
            if *value > 0.0 {
                *value = (value.powf(self.gamma) * bias + noise).clamp(1e-3, 1.0);
            }
        }
    }
}
