//! Named parameters and buffers of a model: what the engine differentiates, the optimiser updates and a file holds.

mod init;
mod layers;

pub use init::Init;

use crate::seeds::Seeds;
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeMap;
use zoo_core::{Error, Result, Weights};

/// What a layer does with state of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics normalise and enter the running averages with the layer's momentum.
    #[default]
    Train,
    /// Running averages normalise; nothing changes.
    Eval,
    /// Batch statistics normalise, and the running averages become the plain mean over all batches since
    /// [`ParamStore::start_recalibration`].
    Recalibrate,
}

/// One named tensor, flat, so that parameters of any rank are one type.
#[derive(Clone, Debug)]
struct Entry {
    shape: Vec<usize>,
    value: Tensor<1>,
    trainable: bool,
}

/// All named tensors of a model, in order of their names.
///
/// Names are those of the safetensors file (`conv1.weight`, `bn1.running_mean`). Trainable tensors are leaves of the
/// graph; buffers are not.
#[derive(Clone, Debug)]
pub struct ParamStore {
    entries: BTreeMap<String, Entry>,
    device: Device,
    seeds: Seeds,
    mode: Mode,
    /// Batches each running average has taken in since recalibration began.
    recalibrated: BTreeMap<String, u32>,
}

/// Gradients by the name of their parameter, on the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gradients {
    /// Row-major gradients; a parameter that the loss does not depend on is absent.
    pub by_name: BTreeMap<String, Vec<f32>>,
}

impl Gradients {
    /// Euclidean norm over all gradients.
    pub fn norm(&self) -> f64 {
        self.by_name.values().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt()
    }

    /// Scales all gradients so that their norm is at most `limit`, and returns the norm before. The factor is
    /// `limit / (norm + 1e-6)`, as in PyTorch.
    pub fn clip_norm(&mut self, limit: f64) -> f64 {
        let norm = self.norm();
        let factor = limit / (norm + 1e-6);
        if factor < 1.0 {
            #[allow(clippy::cast_possible_truncation, reason = "gradients are f32")]
            let factor = factor as f32;
            self.by_name.values_mut().flatten().for_each(|g| *g *= factor);
        }
        norm
    }
}

impl ParamStore {
    /// An empty store whose tensors will live on `device` and be drawn from `seeds`.
    pub fn new(device: &Device, seeds: Seeds) -> Self {
        let device = if device.is_autodiff() { device.clone() } else { device.clone().autodiff() };
        Self { entries: BTreeMap::new(), device, seeds, mode: Mode::Train, recalibrated: BTreeMap::new() }
    }

    /// A store on the CPU.
    pub fn on_cpu(seed: u64) -> Self {
        Self::new(&Device::flex(), Seeds::new(seed))
    }

    /// The differentiating device that inputs must be put on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The random streams of this model's seed.
    pub fn seeds(&self) -> Seeds {
        self.seeds
    }

    /// What layers do with their state now.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Switches between training and evaluation.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Enters [`Mode::Recalibrate`]: running averages forget what they hold and become plain means over the batches to
    /// come. Run `k` batches forward, then go on in [`Mode::Eval`].
    pub fn start_recalibration(&mut self) {
        self.mode = Mode::Recalibrate;
        self.recalibrated.clear();
    }

    /// A batch of inputs as a tensor on this store's device.
    ///
    /// # Errors
    /// [`Error::Shape`] if `values` does not fill `shape`.
    pub fn input<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Result<Tensor<D>> {
        if shape.iter().product::<usize>() != values.len() {
            return Err(Error::shape("input batch", shape, [values.len()]));
        }
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// Adds a trainable tensor, drawn from the stream of its own name.
    ///
    /// # Errors
    /// [`Error::Argument`] if the name is taken.
    pub fn parameter(&mut self, name: impl Into<String>, shape: &[usize], init: Init) -> Result<()> {
        self.add(name.into(), shape, init, true)
    }

    /// Adds a tensor that is saved but not trained.
    ///
    /// # Errors
    /// [`Error::Argument`] if the name is taken.
    pub fn buffer(&mut self, name: impl Into<String>, shape: &[usize], init: Init) -> Result<()> {
        self.add(name.into(), shape, init, false)
    }

    fn add(&mut self, name: String, shape: &[usize], init: Init, trainable: bool) -> Result<()> {
        if self.entries.contains_key(&name) {
            return Err(Error::argument("parameter name", "a new name", name));
        }
        let count = crate::kernels::elements("parameter", shape)?;
        let values = init.draw(count, &mut self.seeds.stream(&format!("init/{name}"), 0));
        let value = self.tensor(values, trainable);
        self.entries.insert(name, Entry { shape: shape.to_vec(), value, trainable });
        Ok(())
    }

    /// A flat tensor; a leaf of the graph if it is trained.
    fn tensor(&self, values: Vec<f32>, trainable: bool) -> Tensor<1> {
        let count = values.len();
        let value = Tensor::from_data(TensorData::new(values, [count]), &self.device);
        if trainable { value.require_grad() } else { value }
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| Error::Keys {
            what: "model parameters".into(),
            missing: vec![name.into()],
            unexpected: Vec::new(),
        })
    }

