//! ONNX graphs. The step graph takes one item and gives the answer and the next state: the state is an input and an output,
//! so that any runtime can keep it. The sequence graph takes a whole stream and runs the step inside (`Scan`).

use crate::det_hebb::DetHebb;
use crate::lstm::Lstm;
use crate::net::{Form, HebbNet};
use crate::weights::{Net, narrow, transposed};
use zoo_core::{Artifact, Config, DType, Dim, Result, Tensor};
use zoo_formats::onnx::{Graph, Value};

/// Name of the step graph.
pub const GRAPH: &str = "step";
/// Name of the sequence graph.
pub const SEQUENCE: &str = "sequence";

/// Builds the step graph.
///
/// # Shapes
/// Input `x [batch, d]` and the states; outputs `y [batch, 1]` (probability of "familiar"), what the network shows of
/// itself, and last the next states in the order of the inputs.
/// HebbFF: state `A_in [batch, n, d]`; shows `h` and `a`, both `[batch, n]`; next state `A_out`.
/// DetHebb: state `A_in [batch, units, plastic]`; shows `h [batch, units]`. LSTM: states `h_in`, `c_in`, both `[batch, n]`.
///
/// # Errors
/// Whatever the graph builder finds.
pub fn step_graph(net: &Net, opset: Option<u32>, config: &Config) -> Result<Artifact> {
    finish(step(net, GRAPH, opset)?.variant(GRAPH), config)
}

/// Builds the sequence graph: the step graph, run over a stream inside.
///
/// # Shapes
/// Inputs `items [steps, batch, d]` and the states before the first item, as the step graph has them; outputs those of the step
/// graph, each but the states with `steps` in front, and last the states after the last item.
///
/// # Errors
/// Whatever the graph builder finds.
pub fn sequence_graph(net: &Net, opset: Option<u32>, config: &Config) -> Result<Artifact> {
    let body = step(net, GRAPH, opset)?;
    let mut graph = empty(SEQUENCE, opset)?.variant(SEQUENCE);
    let (mut items, mut states) = (Vec::new(), Vec::new());
    for (name, ty) in body.inputs() {
        if name == "x" {
            let shape = std::iter::once(Dim::from("steps")).chain(ty.shape.iter().cloned());
            items.push(graph.input("items", ty.dtype, shape)?);
        } else {
            states.push(graph.input(name, ty.dtype, ty.shape.iter().cloned())?);
        }
    }
    let results = graph.scan(&body, &items, &states)?;
    for ((name, _), value) in body.outputs().zip(results) {
        graph.output(name, value)?;
    }
    finish(graph, config)
}

fn step(net: &Net, name: &str, opset: Option<u32>) -> Result<Graph> {
    let mut graph = empty(name, opset)?;
    match net {
        Net::Plastic(net) => plastic(&mut graph, net)?,
        Net::Lstm(net) => lstm(&mut graph, net)?,
        Net::Det(det) => det_hebb(&mut graph, det)?,
    }
    Ok(graph)
}

fn empty(name: &str, opset: Option<u32>) -> Result<Graph> {
    Ok(match opset {
        Some(opset) => Graph::with_opset(name, opset)?,
        None => Graph::new(name),
    })
}

fn finish(mut graph: Graph, config: &Config) -> Result<Artifact> {
    graph.metadata("zoo.paper", "arXiv:2311.05862");
    graph.metadata("zoo.licence", "CC0-1.0");
    graph.metadata("zoo.config_hash", zoo_formats::digest::config_sha256(config));
    graph.finish().map_err(Into::into)
}

fn batch(axes: &[usize]) -> Vec<Dim> {
    std::iter::once(Dim::from("batch")).chain(axes.iter().map(|&n| Dim::from(n))).collect()
}

/// `[batch, rows, columns]` times `[batch, columns]`.
fn apply(graph: &mut Graph, matrix: Value, vector: Value) -> Result<Value> {
    let column = graph.unsqueeze(vector, &[2])?;
    let product = graph.matmul(matrix, column)?;
    graph.squeeze(product, &[2]).map_err(Into::into)
}

/// `[batch, rows]` and `[batch, columns]` to `[batch, rows, columns]`.
fn outer(graph: &mut Graph, rows: Value, columns: Value) -> Result<Value> {
    let (rows, columns) = (graph.unsqueeze(rows, &[2])?, graph.unsqueeze(columns, &[1])?);
    graph.matmul(rows, columns).map_err(Into::into)
}

