//! The event graph: constant image current, biases every step, spikes that carry their threshold.

use crate::kernel::channels_first;
use crate::network::{Network, Node, Op, Source};
use crate::snn::{Neurons, Snn};
use std::collections::BTreeMap;
use zoo_core::{Error, Result, Tensor};
use zoo_formats::event_graph::{EventGraph, Neuron, Op as EventOp, Param, Payload, ReadoutRule, Source as Feed};

/// What a spike weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NormalForm {
    /// Its neuron's threshold, as in the clocked network: the exact form.
    #[default]
    Amplitude,
    /// One, with thresholds moved into the weights (specification section 11): equal up to rounding, and exactly
    /// equal where all threshold ratios are powers of two.
    Unit,
}

impl std::str::FromStr for NormalForm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "amplitude" => Ok(Self::Amplitude),
            "unit" => Ok(Self::Unit),
            other => Err(Error::argument("option `normal-form`", "amplitude or unit", other)),
        }
    }
}

/// Exports the event graph.
///
/// # Shapes
/// `x` `[batch, channels, rows, columns]`, applied at every step, to `logits` `[batch, classes]`, the mean over the
/// steps.
///
/// # Errors
/// What the event graph finds.
pub fn event(snn: &Snn, form: NormalForm, metadata: BTreeMap<String, String>) -> Result<EventGraph> {
    let network = snn.network();
    let mut builder = EventGraph::builder(snn.steps() as usize).input("x", network.input().to_vec(), Feed::Constant);
    let mut units = Units::new(network, form);
    let mut values = vec!["x".to_string()];
    let name_of = |source: Source, values: &[String]| match source {
        Source::Image => values[0].clone(),
        Source::Node(n) => values[n + 1].clone(),
    };
    for (layer, node) in network.nodes().iter().enumerate() {
        let base = format!("layer{layer}");
        let from = name_of(node.input, &values);
        let neurons = snn.neurons(layer);
        let into = units.enter(node, neurons.map(|n| n.threshold.as_slice()));
        let current = if neurons.is_some() { format!("{base}.current") } else { base.clone() };
        let (op, tensors) = operation(snn, layer, &into)?;
        for (part, tensor) in tensors {
            builder = builder.tensor(format!("{base}.{part}"), tensor);
        }
        let from = match op {
            EventOp::Linear { .. } => {
                let flat = format!("{base}.flat");
                builder = builder.flatten(&flat, &from);
                flat
            }
            _ => from,
        };
        builder = builder.node(&current, [from.as_str()], op);
        let mut summed = current;
        if let Some(residual) = node.residual {
            let mut other = name_of(residual, &values);
            if let Some(factor) = units.residual(residual, &into) {
                let scaled = format!("{base}.residual");
                builder = builder.tensor(format!("{scaled}.factor"), factor);
                builder = builder.scale(&scaled, &other, format!("{scaled}.factor").as_str());
                other = scaled;
            }
            let sum = if neurons.is_some() { format!("{base}.sum") } else { format!("{base}.out") };
            builder = builder.add(&sum, [summed.as_str(), other.as_str()]);
            summed = sum;
        }
        if let Some(neurons) = neurons {
            let (rule, tensors) = rule(&base, network, layer, neurons, form)?;
            for (name, tensor) in tensors {
                builder = builder.tensor(name, tensor);
            }
            builder = builder.neuron(&base, &summed, rule);
            summed = base;
        }
        values.push(summed);
    }
    for (key, value) in metadata {
        builder = builder.metadata(key, value);
    }
    let last = values.last().map_or("x", String::as_str).to_string();
    builder.readout(&last, ReadoutRule::Mean).build()
}

/// What one unit of each channel of a layer's output stands for, so that unit spikes keep their meaning.
struct Units {
    form: NormalForm,
    image: Vec<f32>,
    layers: Vec<Vec<f32>>,
}

