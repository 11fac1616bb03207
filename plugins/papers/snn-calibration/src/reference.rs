//! The ANN's own activations on the calibration images: the targets of every calibration step.

use crate::ann::Ann;
use rayon::prelude::*;
use zoo_core::{Error, Result};

/// Calibration images with the untouched ANN's activations. Holds no labels: calibration never sees any.
#[derive(Clone, Debug)]
pub struct Reference {
    images: Vec<Vec<f32>>,
    /// By image, then layer.
    activations: Vec<Vec<Vec<f32>>>,
}

impl Reference {
    /// Runs the ANN over images (row, column, channel). Memory: all activations of all images.
    ///
    /// # Errors
    /// [`Error::Shape`] for an image of another size.
    pub fn new(ann: &Ann, images: Vec<Vec<f32>>) -> Result<Self> {
        let wanted: usize = ann.network().input().iter().product();
        if let Some(bad) = images.iter().find(|i| i.len() != wanted) {
            return Err(Error::shape("calibration image", ann.network().input(), [bad.len()]));
        }
        let activations = images.par_iter().map(|image| ann.activations(image)).collect();
        Ok(Self { images, activations })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The images.
    pub fn images(&self) -> &[Vec<f32>] {
        &self.images
    }

    /// One layer's activation on one image, (row, column, channel).
    pub fn activation(&self, image: usize, layer: usize) -> &[f32] {
        &self.activations[image][layer]
    }

    /// Activations of one layer over all images.
    pub fn layer(&self, layer: usize) -> impl ExactSizeIterator<Item = &[f32]> {
        self.activations.iter().map(move |a| a[layer].as_slice())
    }

    /// The first `count` images with their activations.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let count = count.min(self.len());
        Self { images: self.images[..count].to_vec(), activations: self.activations[..count].to_vec() }
    }
}
