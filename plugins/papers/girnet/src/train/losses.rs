//! Integration and the losses of specification sections 3 and 4, in the form that the authors' code executes.

use crate::config::{LossConfig, NetworkConfig};
use zoo_core::Result;
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::ops;

/// Side of the windows that gradients are summed over, and what holds their norms up.
const GRADIENT_WINDOW: usize = 7;
const GRADIENT_EPS: f64 = 1e-2;
/// What holds the sizes of regions up.
const REGION_EPS: f64 = 1e-5;

/// Velocities and what follows from them, in pixels, `[n, 2, h, w]` each.
pub struct Fields {
    /// Velocities.
    pub velocity: [Tensor<4>; 2],
    /// Half ways.
    pub half: [Tensor<4>; 2],
    /// Whole ways: from the patient to the atlas's grid, and back.
    pub whole: [Tensor<4>; 2],
}

fn compose(first: Tensor<4>, second: Tensor<4>) -> Result<Tensor<4>> {
    Ok(ops::warp(second, first.clone())? + first)
}

fn exponential(velocity: Tensor<4>, squarings: u32) -> Result<Tensor<4>> {
    let mut field = velocity * (1.0 / f64::from(2u32.pow(squarings)));
    for _ in 0..squarings {
        field = compose(field.clone(), field)?;
    }
    Ok(field)
}

/// Integrates the network's velocities.
///
/// # Errors
/// Shapes that do not fit.
pub fn integrate(velocities: [Tensor<4>; 2], network: &NetworkConfig) -> Result<Fields> {
    let [vxy, vyx] = velocities.map(|v| v * network.range);
    let n = network.squarings;
    let half = [exponential(vxy.clone(), n)?, exponential(vyx.clone(), n)?];
    let back = [exponential(vxy.clone().neg(), n)?, exponential(vyx.clone().neg(), n)?];
    let whole = [compose(back[1].clone(), half[0].clone())?, compose(back[0].clone(), half[1].clone())?];
    Ok(Fields { velocity: [vxy, vyx], half, whole })
}

/// The way from the atlas to the patient alone, where nothing else is needed.
///
/// # Errors
/// Shapes that do not fit.
pub fn to_patient([vxy, vyx]: [Tensor<4>; 2], network: &NetworkConfig) -> Result<Tensor<4>> {
    let half = exponential(vyx * network.range, network.squarings)?;
    compose(exponential(vxy * -network.range, network.squarings)?, half)
}

/// What one step sees; images `[n, 1, h, w]`.
pub struct Scene {
    /// The patient.
    pub x: Tensor<4>,
    /// The atlas.
    pub y: Tensor<4>,
    /// 1 in the brain.
    pub brain: Tensor<4>,
}

/// Mean of `weight * (1 - correlation of x and r)` over the weight, the mean over the batch (`[1]`).
fn unlike(weight: Tensor<4>, x: Tensor<4>, r: Tensor<4>, loss: &LossConfig) -> Result<Tensor<1>> {
    let [_, _, h, w] = x.dims();
    let cc = ops::local_ncc(x, r, loss.window, loss.eps)?;
    let over = weight.clone().sum_dim(2).sum_dim(3) + (h * w) as f64 / loss.eps_share;
    let sum = (weight * (cc.neg() + 1.0)).sum_dim(2).sum_dim(3);
    Ok((sum / over).mean())
}

/// The mask generator's loss: the mask seeks what the filling from the atlas does not explain, and leaves what it does.
///
/// # Errors
/// Shapes that do not fit.
pub fn seg_loss(mask: Tensor<4>, scene: &Scene, [front, back]: [Tensor<4>; 2], loss: &LossConfig) -> Result<Tensor<1>> {
    let inside = unlike(mask.clone() * scene.brain.clone(), scene.x.clone(), front, loss)?;
    let outside = unlike((mask.neg() + 1.0) * scene.brain.clone(), scene.x.clone(), back, loss)?;
    Ok(if loss.both_negative { inside.neg() - outside } else { outside - inside })
}

/// The inpainter's loss for one hole.
///
/// # Errors
/// Shapes that do not fit.
pub fn inp_loss(filled: Tensor<4>, hole: Tensor<4>, x: Tensor<4>, reference: Tensor<4>, loss: &LossConfig) -> Result<Tensor<1>> {
    let ([correlation, squares], gradients) = (loss.inp, loss.inp_gradients);
    let mut sum = ops::local_ncc(x.clone(), filled.clone(), loss.window, loss.eps)?.mean() * -correlation;
    let rest = hole.clone().neg() + 1.0;
    if loss.exclude {
        for (region, wanted) in [(hole, reference), (rest, x)] {
            let over = |map: Tensor<4>| (map * region.clone()).sum() / (region.clone().sum() + REGION_EPS);
            let difference = filled.clone() - wanted.clone();
            sum = sum + over(difference.clone() * difference) * squares;
            if gradients != 0.0 {
                sum = sum - over(gradient_similarity(&wanted, &filled, true)?) * gradients;
            }
        }
        return Ok(sum);
    }
    let wanted = x * rest + reference * hole;
    if gradients != 0.0 {
        sum = sum - gradient_similarity(&wanted, &filled, false)?.mean() * gradients;
    }
    Ok(sum + ops::mean_squared_error(filled, wanted)? * squares)
}

