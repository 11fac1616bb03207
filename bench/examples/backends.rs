//! Tract and ONNX Runtime beside ONNX Runtime called from Python, on any model with one `f32` input.
//!
//! `cargo run --release -p zoo-bench --example backends -- MODEL.onnx PYTHON [LIBRARY]`; without a library the backend
//! looks for it by itself. Prints one row a backend, batch size and number of threads.

use std::error::Error;
use std::path::Path;
use zoo_backend_onnxruntime::OnnxRuntime;
use zoo_backend_tract::Tract;
use zoo_bench::{PythonCase, python_onnxruntime};
use zoo_core::{Artifact, ArtifactKind, Backend, Device, Options, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, python, library @ ..] = &arguments[..] else { return Err("expected MODEL.onnx PYTHON [LIBRARY]".into()) };
    let artifact = Artifact::single(ArtifactKind::Onnx, "model", "model.onnx", std::fs::read(model)?);
    let runtime = library.first().map_or_else(OnnxRuntime::default, OnnxRuntime::with_library);
    let backends: [&dyn Backend; 2] = [&Tract, &runtime];
    for threads in [1, 2] {
        for (batch, runs) in [(1, 200), (64, 10)] {
            for backend in backends {
                let session = backend.compile(&artifact, &Device::Cpu, &Options::default())?;
                let item = session.inputs()[0].shape.iter().skip(1).map(|d| d.fixed().unwrap_or(1));
                let shape: Vec<usize> = std::iter::once(batch).chain(item).collect();
                let values = (0..shape.iter().product::<usize>()).map(|i| f32::from(u8::try_from(i * 7 % 251).unwrap_or(0)) / 251.0);
                let inputs = [Tensor::from_vec(shape, values.collect::<Vec<_>>())?];
                let case = PythonCase {
                    case: format!("{} b{batch} {threads} threads", backend.name()),
                    artifact: &artifact,
                    inputs: &inputs,
                    items: batch,
                    threads,
                    runs,
                    rounds: 7,
                    python: Path::new(python),
                    options: Options::default(),
                };
                let row = python_onnxruntime(&case, backend)?;
                println!("{:28} {:9.0} {}, {} {:9.0}, ratio {:.2}", row.case, row.ours, row.unit, row.peer, row.peer_value, row.ratio);
            }
        }
    }
    Ok(())
}