fn plastic(graph: &mut Graph, net: &HebbNet) -> Result<()> {
    let Form { d, n, .. } = net.form;
    let (w1, b1, w2, b2) = net.parts();
    let x = graph.input("x", DType::F32, batch(&[d]))?;
    let state = graph.input("A_in", DType::F32, batch(&[n, d]))?;
    let w1 = graph.initializer("w1", &narrow(&[n, d], &transposed(w1, d, n))?)?;
    let b1 = graph.initializer("b1", &narrow(&[n], b1)?)?;
    let eta = graph.initializer("eta", &narrow(&[1], &[net.eta().0])?)?;
    let lambda = graph.initializer("lambda", &narrow(&[1], &[net.lambda().0])?)?;
    let effective = graph.add(state, w1)?;
    let drive = apply(graph, effective, x)?;
    let a = graph.add(drive, b1)?;
    let h = graph.sigmoid(a)?;
    let y = answer(graph, h, w2, b2)?;
    let kept = graph.mul(state, lambda)?;
    let rate = graph.mul(h, eta)?;
    let trace = outer(graph, rate, x)?;
    let next = graph.add(kept, trace)?;
    for (name, value) in [("y", y), ("h", h), ("a", a), ("A_out", next)] {
        graph.output(name, value)?;
    }
    graph.metadata("zoo.states", "A");
    Ok(())
}

fn answer(graph: &mut Graph, h: Value, w2: &[f64], b2: f64) -> Result<Value> {
    let w2 = graph.initializer("w2", &narrow(&[1, w2.len()], w2)?)?;
    let b2 = graph.initializer("b2", &narrow(&[1], &[b2])?)?;
    let z = graph.linear(h, w2, Some(b2))?;
    graph.sigmoid(z).map_err(Into::into)
}

fn lstm(graph: &mut Graph, net: &Lstm) -> Result<()> {
    let (d, n) = (net.d, net.n);
    let x = graph.input("x", DType::F32, batch(&[d]))?;
    let hidden = graph.input("h_in", DType::F32, batch(&[n]))?;
    let cell = graph.input("c_in", DType::F32, batch(&[n]))?;
    let (w, rest) = net.theta.split_at(4 * n * d);
    let (u, rest) = rest.split_at(4 * n * n);
    let (b, rest) = rest.split_at(4 * n);
    let mut gates = Vec::with_capacity(4);
    for (k, name) in ["input", "forget", "cell", "output"].iter().enumerate() {
        let w = graph.initializer(&format!("{name}.w"), &narrow(&[n, d], &w[k * n * d..][..n * d])?)?;
        let u = graph.initializer(&format!("{name}.u"), &narrow(&[n, n], &u[k * n * n..][..n * n])?)?;
        let b = graph.initializer(&format!("{name}.b"), &narrow(&[n], &b[k * n..][..n])?)?;
        let from_x = graph.linear(x, w, Some(b))?;
        let from_h = graph.linear(hidden, u, None)?;
        let sum = graph.add(from_x, from_h)?;
        gates.push(if k == 2 { graph.tanh(sum)? } else { graph.sigmoid(sum)? });
    }
    let kept = graph.mul(gates[1], cell)?;
    let written = graph.mul(gates[0], gates[2])?;
    let next_cell = graph.add(kept, written)?;
    let squashed = graph.tanh(next_cell)?;
    let next_hidden = graph.mul(gates[3], squashed)?;
    let y = answer(graph, next_hidden, &rest[..n], rest[n])?;
    for (name, value) in [("y", y), ("h_out", next_hidden), ("c_out", next_cell)] {
        graph.output(name, value)?;
    }
    graph.metadata("zoo.states", "h,c");
    Ok(())
}

fn det_hebb(graph: &mut Graph, det: &DetHebb) -> Result<()> {
    let (address, plastic, units) = (det.design.address, det.design.plastic, det.units());
    let x = graph.input("x", DType::F32, batch(&[address + plastic]))?;
    let state = graph.input("A_in", DType::F32, batch(&[units, plastic]))?;
    let weights = graph.initializer("W", &narrow(&[units, address], &det.addresses())?)?;
    let bias = graph.initializer("B", &Tensor::from_vec([units], vec![det.bias as f32; units])?)?;
    let gamma = graph.initializer("gamma", &narrow(&[1], &[det.gamma])?)?;
    let place = graph.slice(x, 1, 0, address as i64)?;
    let content = graph.slice(x, 1, address as i64, (address + plastic) as i64)?;
    let addressed = graph.linear(place, weights, Some(bias))?;
    let recalled = apply(graph, state, content)?;
    let a = graph.add(addressed, recalled)?;
    let zero = graph.scalar(DType::F32, 0.0)?;
    let fired = graph.greater(a, zero)?;
    let h = graph.cast(fired, DType::F32)?;
    let any = graph.reduce_max(h, &[1], true)?;
    let one = graph.scalar(DType::F32, 1.0)?;
    let y = graph.sub(one, any)?;
    let kept = graph.mul(state, gamma)?;
    let trace = outer(graph, h, content)?;
    let next = graph.sub(kept, trace)?;
    for (name, value) in [("y", y), ("h", h), ("A_out", next)] {
        graph.output(name, value)?;
    }
    graph.metadata("zoo.states", "A");
    Ok(())
}
