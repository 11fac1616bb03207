//! Random small graphs: whatever the builder accepts must be a valid model that runs with the inferred shapes.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use zoo_core::{Artifact, DType, Dim, Tensor};
use zoo_formats::Result;
use zoo_formats::onnx::{Conv, Graph, Pool, ResizeMode, Value};

/// One random step: which operator, on which values, with which numbers.
type Step = (u8, prop::sample::Index, prop::sample::Index, i64, i64);

pub(crate) fn graphs(count: usize, free: bool) -> Vec<Artifact> {
    let step = (0..28u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), -3..4i64, 1..4i64);
    let recipe = (prop::collection::vec(step, 4..16), prop::collection::vec(1..6usize, 2..5), 13..=20u32);
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| {
            let (steps, shape, opset) = recipe.new_tree(&mut runner).unwrap().current();
            build(&steps, &shape, opset, free).unwrap()
        })
        .collect()
}

/// Steps that the builder refuses are left out; all values become outputs, so that running checks every shape.
fn build(steps: &[Step], shape: &[usize], opset: u32, free: bool) -> Result<Artifact> {
    let mut g = Graph::with_opset("random", opset)?;
    let mut dims: Vec<Dim> = shape.iter().copied().map(Dim::from).collect();
    if free {
        dims[0] = "batch".into();
    }
    let x = g.input("x", DType::F32, dims)?;
    let mut values = vec![x, g.relu(x)?];
    for step in steps {
        if let Ok(value) = apply(&mut g, &values, step) {
            values.push(value);
        }
    }
    for (index, value) in values.iter().enumerate().skip(1) {
        g.output(&format!("y{index}"), *value)?;
    }
    g.finish()
}

fn apply(g: &mut Graph, values: &[Value], (op, a, b, signed, positive): &Step) -> Result<Value> {
    let (a, b) = (*a.get(values), *b.get(values));
    let (signed, positive) = (*signed, *positive);
    let rank = g.value_type(a)?.shape.len();
    let channels = |g: &Graph| g.value_type(a).ok().and_then(|t| t.shape.get(1).and_then(Dim::fixed)).unwrap_or(1);
    match op {
        0 => g.add(a, b),
        1 => g.mul(a, b),
        2 => g.sub(b, a),
        3 => g.maximum(a, b),
        4 => g.tanh(a),
        5 => g.softmax(a, signed),
        6 => g.reduce_mean(a, &[signed], true),
        7 => g.reduce_sum(a, &[signed], false),
        8 => g.reduce_max(a, &[], positive > 1),
        9 => g.concat(&[a, b], signed),
        10 => g.slice(a, signed, -positive, i64::MAX),
        11 => g.slice(a, signed, 0, positive),
        12 => g.unsqueeze(a, &[signed]),
        13 => g.squeeze(a, &[signed]),
        14 => g.flatten(a, signed),
        15 => g.reshape(a, &[0, -1]),
        16 => g.reshape(a, &[-1, positive]),
        17 => g.transpose(a, &(0..rank as i64).rev().collect::<Vec<_>>()),
        18 => g.matmul(a, b),
        19 => g.pad(a, &vec![positive; 2 * rank], 0.5),
        20 => g.tile(a, &vec![positive; rank]),
        21 => {
            let condition = g.greater_or_equal(a, b)?;
            g.select(condition, a, b)
        }
        22 => {
            let channels = channels(g);
            let values = vec![0.1f32; 2 * channels * 9];
            let weight = g.constant(&Tensor::from_vec([2, channels, 3, 3], values)?)?;
            g.conv(a, weight, None, &Conv::square(positive, signed.abs()))
        }
        23 => {
            let kernel = vec![positive; rank.saturating_sub(2)];
            g.max_pool(a, &Pool { strides: vec![1 + signed.abs(); kernel.len()], kernel, ceil: signed > 0, ..Pool::default() })
        }
        24 => g.global_average_pool(a),
        25 => {
            let wanted = positive as usize + 1;
            let weight = g.value_type(a)?.shape.last().and_then(Dim::fixed).unwrap_or(1);
            let weight = g.constant(&Tensor::from_vec([wanted, weight], vec![0.25f32; wanted * weight])?)?;
            g.linear(a, weight, None)
        }
        26 => g.resize(a, &vec![positive as f32; rank], ResizeMode::Nearest),
        _ => g.cum_sum(a, signed),
    }
}
