//! Random networks and small conveniences.

use zoo_backend_events::modes::{Feed, Outcome, execute};
use zoo_backend_events::settings::{Mode, Settings};
use zoo_core::Tensor;
use zoo_formats::event_graph::{Builder, Compare, Dynamics, EventGraph, Neuron, Payload, ReadoutRule, Reset, Source, SpikesPerStep};

/// SplitMix64: small, seeded, the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    pub(crate) fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }
}

/// Where weights lie.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Grid {
    /// Multiples of 2^-8: every sum is exact.
    Dyadic,
    /// Any `f32`.
    Any,
    /// Multiples of 2^-8, none below 0.
    Positive,
    /// Multiples of 2^-5 of at most 127 steps.
    Eight,
}

pub(crate) fn weights(random: &mut Random, shape: &[usize], grid: Grid, size: f32) -> Tensor {
    let n: usize = shape.iter().product();
    let one = |r: &mut Random| {
        let w = (r.unit() * 2.0 - 0.8) * size;
        match grid {
            Grid::Any => w,
            Grid::Dyadic => (w * 256.0).round() / 256.0,
            Grid::Positive => (w.abs() * 256.0).round() / 256.0,
            Grid::Eight => (w * 32.0).round().clamp(-127.0, 127.0) / 32.0,
        }
    };
    Tensor::from_vec(shape, (0..n).map(|_| one(random)).collect()).unwrap()
}

/// Which neurons.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Family {
    /// IF: subtractive reset, one or several spikes, with or without floor.
    If,
    /// LIF: decay 0.5 or, on any grid, an arbitrary one; any reset.
    Lif,
    /// Current-based LIF.
    Cuba,
}

pub(crate) fn neuron(random: &mut Random, family: Family, grid: Grid) -> Neuron {
    let base = Neuron::integrate_and_fire(random.pick(&[0.5, 1.0, 1.25]));
    let compare = random.pick(&[Compare::Greater, Compare::GreaterEqual]);
    let decay = if grid == Grid::Any { f64::from(random.unit()) } else { random.pick(&[0.5, 0.25, 1.0]) };
    match family {
        Family::If => Neuron {
            compare,
            spikes: random.pick(&[SpikesPerStep::One, SpikesPerStep::Trunc]),
            floor: random.pick(&[None, Some(-1.0)]),
            payload: random.pick(&[Payload::Unit, Payload::Unit, Payload::Theta]),
            ..base
        },
        Family::Lif => Neuron {
            dynamics: Dynamics::Lif { decay: decay.into(), gain: random.pick(&[1.0, 0.5]) },
            compare,
            reset: random.pick(&[Reset::Subtract, Reset::Zero, Reset::Value(-0.25)]),
            floor: random.pick(&[None, Some(-0.5)]),
            refractory: random.pick(&[0, 0, 0, 2]),
            ..base
        },
        Family::Cuba => Neuron {
            dynamics: Dynamics::CubaLif { decay_mem: decay.into(), decay_syn: 0.5.into(), gain_syn: 1.0, gain_mem: 0.5 },
            compare,
            reset: random.pick(&[Reset::Subtract, Reset::Zero]),
            ..base
        },
    }
}

/// What a random network may contain.
#[derive(Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) family: Family,
    pub(crate) grid: Grid,
    pub(crate) bias: bool,
    pub(crate) source: Source,
    pub(crate) skips: bool,
    pub(crate) average: bool,
}

impl Recipe {
    pub(crate) fn plain(family: Family, grid: Grid) -> Self {
        Self { family, grid, bias: false, source: Source::Events, skips: false, average: false }
    }
}

/// A network of one to three convolution blocks and a linear readout, and a matching input `[T, C, H, W]` (or
/// `[C, H, W]` for a constant source).
pub(crate) fn network(seed: u64, recipe: Recipe) -> (EventGraph, Vec<f32>) {
    network_with(seed, recipe, |_, family, grid, random| neuron(random, family, grid))
}

