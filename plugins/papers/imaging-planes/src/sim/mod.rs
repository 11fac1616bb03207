//! Simulated patients on real anatomy (specification section 7, part B): the MNI152 template, warped, posed and resliced
//! along planes that are fixed in the template and carried by the pose.
//!
//! The template is an average of 152 scans, not a patient; nothing here says anything about hearts.

mod views;
mod warp;

use crate::config::{NetworkConfig, SimConfig};
use crate::geometry::{Plane, Vector, slice_locations};
use crate::heat::heat_map;
use crate::preprocess::{Prepared, prepare};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use views::Pose;
pub use views::{FOUR_CHAMBER, SHORT_AXIS, TWO_CHAMBER};
pub use warp::Warp;
use zoo_core::{Dataset, Error, Reporter, Result, Tensor};

/// The template: intensities and shares of grey and white matter, with the way from mm to voxels.
#[derive(Clone, Debug)]
pub struct Template {
    dims: [usize; 3],
    maps: [Vec<u8>; 3],
    /// Voxel (i, j, k) of a point: `linear * (point - origin)`.
    linear: [Vector; 3],
    origin: Vector,
}

impl Template {
    /// Reads `t1`, `gm`, `wm` (u8 `[k, j, i]`) and `affine` (f64 `[4, 4]`) of a data set's only item.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::DType`] or [`Error::Argument`] if the item is no such template.
    pub fn read(dataset: &dyn Dataset) -> Result<Self> {
        let item = dataset.get(0)?;
        let [t1, gm, wm, affine] = item.as_slice() else {
            return Err(Error::shape("fields of the template", 4, item.len()));
        };
        Self::new([t1, gm, wm], affine)
    }

    /// From tensors.
    ///
    /// # Errors
    /// As [`Template::read`].
    pub fn new(maps: [&Tensor; 3], affine: &Tensor) -> Result<Self> {
        let &[k, j, i] = maps[0].shape() else {
            return Err(Error::shape("template volume", "[k, j, i]", maps[0].shape()));
        };
        if k * j * i == 0 || maps.iter().any(|m| m.shape() != maps[0].shape()) || affine.shape() != [4, 4] {
            return Err(Error::shape("template maps and affine", "three of one shape, and [4, 4]", affine.shape()));
        }
        let a = affine.as_slice::<f64>()?;
        let row = |r: usize| [a[4 * r], a[4 * r + 1], a[4 * r + 2]];
        let [r0, r1, r2] = [row(0), row(1), row(2)];
        use crate::geometry::{cross, dot};
        let determinant = dot(r0, cross(r1, r2));
        if !determinant.is_finite() || determinant.abs() < 1e-12 {
            return Err(Error::argument("affine of the template", "a transform that can be inverted", format!("{a:?}")));
        }
        // Inverse by cofactors: its columns are the cross products of the rows.
        let columns = [cross(r1, r2), cross(r2, r0), cross(r0, r1)].map(|c| c.map(|v| v / determinant));
        let linear = std::array::from_fn(|r| [columns[0][r], columns[1][r], columns[2][r]]);
        let bytes = |m: &Tensor| m.as_slice::<u8>().map(<[u8]>::to_vec);
        Ok(Self { dims: [i, j, k], maps: [bytes(maps[0])?, bytes(maps[1])?, bytes(maps[2])?], linear, origin: [a[3], a[7], a[11]] })
    }

    /// Values of the three maps at a point in mm, trilinear, 0 outside.
    fn sample(&self, point: Vector) -> [f32; 3] {
        let from: Vector = std::array::from_fn(|i| point[i] - self.origin[i]);
        let voxel: Vector = std::array::from_fn(|r| crate::geometry::dot(self.linear[r], from));
        let inside = |axis: usize| voxel[axis] >= 0.0 && voxel[axis] < (self.dims[axis] - 1) as f64;
        if !(inside(0) && inside(1) && inside(2)) {
            return [0.0; 3];
        }
        let base: [usize; 3] = std::array::from_fn(|a| voxel[a] as usize);
        let part: [f32; 3] = std::array::from_fn(|a| (voxel[a] - base[a] as f64) as f32);
        let (row, sheet) = (self.dims[0], self.dims[0] * self.dims[1]);
        let start = base[2] * sheet + base[1] * row + base[0];
        std::array::from_fn(|m| {
            let map = &self.maps[m];
            let line = |at: usize| f32::from(map[at]) * (1.0 - part[0]) + f32::from(map[at + 1]) * part[0];
            let face = |at: usize| line(at) * (1.0 - part[1]) + line(at + row) * part[1];
            face(start) * (1.0 - part[2]) + face(start + sheet) * part[2]
        })
    }
}

/// One slice with its targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// Its plane, as a header would state it.
    pub plane: Plane,
    /// Prepared image, `size * size`.
    pub image: Vec<f32>,
    /// Class of each pixel: 0 neither, 1 grey, 2 white matter.
    pub labels: Vec<u8>,
    /// Relative place in the stack.
    pub location: f64,
}

/// A simulated patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Patient {
    /// Index among all patients.
    pub index: usize,
    /// Short-axis slices, in the order of the stack.
    pub slices: Vec<Slice>,
    /// The planes of the 2- and the 4-chamber view.
    pub views: [Plane; 2],
}