/// The scaling of one layer: values of its input channels and of its output channels.
struct Scaling {
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Units {
    fn new(network: &Network, form: NormalForm) -> Self {
        Self { form, image: vec![1.0; network.input()[0]], layers: Vec::new() }
    }

    fn of(&self, source: Source) -> &[f32] {
        match source {
            Source::Image => &self.image,
            Source::Node(n) => &self.layers[n],
        }
    }

    /// Notes a layer's output unit: its threshold if it spikes, its input's if it is a plain pool, else 1.
    fn enter(&mut self, node: &Node, threshold: Option<&[f32]>) -> Scaling {
        let input = self.of(node.input).to_vec();
        let output = match (self.form, threshold) {
            (NormalForm::Unit, Some(threshold)) => threshold.to_vec(),
            (NormalForm::Unit, None) if !node.op.weighted() => input.clone(),
            _ => Vec::new(),
        };
        self.layers.push(output.clone());
        Scaling { input, output }
    }

    fn residual(&self, source: Source, into: &Scaling) -> Option<Tensor> {
        let from = self.of(source);
        let factors: Vec<f32> = (0..from.len().max(into.output.len())).map(|c| unit(from, c) / unit(&into.output, c)).collect();
        if factors.iter().all(|f| *f == 1.0) { None } else { Tensor::from_vec([factors.len()], factors).ok() }
    }
}

/// The unit of a channel; 1 where none is noted.
fn unit(units: &[f32], channel: usize) -> f32 {
    units.get(channel).copied().unwrap_or(1.0)
}

/// Operation and tensors of a layer. A spiking pool becomes a depthwise convolution, since only that can carry the
/// constant drive of its neurons and a change of unit between its sides.
fn operation(snn: &Snn, layer: usize, scaling: &Scaling) -> Result<(EventOp, Vec<(&'static str, Tensor)>)> {
    let network = snn.network();
    let [channels, rows, columns] = network.input_shape(layer);
    let out = network.shape(layer)[0];
    if snn.neurons(layer).is_none() {
        let pool = |kernel, stride, padding| EventOp::AvgPool2d { kernel, stride, padding };
        match network.nodes()[layer].op {
            Op::AvgPool { kernel, stride, padding } => return Ok((pool([kernel; 2], [stride; 2], [padding; 2]), Vec::new())),
            Op::GlobalAvgPool => return Ok((pool([rows, columns], [rows, columns], [0, 0]), Vec::new())),
            Op::Conv { .. } | Op::Linear { .. } => {}
        }
    }
    let names = (format!("layer{layer}.weight"), Some(format!("layer{layer}.bias")));
    let conv = |stride: usize, padding: usize, groups: usize| EventOp::Conv2d {
        weight: names.0.clone(),
        bias: names.1.clone(),
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1, 1],
        groups,
    };
    let depthwise = |kernel: [usize; 2]| {
        let area = kernel[0] * kernel[1];
        (vec![channels, 1, kernel[0], kernel[1]], vec![1.0 / area as f32; channels * area])
    };
    let (op, (shape, mut weight)) = match network.nodes()[layer].op {
        Op::Conv { stride, padding, groups, .. } => (conv(stride, padding, groups), plain(snn, layer)),
        Op::Linear { .. } => (EventOp::Linear { weight: names.0.clone(), bias: names.1.clone() }, plain(snn, layer)),
        Op::AvgPool { kernel, stride, padding } => (conv(stride, padding, channels), depthwise([kernel, kernel])),
        Op::GlobalAvgPool => (conv(1, 0, channels), depthwise([rows, columns])),
    };
    // Row `o` of the weight reads the input channels of its group, each with the same number of taps.
    let row = weight.len() / out;
    let linear = matches!(network.nodes()[layer].op, Op::Linear { .. });
    let per_group = if linear { channels } else { shape[1] };
    let taps = row / per_group;
    let groups = channels / per_group;
    for (o, weights) in weight.chunks_exact_mut(row).enumerate() {
        let first = o / (out / groups) * per_group;
        for (i, w) in weights.iter_mut().enumerate() {
            *w = *w * unit(&scaling.input, first + i / taps) / unit(&scaling.output, o);
        }
    }
    let bias: Vec<f32> = snn.drive(layer).iter().enumerate().map(|(o, b)| b / unit(&scaling.output, o)).collect();
    Ok((op, vec![("weight", Tensor::from_vec(shape, weight)?), ("bias", Tensor::from_vec([out], bias)?)]))
}

fn plain(snn: &Snn, layer: usize) -> (Vec<usize>, Vec<f32>) {
    let weight = snn.kernel(layer).map(|k| k.weight()).unwrap_or_default();
    (snn.network().weight_shape(layer).unwrap_or_default(), weight)
}

/// The neuron rule of a layer and the tensors it names.
fn rule(base: &str, network: &Network, layer: usize, neurons: &Neurons, form: NormalForm) -> Result<(Neuron, Vec<(String, Tensor)>)> {
    let shape = network.shape(layer);
    let mut tensors = Vec::new();
    let same = neurons.threshold.windows(2).all(|w| w[0] == w[1]);
    let threshold = match (form, neurons.threshold.first()) {
        (NormalForm::Unit, _) => Param::Scalar(1.0),
        (NormalForm::Amplitude, Some(&theta)) if same => Param::from(theta),
        _ => {
            let name = format!("{base}.threshold");
            tensors.push((name.clone(), Tensor::from_vec([shape[0]], neurons.threshold.clone())?));
            Param::Tensor(name)
        }
    };
    let mut rule = Neuron::integrate_and_fire(threshold);
    rule.payload = if form == NormalForm::Unit { Payload::Unit } else { Payload::Theta };
    if let Some(v_init) = &neurons.v_init {
        let thetas = neurons.threshold.iter().cycle();
        let scaled = |(v, t): (&f32, &f32)| if form == NormalForm::Unit { v / t } else { *v };
        let values: Vec<f32> = v_init.iter().zip(thetas).map(scaled).collect();
        let name = format!("{base}.v_init");
        let tensor = Tensor::from_vec(shape, channels_first(shape, &values))?;
        // A linear layer's neurons lie along one axis.
        let linear = matches!(network.nodes()[layer].op, Op::Linear { .. });
        let tensor = if linear { tensor.reshape([shape[0]])? } else { tensor };
        tensors.push((name.clone(), tensor));
        rule.v_init = Param::Tensor(name);
    }
    Ok((rule, tensors))
}
