//! Names, edges and the order of evaluation.

use super::{EventGraph, Op, at, limits};
use std::collections::HashMap;
use zoo_core::Result;

impl EventGraph {
    /// Indices of each node's inputs.
    ///
    /// # Errors
    /// [`zoo_core::Error::Artifact`] for a name that is empty, taken twice or not known, or too many nodes.
    pub fn edges(&self) -> Result<Vec<Vec<usize>>> {
        if self.nodes.is_empty() || self.nodes.len() > limits::NODES {
            return Err(at("", format!("expected 1 to {} nodes, found {}", limits::NODES, self.nodes.len())));
        }
        let mut index = HashMap::with_capacity(self.nodes.len());
        for (i, node) in self.nodes.iter().enumerate() {
            if node.name.is_empty() {
                return Err(at("", format!("node {i} has no name")));
            }
            if index.insert(node.name.as_str(), i).is_some() {
                return Err(at(&node.name, "the name is used twice; give each node its own"));
            }
        }
        let lookup = |node: &str, input: &String| {
            index.get(input.as_str()).copied().ok_or_else(|| at(node, format!("input `{input}` names no node of the graph")))
        };
        self.nodes.iter().map(|node| node.inputs.iter().map(|input| lookup(&node.name, input)).collect()).collect()
    }

    /// Order in which one step is evaluated: each node after all its inputs, except that a delay gives out what it
    /// stored earlier and so needs none. Ties keep the order of `nodes`.
    ///
    /// # Errors
    /// What [`EventGraph::edges`] finds, or [`zoo_core::Error::Artifact`] naming a node on a cycle without a delay.
    pub fn order(&self) -> Result<Vec<usize>> {
        let edges = self.edges()?;
        let mut waiting: Vec<_> =
            self.nodes.iter().zip(&edges).map(|(node, from)| if matches!(node.op, Op::Delay { .. }) { 0 } else { from.len() }).collect();
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for (to, from) in edges.iter().enumerate() {
            if !matches!(self.nodes[to].op, Op::Delay { .. }) {
                from.iter().for_each(|&f| readers[f].push(to));
            }
        }
        let mut ready: std::collections::BTreeSet<_> = (0..waiting.len()).filter(|&i| waiting[i] == 0).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(next) = ready.pop_first() {
            order.push(next);
            for &reader in &readers[next] {
                waiting[reader] -= 1;
                if waiting[reader] == 0 {
                    ready.insert(reader);
                }
            }
        }
        match waiting.iter().position(|&w| w > 0) {
            Some(stuck) => {
                Err(at(&self.nodes[stuck].name, "lies on or behind a cycle without a delay; insert a `delay` node into the loop"))
            }
            None => Ok(order),
        }
    }
}
