//! The event graph, which is canonical, and NIR, which loses some of it.

use super::Deployed;
use crate::network::{Op, Source};
use std::collections::BTreeMap;
use zoo_core::{Artifact, ArtifactFile, ArtifactKind, Error, Result};
use zoo_formats::event_graph::{EventGraph, Neuron, Op as EventOp, ReadoutRule, Source as Feed};
use zoo_formats::nir::{Dialect, LossKind, NirGraph, NirOptions};

fn feed(net: &Deployed) -> Feed {
    if net.still { Feed::Constant } else { Feed::Frames }
}

/// Exports the event graph: analog frames, biases at every step, leaky neurons with a strict threshold.
///
/// # Shapes
/// `x` `[batch, T, channels, rows, columns]`, or without `T` where one image stands for all steps, to `logits`
/// `[batch, classes]` (the mean over time) and `logits_t` `[batch, T, classes]`.
///
/// # Errors
/// [`Error::NotOffered`] for a network with maximum pools; what the event graph finds.
pub fn event(net: &Deployed, metadata: BTreeMap<String, String>) -> Result<EventGraph> {
    let network = &net.network;
    let rule = Neuron::leaky(net.neuron.decay, net.neuron.v_threshold);
    let mut builder = EventGraph::builder(net.steps).input("x", network.input().to_vec(), feed(net));
    let mut names: Vec<String> = Vec::new();
    for (n, layer) in network.layers().iter().enumerate() {
        let from = match layer.input {
            Source::Frame => "x".to_string(),
            Source::Layer(n) => names[n].clone(),
        };
        let mut name = if layer.spikes || layer.add.is_some() { format!("{}.current", layer.name) } else { layer.name.clone() };
        builder = match (layer.op, net.parts(n)) {
            (Op::Conv { stride, padding, .. }, Some(parts)) => {
                builder.conv2d(&name, &from, parts.weight.clone(), Some(parts.bias.clone())).stride([stride; 2]).padding([padding; 2])
            }
            (Op::Linear { .. }, Some(parts)) => {
                let [_, h, w] = network.input_shape(n);
                let after_linear = matches!(layer.input, Source::Layer(n) if matches!(network.layers()[n].op, Op::Linear { .. }));
                let from = if after_linear && h * w == 1 {
                    from
                } else {
                    let flat = format!("{}.flat", layer.name);
                    builder = builder.flatten(&flat, &from);
                    flat
                };
                builder.linear(&name, &from, parts.weight.clone(), Some(parts.bias.clone()))
            }
            (Op::AvgPool { kernel }, _) => builder.avg_pool2d(&name, &from, [kernel; 2]),
            (Op::GlobalAvgPool, _) => {
                let [_, h, w] = network.input_shape(n);
                builder.node(&name, [from.as_str()], EventOp::AvgPool2d { kernel: [h, w], stride: [h, w], padding: [0, 0] })
            }
            _ => {
                return Err(Error::NotOffered {
                    who: format!("layer `{}`", layer.name),
                    what: "a form in the event graph".into(),
                    hint: "maximum pools have none; export ONNX".into(),
                });
            }
        };
        if let Some(other) = layer.add {
            let sum = if layer.spikes { format!("{}.sum", layer.name) } else { layer.name.clone() };
            builder = builder.add(&sum, [name.as_str(), names[other].as_str()]);
            name = sum;
        }
        if layer.spikes {
            let spikes = if layer.add_after.is_some() { format!("{}.spikes", layer.name) } else { layer.name.clone() };
            builder = builder.neuron(&spikes, &name, rule.clone());
            name = spikes;
        }
        if let Some(other) = layer.add_after {
            builder = builder.add(&layer.name, [name.as_str(), names[other].as_str()]);
            name = layer.name.clone();
        }
        names.push(name);
    }
    for (key, value) in metadata {
        builder = builder.metadata(key, value);
    }
    let last = names.last().map_or("x", String::as_str).to_string();
    builder.readout(&last, ReadoutRule::Mean).per_step().build()
}

/// Exports NIR in its strict reading; what a reader will not know is listed in `losses.txt` beside it
/// and in the metadata, key `losses`.
///
/// # Errors
/// As [`event`], and [`Error::Artifact`] for what NIR has no words for.
pub fn nir(net: &Deployed, mut metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let graph = event(net, BTreeMap::new())?;
    // Input and readout are not part of a NIR file at all; a reader takes it for a graph of unit events and spike counts.
    let options = NirOptions::new(Dialect::NirStrict).steps(net.steps);
    let (file, losses) = NirGraph::from_event_graph(&graph, &options, &LossKind::ALL)?;
    let mut lines: Vec<String> = losses.iter().map(ToString::to_string).collect();
    lines.push("the strict comparison `>` and the order integrate, fire, reset are this dialect's reading, not the file's words".into());
    let text = lines.join("\n") + "\n";
    metadata.insert("losses".into(), lines.join("; "));
    metadata.insert("nir_dialect".into(), options.dialect.to_string());
    metadata.insert("nir_dt".into(), options.dt.to_string());
    let mut artifact = Artifact::single(ArtifactKind::Nir, "model", "model.nir", file.to_bytes()?);
    artifact.files.push(ArtifactFile { name: "losses.txt".into(), bytes: text.into_bytes().into() });
    artifact.metadata = metadata;
    Ok(artifact)
}
