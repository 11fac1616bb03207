//! The event graph, which is canonical, and NIR, which loses some of it.

use super::Deployed;
use crate::network::{DECAY, Neuron, Op, Source, V_MIN, V_THRESHOLD};
use std::collections::BTreeMap;
use zoo_core::{Artifact, ArtifactKind, Result, Tensor};
use zoo_formats::event_graph::{EventGraph, Neuron as Rule, Op as EventOp, ReadoutRule, Source as Feed, SpikesPerStep};
use zoo_formats::nir::{Dialect, LossKind, NirGraph, NirOptions};

/// How classes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    /// Mean current of the last layer, as in training.
    Mean,
    /// Spikes of neurons behind the last layer, `[classes]`, then the total currents of the last layer, `[classes]`, whose
    /// difference is the final membrane: a network of nothing but events.
    Counts,
}

fn neuron(net: &Deployed) -> Rule {
    match net.neuron {
        Neuron::Lif => Rule::leaky(DECAY, V_THRESHOLD),
        Neuron::If => Rule { spikes: SpikesPerStep::Trunc, floor: Some(f64::from(V_MIN)), ..Rule::integrate_and_fire(V_THRESHOLD) },
    }
}

/// The weight with every entry times `factor`.
fn scaled(weight: &Tensor, factor: f32) -> Result<Tensor> {
    Tensor::from_vec(weight.shape(), weight.as_slice::<f32>()?.iter().map(|w| w * factor).collect())
}

/// Exports the event graph for one number of steps in all stages.
///
/// Average pools of event networks become sums, and the next weights are divided by the pool's size instead, which is
/// exact for powers of two.
///
/// # Shapes
/// `x` `[batch, T, channels, rows, columns]` (event counts), or without `T` where one image stands for all steps, to
/// `logits` `[batch, classes]`, or `[batch, 2 classes]` with [`Readout::Counts`].
///
/// # Errors
/// What the event graph finds.
pub fn event(net: &Deployed, readout: Readout, metadata: BTreeMap<String, String>) -> Result<EventGraph> {
    let network = &net.network;
    let feed = match (net.still, net.neuron) {
        (true, _) => Feed::Constant,
        (false, Neuron::If) => Feed::Events,
        (false, Neuron::Lif) => Feed::Frames,
    };
    let rule = neuron(net);
    let mut builder = EventGraph::builder(net.steps).input("x", network.input().to_vec(), feed);
    // Name of each layer's output, and what its values still have to be multiplied by.
    let mut names: Vec<(String, f32)> = Vec::new();
    for (n, layer) in network.layers().iter().enumerate() {
        let (from, factor) = match layer.input {
            Source::Frame => ("x".to_string(), 1.0),
            Source::Layer(n) => names[n].clone(),
        };
        let mut name = if layer.spikes || layer.add.is_some() { format!("{}.current", layer.name) } else { layer.name.clone() };
        let mut left = 1.0;
        match (layer.op, net.parts(n)) {
            (Op::Conv { stride, padding, .. }, Some(parts)) => {
                let conv = builder.conv2d(&name, &from, scaled(&parts.weight, factor)?, parts.bias.clone());
                builder = conv.stride([stride; 2]).padding([padding; 2]);
            }
            (Op::Linear { .. }, Some(parts)) => {
                let flat = format!("{}.flat", layer.name);
                let after_linear = matches!(layer.input, Source::Layer(n) if matches!(network.layers()[n].op, Op::Linear { .. }));
                let from = if after_linear {
                    from
                } else {
                    builder = builder.flatten(&flat, &from);
                    flat
                };
                builder = builder.linear(&name, &from, scaled(&parts.weight, factor)?, parts.bias.clone());
            }
            (Op::AvgPool { kernel }, _) if net.neuron == Neuron::If => {
                left = factor / (kernel * kernel) as f32;
                builder = builder.sum_pool2d(&name, &from, [kernel; 2]);
            }
            (Op::AvgPool { kernel }, _) => builder = builder.avg_pool2d(&name, &from, [kernel; 2]),
            _ => {
                let [_, h, w] = network.input_shape(n);
                builder = builder.node(&name, [from.as_str()], EventOp::AvgPool2d { kernel: [h, w], stride: [h, w], padding: [0, 0] });
            }
        }
        if let Some(other) = layer.add {
            let sum = if layer.spikes { format!("{}.sum", layer.name) } else { layer.name.clone() };
            builder = builder.add(&sum, [name.as_str(), names[other].0.as_str()]);
            name = sum;
        }
        if layer.spikes {
            builder = builder.neuron(&layer.name, &name, rule.clone());
            name = layer.name.clone();
        }
        names.push((name, left));
    }
    for (key, value) in metadata {
        builder = builder.metadata(key, value);
    }
    let last = names.last().map_or("x", |n| n.0.as_str()).to_string();
    match readout {
        Readout::Mean => builder.readout(&last, ReadoutRule::Mean).per_step().build(),
        Readout::Counts => {
            // Without a floor, so that currents less spikes are the membrane.
            let output = Rule { floor: None, ..rule };
            let builder = builder.neuron("output", &last, output).concat("counts", ["output", last.as_str()]);
            builder.readout("counts", ReadoutRule::Sum).build()
        }
    }
}

/// Exports NIR in its strict reading; what a reader will not know is listed in the metadata, key `losses`.
///
/// # Errors
/// As [`event`], and [`zoo_core::Error::Artifact`] for what NIR has no words for.
pub fn nir(net: &Deployed, mut metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let graph = event(net, Readout::Mean, BTreeMap::new())?;
    let options = NirOptions::new(Dialect::NirStrict).steps(net.steps);
    let (file, losses) = NirGraph::from_event_graph(&graph, &options, &LossKind::ALL)?;
    let mut lines: Vec<String> = losses.iter().map(ToString::to_string).collect();
    lines.push("the order integrate, fire, reset, floor is this dialect's reading, not the file's words".into());
    metadata.insert("losses".into(), lines.join("; "));
    metadata.insert("nir_dialect".into(), options.dialect.to_string());
    metadata.insert("nir_dt".into(), options.dt.to_string());
    let mut artifact = Artifact::single(ArtifactKind::Nir, "model", "model.nir", file.to_bytes()?);
    artifact.metadata = metadata;
    Ok(artifact)
}
