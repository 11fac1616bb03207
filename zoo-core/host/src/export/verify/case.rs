//! What a tool is given and what it must find.

use super::super::backends::onnx_backends;
use super::super::folder::Graph;
use super::super::precision::Precision;
use super::record::{Pass, Recorder};
use crate::eval::Bench;
use crate::zoo::{FoundModel, Zoo};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zoo_core::{ArtifactKind, Backend, Batch, DType, Device, Dim, Error, Options, Reporter, Result, Session, Tensor, TensorSpec, Weights};

/// Items of the data set that are run: several, or one where the graph's batch is fixed.
const ITEMS: [usize; 2] = [4, 1];
/// Lengths that free axes are tried with where inputs are drawn; sides of an image are [`SIDE`].
const LENGTHS: [usize; 2] = [2, 1];
const SIDE: usize = 32;
/// Runs of a model's own protocol that are recorded: the first and one more.
const PROTOCOL_RUNS: usize = 2;
/// Drawn indices are under this: inside any table of words or bytes.
const INDICES: u8 = 100;
/// Seed of drawn inputs.
const SEED: u64 = 0;

/// One exported file and what must be found in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Registered name of the model.
    pub model: String,
    /// Which of its graphs.
    pub graph: String,
    /// The file, relative to the folder of the export.
    pub file: String,
    /// The file, from anywhere.
    pub path: PathBuf,
    /// The arithmetic of an ONNX graph.
    pub precision: Precision,
    /// What is compared.
    pub checks: Checks,
}

/// What is compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Checks {
    /// Outputs of an ONNX graph.
    Onnx {
        /// Our backend that made the outputs.
        reference: String,
        /// `real` items of the data set, or `drawn` at random.
        inputs: String,
        /// Why they were drawn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why_drawn: Option<String>,
        /// Runs, whose tensors are `{run}.in.{name}` and `{run}.out.{name}`.
        runs: usize,
        /// The safetensors file with inputs and outputs.
        tensors: PathBuf,
    },
    /// An ONNX graph that none of our backends ran: only its form is checked.
    OnnxForm {
        /// Why there are no outputs to compare with.
        why: String,
    },
    /// Weights, by the SHA-256 of each tensor's bytes.
    Safetensors {
        /// Sums by name.
        sums: BTreeMap<String, String>,
    },
    /// A NIR graph.
    Nir {
        /// Nodes by name, with their kinds.
        nodes: usize,
        /// Edges.
        edges: usize,
    },
}

/// Makes the case of a graph that was exported to `out`; tensors go to a file in `scratch`. `None` for formats that no other tool
/// reads.
///
/// # Errors
/// Those of reading the file again and of writing the tensors; a graph that our backends do not run is no error.
pub fn make_case(
    zoo: &Zoo,
    model: &FoundModel<'_>,
    graph: &Graph,
    out: &Path,
    scratch: &Path,
    options: &Options,
    reporter: &dyn Reporter,
) -> Result<Option<Case>> {
    let file = graph.path.display().to_string();
    let path = std::path::absolute(out.join(&graph.path)).map_err(Error::io(&graph.path))?;
    let checks = match graph.artifact.kind {
        ArtifactKind::Onnx => {
            let tensors = scratch.join(format!("{}.safetensors", file.replace('/', "~")));
            onnx(zoo, model, graph, &tensors, options, reporter)?
        }
        ArtifactKind::Safetensors => {
            let weights = zoo_formats::safetensors::read(&path)?;
            let sum = |(name, tensor): (&String, &Tensor)| (name.clone(), hex::encode(Sha256::digest(tensor.as_bytes())));
            Checks::Safetensors { sums: weights.tensors.iter().map(sum).collect() }
        }
        ArtifactKind::Nir => {
            let nir = zoo_formats::nir::NirGraph::read(&path)?;
            Checks::Nir { nodes: nir.nodes.len(), edges: nir.edges.len() }
        }
        _ => return Ok(None),
    };
    let (name, variant, precision) = (model.entry.name.clone(), graph.artifact.variant.clone(), graph.precision);
    Ok(Some(Case { model: name, graph: variant, file, path, precision, checks }))
}

/// Runs a graph on the first backend of ours that takes it.
fn onnx(zoo: &Zoo, model: &FoundModel<'_>, graph: &Graph, tensors: &Path, options: &Options, reporter: &dyn Reporter) -> Result<Checks> {
    let mut why = String::from("no backend for ONNX is ready");
    let mut backends = onnx_backends(zoo, options);
    if graph.precision == Precision::F16 {
        // Without instructions for halves tract computes them one by one: minutes for a U-Net.
        backends.reverse();
    }
    for backend in backends {
        let name = backend.name();
        reporter.check()?;
        match run(zoo, model, graph, backend, options, reporter) {
            Ok(Ran { why_drawn, specs, passes }) => {
                let mut kept = Weights::new();
                for (run, (given, found)) in passes.iter().enumerate() {
                    for (side, specs, values) in [("in", &specs[0], given), ("out", &specs[1], found)] {
                        for (spec, value) in specs.iter().zip(values) {
                            kept.insert(format!("{run}.{side}.{}", spec.name), value.clone());
                        }
                    }
                }
                zoo_formats::safetensors::write_atomically(tensors, &kept)?;
                let inputs = if why_drawn.is_some() { "drawn" } else { "real" }.into();
                return Ok(Checks::Onnx { reference: name.into(), inputs, why_drawn, runs: passes.len(), tensors: tensors.into() });
            }
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => why = format!("{name}: {error}"),
        }
    }
    Ok(Checks::OnnxForm { why })
}

