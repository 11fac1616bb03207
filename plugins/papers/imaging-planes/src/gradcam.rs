//! Grad-CAM (specification section 10) of the slice head or the classifier, in closed form: behind `center` there are
//! only a maximum over the map, two linear layers and a rectifier, so the gradient needs no engine.

use crate::unet::HIDDEN;
use zoo_core::{Error, Result, Weights};

/// A map with what it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct GradCam {
    /// `rows * columns` values from 0 to 1 at the image's size, row by row.
    pub map: Vec<f32>,
    /// The score that was explained.
    pub score: f32,
}

/// `a_k` = spatial mean of d score / d F_k on `center`, map = ReLU(sum a_k F_k), bilinear to `size`, scaled to 0..1.
///
/// # Shapes
/// `center` `[channels, h, w]` flat; `size` rows and columns of the image; `class` a row of the last layer.
///
/// # Errors
/// [`Error::Keys`] or [`Error::Shape`] if the weights hold no such head, [`Error::Argument`] for a class there is not.
pub fn grad_cam(center: &[f32], [channels, h, w]: [usize; 3], weights: &Weights, class: usize, size: [usize; 2]) -> Result<GradCam> {
    let pixels = h * w;
    if center.len() != channels * pixels || center.is_empty() {
        return Err(Error::shape("center features", [channels, h, w], [center.len()]));
    }
    let last = weights.get("global_layers.3.weight")?;
    let outputs = last.shape().first().copied().unwrap_or(0);
    if class >= outputs {
        return Err(Error::argument("class of Grad-CAM", format!("below {outputs}"), class));
    }
    let w0 = weights.f32("global_layers.0.weight", &[HIDDEN, channels])?;
    let b0 = weights.f32("global_layers.0.bias", &[HIDDEN])?;
    let w1 = &weights.f32("global_layers.3.weight", &[outputs, HIDDEN])?[class * HIDDEN..][..HIDDEN];
    let mut score = weights.f32("global_layers.3.bias", &[outputs])?[class];
    let pooled: Vec<f32> = center.chunks_exact(pixels).map(|map| map.iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect();
    let mut gradient = vec![0.0f32; channels];
    for unit in 0..HIDDEN {
        let row = &w0[unit * channels..][..channels];
        let activation = b0[unit] + row.iter().zip(&pooled).map(|(w, p)| w * p).sum::<f32>();
        if activation > 0.0 {
            score += w1[unit] * activation;
            gradient.iter_mut().zip(row).for_each(|(g, w)| *g += w1[unit] * w);
        }
    }
    // The maximum hands its channel's gradient to one pixel, so the spatial mean is a share of it.
    let mut map = vec![0.0f32; pixels];
    for (channel, gradient) in center.chunks_exact(pixels).zip(&gradient) {
        map.iter_mut().zip(channel).for_each(|(m, f)| *m += gradient / pixels as f32 * f);
    }
    map.iter_mut().for_each(|m| *m = m.max(0.0));
    let mut large = Vec::with_capacity(size[0] * size[1]);
    for v in 0..size[0] {
        for u in 0..size[1] {
            let at = |i: usize, small: usize, big: usize| (i as f64 + 0.5) * small as f64 / big as f64 - 0.5;
            large.push(crate::preprocess::bilinear(&map, [h, w], at(u, w, size[1]), at(v, h, size[0])));
        }
    }
    let (low, high) = large.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &m| (l.min(m), h.max(m)));
    let scale = if high > low { 1.0 / (high - low) } else { 0.0 };
    large.iter_mut().for_each(|m| *m = (*m - low) * scale);
    Ok(GradCam { map: large, score })
}