pub(crate) fn network_with(seed: u64, recipe: Recipe, make: impl Fn(usize, Family, Grid, &mut Random) -> Neuron) -> (EventGraph, Vec<f32>) {
    let random = &mut Random(seed);
    let steps = 1 + random.below(9);
    let mut shape = [1 + random.below(3), 4 + random.below(9), 4 + random.below(9)];
    let input = shape;
    let mut builder = EventGraph::builder(steps).input("x", input, recipe.source);
    let mut at = "x".to_string();
    for block in 0..1 + random.below(3) {
        let (kernel, stride) = ([1 + random.below(3), 1 + random.below(3)], [1 + random.below(2), 1 + random.below(2)]);
        let (padding, dilation) = ([random.below(2), random.below(2)], [1 + random.below(2), 1 + random.below(2)]);
        let out = |i: usize| (shape[i + 1] + 2 * padding[i]).checked_sub((kernel[i] - 1) * dilation[i] + 1).map(|s| s / stride[i] + 1);
        let (Some(h), Some(w)) = (out(0), out(1)) else { continue };
        let groups = if shape[0].is_multiple_of(2) && random.chance(0.3) { 2 } else { 1 };
        let channels = groups * random.pick(&[1, 2, 5, 8, 9]);
        let weight = weights(random, &[channels, shape[0] / groups, kernel[0], kernel[1]], recipe.grid, 1.0);
        let bias = recipe.bias.then(|| weights(random, &[channels], recipe.grid, 0.2));
        let name = format!("conv{block}");
        builder = builder.conv2d(&name, &at, weight, bias).stride(stride).padding(padding).dilation(dilation).groups(groups);
        let mut sum = name;
        shape = [channels, h, w];
        if recipe.skips && random.chance(0.6) {
            let (a, b) = (format!("side{block}"), format!("add{block}"));
            let weight = weights(random, &[channels, channels, 1, 1], recipe.grid, 0.5);
            let bias = recipe.bias.then(|| weights(random, &[channels], recipe.grid, 0.2));
            let spikes = format!("pre{block}");
            builder = builder.neuron(&spikes, &sum, make(block, recipe.family, recipe.grid, random));
            builder = builder.conv2d(&a, &spikes, weight, bias).add(&b, [a.as_str(), spikes.as_str()]);
            sum = b;
        }
        let spikes = format!("n{block}");
        builder = builder.neuron(&spikes, &sum, make(block, recipe.family, recipe.grid, random));
        at = spikes;
        if shape[1] > 2 && shape[2] > 2 && random.chance(0.5) {
            let pool = format!("pool{block}");
            let kernel = random.pick(&[[2, 2], [3, 2], [2, 3]]);
            let padded = random.chance(0.3);
            builder = if recipe.average { builder.avg_pool2d(&pool, &at, [2, 2]) } else { builder.sum_pool2d(&pool, &at, kernel) };
            let (k, p) = (if recipe.average { [2, 2] } else { kernel }, if padded { [1, 1] } else { [0, 0] });
            builder = builder.padding(p);
            shape = [shape[0], (shape[1] + 2 * p[0] - k[0]) / k[0] + 1, (shape[2] + 2 * p[1] - k[1]) / k[1] + 1];
            at = pool;
        }
    }
    let n: usize = shape.iter().product();
    builder = builder.flatten("flat", &at);
    let hidden = 1 + random.below(20);
    let (w1, w2) = (weights(random, &[hidden, n], recipe.grid, 0.5), weights(random, &[4, hidden], recipe.grid, 1.0));
    let bias = recipe.bias.then(|| weights(random, &[4], recipe.grid, 0.2));
    let rule = random.pick(&[ReadoutRule::Sum, ReadoutRule::Mean]);
    builder = builder
        .linear("fc1", "flat", w1, None)
        .neuron("last", "fc1", make(9, recipe.family, recipe.grid, random))
        .linear("fc2", "last", w2, bias);
    let graph = builder.readout("fc2", rule).build().unwrap();
    let area: usize = input.iter().product();
    let activity = random.pick(&[0.02, 0.1, 0.4]);
    let frames = if recipe.source == Source::Constant { 1 } else { steps };
    let value = |r: &mut Random| match recipe.source {
        Source::Events => 1.0 + r.below(3) as f32 * f32::from(u8::from(r.chance(0.2))),
        _ if recipe.grid == Grid::Any => r.unit() * 4.0 - 1.0,
        _ => (r.below(512) as f32 - 100.0) / 256.0,
    };
    let data = (0..area * frames).map(|_| if random.chance(activity) { value(random) } else { 0.0 }).collect();
    (graph, data)
}

pub(crate) fn feed(recipe: Recipe, data: &[f32]) -> [Feed<'_>; 1] {
    [if recipe.source == Source::Constant { Feed::Image(data) } else { Feed::Frames(data) }]
}

pub(crate) fn settings(mode: Mode) -> Settings {
    Settings { mode, ..Settings::default() }
}

pub(crate) fn run(graph: &EventGraph, feeds: &[Feed<'_>], mode: Mode) -> Outcome {
    execute(graph, feeds, &settings(mode)).unwrap()
}

/// Asserts that two runs agree bit for bit: events of every unit they share, membranes, outputs.
#[track_caller]
pub(crate) fn same(a: &Outcome, b: &Outcome, what: &str) {
    for layer in &a.layers {
        let Some(other) = b.layer(&layer.name) else { continue };
        assert_eq!(layer.raster.sorted(), other.raster.sorted(), "{what}: events of {}", layer.name);
        assert_eq!(layer.membrane, other.membrane, "{what}: membranes of {}", layer.name);
    }
    assert_eq!(a.per_step, b.per_step, "{what}: outputs by step");
    assert_eq!(a.logits, b.logits, "{what}: logits");
}

pub(crate) fn tensor(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_vec(shape, values.to_vec()).unwrap()
}

/// Times at which a unit put out something, with values.
pub(crate) fn train(outcome: &Outcome, layer: &str) -> Vec<(u32, u32, f32)> {
    let raster = &outcome.layer(layer).unwrap().raster;
    (0..raster.step.len()).map(|i| (raster.step[i], raster.index[i], raster.value[i])).collect()
}

/// A graph of neurons joined by single weights: `(to, from, weight)`; `x` is the one input.
pub(crate) fn wires(
    steps: usize,
    neurons: &[&str],
    edges: &[(&str, &str, f32)],
    readout: &str,
    make: impl Fn(&str) -> Neuron,
) -> EventGraph {
    let mut builder: Builder = EventGraph::builder(steps).input("x", [1], Source::GradedEvents);
    for &to in neurons {
        let mut names = Vec::new();
        for (i, &(_, from, weight)) in edges.iter().filter(|e| e.0 == to).enumerate() {
            let name = format!("{to}{i}");
            builder = builder.linear(&name, from, tensor(&[1, 1], &[weight]), None);
            names.push(name);
        }
        let mut from = names[0].clone();
        if names.len() > 1 {
            from = format!("{to}sum");
            builder = builder.add(&from, names.iter().map(String::as_str));
        }
        builder = builder.neuron(to, &from, make(to));
    }
    builder.readout(readout, ReadoutRule::Sum).build().unwrap()
}
