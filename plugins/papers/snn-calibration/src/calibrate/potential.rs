//! Potential calibration: each neuron starts with the charge its mean error lacks over the steps.

use super::mean_error;
use crate::reference::Reference;
use crate::snn::Snn;
use zoo_core::{Error, Reporter, Result};

/// Sets `v_init = T * mean(activation - rate)` of each neuron, layer after layer. Assigned, not added: the error is
/// measured with this layer's potentials at zero.
///
/// # Errors
/// [`Error::Cancelled`]; [`Error::Argument`] without images.
pub fn calibrate_potential(snn: &mut Snn, reference: &Reference, reporter: &dyn Reporter) -> Result<()> {
    if reference.is_empty() {
        return Err(Error::argument("potential calibration", "at least one image", 0));
    }
    let layers: Vec<usize> = snn.network().spiking().collect();
    let steps = f64::from(snn.steps());
    for layer in layers {
        reporter.check()?;
        let Some(mut neurons) = snn.neurons(layer).cloned() else { continue };
        if neurons.v_init.take().is_some() {
            snn.set_neurons(layer, neurons.clone())?;
        }
        neurons.v_init = Some(mean_error(snn, reference, layer).into_iter().map(|e| (steps * e) as f32).collect());
        snn.set_neurons(layer, neurons)?;
    }
    Ok(())
}
