//! One lesion: its shape, its look, and how it pushes.

use super::smooth_noise;
use crate::config::{NetworkConfig, PhantomConfig};
use rand::Rng;

/// Share of the lesion that must lie in the brain.
const INSIDE: f64 = 0.9;
/// Attempts to find a place.
const ATTEMPTS: usize = 200;
/// Width of the passage from lesion to tissue, pixels.
const EDGE: f32 = 2.0;
/// Distance over which the push fades outside, mm.
const REACH: f64 = 14.0;
/// Deviation of the lesion's texture.
const TEXTURE: f32 = 0.04;
/// Ripple of the outline, as a share of the radius.
const RIPPLE: f32 = 0.25;
/// Radius of the blur of outline and texture, pixels.
const GRAIN: usize = 1;

/// A lesion on a grid of pixels.
pub(super) struct Lesion {
    /// Share of the lesion in each pixel.
    pub(super) alpha: Vec<f32>,
    /// Displacement of the tissue: a field on the patient's grid.
    pub(super) push: Vec<f32>,
    /// Difference from the mean of what it replaces; its sign is turned where it would leave the range of the tissue.
    contrast: f32,
    texture: Vec<f32>,
}

/// Place and form of an ellipse.
struct Ellipse {
    centre: [f32; 2],
    radius: f32,
    ratio: f32,
    turn: f32,
}

impl Ellipse {
    /// Distance from the centre, in radii of the ellipse.
    fn distance(&self, side: usize, p: usize) -> f32 {
        let (dx, dy) = ((p % side) as f32 - self.centre[0], (p / side) as f32 - self.centre[1]);
        let (sin, cos) = self.turn.sin_cos();
        ((cos * dx + sin * dy) * self.ratio).hypot((cos * dy - sin * dx) / self.ratio) / self.radius
    }
}

/// Share of the chosen pixels that lie in the brain.
fn share(chosen: impl Iterator<Item = (bool, bool)>) -> f64 {
    let (mut inside, mut all) = (0.0, 0.0f64);
    for (_, brain) in chosen.filter(|(own, _)| *own) {
        all += 1.0;
        inside += f64::from(u8::from(brain));
    }
    inside / all.max(1.0)
}

impl Lesion {
    pub(super) fn draw(config: &PhantomConfig, network: &NetworkConfig, head: &[f32], rng: &mut impl Rng) -> Self {
        let (side, spacing) = (network.grid[0], network.spacing);
        let radius = (rng.random_range(config.radius[0]..=config.radius[1]) / spacing) as f32;
        let mut ellipse =
            Ellipse { centre: [0.0; 2], radius, ratio: rng.random_range(0.8..1.25), turn: rng.random_range(0.0..std::f32::consts::PI) };
        let brain: Vec<bool> = head.iter().map(|v| *v > 0.0).collect();
        for _ in 0..ATTEMPTS {
            ellipse.centre = [0, 1].map(|_| rng.random_range(0.0..side as f32));
            if share((0..brain.len()).map(|p| (ellipse.distance(side, p) < 1.0, brain[p]))) >= INSIDE {
                break;
            }
        }
        let ripple = smooth_noise(side, GRAIN, rng);
        let outline = |p: usize| (1.0 + RIPPLE * ripple[p].clamp(-1.5, 1.5) - ellipse.distance(side, p)) * radius;
        let alpha = (0..brain.len()).map(|p| (outline(p) / EDGE + 0.5).clamp(0.0, 1.0)).collect();
        let strength = (config.push * rng.random::<f64>() / spacing) as f32;
        let push = push(&ellipse, side, strength, (REACH / spacing) as f32);
        let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let contrast = sign * rng.random_range(config.contrast[0]..=config.contrast[1]) as f32;
        Self { alpha, push, contrast, texture: smooth_noise(side, GRAIN, rng) }
    }

    /// Puts the lesion into an image, within the range of its tissue.
    pub(super) fn paint(&self, image: &mut [f32]) {
        let mut tissue: Vec<f32> = image.iter().copied().filter(|v| *v > 0.0).collect();
        if tissue.is_empty() {
            return;
        }
        tissue.sort_by(f32::total_cmp);
        let quantile = |q: f64| tissue[((tissue.len() - 1) as f64 * q) as usize];
        let (low, high) = (quantile(0.01), quantile(0.99));
        let weights: f32 = self.alpha.iter().sum::<f32>().max(1e-6);
        let mean = image.iter().zip(&self.alpha).map(|(v, a)| v * a).sum::<f32>() / weights;
        let there = mean + self.contrast;
        let own = if (low..=high).contains(&there) { there } else { mean - self.contrast };
        for ((value, alpha), texture) in image.iter_mut().zip(&self.alpha).zip(&self.texture) {
            if *value > 0.0 {
                let lesion = (own + TEXTURE * texture).clamp(low, high);
                *value += alpha * (lesion - *value);
            }
        }
    }
}

/// Tissue at `p` comes from nearer the centre: the field points inwards, strongest at the edge.
fn push(ellipse: &Ellipse, side: usize, strength: f32, reach: f32) -> Vec<f32> {
    let plane = side * side;
    let mut field = vec![0.0; 2 * plane];
    for p in 0..plane {
        let away = [(p % side) as f32 - ellipse.centre[0], (p / side) as f32 - ellipse.centre[1]];
        let length = away[0].hypot(away[1]);
        let distance = ellipse.distance(side, p);
        let outside = (distance - 1.0) * ellipse.radius;
        let amount = if distance < 1.0 { distance } else { (-(outside / reach).powi(2)).exp() };
        for axis in 0..2 {
            field[axis * plane + p] = -strength * amount * away[axis] / length.max(1e-3);
        }
    }
    field
}

/// The mask's shape at another place of the brain, apart from the mask if it can be.
pub(super) fn elsewhere(mask: &[bool], brain: &[bool], side: usize, rng: &mut impl Rng) -> Vec<bool> {
    let shifted = |shift: [i64; 2]| -> Vec<bool> {
        (0..mask.len())
            .map(|p| {
                let at = [(p % side) as i64 - shift[0], (p / side) as i64 - shift[1]];
                at.iter().all(|v| (0..side as i64).contains(v)) && mask[at[1] as usize * side + at[0] as usize]
            })
            .collect()
    };
    let mut best = (f64::NEG_INFINITY, mask.to_vec());
    for _ in 0..ATTEMPTS {
        let reach = side as i64 / 2;
        let there = shifted([0, 1].map(|_| rng.random_range(-reach..=reach)));
        let kept = there.iter().filter(|v| **v).count() as f64 / mask.iter().filter(|v| **v).count().max(1) as f64;
        let inside = share(there.iter().copied().zip(brain.iter().copied()));
        let overlap = 1.0 - share(there.iter().copied().zip(mask.iter().map(|m| !m)));
        let worth = kept.min(1.0) + inside - 2.0 * overlap;
        if worth > best.0 {
            best = (worth, there);
        }
        if kept >= 1.0 && inside >= INSIDE && overlap == 0.0 {
            break;
        }
    }
    best.1
}