    /// The tensor of that name, part of the graph if it is trained.
    ///
    /// # Errors
    /// [`Error::Keys`] if there is none, [`Error::Shape`] if its rank is not `D`.
    pub fn get<const D: usize>(&self, name: &str) -> Result<Tensor<D>> {
        let entry = self.entry(name)?;
        let shape: [usize; D] = entry
            .shape
            .as_slice()
            .try_into()
            .map_err(|_| Error::shape(format!("parameter `{name}`"), format!("{D} axes"), &entry.shape))?;
        Ok(entry.value.clone().reshape(shape))
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Names and shapes of the trained tensors.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.entries.iter().filter(|(_, e)| e.trainable).map(|(name, e)| (name.as_str(), e.shape.as_slice()))
    }

    /// Number of trained values.
    pub fn trainable_len(&self) -> usize {
        self.trainable().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Stops (or resumes) the training of all tensors whose names start with `prefix`; buffers that were never
    /// trainable must not be named.
    pub fn set_trainable(&mut self, prefix: &str, trainable: bool) {
        for (_, entry) in self.entries.iter_mut().filter(|(name, _)| name.starts_with(prefix)) {
            entry.trainable = trainable;
            entry.value = entry.value.clone().detach().set_require_grad(trainable);
        }
    }

    /// The row-major values of a tensor, copied to the host.
    ///
    /// # Errors
    /// [`Error::Keys`] if there is none of that name.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        Ok(to_host(self.entry(name)?.value.clone()))
    }

    /// Replaces the values of a tensor.
    ///
    /// # Errors
    /// [`Error::Keys`] if there is none of that name, [`Error::Shape`] if the number of values differs.
    pub fn set_values(&mut self, name: &str, values: Vec<f32>) -> Result<()> {
        let entry = self.entry(name)?;
        let count: usize = entry.shape.iter().product();
        if count != values.len() {
            return Err(Error::shape(format!("parameter `{name}`"), [count], [values.len()]));
        }
        let value = self.tensor(values, entry.trainable);
        if let Some(entry) = self.entries.get_mut(name) {
            entry.value = value;
        }
        Ok(())
    }

    /// Lets `update` rewrite the values of a trained tensor in place; without a copy if nothing else holds them.
    pub(crate) fn update(&mut self, name: &str, update: impl FnOnce(&mut [f32])) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        // The leaf is replaced by a placeholder so that its memory has a single owner.
        let value = std::mem::replace(&mut entry.value, Tensor::empty([1], &self.device));
        let mut values = to_host(value);
        update(&mut values);
        let value = self.tensor(values, true);
        if let Some(entry) = self.entries.get_mut(name) {
            entry.value = value;
        }
    }

    /// Differentiates `loss` (one element) with respect to every trained tensor.
    ///
    /// One backward pass a graph: add losses before, and run the model again for the next step.
    pub fn backward(&self, loss: &Tensor<1>) -> Gradients {
        let mut grads = loss.backward();
        let trained = self.entries.iter().filter(|(_, e)| e.trainable);
        let by_name = trained.filter_map(|(name, e)| Some((name.clone(), to_host(e.value.grad_remove(&mut grads)?)))).collect();
        Gradients { by_name }
    }

    /// All tensors, for saving.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor's size overflows.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::new();
        for (name, entry) in &self.entries {
            weights.insert(name, zoo_core::Tensor::from_vec(entry.shape.clone(), to_host(entry.value.clone()))?);
        }
        Ok(weights)
    }

    /// Replaces the values of all tensors by those of `weights`, which must hold exactly this model's names.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::Shape`] or [`Error::DType`]; nothing is changed then.
    pub fn load(&mut self, weights: &Weights) -> Result<()> {
        weights.expect_keys("model parameters", self.entries.keys().map(String::as_str))?;
        let mut values = Vec::with_capacity(self.entries.len());
        for (name, entry) in &self.entries {
            values.push(weights.f32(name, &entry.shape)?.to_vec());
        }
        let names: Vec<String> = self.entries.keys().cloned().collect();
        names.iter().zip(values).try_for_each(|(name, values)| self.set_values(name, values))
    }
}

/// A tensor's values on the host; without a copy if nothing else holds them.
pub(crate) fn to_host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    // Every tensor of a store is f32, which is all this conversion can fail on.
    tensor.inner().into_data().try_into_vec::<f32>().unwrap_or_default()
}
