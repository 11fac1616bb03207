//! From a graph to files: settings, the model message, external data.

use super::graph::{Entry, Graph, Origin, Placed, ValueType};
use super::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, tensor_proto::DataLocation, tensor_shape_proto, type_proto,
};
use super::{dtype, tensor};
use crate::error::Result;
use prost::Message;
use std::collections::HashMap;
use zoo_core::{Artifact, ArtifactFile, ArtifactKind, Dim, Tensor};

/// IR versions a graph can be written in.
const IR_VERSIONS: std::ops::RangeInclusive<u32> = 7..=10;
/// Where the tensors of an external data file start; page aligned, so that they can be memory-mapped.
const EXTERNAL_ALIGNMENT: usize = 4096;
/// Smaller tensors stay inside the message, where shape inference can see them.
const EXTERNAL_FROM: usize = 1024;

/// Settings that are written around the graph.
impl Graph {
    /// Names the variant of the [`Artifact`]; `model` unless set.
    #[must_use]
    pub fn variant(mut self, variant: impl Into<String>) -> Self {
        self.settings.variant = variant.into();
        self
    }

    /// Sets the IR version; else it is 8, or 9 from opset 19 on.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if the version is older than the opset, or not within 7 to 10.
    pub fn ir_version(mut self, version: u32) -> Result<Self> {
        let least = least_ir_version(self.opset);
        if !IR_VERSIONS.contains(&version) || version < least {
            let why = format!("expected {least} to {} for opset {}, found {version}", IR_VERSIONS.end(), self.opset);
            return Err(self.error("IR version", why));
        }
        self.settings.ir_version = Some(version);
        Ok(self)
    }

    /// Names the program that writes the model; else `zoo` and this crate's version.
    #[must_use]
    pub fn producer(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.settings.producer = (name.into(), version.into());
        self
    }

    /// Adds or replaces an entry of `metadata_props`: paper id, config hash, weights hash, licence ...
    pub fn metadata(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.settings.metadata.insert(key.into(), value.into());
    }

    /// Describes the model in words.
    pub fn doc(&mut self, text: impl Into<String>) {
        self.settings.doc = text.into();
    }

    /// Moves weights to a file of their own where the model would take more bytes; 1 GiB unless set.
    pub fn external_over(&mut self, bytes: u64) {
        self.settings.external_over = bytes;
    }

