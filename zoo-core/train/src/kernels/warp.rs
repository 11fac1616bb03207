//! Resampling of an image along a displacement field, linear between samples.

use super::{elements, expect_len};
use rayon::prelude::*;
use zoo_core::{Error, Result};

/// Output samples one task takes at least.
const PER_TASK: usize = 4096;

/// Geometry of `out(p) = image(p + displacement(p))` on a grid of two or three axes.
///
/// Images are `[n, c, (depth,) height, width]`. Displacements are `[n, axes, (depth,) height, width]`, in samples, and their
/// channels run from the fastest axis to the slowest: x (along the width), y, then z. What lies outside the image is 0, and
/// the outermost samples are its corners (`align_corners` of ONNX's `GridSample` and of PyTorch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warp {
    batch: usize,
    channels: usize,
    /// Slowest axis first.
    grid: Vec<usize>,
}

/// The samples around a place: offsets, weights, and the slope of each weight along every axis (x, y, z).
struct Corners<const A: usize> {
    /// First corner along each axis, which may lie outside.
    base: [i64; A],
    part: [f32; A],
}

impl<const A: usize> Corners<A> {
    /// Calls `visit` with the offset of every corner inside the grid, its weight, and the weight's slopes.
    #[inline]
    fn each(&self, grid: &[usize; A], strides: &[usize; A], mut visit: impl FnMut(usize, f32, [f32; A])) {
        for corner in 0..1usize << A {
            let mut offset = 0;
            let mut inside = true;
            let mut sides = [(0.0f32, 0.0f32); A];
            for axis in 0..A {
                let upper = corner >> axis & 1;
                let at = self.base[axis] + upper as i64;
                inside &= at >= 0 && at < grid[axis] as i64;
                offset += if inside { at as usize * strides[axis] } else { 0 };
                sides[axis] = if upper == 1 { (self.part[axis], 1.0) } else { (1.0 - self.part[axis], -1.0) };
            }
            if !inside {
                continue;
            }
            let weight = sides.iter().map(|s| s.0).product();
            let slopes =
                std::array::from_fn(|axis| (0..A).map(|other| if other == axis { sides[other].1 } else { sides[other].0 }).product());
            visit(offset, weight, slopes);
        }
    }
}

impl Warp {
    /// Checks the shape of an image `[n, c, (depth,) height, width]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of axes, or sizes that do not fit memory.
    pub fn new(image: &[usize]) -> Result<Self> {
        let &[batch, channels, ref grid @ ..] = image else {
            return Err(Error::shape("image to warp", "[n, c, (depth,) height, width]", image));
        };
        if !(2..=3).contains(&grid.len()) {
            return Err(Error::shape("image to warp", "[n, c, (depth,) height, width]", image));
        }
        elements("image to warp", image)?;
        Ok(Self { batch, channels, grid: grid.to_vec() })
    }

    /// Axes of the grid.
    pub fn axes(&self) -> usize {
        self.grid.len()
    }

    /// Samples of a channel.
    fn plane(&self) -> usize {
        self.grid.iter().product()
    }

    /// Elements of the image, and of the result.
    pub fn image_len(&self) -> usize {
        self.batch * self.channels * self.plane()
    }

    /// Elements of the displacement.
    pub fn displacement_len(&self) -> usize {
        self.batch * self.axes() * self.plane()
    }

    /// Shape of the result: that of the image.
    pub fn output_shape(&self) -> Vec<usize> {
        [&[self.batch, self.channels], self.grid.as_slice()].concat()
    }

    fn check(&self, image: usize, displacement: usize, output: usize) -> Result<()> {
        expect_len("image to warp", self.image_len(), image)?;
        expect_len("displacement", self.displacement_len(), displacement)?;
        expect_len("warped image", self.image_len(), output)
    }

    /// Lengths and strides, x first.
    fn layout<const A: usize>(&self) -> ([usize; A], [usize; A]) {
        let mut stride = 1;
        let mut strides = [1; A];
        let sizes: [usize; A] = std::array::from_fn(|axis| self.grid[A - 1 - axis]);
        for axis in 0..A {
            strides[axis] = stride;
            stride *= sizes[axis];
        }
        (sizes, strides)
    }

    /// The corners around where sample `index` of item `item` is taken from.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "grids are far smaller than 2^24 a side")]
    fn corners<const A: usize>(&self, displacement: &[f32], item: usize, index: usize, sizes: &[usize; A]) -> Option<Corners<A>> {
        let plane = self.plane();
        let mut rest = index;
        let mut corners = Corners { base: [0; A], part: [0.0; A] };
        for axis in 0..A {
            let own = rest % sizes[axis];
            rest /= sizes[axis];
            let at = own as f32 + displacement[(item * A + axis) * plane + index];
            // Not a number, or so far out that no corner is inside.
            if !(at > -1.0 && at < sizes[axis] as f32) {
                return None;
            }
            let low = at.floor();
            corners.base[axis] = low as i64;
            corners.part[axis] = at - low;
        }
        Some(corners)
    }

