//! A model that was read.

use super::dtype;
use super::external::External;
use super::proto::{
    GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, tensor_proto::DataLocation, tensor_shape_proto, type_proto,
};
use super::tensor;
use crate::error::{Error, Result};
use prost::Message;
use std::collections::{BTreeMap, HashSet};
use zoo_core::{Dim, Tensor, TensorSpec, Weights};

/// A model that [`read`](super::read) and its sisters give.
#[derive(Clone, Debug)]
pub struct Model {
    source_name: String,
    proto: ModelProto,
    graph: GraphProto,
    external: External,
}

impl Model {
    /// Takes the graph out of the message, so that there is no question whether it has one.
    pub(super) fn new(source_name: &str, mut proto: ModelProto, external: External) -> Self {
        let graph = proto.graph.take().unwrap_or_default();
        Self { source_name: source_name.into(), proto, graph, external }
    }

    /// What messages call the model.
    pub(super) fn source_name(&self) -> &str {
        &self.source_name
    }

    pub(super) fn external(&self) -> &External {
        &self.external
    }

    /// The graph.
    pub fn graph(&self) -> &GraphProto {
        &self.graph
    }

    /// The whole message.
    pub fn to_proto(&self) -> ModelProto {
        ModelProto { graph: Some(self.graph.clone()), ..self.proto.clone() }
    }

    /// The model as bytes; external data stays where it is.
    pub fn encode(&self) -> Vec<u8> {
        self.to_proto().encode_to_vec()
    }

    /// Version of the intermediate representation.
    pub fn ir_version(&self) -> i64 {
        self.proto.ir_version()
    }

    /// Operator sets by domain; the default one is the empty name.
    pub fn opsets(&self) -> BTreeMap<&str, i64> {
        // `ai.onnx` is another spelling of the default domain.
        let domain = |name| if name == "ai.onnx" { "" } else { name };
        self.proto.opset_import.iter().map(|set| (domain(set.domain()), set.version())).collect()
    }

    /// Version of the default operator set.
    pub fn opset(&self) -> Option<i64> {
        self.opsets().get("").copied()
    }

    /// Name and version of the program that wrote the model.
    pub fn producer(&self) -> (&str, &str) {
        (self.proto.producer_name(), self.proto.producer_version())
    }

    /// The entries of `metadata_props`.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        self.proto.metadata_props.iter().map(|entry| (entry.key().to_string(), entry.value().to_string())).collect()
    }

    /// The nodes, in the order of the file.
    pub fn nodes(&self) -> &[NodeProto] {
        &self.graph.node
    }

    /// What a session must be given: the graph's inputs without those that an initializer sets.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an input that is no tensor, has an element type the zoo lacks, or no shape.
    pub fn inputs(&self) -> Result<Vec<TensorSpec>> {
        let set: HashSet<&str> = self.graph.initializer.iter().map(TensorProto::name).collect();
        self.graph.input.iter().filter(|info| !set.contains(info.name())).map(|info| self.spec(info)).collect()
    }

    /// What a session gives.
    ///
    /// # Errors
    /// As [`Model::inputs`].
    pub fn outputs(&self) -> Result<Vec<TensorSpec>> {
        self.graph.output.iter().map(|info| self.spec(info)).collect()
    }

    /// The initializer of that name.
    ///
    /// # Errors
    /// [`zoo_core::Error::Keys`] if there is none; [`Error::Malformed`] if its elements do not fit what it declares or
    /// are not where it says; [`zoo_core::Error::Io`] if external data can't be read.
    pub fn initializer(&self, name: &str) -> Result<Tensor> {
        let proto = self.graph.initializer.iter().find(|proto| proto.name() == name);
        let missing = || zoo_core::Error::Keys { what: self.source_name.clone(), missing: vec![name.into()], unexpected: Vec::new() };
        self.tensor(proto.ok_or_else(missing)?)
    }

    /// All initializers.
    ///
    /// # Errors
    /// As [`Model::initializer`].
    pub fn initializers(&self) -> Result<Weights> {
        let mut weights = Weights::new();
        for proto in &self.graph.initializer {
            weights.insert(proto.name(), self.tensor(proto)?);
        }
        Ok(weights)
    }

    /// A tensor of this model, say an attribute, wherever its elements are.
    ///
    /// # Errors
    /// As [`Model::initializer`], but for the name.
    pub fn tensor(&self, proto: &TensorProto) -> Result<Tensor> {
        if proto.data_location == Some(DataLocation::External as i32) {
            return self.external.read(&self.source_name, proto);
        }
        tensor::from_proto(&self.source_name, proto)
    }

    fn spec(&self, info: &ValueInfoProto) -> Result<TensorSpec> {
        let fail = |why: String| Error::malformed(&self.source_name, format!("value `{}`", info.name()), why);
        let ty = match info.r#type.as_ref().and_then(|ty| ty.value.as_ref()) {
            Some(type_proto::Value::TensorType(ty)) => ty,
            Some(_) => return Err(fail("expected a tensor, found a sequence, map or another type".into())),
            None => return Err(fail("expected a tensor, found no type".into())),
        };
        let code = ty.elem_type.unwrap_or_default();
        let dtype = dtype::from_onnx(code);
        let dtype = dtype.ok_or_else(|| fail(format!("expected an element type the zoo has tensors for, found ONNX data type {code}")))?;
        let shape = ty.shape.as_ref().ok_or_else(|| fail("expected a shape, found none".into()))?;
        let dims = shape.dim.iter().enumerate().map(|(axis, dim)| match &dim.value {
            Some(tensor_shape_proto::dimension::Value::DimValue(n)) => {
                usize::try_from(*n).map(Dim::Fixed).map_err(|_| fail(format!("axis {axis}: expected a length of at least 0, found {n}")))
            }
            Some(tensor_shape_proto::dimension::Value::DimParam(name)) if !name.is_empty() => Ok(Dim::Free(name.clone())),
            // An axis without a name is free by itself.
            _ => Ok(Dim::Free(format!("{}.{axis}", info.name()))),
        });
        Ok(TensorSpec::new(info.name(), dtype, dims.collect::<Result<Vec<_>>>()?))
    }
}
