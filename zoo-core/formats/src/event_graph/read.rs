//! Reading.

use super::{EventGraph, GRAPH_FILE, Node, Op, Readout, SCHEMA, WEIGHTS_FILE, at, limits};
use ::safetensors::tensor::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use zoo_core::{Artifact, ArtifactKind, DType, Error, Result, Tensor};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphJson {
    schema: String,
    steps: usize,
    nodes: Vec<Map<String, Value>>,
    readout: Readout,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

impl EventGraph {
    /// Reads and checks both files.
    ///
    /// # Errors
    /// [`Error::Artifact`] for malformed JSON or safetensors, an unknown attribute, or what [`EventGraph::validate`]
    /// finds; [`Error::UnsupportedOperator`] naming a node of unknown type.
    pub fn from_bytes(json: &[u8], weights: &[u8]) -> Result<Self> {
        if json.len() > limits::JSON_BYTES {
            return Err(at("", format!("{GRAPH_FILE}: expected at most {} bytes, found {}", limits::JSON_BYTES, json.len())));
        }
        let value: Value = serde_json::from_slice(json).map_err(|e| at("", format!("{GRAPH_FILE} is not JSON: {e}")))?;
        match value.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => {}
            found => {
                return Err(at("", format!("schema: expected `{SCHEMA}`, found {}", found.map_or("none".into(), |f| format!("`{f}`")))));
            }
        }
        let raw: GraphJson = serde_json::from_value(value).map_err(|e| at("", format!("{GRAPH_FILE}: {e}")))?;
        debug_assert_eq!(raw.schema, SCHEMA);
        let nodes = raw.nodes.into_iter().enumerate().map(|(i, map)| read_node(i, map)).collect::<Result<_>>()?;
        let graph = Self { steps: raw.steps, nodes, readout: raw.readout, tensors: read_tensors(weights)?, metadata: raw.metadata };
        graph.validate()?;
        Ok(graph)
    }

    /// Reads and checks an artifact of kind [`ArtifactKind::EventGraph`].
    ///
    /// # Errors
    /// As [`EventGraph::from_bytes`]; also for another kind or a missing file.
    pub fn from_artifact(artifact: &Artifact) -> Result<Self> {
        if artifact.kind != ArtifactKind::EventGraph {
            return Err(at("", format!("expected an artifact of kind event, found {}", artifact.kind)));
        }
        let file = |name: &str| {
            let file = artifact.files.iter().find(|f| f.name == name);
            file.ok_or_else(|| at("", format!("the artifact has no file `{name}`")))
        };
        Self::from_bytes(&file(GRAPH_FILE)?.bytes, &file(WEIGHTS_FILE)?.bytes)
    }
}

fn read_node(index: usize, mut map: Map<String, Value>) -> Result<Node> {
    let name = match map.remove("name") {
        Some(Value::String(name)) => name,
        other => return Err(at("", format!("node {index}: expected a string `name`, found {}", found(other.as_ref())))),
    };
    let inputs = map.remove("inputs").unwrap_or(Value::Array(Vec::new()));
    let inputs = Vec::<String>::deserialize(inputs).map_err(|e| at(&name, format!("inputs: {e}")))?;
    match map.get("type").and_then(Value::as_str) {
        Some(kind) if Op::NAMES.contains(&kind) => {}
        Some(kind) => {
            let why = format!("known types are {}", Op::NAMES.join(", "));
            return Err(Error::UnsupportedOperator { backend: "event graph".into(), op: kind.into(), node: name, why });
        }
        None => return Err(at(&name, format!("expected a string `type`, found {}", found(map.get("type"))))),
    }
    let op = Op::deserialize(Value::Object(map)).map_err(|e| at(&name, e.to_string()))?;
    Ok(Node { name, inputs, op })
}

fn found(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".into(), |v| v.to_string().chars().take(60).collect())
}

fn read_tensors(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    let fail = |e: String| at("", format!("{WEIGHTS_FILE}: {e}"));
    let file = SafeTensors::deserialize(bytes).map_err(|e| fail(e.to_string()))?;
    file.iter()
        .map(|(name, view)| {
            if view.dtype() != Dtype::F32 {
                return Err(fail(format!("tensor `{name}`: expected dtype F32, found {:?}", view.dtype())));
            }
            Ok((name.to_string(), Tensor::from_bytes(DType::F32, view.shape().to_vec(), view.data())?))
        })
        .collect()
}