    /// Computes the warped image.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has another length.
    pub fn forward(&self, image: &[f32], displacement: &[f32], output: &mut [f32]) -> Result<()> {
        self.check(image.len(), displacement.len(), output.len())?;
        if self.axes() == 2 {
            self.forward_on::<2>(image, displacement, output);
        } else {
            self.forward_on::<3>(image, displacement, output);
        }
        Ok(())
    }

    fn forward_on<const A: usize>(&self, image: &[f32], displacement: &[f32], output: &mut [f32]) {
        let (sizes, strides) = self.layout::<A>();
        let (plane, channels) = (self.plane().max(1), self.channels);
        for item in 0..self.batch {
            let own = &image[item * channels * plane..][..channels * plane];
            let places = &mut output[item * channels * plane..][..channels * plane];
            // Each task writes its own stretch of every channel.
            let mut stretches: Vec<Vec<&mut [f32]>> = Vec::new();
            for channel in places.chunks_mut(plane) {
                for (task, stretch) in channel.chunks_mut(PER_TASK).enumerate() {
                    if stretches.len() <= task {
                        stretches.push(Vec::with_capacity(channels));
                    }
                    stretches[task].push(stretch);
                }
            }
            stretches.into_par_iter().enumerate().for_each(|(task, mut stretch)| {
                let count = stretch.first().map_or(0, |s| s.len());
                for k in 0..count {
                    let corners = self.corners::<A>(displacement, item, task * PER_TASK + k, &sizes);
                    for (channel, out) in stretch.iter_mut().enumerate() {
                        let mut sum = 0.0;
                        if let Some(corners) = &corners {
                            corners.each(&sizes, &strides, |offset, weight, _| sum += weight * own[channel * plane + offset]);
                        }
                        out[k] = sum;
                    }
                }
            });
        }
    }

    /// Adds the gradients with respect to the image and to the displacement, where asked for.
    ///
    /// # Errors
    /// [`Error::Shape`] if a slice has another length.
    pub fn backward(
        &self,
        image: &[f32],
        displacement: &[f32],
        output_grad: &[f32],
        image_grad: Option<&mut [f32]>,
        displacement_grad: Option<&mut [f32]>,
    ) -> Result<()> {
        self.check(image.len(), displacement.len(), output_grad.len())?;
        let image_grad = image_grad.map(|g| expect_len("gradient of the image", self.image_len(), g.len()).map(|()| g)).transpose()?;
        let displacement_grad = displacement_grad
            .map(|g| expect_len("gradient of the displacement", self.displacement_len(), g.len()).map(|()| g))
            .transpose()?;
        if self.axes() == 2 {
            self.backward_on::<2>(image, displacement, output_grad, image_grad, displacement_grad);
        } else {
            self.backward_on::<3>(image, displacement, output_grad, image_grad, displacement_grad);
        }
        Ok(())
    }

    fn backward_on<const A: usize>(
        &self,
        image: &[f32],
        displacement: &[f32],
        output_grad: &[f32],
        image_grad: Option<&mut [f32]>,
        displacement_grad: Option<&mut [f32]>,
    ) {
        let (sizes, strides) = self.layout::<A>();
        let (plane, channels) = (self.plane().max(1), self.channels);
        let mut images = image_grad.map(|g| g.chunks_mut((channels * plane).max(1))).into_iter().flatten();
        let mut fields = displacement_grad.map(|g| g.chunks_mut(A * plane)).into_iter().flatten();
        let tasks: Vec<_> = (0..self.batch).map(|item| (item, images.next(), fields.next())).collect();
        // Samples of one item may meet in the image's gradient: a task each item keeps the order of sums fixed.
        tasks.into_par_iter().for_each(|(item, mut to_image, mut to_field)| {
            let own = &image[item * channels * plane..][..channels * plane];
            let grad = &output_grad[item * channels * plane..][..channels * plane];
            for index in 0..plane {
                let Some(corners) = self.corners::<A>(displacement, item, index, &sizes) else { continue };
                let mut slope = [0.0f32; A];
                corners.each(&sizes, &strides, |offset, weight, slopes| {
                    let mut here = 0.0;
                    for channel in 0..channels {
                        let g = grad[channel * plane + index];
                        here += g * own[channel * plane + offset];
                        if let Some(to) = to_image.as_deref_mut() {
                            to[channel * plane + offset] += g * weight;
                        }
                    }
                    (0..A).for_each(|axis| slope[axis] += here * slopes[axis]);
                });
                if let Some(to) = to_field.as_deref_mut() {
                    (0..A).for_each(|axis| to[axis * plane + index] += slope[axis]);
                }
            }
        });
    }
}
