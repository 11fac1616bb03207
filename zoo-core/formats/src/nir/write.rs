//! From a graph to HDF5, as the Python package `nir` writes it: texts of variable length, arrays with their own type. A
//! `v_reset` of zeros is left out, for `nir` before 1.0.5 refuses the field and later ones take zeros for granted.

use super::graph::{Conv, NirGraph, NirNode, Pool};
use super::read::wide;
use crate::{Error, Result};
use hdf5_pure::{FileBuilder, GroupBuilder};
use std::io::Write;
use std::path::Path;
use zoo_core::{DType, Tensor};

/// Version written into files whose graph names none: that of the specification this writer follows.
const VERSION: &str = "1.0.8";

impl NirGraph {
    /// The bytes of a `.nir` file.
    ///
    /// # Errors
    /// [`zoo_core::Error::Artifact`] if an array has a type HDF5 files of NIR don't hold, or the file can't be built.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut file = FileBuilder::new();
        let version = if self.version.is_empty() { VERSION } else { &self.version };
        file.create_dataset("version").with_vlen_strings(&[version]).with_shape(&[]);
        let mut group = file.create_group("node");
        graph(&mut group, self)?;
        file.add_group(group.finish());
        file.finish().map_err(|e| super::at("node", e.to_string()))
    }

    /// Writes a `.nir` file; an existing file is replaced only once the new one is whole.
    ///
    /// # Errors
    /// As [`NirGraph::to_bytes`], or [`zoo_core::Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let bytes = self.to_bytes()?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(folder))?;
        file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(Error::io(path))?;
        file.persist(path).map_err(|e| Error::io(path)(e.error))?;
        Ok(())
    }
}

fn text(group: &mut GroupBuilder, name: &str, value: &str) {
    group.create_dataset(name).with_vlen_strings(&[value]).with_shape(&[]);
}

fn integers(group: &mut GroupBuilder, name: &str, values: &[usize]) {
    let values: Vec<_> = values.iter().map(|&v| v as i64).collect();
    group.create_dataset(name).with_i64_data(&values);
}

fn integer(group: &mut GroupBuilder, name: &str, value: i64) {
    group.create_dataset(name).with_i64_data(&[value]).with_shape(&[]);
}

fn array(group: &mut GroupBuilder, name: &str, tensor: &Tensor) -> Result<()> {
    let shape: Vec<_> = tensor.shape().iter().map(|&d| d as u64).collect();
    let dataset = group.create_dataset(name);
    match tensor.dtype() {
        DType::F32 => dataset.with_f32_data(tensor.as_slice()?),
        DType::F64 => dataset.with_f64_data(tensor.as_slice()?),
        DType::I64 => dataset.with_i64_data(tensor.as_slice()?),
        other => return Err(super::at(name, format!("expected an array of f32, f64 or i64, found {other}"))),
    };
    dataset.with_shape(&shape);
    Ok(())
}

fn reset(group: &mut GroupBuilder, v_reset: Option<&Tensor>) -> Result<()> {
    match v_reset {
        Some(tensor) if wide(tensor).iter().any(|&v| v != 0.0) => array(group, "v_reset", tensor),
        _ => Ok(()),
    }
}

fn graph(group: &mut GroupBuilder, graph: &NirGraph) -> Result<()> {
    text(group, "type", "NIRGraph");
    let mut nodes = group.create_group("nodes");
    for (name, value) in &graph.nodes {
        if name.is_empty() || name.contains('/') || name == "." {
            return Err(super::at(name, "a name in a .nir file is not empty and has no `/`"));
        }
        let mut inner = nodes.create_group(name);
        node(&mut inner, value)?;
        nodes.add_group(inner.finish());
    }
    group.add_group(nodes.finish());
    let edges: Vec<&str> = graph.edges.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()]).collect();
    group.create_dataset("edges").with_vlen_strings(&edges).with_shape(&[graph.edges.len() as u64, 2]);
    Ok(())
}