impl Patient {
    /// Heat maps of the two views on a slice, one after the other.
    ///
    /// # Errors
    /// As [`crate::heat::Heat::shape`]; [`Error::Argument`] if a view is parallel to the slice.
    pub fn heat(&self, slice: usize, network: &NetworkConfig) -> Result<Vec<f32>> {
        let mut maps = Vec::with_capacity(2 * network.size * network.size);
        for view in &self.views {
            let line = self.slices[slice].plane.line_of(view);
            let line = line.ok_or_else(|| Error::argument("planes of a slice and a view", "planes that cross", "parallel ones"))?;
            maps.extend(heat_map(&line, network.size, network.size, network.heat.shape(view, network.spacing)?));
        }
        Ok(maps)
    }
}

/// Which patients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The first of them.
    Train,
    /// The next.
    Val,
    /// The last.
    Test,
}

impl Split {
    /// Indices of its patients.
    pub fn range(self, sim: &SimConfig) -> std::ops::Range<usize> {
        let [train, val, test] = sim.patients;
        match self {
            Self::Train => 0..train,
            Self::Val => train..train + val,
            Self::Test => train + val..train + val + test,
        }
    }
}

/// Simulates the patients of a split, or the first `limit` of them. Patient `i` depends on `sim.seed` and `i` alone, so
/// warps of different splits never coincide.
///
/// # Errors
/// [`Error::Cancelled`]; what preparing a slice finds.
pub fn patients(
    template: &Template,
    sim: &SimConfig,
    network: &NetworkConfig,
    split: Split,
    limit: Option<usize>,
    reporter: &dyn Reporter,
) -> Result<Vec<Patient>> {
    let range = split.range(sim);
    let count = limit.unwrap_or(usize::MAX).min(range.len());
    let mut all = Vec::with_capacity(count);
    for index in range.take(count) {
        reporter.check()?;
        reporter.progress("simulating patients", all.len() as u64, Some(count as u64), "patients");
        all.push(patient(template, sim, network, index)?);
    }
    reporter.progress("simulating patients", count as u64, Some(count as u64), "patients");
    Ok(all)
}

/// Simulates one patient.
///
/// # Errors
/// What preparing a slice finds.
pub fn patient(template: &Template, sim: &SimConfig, network: &NetworkConfig, index: usize) -> Result<Patient> {
    let mut rng = ChaCha8Rng::seed_from_u64(sim.seed);
    rng.set_stream(index as u64 + 1);
    let warp = Warp::draw(sim.warp, &mut rng);
    let pose = Pose::draw(sim, &mut rng);
    let look = Look::draw(sim, &mut rng);
    let planes = views::stack(sim, network, &pose, &mut rng);
    let views = [TWO_CHAMBER, FOUR_CHAMBER].map(|view| views::acquire(view.point, view.normal, sim, network, &pose, &mut rng));
    let locations = slice_locations(&planes, pose.turn(SHORT_AXIS.normal)).unwrap_or_default();
    let seeds: Vec<u64> = planes.iter().map(|_| rng.random()).collect();
    let slices = planes.par_iter().zip(&locations).zip(seeds).map(|((plane, location), seed)| {
        let (pixels, labels) = reslice(template, plane, network.size, &warp, &pose, &look, &mut ChaCha8Rng::seed_from_u64(seed));
        // The slice is acquired at the pixel size of the network, so that preparing it only standardises.
        let side = network.size;
        let Prepared { pixels: image, .. } =
            prepare(&pixels, [side, side], [plane.row_spacing, plane.column_spacing], network.spacing, side)?;
        Ok(Slice { plane: *plane, image, labels, location: *location })
    });
    Ok(Patient { index, slices: slices.collect::<Result<_>>()?, views })
}

/// How a scan looks: exponent, bias field, noise.
struct Look {
    gamma: f64,
    /// Coefficients of x, y, z, their squares and products.
    bias: [f64; 9],
    noise: f64,
}

impl Look {
    fn draw(sim: &SimConfig, rng: &mut impl Rng) -> Self {
        let gamma = rng.random_range(sim.gamma[0]..=sim.gamma[1]);
        Self { gamma, bias: std::array::from_fn(|_| sim.bias * rng.random_range(-1.0..=1.0) / 3.0), noise: sim.noise }
    }

    fn bias(&self, p: Vector) -> f64 {
        let [x, y, z] = p.map(|v| v / 90.0);
        let terms = [x, y, z, x * x, y * y, z * z, x * y, y * z, z * x];
        terms.iter().zip(self.bias).map(|(t, b)| t * b).sum::<f64>().exp()
    }
}

/// Greatest intensity of the template.
const BRIGHT: f64 = 255.0;

fn reslice(
    template: &Template,
    plane: &Plane,
    size: usize,
    warp: &Warp,
    pose: &Pose,
    look: &Look,
    rng: &mut impl Rng,
) -> (Vec<f32>, Vec<u8>) {
    let (mut pixels, mut labels) = (Vec::with_capacity(size * size), Vec::with_capacity(size * size));
    for v in 0..size {
        for u in 0..size {
            let point = pose.undo(plane.point(u as f64, v as f64));
            let [t1, gm, wm] = template.sample(warp.apply(point));
            let signal = BRIGHT * (f64::from(t1) / BRIGHT).powf(look.gamma) * look.bias(point);
            let [a, b] = [normal(rng), normal(rng)].map(|n| look.noise * BRIGHT * n);
            pixels.push((signal + a).hypot(b) as f32);
            let rest = 255.0 - gm - wm;
            labels.push(if gm > rest && gm >= wm { 1 } else { u8::from(wm > rest) * 2 });
        }
    }
    (pixels, labels)
}

/// A standard normal number (Box-Muller).
fn normal(rng: &mut impl Rng) -> f64 {
    let radius: f64 = 1.0 - rng.random::<f64>();
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
