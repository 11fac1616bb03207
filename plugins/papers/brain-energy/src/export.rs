//! The ONNX energy graph: `energy = |R (xf - Phi x0)|^2`, with everything that ONNX has no operator for (matrix
//! exponential, Cholesky factor) worked out beforehand in double precision.

use crate::energy::System;
use faer::{Mat, MatRef};
use zoo_core::{Artifact, Config, DType, Dim, Result, Tensor, Weights};
use zoo_formats::onnx::Graph;

/// Names of the graphs: single and double precision.
pub const GRAPHS: [&str; 2] = ["energy_f32", "energy_f64"];

/// Builds the energy graph of a system in one precision.
///
/// # Shapes
/// Inputs `x0`, `xf`: `[batch, regions]`; outputs `energy`: `[batch]`, `residual`: `[batch, regions]`.
///
/// # Errors
/// Whatever the graph builder finds.
pub fn energy_graph(system: &System, dtype: DType, opset: Option<u32>, config: &Config) -> Result<Artifact> {
    let name = if dtype == DType::F64 { GRAPHS[1] } else { GRAPHS[0] };
    let mut graph = match opset {
        Some(opset) => Graph::with_opset(name, opset)?,
        None => Graph::new(name),
    }
    .variant(name);
    let n = system.size();
    let (phi, r) = system.factors();
    let batch = || [Dim::from("batch"), Dim::from(n)];
    let x0 = graph.input("x0", dtype, batch())?;
    let xf = graph.input("xf", dtype, batch())?;
    // Rows are states, so the matrices stand on the right, transposed.
    let phi = graph.initializer("Phi_T", &tensor(phi.transpose(), dtype)?)?;
    let r = graph.initializer("R_T", &tensor(r.transpose(), dtype)?)?;
    let drifted = graph.matmul(x0, phi)?;
    let residual = graph.sub(xf, drifted)?;
    let whitened = graph.matmul(residual, r)?;
    let squared = graph.mul(whitened, whitened)?;
    let energy = graph.reduce_sum(squared, &[1], false)?;
    graph.output("energy", energy)?;
    graph.output("residual", residual)?;
    graph.metadata("zoo.paper", "arXiv:2201.02340");
    graph.metadata("zoo.licence", "MIT OR Apache-2.0");
    graph.metadata("zoo.config_hash", zoo_formats::digest::config_sha256(config));
    graph.metadata("zoo.condition", format!("{:.6e}", system.condition()));
    graph.finish().map_err(Into::into)
}

/// A matrix as a row-major tensor in single or double precision.
pub fn tensor(matrix: MatRef<'_, f64>, dtype: DType) -> Result<Tensor> {
    let shape = [matrix.nrows(), matrix.ncols()];
    let values = (0..shape[0]).flat_map(|i| (0..shape[1]).map(move |j| matrix[(i, j)]));
    match dtype {
        DType::F64 => Tensor::from_vec(shape, values.collect::<Vec<f64>>()),
        #[allow(clippy::cast_possible_truncation, reason = "single precision is what is asked for")]
        _ => Tensor::from_vec(shape, values.map(|v| v as f32).collect::<Vec<f32>>()),
    }
}

/// A double-precision tensor `[rows, columns]` as a matrix.
///
/// # Errors
/// [`zoo_core::Error::Shape`] or [`zoo_core::Error::DType`].
pub fn matrix(what: &str, tensor: &Tensor) -> Result<Mat<f64>> {
    tensor.expect(what, DType::F64, &[None, None])?;
    let (columns, values) = (tensor.shape()[1], tensor.as_slice::<f64>()?);
    Ok(Mat::from_fn(tensor.shape()[0], columns, |i, j| values[i * columns + j]))
}

/// Coupling, input weights, horizon and what follows from them, as named tensors.
///
/// # Errors
/// Whatever making tensors finds.
pub fn weights(coupling: MatRef<'_, f64>, input: &[f64], horizon: f64, system: &System) -> Result<Weights> {
    let (phi, r) = system.factors();
    let mut weights = Weights::new();
    weights.insert("fc_static", tensor(coupling, DType::F64)?);
    weights.insert("B", Tensor::from_vec([input.len()], input.to_vec())?);
    weights.insert("T", Tensor::from_vec([1], vec![horizon])?);
    weights.insert("Phi", tensor(phi.as_ref(), DType::F64)?);
    weights.insert("R", tensor(r.as_ref(), DType::F64)?);
    Ok(weights)
}
