//! Phantom patients: one lesion in three views, drawn on slices of an averaged brain. A class reaches the images through the
//! twelve concepts alone, whose truth is known. An analytic stand-in: it says nothing about tumours or eyes.

use crate::concepts::{CLASSES, CONCEPTS, COUNT, TABLE};
use crate::config::{NetworkConfig, PhantomConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rayon::prelude::*;
use zoo_core::{Dataset, Error, Reporter, Result};

/// Millimetres of a pixel, at 64 pixels a side.
const MILLIMETRES: f64 = 160.0;
/// Seed of all patients.
const SEED: u64 = 20_240;

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
        let (train, val) = (config.train, config.val);
        match self {
            Self::Train => 0..train,
            Self::Val => train..train + val,
            Self::Test => train + val..train + val + config.test,
        }
    }

    /// Heights of the slices behind the lesions, in shares of the template; no height is in two splits.
    fn heights(self) -> [f64; 2] {
        match self {
            Self::Train => [0.42, 0.60],
            Self::Val => [0.61, 0.64],
            Self::Test => [0.65, 0.70],
        }
    }
}

/// One phantom patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Patient {
    /// Number among all patients.
    pub index: usize,
    /// True class.
    pub class: usize,
    /// True concepts.
    pub truth: [bool; COUNT],
    /// Concepts as a report would state them: some wrong, some missing.
    pub stated: [Option<bool>; COUNT],
    /// Images of each modality, `side * side` values from 0 to 1; none where the modality is absent.
    pub images: [Vec<Vec<f32>>; 3],
}

impl Patient {
    /// True concepts of the modalities there are.
    pub fn visible(&self) -> [Option<bool>; COUNT] {
        std::array::from_fn(|c| (!self.images[CONCEPTS[c].1].is_empty()).then_some(self.truth[c]))
    }
}

/// The T1 map of the template.
pub struct Template {
    dims: [usize; 3],
    values: Vec<u8>,
}

impl Template {
    /// Reads the first field, u8 `[k, j, i]`, of a data set's only item.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::DType`] if it is no volume.
    pub fn read(dataset: &dyn Dataset) -> Result<Self> {
        let item = dataset.get(0)?;
        let volume = item.first().ok_or_else(|| Error::shape("fields of the template", "a volume", 0))?;
        let &[k, j, i] = volume.shape() else { return Err(Error::shape("template volume", "[k, j, i]", volume.shape())) };
        if k * j * i == 0 {
            return Err(Error::shape("template volume", "voxels", volume.shape()));
        }
        Ok(Self { dims: [k, j, i], values: volume.as_slice::<u8>()?.to_vec() })
    }

    /// Value from 0 to 1 at a place in a slice, nearest voxel; 0 outside.
    fn at(&self, slice: usize, row: f64, column: f64) -> f32 {
        let [_, j, i] = self.dims;
        let inside = |v: f64, n: usize| v >= 0.0 && v < n as f64;
        if !inside(row, j) || !inside(column, i) {
            return 0.0;
        }
        f32::from(self.values[(slice * j + row as usize) * i + column as usize]) / 255.0
    }
}

/// The patients of a split, in order; `limit` takes the first so many.
///
/// # Errors
/// [`Error::Cancelled`].
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
    let task = format!("drawing {split:?} patients").to_lowercase();
    let mut all = Vec::with_capacity(count);
    let indices: Vec<usize> = range.take(count).collect();
    for chunk in indices.chunks(32) {
        reporter.check()?;
        reporter.progress(&task, all.len() as u64, Some(count as u64), "patients");
        all.par_extend(chunk.par_iter().map(|&index| patient(template, config, network.side, split, index)));
    }
    Ok(all)
}

/// Where and how large a lesion is, in pixels.
struct Lesion {
    centre: [f64; 2],
    radius: f64,
    ratio: f64,
    turn: f64,
    phase: f64,
}

impl Lesion {
    /// Distance from the centre in radii, and the angle. `lobes` makes the edge wavy.
    fn place(&self, y: f64, x: f64, lobes: f64) -> (f64, f64) {
        let (dy, dx) = (y - self.centre[0], x - self.centre[1]);
        let (sin, cos) = self.turn.sin_cos();
        let (u, v) = ((cos * dx + sin * dy) * self.ratio, (cos * dy - sin * dx) / self.ratio);
        let angle = v.atan2(u);
        let edge = self.radius * (1.0 + lobes * (5.0 * angle + self.phase).sin());
        ((u * u + v * v).sqrt() / edge, angle)
    }
}

/// 1 inside, 0 outside, two pixels of passage.
fn within(d: f64, from: f64, to: f64, soft: f64) -> f64 {
    let ramp = |x: f64| (x / soft + 0.5).clamp(0.0, 1.0);
    ramp(d - from).min(ramp(to - d))
}

