//! Writing.

use super::{EventGraph, GRAPH_FILE, Op, Readout, SCHEMA, WEIGHTS_FILE, at};
use ::safetensors::tensor::{Dtype, TensorView};
use serde::Serialize;
use std::collections::BTreeMap;
use zoo_core::{Artifact, ArtifactFile, ArtifactKind, Result};

#[derive(Serialize)]
struct NodeJson<'a> {
    name: &'a str,
    inputs: &'a [String],
    #[serde(flatten)]
    op: &'a Op,
}

#[derive(Serialize)]
struct GraphJson<'a> {
    schema: &'a str,
    steps: usize,
    nodes: Vec<NodeJson<'a>>,
    readout: &'a Readout,
    metadata: &'a BTreeMap<String, String>,
}

impl EventGraph {
    /// `graph.json`. The same graph always gives the same bytes.
    ///
    /// # Errors
    /// What [`EventGraph::validate`] finds.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        self.validate()?;
        let nodes = self.nodes.iter().map(|n| NodeJson { name: &n.name, inputs: &n.inputs, op: &n.op }).collect();
        let graph = GraphJson { schema: SCHEMA, steps: self.steps, nodes, readout: &self.readout, metadata: &self.metadata };
        let mut bytes = serde_json::to_vec_pretty(&graph).map_err(|e| at("", format!("cannot be written as JSON: {e}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// `graph.safetensors`. The same graph always gives the same bytes.
    ///
    /// # Errors
    /// What [`EventGraph::validate`] finds.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        self.validate()?;
        let views: Vec<_> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                tensor.as_slice::<f32>()?;
                let view = TensorView::new(Dtype::F32, tensor.shape().to_vec(), tensor.as_bytes());
                Ok((name.as_str(), view.map_err(|e| at("", format!("tensor `{name}`: {e}")))?))
            })
            .collect::<Result<_>>()?;
        ::safetensors::serialize(views, None).map_err(|e| at("", format!("cannot be written as safetensors: {e}")))
    }

    /// Both files as an artifact; `variant` names which of the model's graphs this is.
    ///
    /// # Errors
    /// What [`EventGraph::validate`] finds.
    pub fn to_artifact(&self, variant: impl Into<String>) -> Result<Artifact> {
        let files = vec![
            ArtifactFile { name: GRAPH_FILE.into(), bytes: self.to_json()?.into() },
            ArtifactFile { name: WEIGHTS_FILE.into(), bytes: self.to_safetensors()?.into() },
        ];
        let mut metadata = self.metadata.clone();
        metadata.insert("steps".into(), self.steps.to_string());
        Ok(Artifact { kind: ArtifactKind::EventGraph, variant: variant.into(), files, metadata })
    }
}
