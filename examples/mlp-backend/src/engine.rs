//! The backend.

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use std::collections::BTreeMap;
use zoo_core::spec::check_all;
use zoo_core::{
    Artifact, ArtifactKind, Availability, Backend, DType, Device, Dim, Error, Options, Result, Session, SessionStats, Tensor, TensorSpec,
};

const NAME: &str = "mlp";

pub(crate) struct Mlp;

impl Backend for Mlp {
    fn name(&self) -> &str {
        NAME
    }

    fn description(&self) -> &str {
        "multilayer perceptrons from their weights, on one thread"
    }

    fn probe(&self) -> Availability {
        Availability::Ready { version: format!("mlp-backend {}", env!("CARGO_PKG_VERSION")), devices: vec!["cpu".into()] }
    }

    fn accepts(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Safetensors]
    }

    fn compile(&self, artifact: &Artifact, device: &Device, options: &Options) -> Result<Box<dyn Session>> {
        if artifact.kind != ArtifactKind::Safetensors {
            return Err(Error::NotOffered { who: NAME.into(), what: artifact.kind.to_string(), hint: "it runs safetensors".into() });
        }
        if *device != Device::Cpu {
            let what = format!("device {device} of {NAME}");
            return Err(Error::Unavailable { what, why: "it runs on the processor".into(), mend: "use --device cpu".into() });
        }
        if let Some(key) = options.extra.keys().find(|key| key.starts_with("mlp.")) {
            return Err(Error::argument("option of backend mlp", "none", key));
        }
        let layers = layers(&artifact.main()?.bytes)?;
        let (Some(first), Some(last)) = (layers.first(), layers.last()) else {
            return Err(Error::artifact("mlp", "layers.0.weight", "expected at least one layer, found none"));
        };
        let rows = |name: &str, length: usize| vec![TensorSpec::new(name, DType::F32, [Dim::Free("batch".into()), length.into()])];
        let (inputs, outputs) = (rows("x", first.inputs), rows("y", last.bias.len()));
        Ok(Box::new(Compiled { layers, inputs, outputs, metadata: artifact.metadata.clone(), runs: 0 }))
    }
}

/// A fully connected layer.
struct Layer {
    inputs: usize,
    /// `[outputs, inputs]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Reads `layers.0`, `layers.1` ... and checks that each fits the one before.
fn layers(file: &[u8]) -> Result<Vec<Layer>> {
    let file = SafeTensors::deserialize(file).map_err(|e| Error::artifact("mlp", "safetensors", e.to_string()))?;
    let mut layers: Vec<Layer> = Vec::new();
    for index in 0..file.len() / 2 {
        let (weight, shape) = tensor(&file, &format!("layers.{index}.weight"))?;
        let (bias, outputs) = tensor(&file, &format!("layers.{index}.bias"))?;
        let before = layers.last().map(|layer| layer.bias.len());
        match shape[..] {
            [rows, inputs] if outputs == [rows] && inputs > 0 && before.is_none_or(|before| before == inputs) => {
                layers.push(Layer { inputs, weight, bias });
            }
            _ => {
                let why = format!("weight {shape:?}, bias {outputs:?} and a layer of {before:?} before do not fit");
                return Err(Error::artifact("mlp", format!("layers.{index}"), why));
            }
        }
    }
    Ok(layers)
}

fn tensor(file: &SafeTensors<'_>, name: &str) -> Result<(Vec<f32>, Vec<usize>)> {
    let view = file.tensor(name).map_err(|e| Error::artifact("mlp", name, e.to_string()))?;
    if view.dtype() != Dtype::F32 {
        return Err(Error::DType { what: name.into(), expected: "f32".into(), found: format!("{:?}", view.dtype()) });
    }
    let tensor = Tensor::from_bytes(DType::F32, view.shape(), view.data())?;
    Ok((tensor.into_vec()?, view.shape().to_vec()))
}

struct Compiled {
    layers: Vec<Layer>,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    metadata: BTreeMap<String, String>,
    runs: u64,
}

impl Compiled {
    fn forward(&self, row: &[f32]) -> Vec<f32> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(row.to_vec(), |x, (index, layer)| {
            let units = layer.weight.chunks_exact(layer.inputs).zip(&layer.bias);
            let sums = units.map(|(w, bias)| w.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>() + bias);
            sums.map(|sum| if index < last { sum.max(0.0) } else { sum }).collect()
        })
    }
}

impl Session for Compiled {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        check_all("inputs of mlp", &self.inputs, inputs)?;
        let rows = inputs[0].as_slice::<f32>()?.chunks_exact(self.layers[0].inputs);
        let y = rows.flat_map(|row| self.forward(row)).collect::<Vec<_>>();
        self.runs += 1;
        Ok(vec![Tensor::from_vec([inputs[0].shape()[0], self.layers[self.layers.len() - 1].bias.len()], y)?])
    }

    fn stats(&self) -> SessionStats {
        SessionStats { runs: self.runs, ..SessionStats::default() }
    }

    fn reset(&mut self) {}
}
