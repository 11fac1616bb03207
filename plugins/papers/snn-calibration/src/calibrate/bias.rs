//! Bias calibration (public code: `emp_bias_corr`): each channel's bias takes up its mean error.

use super::channel_error;
use crate::reference::Reference;
use crate::snn::Snn;
use zoo_core::{Error, Reporter, Result};

/// Adds `mean(activation - rate)` of each channel to its bias, layer after layer, so that every layer is corrected
/// against inputs that already carry the corrections before it.
///
/// # Errors
/// [`Error::Cancelled`]; [`Error::Argument`] without images.
pub fn calibrate_bias(snn: &mut Snn, reference: &Reference, reporter: &dyn Reporter) -> Result<()> {
    if reference.is_empty() {
        return Err(Error::argument("bias calibration", "at least one image", 0));
    }
    let layers: Vec<usize> = snn.network().spiking().collect();
    for layer in layers {
        reporter.check()?;
        let error = channel_error(snn, reference, layer);
        if let Some(mut neurons) = snn.neurons(layer).cloned() {
            neurons.bias.iter_mut().zip(error).for_each(|(b, e)| *b += e as f32);
            snn.set_neurons(layer, neurons)?;
        }
    }
    Ok(())
}