fn conv(group: &mut GroupBuilder, conv: &Conv) -> Result<()> {
    array(group, "weight", &conv.weight)?;
    array(group, "bias", &conv.bias)?;
    let one = conv.stride.len() == 1;
    for (name, values) in [("stride", &conv.stride), ("padding", &conv.padding), ("dilation", &conv.dilation)] {
        if one { integer(group, name, values[0] as i64) } else { integers(group, name, values) }
    }
    integer(group, "groups", conv.groups as i64);
    match conv.input_shape.as_deref() {
        Some([length]) if one => integer(group, "input_shape", *length as i64),
        Some(shape) => integers(group, "input_shape", shape),
        None => {}
    }
    Ok(())
}

fn pool(group: &mut GroupBuilder, pool: &Pool) {
    integers(group, "kernel_size", &pool.kernel_size);
    integers(group, "stride", &pool.stride);
    integers(group, "padding", &pool.padding);
}

fn arrays(group: &mut GroupBuilder, fields: &[(&str, &Tensor)]) -> Result<()> {
    fields.iter().try_for_each(|(name, tensor)| array(group, name, tensor))
}

fn node(group: &mut GroupBuilder, node: &NirNode) -> Result<()> {
    if let NirNode::Graph(inner) = node {
        return graph(group, inner);
    }
    text(group, "type", node.kind());
    match node {
        NirNode::Input { shape } | NirNode::Output { shape } => integers(group, "shape", shape),
        NirNode::Affine { weight, bias } => arrays(group, &[("weight", weight), ("bias", bias)])?,
        NirNode::Linear { weight } => array(group, "weight", weight)?,
        NirNode::Scale { scale } => array(group, "scale", scale)?,
        NirNode::Threshold { threshold } => array(group, "threshold", threshold)?,
        NirNode::Conv1d(value) | NirNode::Conv2d(value) => conv(group, value)?,
        NirNode::SumPool2d(value) | NirNode::AvgPool2d(value) => pool(group, value),
        NirNode::Flatten { start_dim, end_dim, input_type } => {
            integer(group, "start_dim", *start_dim);
            integer(group, "end_dim", *end_dim);
            if let Some(shape) = input_type {
                integers(group, "input_type", shape);
            }
        }
        NirNode::Delay { delay } => array(group, "delay", delay)?,
        NirNode::I { r } => array(group, "r", r)?,
        NirNode::If { r, v_threshold, v_reset } => {
            arrays(group, &[("r", r), ("v_threshold", v_threshold)])?;
            reset(group, v_reset.as_ref())?;
        }
        NirNode::Li { tau, r, v_leak } => arrays(group, &[("tau", tau), ("r", r), ("v_leak", v_leak)])?,
        NirNode::Lif { tau, r, v_leak, v_threshold, v_reset } => {
            arrays(group, &[("tau", tau), ("r", r), ("v_leak", v_leak), ("v_threshold", v_threshold)])?;
            reset(group, v_reset.as_ref())?;
        }
        NirNode::CubaLi { tau_mem, tau_syn, r, v_leak, w_in } => {
            arrays(group, &[("tau_mem", tau_mem), ("tau_syn", tau_syn), ("r", r), ("v_leak", v_leak)])?;
            w_in.as_ref().map_or(Ok(()), |w| array(group, "w_in", w))?;
        }
        NirNode::CubaLif { tau_mem, tau_syn, r, v_leak, w_in, v_threshold, v_reset } => {
            let fields = [("tau_mem", tau_mem), ("tau_syn", tau_syn), ("r", r), ("v_leak", v_leak), ("v_threshold", v_threshold)];
            arrays(group, &fields)?;
            // Python's `nir` before 1.0.5 can't do without.
            w_in.as_ref().map_or(Ok(()), |w| array(group, "w_in", w))?;
            reset(group, v_reset.as_ref())?;
        }
        NirNode::Graph(_) => {}
    }
    Ok(())
}