struct Ran {
    /// Why inputs were drawn; `None` if they are real.
    why_drawn: Option<String>,
    /// Of inputs and outputs.
    specs: [Vec<TensorSpec>; 2],
    passes: Vec<Pass>,
}

/// Real items where the model drives this graph by itself, else drawn inputs.
fn run(zoo: &Zoo, model: &FoundModel<'_>, graph: &Graph, backend: &dyn Backend, options: &Options, reporter: &dyn Reporter) -> Result<Ran> {
    let compile = || backend.compile(&graph.artifact, &Device::Cpu, options);
    let mut recorder = Recorder::new(compile()?);
    let specs = [recorder.inputs().to_vec(), recorder.outputs().to_vec()];
    let mut bench = Bench { zoo, backend: backend.name(), device: Device::Cpu, options, seed: SEED, limit: Some(ITEMS[0]), reporter };
    let tried = real(zoo, model, &mut recorder, &mut bench);
    if let Some(first) = recorder.first.take() {
        return Ok(Ran { why_drawn: None, specs, passes: std::iter::once(first).chain(recorder.last.take()).collect() });
    }
    let why_drawn = match tried {
        Err(Error::Cancelled) => return Err(Error::Cancelled),
        // Further lines tell of this machine's folders.
        Err(error) => error.to_string().lines().next().unwrap_or_default().into(),
        Ok(()) => "the model's protocol does not run this graph".into(),
    };
    let pass = drawn(&mut *compile()?)?;
    Ok(Ran { why_drawn: Some(why_drawn), specs, passes: vec![pass] })
}

/// Runs a session on drawn inputs, of the first lengths of its free axes that it takes.
pub(in super::super) fn drawn(session: &mut dyn Session) -> Result<Pass> {
    let mut last = Error::argument("inputs", "axes that fit", "none");
    for length in LENGTHS {
        let inputs = draw(session.inputs(), length)?;
        match session.run(&inputs) {
            Ok(outputs) => return Ok((inputs, outputs)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Lets the model predict a few items, or, where it does not predict batches, begin with its own protocol.
fn real(zoo: &Zoo, model: &FoundModel<'_>, recorder: &mut Recorder, bench: &mut Bench<'_>) -> Result<()> {
    let data = model.entry.dataset.as_deref();
    let data = data.ok_or_else(|| Error::argument("model", "a data set in registry.toml", "none"))?;
    let dataset = zoo.dataset(data, &model.entry.split, &model.dataset_config(), bench.reporter)?;
    let features: Arc<[TensorSpec]> = dataset.info().features.clone().into();
    let mut predicted = Ok(());
    for items in ITEMS {
        let items = Batch::read(&*dataset, &features, 0..items.min(dataset.len()));
        predicted = items.and_then(|items| model.model.predict(recorder, &items)).map(|_| ());
        if recorder.first.is_some() {
            return Ok(());
        }
    }
    recorder.stop_after(PROTOCOL_RUNS);
    let own = model.model.evaluate(recorder, &*dataset, &model.config, bench).map(|_| ());
    if recorder.first.is_some() { Ok(()) } else { predicted.and(own) }
}

/// Tensors of the declared types: numbers around 0, indices under [`INDICES`], any bytes; masks and types of tokens are 0 and 1.
fn draw(specs: &[TensorSpec], length: usize) -> Result<Vec<Tensor>> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut one = |spec: &TensorSpec| {
        let side = |name: &str| ["height", "width"].contains(&name);
        let free = |name: &str| if side(name) { SIDE } else { length };
        let shape: Vec<usize> =
            spec.shape.iter().map(|dim| if let Dim::Free(name) = dim { free(name) } else { dim.fixed().unwrap_or(0) }).collect();
        let count = shape.iter().product();
        let mask = ["mask", "type"].iter().any(|word| spec.name.contains(word));
        let mut index = || rng.random_range(0u8..if mask { 2 } else { INDICES });
        match spec.dtype {
            DType::I64 => Tensor::from_vec(shape, (0..count).map(|_| i64::from(index())).collect()),
            DType::I32 => Tensor::from_vec(shape, (0..count).map(|_| i32::from(index())).collect()),
            DType::F32 if mask => Tensor::from_vec(shape, (0..count).map(|_| f32::from(index())).collect()),
            DType::F32 => Tensor::from_vec(shape, (0..count).map(|_| rng.random_range(-1.0f32..1.0)).collect()),
            DType::F64 => Tensor::from_vec(shape, (0..count).map(|_| rng.random_range(-1.0f64..1.0)).collect()),
            DType::U8 => Tensor::from_vec(shape, (0..count).map(|_| rng.random::<u8>()).collect()),
            DType::Bool => Tensor::from_bytes(DType::Bool, shape, &(0..count).map(|_| rng.random_range(0u8..2)).collect::<Vec<_>>()),
            other => Tensor::zeros(other, shape),
        }
    };
    specs.iter().map(&mut one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_inputs_are_the_same_every_time_and_fit_their_specs() {
        let specs = [
            TensorSpec::new("x", DType::F32, [Dim::from("batch"), Dim::Fixed(3), "height".into()]),
            TensorSpec::new("i", DType::I64, [Dim::from("batch")]),
            TensorSpec::new("m", DType::Bool, [Dim::Fixed(5)]),
            TensorSpec::new("h", DType::F16, [Dim::Fixed(2)]),
        ];
        let drawn = draw(&specs, 2).unwrap();
        assert_eq!(drawn, draw(&specs, 2).unwrap());
        assert_eq!(drawn[0].shape(), [2, 3, SIDE]);
        zoo_core::spec::check_all("drawn", &specs, &drawn).unwrap();
    }
}
