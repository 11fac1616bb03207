//! Where the conversion error sits: activations clipped at the threshold against those floored to a step (section 5).

use crate::reference::Reference;
use crate::snn::Snn;
use serde::Serialize;

/// Mean squared error of one layer, summed over its neurons and averaged over images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LayerError {
    /// Index of the layer.
    pub layer: usize,
    /// `E ||activation - rate||^2`.
    pub total: f64,
    /// The part from activations above the threshold.
    pub clip: f64,
    /// The part from activations at or below the threshold.
    pub floor: f64,
}

/// Errors of all spiking layers on images with known activations.
pub fn layer_errors(snn: &Snn, reference: &Reference) -> Vec<LayerError> {
    let layers: Vec<usize> = snn.network().spiking().collect();
    let rates = snn.rates_of(reference.images(), &layers);
    let scale = 1.0 / reference.len().max(1) as f64;
    let of_layer = |(at, &layer): (usize, &usize)| {
        let threshold = snn.neurons(layer).map_or(&[][..], |n| &n.threshold);
        let mut error = LayerError { layer, ..LayerError::default() };
        for (activation, rates) in reference.layer(layer).zip(&rates) {
            for ((a, r), theta) in activation.iter().zip(&rates[at]).zip(threshold.iter().cycle()) {
                let squared = f64::from(a - r).powi(2) * scale;
                if a > theta { error.clip += squared } else { error.floor += squared }
            }
        }
        error.total = error.clip + error.floor;
        error
    };
    layers.iter().enumerate().map(of_layer).collect()
}
