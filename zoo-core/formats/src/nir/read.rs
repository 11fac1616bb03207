//! From HDF5 to a graph.
//!
//! Layout: a text dataset `version` and a group `node`; every node has a text dataset `type`; a graph has a group `nodes`
//! and a dataset `edges` of pairs of texts. Arrays may be chunked and compressed, texts are of variable length.

use super::graph::{Conv, NirGraph, NirNode, Pool};
use super::limits;
use crate::{Error, Result};
use hdf5_pure::{DType as H5Type, Dataset, File, Group, VlenStringReadOptions};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use zoo_core::Tensor;

impl NirGraph {
    /// Reads a `.nir` file.
    ///
    /// # Errors
    /// [`zoo_core::Error::Io`] if the file can't be read, [`Error::Malformed`] naming the node and field that is not as it
    /// should be, [`Error::Limit`] for a file beyond [`limits`].
    pub fn read(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(Error::io(path))?;
        file.take(limits::FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
        Self::from_bytes(&path.display().to_string(), bytes)
    }

    /// Reads the bytes of a `.nir` file; `name` is for messages.
    ///
    /// # Errors
    /// As [`NirGraph::read`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self> {
        limit(name, "bytes", limits::FILE_BYTES, bytes.len() as u64)?;
        // The HDF5 reader is somebody else's and the bytes may be anybody's: a panic there is an error here.
        catch_unwind(AssertUnwindSafe(|| read_file(name, bytes)))
            .unwrap_or_else(|_| Err(Error::malformed(name, "the HDF5 structure", "the HDF5 reader gave up on it; the file is damaged")))
    }
}

fn limit(name: &str, what: &'static str, limit: u64, found: u64) -> Result<()> {
    if found <= limit { Ok(()) } else { Err(Error::Limit { source_name: name.into(), what, limit, found }) }
}

fn read_file(name: &str, bytes: Vec<u8>) -> Result<NirGraph> {
    // Arrays can't be larger than what their compressed chunks can unpack to, whatever a header declares.
    let stored = bytes.len() as u64;
    let unpacked = stored.saturating_mul(limits::COMPRESSION).min(limits::ARRAY_BYTES);
    let file = File::from_bytes(bytes).map_err(|e| Error::malformed(name, "the start of the file", format!("expected HDF5: {e}")))?;
    let mut reader = Reader { name, stored, bytes: unpacked, nodes: limits::NODES };
    let root = file.root();
    let version = reader.text(&Place { group: &root, path: String::new() }, "version")?;
    let group = file.group("node").map_err(|e| Error::malformed(name, "group `node`", e.to_string()))?;
    let node = reader.node(&Place { group: &group, path: "node".into() }, 0)?;
    match node {
        NirNode::Graph(graph) => Ok(NirGraph { version, ..graph }),
        other => Err(Error::malformed(name, "node", format!("expected a NIRGraph, found {}", other.kind()))),
    }
}

/// A group of the file and its path in messages.
struct Place<'a> {
    group: &'a Group,
    path: String,
}

/// What is left of the limits.
struct Reader<'a> {
    name: &'a str,
    /// Bytes of the file.
    stored: u64,
    bytes: u64,
    nodes: usize,
}

