//! Control c1: corrections of the right size in the wrong place must not help.

use crate::snn::Snn;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use zoo_core::Result;

/// The network before calibration with each layer's bias correction handed to its channels in random order.
///
/// # Errors
/// As [`Snn::set_neurons`].
pub fn permuted_bias(before: &Snn, calibrated: &Snn, seed: u64) -> Result<Snn> {
    let mut snn = before.clone();
    let layers: Vec<usize> = snn.network().spiking().collect();
    for layer in layers {
        let (Some(old), Some(new)) = (before.neurons(layer), calibrated.neurons(layer)) else { continue };
        let mut delta: Vec<f32> = new.bias.iter().zip(&old.bias).map(|(n, o)| n - o).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(layer as u64);
        delta.shuffle(&mut rng);
        let mut neurons = old.clone();
        neurons.bias.iter_mut().zip(delta).for_each(|(b, d)| *b += d);
        snn.set_neurons(layer, neurons)?;
    }
    Ok(snn)
}
