//! Nested graphs taken apart: one level of nodes, and for each the nodes it reads.

use super::graph::{NirGraph, NirNode};
use super::{at, limits};
use crate::Result;
use std::collections::{BTreeMap, BTreeSet};

/// A node and the names of the nodes it reads, in the order of the edges.
pub(super) struct Flat<'a> {
    pub(super) name: String,
    pub(super) node: &'a NirNode,
    pub(super) inputs: Vec<String>,
}

#[derive(Default)]
struct Parts<'a> {
    nodes: BTreeMap<String, &'a NirNode>,
    /// Inputs and outputs of nested graphs, which only pass data on.
    passes: BTreeSet<String>,
    edges: Vec<(String, String)>,
}

/// All nodes but the inputs and outputs of nested graphs, by name; `outer.inner` for what was nested.
pub(super) fn flatten(graph: &NirGraph) -> Result<Vec<Flat<'_>>> {
    let mut parts = Parts::default();
    collect(graph, "", 0, &mut parts)?;
    let mut into: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in &parts.edges {
        into.entry(to).or_default().push(from);
    }
    let names = parts.nodes.keys().filter(|name| !parts.passes.contains(*name));
    names
        .map(|name| {
            let mut inputs = Vec::new();
            sources(name, name, &into, &parts.passes, &mut BTreeSet::new(), &mut inputs)?;
            Ok(Flat { name: name.clone(), node: parts.nodes[name], inputs })
        })
        .collect()
}

fn collect<'a>(graph: &'a NirGraph, prefix: &str, depth: usize, parts: &mut Parts<'a>) -> Result<()> {
    if depth >= limits::DEPTH {
        return Err(at(prefix, format!("expected at most {} nested graphs", limits::DEPTH)));
    }
    for (name, node) in &graph.nodes {
        let full = format!("{prefix}{name}");
        if let NirNode::Graph(inner) = node {
            collect(inner, &format!("{full}."), depth + 1, parts)?;
            continue;
        }
        if depth > 0 && matches!(node, NirNode::Input { .. } | NirNode::Output { .. }) {
            parts.passes.insert(full.clone());
        }
        if parts.nodes.insert(full.clone(), node).is_some() {
            return Err(at(&full, "the name stands for two nodes once nested graphs are taken apart"));
        }
    }
    for (from, to) in &graph.edges {
        let from = port(graph, prefix, from, |node| matches!(node, NirNode::Output { .. }), "Output")?;
        let to = port(graph, prefix, to, |node| matches!(node, NirNode::Input { .. }), "Input")?;
        parts.edges.push((from, to));
    }
    Ok(())
}

/// Where an edge really ends: for a nested graph, at its one input or output.
fn port(graph: &NirGraph, prefix: &str, name: &str, is_port: fn(&NirNode) -> bool, what: &str) -> Result<String> {
    match graph.nodes.get(name) {
        Some(NirNode::Graph(inner)) => {
            let mut ports = inner.nodes.iter().filter(|(_, node)| is_port(node)).map(|(port, _)| port);
            match (ports.next(), ports.next()) {
                (Some(port), None) => Ok(format!("{prefix}{name}.{port}")),
                _ => Err(at(&format!("{prefix}{name}"), format!("expected one {what} node in the nested graph"))),
            }
        }
        Some(_) => Ok(format!("{prefix}{name}")),
        None => Err(at(&format!("{prefix}{name}"), "an edge names it, but it is not in the graph")),
    }
}

fn sources(
    of: &str,
    name: &str,
    into: &BTreeMap<&str, Vec<&str>>,
    passes: &BTreeSet<String>,
    seen: &mut BTreeSet<String>,
    found: &mut Vec<String>,
) -> Result<()> {
    for &from in into.get(name).into_iter().flatten() {
        if !passes.contains(from) {
            found.push(from.into());
        } else if seen.insert(from.into()) {
            sources(of, from, into, passes, seen, found)?;
        } else {
            return Err(at(of, format!("`{from}`, which only passes data on, is met twice on the way to it")));
        }
    }
    Ok(())
}
