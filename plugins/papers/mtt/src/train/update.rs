//! Gradients of several structures in one update (specification section 3): each structure goes forward and backward at
//! once, so that memory stays that of one pass, and gradients are added, not averaged.

use zoo_core::Result;
use zoo_train::burn::tensor::Tensor;
use zoo_train::params::{Gradients, ParamStore};

/// Losses and gradients added up.
#[derive(Clone, Debug, Default)]
pub struct Summed {
    /// Sum of the losses.
    pub loss: f32,
    /// Sum of the gradients.
    pub gradients: Gradients,
}

impl Summed {
    /// Differentiates one structure's loss and adds it.
    pub fn add(&mut self, params: &ParamStore, loss: &Tensor<1>) {
        self.loss += loss.clone().inner().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
        for (name, new) in params.backward(loss).by_name {
            match self.gradients.by_name.get_mut(&name) {
                Some(sum) => sum.iter_mut().zip(new).for_each(|(s, g)| *s += g),
                None => {
                    self.gradients.by_name.insert(name, new);
                }
            }
        }
    }
}

/// A loss whose value and gradient are the sums: linear in the parameters, so that the training loop's own backward pass
/// gives exactly the gradients that were added up.
///
/// # Errors
/// [`zoo_core::Error::Keys`] or [`zoo_core::Error::Shape`] if the gradients are not this store's.
pub fn carrier(params: &ParamStore, summed: &Summed) -> Result<Tensor<1>> {
    let value = params.input(vec![summed.loss], [1])?;
    let shapes: Vec<(String, Vec<usize>)> = params.trainable().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect();
    let mut carrier = value;
    for (name, shape) in shapes {
        let Some(gradient) = summed.gradients.by_name.get(&name).cloned() else { continue };
        let flat: Tensor<1> = match shape.len() {
            1 => params.get::<1>(&name)?,
            2 => params.get::<2>(&name)?.flatten(0, 1),
            _ => params.get::<4>(&name)?.flatten(0, 3),
        };
        let count = gradient.len();
        let away = flat.clone() - flat.detach();
        carrier = carrier + (away * params.input(gradient, [count])?).sum();
    }
    Ok(carrier)
}
