//! Networks and weights.

use zoo_backend_events::modes::{Feed, execute};
use zoo_backend_events::settings::{Mode, Settings};
use zoo_formats::event_graph::{EventGraph, Op, Source};
use zoo_formats::nir::{Dialect, NirGraph, NirOptions};

/// Values of all nodes together, and weights met, above which a graph is not run.
const SMALL: usize = 1 << 14;
const STEPS: usize = 4;

/// NIR, read and turned into an event graph by every dialect.
pub fn nir(bytes: &[u8]) {
    let Ok(graph) = NirGraph::from_bytes("fuzz.nir", bytes.to_vec()) else { return };
    for dialect in Dialect::ALL {
        if let Ok((graph, _)) = graph.to_event_graph(&NirOptions::new(dialect).steps(STEPS)) {
            run(&graph);
        }
    }
}

/// Safetensors.
pub fn safetensors(bytes: &[u8]) {
    if let Ok(weights) = zoo_formats::safetensors::from_bytes("fuzz.safetensors", bytes) {
        let held: usize = weights.tensors.values().map(|t| t.as_bytes().len()).sum();
        assert!(held <= bytes.len(), "tensors hold no more than the file");
    }
}

/// ONNX: the model, its inputs and outputs, its weights, and what it is when written again.
pub fn onnx(bytes: &[u8]) {
    let Ok(model) = zoo_formats::onnx::read(bytes) else { return };
    drop((model.inputs(), model.outputs(), model.initializers()));
    let again = model.encode();
    assert!(zoo_formats::onnx::read(&again).is_ok(), "what was read can be read again");
}

/// An event graph: JSON up to the first zero byte, then safetensors.
pub fn event_graph(bytes: &[u8]) {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let (json, weights) = bytes.split_at(end);
    let weights = weights.get(1..).unwrap_or_default();
    // An empty file of weights, so that mutations of the JSON alone get somewhere.
    let empty = b"\x02\0\0\0\0\0\0\0{}".as_slice();
    let Ok(graph) = EventGraph::from_bytes(json, if weights.is_empty() { empty } else { weights }) else { return };
    let artifact = graph.to_artifact("fuzz").expect("a checked graph can be written");
    assert!(EventGraph::from_artifact(&artifact).is_ok(), "what was written can be read");
    run(&graph);
}

/// Runs a small graph in every mode on one spike everywhere at each step.
fn run(graph: &EventGraph) {
    let Ok(shapes) = graph.shapes() else { return };
    let values: usize = shapes.iter().map(|s| s.iter().product::<usize>()).fold(0, usize::saturating_add);
    let weights: usize = graph.tensors.values().map(zoo_core::Tensor::len).fold(0, usize::saturating_add);
    if graph.steps > STEPS || values.saturating_mul(weights.max(1)) > SMALL * SMALL / 16 || values > SMALL {
        return;
    }
    let mut data = Vec::new();
    for node in graph.order().unwrap_or_default() {
        if let Op::Input { source, .. } = &graph.nodes[node].op {
            let n: usize = shapes[node].iter().product();
            data.push((*source, vec![1.0f32; if *source == Source::Constant { n } else { n * graph.steps }]));
        }
    }
    let feeds: Vec<Feed<'_>> =
        data.iter().map(|(source, values)| if *source == Source::Constant { Feed::Image(values) } else { Feed::Frames(values) }).collect();
    for mode in [Mode::TickSync, Mode::Clocked, Mode::AsyncBfs] {
        drop(execute(graph, &feeds, &Settings { mode, ..Settings::default() }));
    }
}