impl Reader<'_> {
    fn bad(&self, place: &Place<'_>, field: &str, why: impl Into<String>) -> Error {
        Error::malformed(self.name, format!("{}/{field}", place.path), why)
    }

    fn dataset(&self, place: &Place<'_>, field: &str) -> Result<Option<Dataset>> {
        let there = place.group.datasets().map_err(|e| self.bad(place, "", e.to_string()))?;
        if !there.iter().any(|name| name == field) {
            return Ok(None);
        }
        let dataset = place.group.dataset(field).map_err(|e| self.bad(place, field, e.to_string()))?;
        // The HDF5 reader makes room for what a chunk claims to take before it looks whether the file has as much.
        let chunks = if dataset.is_chunked() { dataset.chunks() } else { Ok(vec![]) };
        for chunk in chunks.map_err(|e| self.bad(place, field, e.to_string()))? {
            if chunk.storage_size > self.stored {
                let why = format!("expected chunks within the file's {} bytes, found one of {}", self.stored, chunk.storage_size);
                return Err(self.bad(place, field, why));
            }
        }
        Ok(Some(dataset))
    }

    fn needed<T>(&self, place: &Place<'_>, field: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.bad(place, field, "expected this field, found none"))
    }

    /// Texts of a dataset and its shape.
    fn texts(&mut self, place: &Place<'_>, field: &str) -> Result<(Vec<u64>, Vec<String>)> {
        let dataset = self.dataset(place, field)?;
        let dataset = self.needed(place, field, dataset)?;
        let shape = dataset.shape().map_err(|e| self.bad(place, field, e.to_string()))?;
        let count = shape.iter().fold(1u64, |n, &d| n.saturating_mul(d));
        limit(self.name, "texts in a dataset", 2 * limits::EDGES as u64, count)?;
        let kind = dataset.dtype().map_err(|e| self.bad(place, field, e.to_string()))?;
        let texts = match kind {
            H5Type::VariableLengthString => {
                let options = VlenStringReadOptions::new()
                    .with_max_elements(2 * limits::EDGES)
                    .with_max_payload_bytes(limits::TEXT_BYTES.min(self.bytes) as usize);
                dataset.read_vlen_strings(options)
            }
            H5Type::String => {
                let size = dataset.element_size().map_err(|e| self.bad(place, field, e.to_string()))?;
                limit(self.name, "bytes of text", limits::TEXT_BYTES, size.saturating_mul(count))?;
                dataset.read_string()
            }
            other => return Err(self.bad(place, field, format!("expected text, found {other}"))),
        };
        let texts = texts.map_err(|e| self.bad(place, field, e.to_string()))?;
        let used = texts.iter().map(|t| t.len() as u64).sum::<u64>();
        self.bytes = self.bytes.saturating_sub(used);
        Ok((shape, texts))
    }

    fn text(&mut self, place: &Place<'_>, field: &str) -> Result<String> {
        let (_, mut texts) = self.texts(place, field)?;
        if texts.len() != 1 {
            return Err(self.bad(place, field, format!("expected one text, found {}", texts.len())));
        }
        Ok(texts.swap_remove(0))
    }

    /// A numeric array: `f32` and `f64` as they are, integers as `i64`.
    fn optional(&mut self, place: &Place<'_>, field: &str) -> Result<Option<Tensor>> {
        let Some(dataset) = self.dataset(place, field)? else { return Ok(None) };
        let fail = |e: hdf5_pure::Error| Error::malformed(self.name, format!("{}/{field}", place.path), e.to_string());
        let dims = dataset.shape().map_err(fail)?;
        let kind = dataset.dtype().map_err(fail)?;
        let count = dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d)).unwrap_or(u64::MAX);
        let size = count.saturating_mul(8);
        limit(self.name, "bytes of arrays", self.bytes, size)?;
        self.bytes -= size;
        // Below the limit, so each axis fits.
        let shape: Vec<usize> = dims.iter().map(|&d| d as usize).collect();
        let tensor = match kind {
            H5Type::F32 => Tensor::from_vec(shape, dataset.read_f32().map_err(fail)?)?,
            H5Type::F64 => Tensor::from_vec(shape, dataset.read_f64().map_err(fail)?)?,
            H5Type::I8 | H5Type::I16 | H5Type::I32 | H5Type::I64 | H5Type::U8 | H5Type::U16 | H5Type::U32 | H5Type::U64 => {
                Tensor::from_vec(shape, dataset.read_i64().map_err(fail)?)?
            }
            other => return Err(self.bad(place, field, format!("expected numbers, found {other}"))),
        };
        Ok(Some(tensor))
    }

    fn array(&mut self, place: &Place<'_>, field: &str) -> Result<Tensor> {
        let value = self.optional(place, field)?;
        self.needed(place, field, value)
    }

    /// Integers that are not negative; an absent or empty field is `None`.
    fn sizes(&mut self, place: &Place<'_>, field: &str) -> Result<Option<Vec<usize>>> {
        let Some(tensor) = self.optional(place, field)? else { return Ok(None) };
        let to_size = |v: f64| (v >= 0.0 && v <= f64::from(u32::MAX) && v.fract() == 0.0).then_some(v as usize);
        let values = wide(&tensor).into_iter().map(to_size).collect::<Option<Vec<_>>>();
        let values = values.ok_or_else(|| self.bad(place, field, "expected whole numbers from 0 to 4294967295"))?;
        Ok(Some(values).filter(|v| !v.is_empty()))
    }

    /// As `sizes`, spread to `N` axes where one number stands for all.
    fn axes(&mut self, place: &Place<'_>, field: &str, count: usize) -> Result<Vec<usize>> {
        let values = self.sizes(place, field)?;
        let values = self.needed(place, field, values)?;
        match values.len() {
            1 => Ok(vec![values[0]; count]),
            n if n == count => Ok(values),
            n => Err(self.bad(place, field, format!("expected 1 or {count} numbers, found {n}"))),
        }
    }

    fn integer(&mut self, place: &Place<'_>, field: &str) -> Result<i64> {
        let tensor = self.array(place, field)?;
        match wide(&tensor)[..] {
            [v] if v.fract() == 0.0 && v.abs() < 1e9 => Ok(v as i64),
            _ => Err(self.bad(place, field, format!("expected one whole number, found shape {:?}", tensor.shape()))),
        }
    }

    fn conv(&mut self, place: &Place<'_>, axes: usize) -> Result<Conv> {
        let weight = self.array(place, "weight")?;
        if weight.shape().len() != axes + 2 {
            return Err(self.bad(place, "weight", format!("expected {} axes, found shape {:?}", axes + 2, weight.shape())));
        }
        let (stride, dilation) = (self.axes(place, "stride", axes)?, self.axes(place, "dilation", axes)?);
        let groups = usize::try_from(self.integer(place, "groups")?).unwrap_or(0);
        let dataset = self.dataset(place, "padding")?;
        let kind = dataset.map(|d| d.dtype()).transpose().map_err(|e| self.bad(place, "padding", e.to_string()))?;
        let padding = if matches!(kind, Some(H5Type::VariableLengthString | H5Type::String)) {
            match self.text(place, "padding")?.as_str() {
                "valid" => vec![0; axes],
                "same" => self.same(place, &weight, &stride, &dilation)?,
                other => return Err(self.bad(place, "padding", format!("expected numbers, `same` or `valid`, found `{other}`"))),
            }
        } else {
            self.axes(place, "padding", axes)?
        };
        Ok(Conv {
            bias: self.array(place, "bias")?,
            input_shape: self.sizes(place, "input_shape")?,
            weight,
            stride,
            padding,
            dilation,
            groups,
        })
    }

    /// Padding that keeps the size, where the same number of zeros on both sides does.
    fn same(&self, place: &Place<'_>, weight: &Tensor, stride: &[usize], dilation: &[usize]) -> Result<Vec<usize>> {
        let spans: Vec<_> = weight.shape()[2..].iter().zip(dilation).map(|(k, d)| k.saturating_sub(1).saturating_mul(*d)).collect();
        if stride.iter().any(|&s| s != 1) || spans.iter().any(|s| s % 2 == 1) {
            return Err(self.bad(place, "padding", "`same` needs stride 1 and windows of odd span"));
        }
        Ok(spans.iter().map(|s| s / 2).collect())
    }

    fn pool(&mut self, place: &Place<'_>) -> Result<Pool> {
        let pair = |values: Vec<usize>| [values[0], values[1]];
        Ok(Pool {
            kernel_size: pair(self.axes(place, "kernel_size", 2)?),
            stride: pair(self.axes(place, "stride", 2)?),
            padding: pair(self.axes(place, "padding", 2)?),
        })
    }

    fn node(&mut self, place: &Place<'_>, depth: usize) -> Result<NirNode> {
        self.nodes = self.nodes.checked_sub(1).ok_or_else(|| Error::Limit {
            source_name: self.name.into(),
            what: "nodes",
            limit: limits::NODES as u64,
            found: limits::NODES as u64 + 1,
        })?;
        let kind = self.text(place, "type")?;
        let p = place;
        Ok(match kind.as_str() {
            "Input" | "Output" => {
                let shape = self.sizes(p, "shape")?.unwrap_or_default();
                if kind == "Input" { NirNode::Input { shape } } else { NirNode::Output { shape } }
            }
            "Affine" => NirNode::Affine { weight: self.array(p, "weight")?, bias: self.array(p, "bias")? },
            "Linear" => NirNode::Linear { weight: self.array(p, "weight")? },
            "Scale" => NirNode::Scale { scale: self.array(p, "scale")? },
            "Threshold" => NirNode::Threshold { threshold: self.array(p, "threshold")? },
            "Conv1d" => NirNode::Conv1d(self.conv(p, 1)?),
            "Conv2d" => NirNode::Conv2d(self.conv(p, 2)?),
            "SumPool2d" => NirNode::SumPool2d(self.pool(p)?),
            "AvgPool2d" => NirNode::AvgPool2d(self.pool(p)?),
            "Flatten" => NirNode::Flatten {
                start_dim: self.integer(p, "start_dim")?,
                end_dim: self.integer(p, "end_dim")?,
                input_type: self.sizes(p, "input_type")?,
            },
            "Delay" => NirNode::Delay { delay: self.array(p, "delay")? },
            "I" => NirNode::I { r: self.array(p, "r")? },
            "IF" => {
                NirNode::If { r: self.array(p, "r")?, v_threshold: self.array(p, "v_threshold")?, v_reset: self.optional(p, "v_reset")? }
            }
            "LI" => NirNode::Li { tau: self.array(p, "tau")?, r: self.array(p, "r")?, v_leak: self.array(p, "v_leak")? },
            "LIF" => NirNode::Lif {
                tau: self.array(p, "tau")?,
                r: self.array(p, "r")?,
                v_leak: self.array(p, "v_leak")?,
                v_threshold: self.array(p, "v_threshold")?,
                v_reset: self.optional(p, "v_reset")?,
            },
            "CubaLI" => NirNode::CubaLi {
                tau_mem: self.array(p, "tau_mem")?,
                tau_syn: self.array(p, "tau_syn")?,
                r: self.array(p, "r")?,
                v_leak: self.array(p, "v_leak")?,
                w_in: self.optional(p, "w_in")?,
            },
            "CubaLIF" => NirNode::CubaLif {
                tau_mem: self.array(p, "tau_mem")?,
                tau_syn: self.array(p, "tau_syn")?,
                r: self.array(p, "r")?,
                v_leak: self.array(p, "v_leak")?,
                w_in: self.optional(p, "w_in")?,
                v_threshold: self.array(p, "v_threshold")?,
                v_reset: self.optional(p, "v_reset")?,
            },
            "NIRGraph" => NirNode::Graph(self.graph(p, depth)?),
            other => return Err(self.bad(p, "type", format!("expected one of {}, found `{other}`", NirNode::KINDS.join(", ")))),
        })
    }

    fn graph(&mut self, place: &Place<'_>, depth: usize) -> Result<NirGraph> {
        if depth >= limits::DEPTH {
            return Err(self.bad(place, "nodes", format!("expected at most {} nested graphs", limits::DEPTH)));
        }
        let group = place.group.group("nodes").map_err(|e| self.bad(place, "nodes", e.to_string()))?;
        let names = group.groups().map_err(|e| self.bad(place, "nodes", e.to_string()))?;
        limit(self.name, "nodes", self.nodes as u64, names.len() as u64)?;
        let mut graph = NirGraph::default();
        for name in names {
            let path = format!("{}/nodes/{name}", place.path);
            let inner = group.group(&name).map_err(|e| self.bad(place, "nodes", e.to_string()))?;
            let node = self.node(&Place { group: &inner, path }, depth + 1)?;
            graph.nodes.insert(name, node);
        }
        // A graph without edges has an empty dataset of whatever type the writer chose.
        let empty = self.dataset(place, "edges")?.and_then(|d| d.shape().ok()).is_some_and(|s| s.contains(&0));
        if empty {
            return Ok(graph);
        }
        let (shape, texts) = self.texts(place, "edges")?;
        if shape.len() != 2 || shape[1] != 2 {
            return Err(self.bad(place, "edges", format!("expected pairs of names, found shape {shape:?}")));
        }
        for pair in texts.chunks_exact(2) {
            if let Some(unknown) = pair.iter().find(|name| !graph.nodes.contains_key(*name)) {
                return Err(self.bad(place, "edges", format!("an edge names node `{unknown}`, which is not in the graph")));
            }
            graph.edges.push((pair[0].clone(), pair[1].clone()));
        }
        Ok(graph)
    }
}

/// Values as `f64`.
pub(super) fn wide(tensor: &Tensor) -> Vec<f64> {
    if let Ok(values) = tensor.as_slice::<f64>() {
        return values.to_vec();
    }
    if let Ok(values) = tensor.as_slice::<i64>() {
        return values.iter().map(|&v| v as f64).collect();
    }
    tensor.to_f32().into_iter().map(f64::from).collect()
}