/// Cosine, without its sign, of the window sums of both images' gradients (backward differences): 1 where their edges lie alike.
/// `[n, 1, h, w]` where `whole`, with zeros before the first row and column; else a row and a column less.
///
/// # Errors
/// Shapes that do not fit.
fn gradient_similarity(a: &Tensor<4>, b: &Tensor<4>, whole: bool) -> Result<Tensor<4>> {
    let sums = |image: &Tensor<4>| -> Result<[Tensor<4>; 2]> {
        let [n, c, h, w] = image.dims();
        let image = if whole { image.clone().pad((1, 0, 1, 0), 0.0) } else { image.clone() };
        let (h, w) = if whole { (h + 1, w + 1) } else { (h, w) };
        let at = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| image.clone().slice([0..n, 0..c, rows, columns]);
        let ones = Tensor::ones([1, 1, GRADIENT_WINDOW, GRADIENT_WINDOW], &image.device());
        let total = |gradient| ops::conv2d(gradient, ones.clone(), None, ops::Conv2dOptions::padded(GRADIENT_WINDOW / 2));
        Ok([total(at(1..h, 1..w) - at(0..h - 1, 1..w))?, total(at(1..h, 1..w) - at(1..h, 0..w - 1))?])
    };
    let (a, b) = (sums(a)?, sums(b)?);
    let dot = |a: &[Tensor<4>; 2], b: &[Tensor<4>; 2]| a[0].clone() * b[0].clone() + a[1].clone() * b[1].clone();
    let norm = ((dot(&a, &a) + GRADIENT_EPS) * (dot(&b, &b) + GRADIENT_EPS)).sqrt();
    Ok((dot(&a, &b).abs() + GRADIENT_EPS) / norm)
}

/// Difference of neighbours along axis 3 (x) or 2 (y), without the last column or row.
fn ahead(field: &Tensor<4>, axis: usize) -> Tensor<4> {
    let [n, c, h, w] = field.dims();
    if axis == 3 {
        field.clone().slice([0..n, 0..c, 0..h, 1..w]) - field.clone().slice([0..n, 0..c, 0..h, 0..w - 1])
    } else {
        field.clone().slice([0..n, 0..c, 1..h, 0..w]) - field.clone().slice([0..n, 0..c, 0..h - 1, 0..w])
    }
}

/// Mean squared difference of neighbours, averaged over the axes.
pub fn smooth(field: &Tensor<4>) -> Tensor<1> {
    let part = |axis| {
        let d = ahead(field, axis);
        (d.clone() * d).mean()
    };
    (part(3) + part(2)) * 0.5
}

/// Mean of the negative part of the Jacobian's determinant, by forward differences.
pub fn folds(field: &Tensor<4>) -> Tensor<1> {
    let [n, _, h, w] = field.dims();
    let crop = |d: Tensor<4>, channel: usize| d.slice([0..n, channel..channel + 1, 0..h - 1, 0..w - 1]);
    let (dx, dy) = (ahead(field, 3), ahead(field, 2));
    let (xx, xy) = (crop(dx.clone(), 0) + 1.0, crop(dy.clone(), 0));
    let (yx, yy) = (crop(dx, 1), crop(dy, 1) + 1.0);
    activation::relu((xx * yy - xy * yx).neg()).mean()
}

/// The registration's loss: `image` is the patient as it is compared, its lesion filled or not.
///
/// # Errors
/// Shapes that do not fit.
pub fn reg_loss(fields: &Fields, image: Tensor<4>, y: Tensor<4>, loss: &LossConfig) -> Result<Tensor<1>> {
    let like = |a: Tensor<4>, b: Tensor<4>| ops::local_ncc(a, b, loss.reg_window, loss.reg_eps).map(|cc| cc.mean().neg());
    let middle = like(ops::warp(image.clone(), fields.half[0].clone())?, ops::warp(y.clone(), fields.half[1].clone())?)?;
    let forth = like(y.clone(), ops::warp(image.clone(), fields.whole[0].clone())?)?;
    let back = like(image, ops::warp(y, fields.whole[1].clone())?)?;
    // Sums over their elements: means, since the two are of one size.
    let magnitude = (fields.half[0].clone().abs().mean() - fields.half[1].clone().abs().mean()).abs();
    let folded = folds(&fields.whole[0]) + folds(&fields.whole[1]);
    let rough = smooth(&fields.velocity[0]) + smooth(&fields.velocity[1]);
    Ok(middle + forth + back + magnitude * loss.reg[0] + folded * loss.reg[1] + rough * loss.reg[2])
}