fn normal(rng: &mut impl Rng) -> f64 {
    let (a, b): (f64, f64) = (rng.random::<f64>().max(1e-12), rng.random());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

fn patient(template: &Template, config: &PhantomConfig, side: usize, split: Split, index: usize) -> Patient {
    let mut rng = ChaCha12Rng::seed_from_u64(SEED);
    rng.set_stream(index as u64);
    let class = rng.random_range(0..CLASSES.len());
    let truth: [bool; COUNT] = std::array::from_fn(|c| rng.random_bool(TABLE[c][class]));
    let stated = truth.map(|state| {
        let (wrong, missing) = (rng.random_bool(config.flipped), rng.random_bool(config.missing));
        (!missing).then_some(state != wrong)
    });
    let unit = side as f64 / 64.0;
    let lesion = Lesion {
        centre: [0, 1].map(|_| unit * (32.0 + rng.random_range(-6.0..6.0))),
        radius: unit * rng.random_range(9.0..12.5),
        ratio: rng.random_range(0.88..1.12),
        turn: rng.random_range(0.0..std::f64::consts::TAU),
        phase: rng.random_range(0.0..std::f64::consts::TAU),
    };
    let heights = split.heights();
    let slice = (template.dims[0] as f64 * rng.random_range(heights[0]..heights[1])) as usize;
    let shift: [f64; 2] = [0, 1].map(|_| rng.random_range(-25.0..25.0));
    let mirrored = rng.random_bool(0.5);
    let images = std::array::from_fn(|modality| {
        let present = modality == 0 || !rng.random_bool(config.absent);
        let count = rng.random_range(1..=config.images);
        let mut all = Vec::new();
        for _ in 0..if present { count } else { 0 } {
            let jitter: [f64; 2] = [0, 1].map(|_| unit * rng.random_range(-2.0..2.0));
            let gain = rng.random_range(0.85..1.15);
            let background = |y: f64, x: f64| {
                let mm = MILLIMETRES / side as f64;
                let x = if mirrored { side as f64 - x } else { x };
                let [_, j, i] = template.dims;
                let place = |at: f64, n: usize, shift: f64| n as f64 / 2.0 + shift + (at - side as f64 / 2.0) * mm;
                f64::from(template.at(slice.min(template.dims[0] - 1), place(y, j, shift[0]), place(x, i, shift[1])))
            };
            let mut image = Vec::with_capacity(side * side);
            for row in 0..side {
                for column in 0..side {
                    let (y, x) = (row as f64 + jitter[0], column as f64 + jitter[1]);
                    let value = view(modality, &lesion, &truth, y, x, side as f64, background(y, x), &mut rng);
                    image.push(((value * gain) as f32 + config.noise * normal(&mut rng) as f32).clamp(0.0, 1.0));
                }
            }
            all.push(image);
        }
        all
    });
    Patient { index, class, truth, stated, images }
}

/// Value of a pixel, before gain and noise.
#[allow(clippy::too_many_arguments, reason = "a lesion, a view of it, and a place")]
fn view(modality: usize, lesion: &Lesion, truth: &[bool; COUNT], y: f64, x: f64, side: f64, background: f64, rng: &mut impl Rng) -> f64 {
    let on = |c: usize| f64::from(u8::from(truth[c]));
    let soft = 2.0 / lesion.radius;
    // Spots around the lesion, at a multiple of its radius.
    let spots = |count: usize, distance: f64, size: f64| {
        (0..count)
            .map(|n| {
                let angle = lesion.phase + std::f64::consts::TAU * n as f64 / count as f64;
                let at =
                    [lesion.centre[0] + distance * lesion.radius * angle.sin(), lesion.centre[1] + distance * lesion.radius * angle.cos()];
                within(((y - at[0]).powi(2) + (x - at[1]).powi(2)).sqrt() / (size * lesion.radius), -1.0, 1.0, 0.6)
            })
            .fold(0.0, f64::max)
    };
    match modality {
        0 => {
            let (d, _) = lesion.place(y, x, 0.05 + 0.17 * on(1));
            let body = within(d, -1.0, 1.0, soft);
            let mut value = (1.0 - body) * 0.7 * background + body * 0.45;
            value += 0.35 * on(0) * within(d, -1.0, 0.45, soft);
            value += 0.30 * on(3) * within(d, 0.80, 1.08, soft);
            value + 0.40 * on(2) * spots(3, 1.65, 0.28)
        }
        1 => {
            let (d, _) = lesion.place(y, x, 0.05);
            let body = within(d, -1.0, 1.0, soft);
            let mut value = (1.0 - body) * 0.5 * background + body * 0.40;
            value += 0.25 * on(4) * body;
            value -= 0.30 * on(7) * within(d, -1.0, 0.6, soft);
            value += 0.30 * on(5) * within(d, 0.85, 1.12, soft);
            value + 0.40 * on(6) * spots(5, 1.5, 0.16)
        }
        _ => {
            let (d, _) = lesion.place(y, x, 0.05);
            // A cap on a narrower neck.
            let (cap, _) = lesion.place(y + 1.05 * lesion.radius, x, 0.0);
            let body = within(d, -1.0, 1.0, soft).max(on(11) * within(cap * 1.35, -1.0, 1.0, soft));
            let mut echo = (1.0 - body) * (0.15 + 0.5 * background) + body * (0.35 + 0.35 * on(9));
            let below = y - lesion.centre[0] - lesion.radius;
            if truth[8] && below > 0.0 && (x - lesion.centre[1]).abs() < 0.8 * lesion.radius {
                echo *= 0.25;
            }
            let line = within((below - 0.2 * lesion.radius).abs() / 2.0, -1.0, 1.0, 0.5);
            if (x - lesion.centre[1]).abs() < 1.2 * lesion.radius {
                echo += 0.5 * on(10) * line;
            }
            // Speckle, depth and the compression of an ultrasound image.
            let speckle = (-2.0 * rng.random::<f64>().max(1e-6).ln()).sqrt() / 1.2533;
            let depth = 1.0 - 0.35 * y / side;
            (1.0 + 20.0 * echo * depth * (0.6 + 0.4 * speckle)).ln() / 21.0f64.ln()
        }
    }
}