    /// Checks the whole graph and writes it.
    ///
    /// The main file is `NAME.onnx`; large models bring `NAME.onnx.data` with the weights.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if there is no output, the graph's name makes no file name, or a tensor is too large.
    pub fn finish(self) -> Result<Artifact> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(fits) {
            return Err(self.error("name", "expected letters, digits, `-`, `_` and `.`, and no `.` in front"));
        }
        self.check()?;
        let file = format!("{}.onnx", self.name);
        let data_file = format!("{file}.data");
        let weights: u64 = self.initializers().map(|(_, tensor)| tensor.as_bytes().len() as u64).sum();
        let mut external = (weights > self.settings.external_over).then(Vec::new);
        let model = self.model(&data_file, &mut external);
        let mut files = vec![ArtifactFile { name: file, bytes: model.encode_to_vec().into() }];
        files.extend(external.map(|bytes| ArtifactFile { name: data_file, bytes: bytes.into() }));
        Ok(Artifact { kind: ArtifactKind::Onnx, variant: self.settings.variant, files, metadata: self.settings.metadata })
    }

    /// What the incremental checks can't see.
    pub(super) fn check(&self) -> Result<()> {
        if self.outputs.is_empty() {
            return Err(self.error("outputs", "expected at least one, found none"));
        }
        // Values are appended with the node that makes them, so a node that reads a later value would run too early.
        for node in &self.nodes {
            let first = node.outputs.iter().min().copied().unwrap_or(u32::MAX);
            if let Some(late) = node.inputs.iter().flatten().find(|&&input| input >= first) {
                let name = self.values.get(*late as usize).map_or("?", |entry| entry.name.as_str());
                return Err(self.error(format!("node `{}`", node.name), format!("expected inputs made before it, found `{name}`")));
            }
        }
        let too_long = |entry: &&Entry| entry.ty.shape.iter().any(|d| d.fixed().is_some_and(|n| i64::try_from(n).is_err()));
        match self.values.iter().find(too_long) {
            Some(entry) => Err(self.error(format!("value `{}`", entry.name), "expected axes that fit 63 bits")),
            None => Ok(()),
        }
    }

    fn initializers(&self) -> impl Iterator<Item = (&Entry, &Tensor)> {
        self.values.iter().filter_map(|entry| match &entry.origin {
            Origin::Initializer(tensor) => Some((entry, tensor)),
            Origin::Input | Origin::Node(_) => None,
        })
    }

    fn model(&self, data_file: &str, external: &mut Option<Vec<u8>>) -> ModelProto {
        let ir_version = self.settings.ir_version.unwrap_or_else(|| least_ir_version(self.opset).max(8));
        ModelProto {
            ir_version: Some(ir_version.into()),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(self.opset.into()) }],
            producer_name: Some(self.settings.producer.0.clone()),
            producer_version: Some(self.settings.producer.1.clone()),
            doc_string: Some(self.settings.doc.clone()).filter(|doc| !doc.is_empty()),
            graph: Some(self.graph(data_file, external)),
            metadata_props: self.settings.metadata.iter().map(|(k, v)| StringStringEntryProto::new(k, v)).collect(),
            ..ModelProto::default()
        }
    }

    pub(super) fn graph(&self, data_file: &str, external: &mut Option<Vec<u8>>) -> GraphProto {
        let declared: HashMap<u32, &str> = self.outputs.iter().map(|(name, index)| (*index, name.as_str())).collect();
        let info = |entry: &Entry| value_info(&entry.name, &entry.ty);
        let inner = |(index, entry): &(usize, &Entry)| matches!(entry.origin, Origin::Node(_)) && !declared.contains_key(&(*index as u32));
        GraphProto {
            name: Some(self.name.clone()),
            node: self.nodes.iter().map(|node| self.node_proto(node)).collect(),
            initializer: self.initializers().map(|(entry, tensor)| stored(&entry.name, tensor, data_file, external)).collect(),
            input: self.values.iter().filter(|entry| matches!(entry.origin, Origin::Input)).map(info).collect(),
            output: self.outputs.iter().map(|(_, index)| info(&self.values[*index as usize])).collect(),
            value_info: self.values.iter().enumerate().filter(inner).map(|(_, entry)| info(entry)).collect(),
            ..GraphProto::default()
        }
    }

    fn node_proto(&self, node: &Placed) -> NodeProto {
        let name = |index: &u32| self.values[*index as usize].name.clone();
        NodeProto {
            name: Some(node.name.clone()),
            op_type: Some(node.op.clone()),
            input: node.inputs.iter().map(|input| input.as_ref().map(name).unwrap_or_default()).collect(),
            output: node.outputs.iter().map(name).collect(),
            attribute: node.attributes.iter().map(|(name, value)| value.to_proto(name)).collect(),
            ..NodeProto::default()
        }
    }
}

/// The first IR version whose release had the opset.
fn least_ir_version(opset: u32) -> u32 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        _ => 9,
    }
}

/// An initializer, with its elements inside or appended to the external data.
fn stored(name: &str, value: &Tensor, data_file: &str, external: &mut Option<Vec<u8>>) -> TensorProto {
    let bytes = value.as_bytes();
    let Some(data) = external.as_mut().filter(|_| bytes.len() >= EXTERNAL_FROM) else {
        return tensor::to_proto(name, value);
    };
    data.resize(data.len().next_multiple_of(EXTERNAL_ALIGNMENT), 0);
    let entries = [("location", data_file.into()), ("offset", data.len().to_string()), ("length", bytes.len().to_string())];
    data.extend_from_slice(bytes);
    let mut proto = tensor::header(name, value);
    proto.data_location = Some(DataLocation::External as i32);
    proto.external_data = entries.into_iter().map(|(key, value)| StringStringEntryProto::new(key, value)).collect();
    proto
}

fn value_info(name: &str, ty: &ValueType) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let dim = |dim: &Dim| Dimension {
        value: Some(match dim {
            Dim::Fixed(n) => Value::DimValue(*n as i64),
            Dim::Free(name) => Value::DimParam(name.clone()),
        }),
        denotation: None,
    };
    let shape = TensorShapeProto { dim: ty.shape.iter().map(dim).collect() };
    let tensor = type_proto::Tensor { elem_type: Some(dtype::code(ty.dtype)), shape: Some(shape) };
    let ty = TypeProto { denotation: None, value: Some(type_proto::Value::TensorType(tensor)) };
    ValueInfoProto { name: Some(name.into()), r#type: Some(ty), ..ValueInfoProto::default() }
}
