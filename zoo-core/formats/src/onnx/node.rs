//! Nodes that are about to be added to a graph.

use super::attribute::Attribute;
use super::graph::Value;
use std::collections::BTreeMap;

/// A node to add with [`Graph::insert`](super::Graph::insert): operator, inputs, attributes, name, number of outputs.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) op: String,
    pub(super) inputs: Vec<Option<Value>>,
    pub(super) attributes: BTreeMap<String, Attribute>,
    pub(super) name: Option<String>,
    pub(super) outputs: usize,
}

impl Node {
    /// A node of one output.
    pub fn new(op: impl Into<String>) -> Self {
        Self { op: op.into(), inputs: Vec::new(), attributes: BTreeMap::new(), name: None, outputs: 1 }
    }

    /// Appends an input.
    #[must_use]
    pub fn input(self, value: Value) -> Self {
        self.optional(Some(value))
    }

    /// Appends an input that may be left out.
    #[must_use]
    pub fn optional(mut self, value: Option<Value>) -> Self {
        self.inputs.push(value);
        self
    }

    /// Appends several inputs.
    #[must_use]
    pub fn inputs(mut self, values: &[Value]) -> Self {
        self.inputs.extend(values.iter().copied().map(Some));
        self
    }

    /// Sets an attribute.
    #[must_use]
    pub fn attr(mut self, name: impl Into<String>, value: impl Into<Attribute>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Names the node and its first output; else both are named after the operator and a count.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the number of outputs.
    #[must_use]
    pub fn outputs(mut self, count: usize) -> Self {
        self.outputs = count;
        self
    }
}
