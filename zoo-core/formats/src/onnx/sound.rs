//! What a model must be before any runtime is let at it: of a known opset, without cycles, with all its elements at hand.

use super::external::External;
use super::model::Model;
use super::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, tensor_proto::DataLocation};
use crate::error::{Error, Result};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Opsets that a runtime may know: up to the newest of the `onnx` package whose messages are read.
const OPSETS: std::ops::RangeInclusive<i64> = 1..=28;

/// Operators that make an output as large as a constant says, and the input that says so. Runtimes allocate it while they compile.
const SIZED: [(&str, usize); 4] = [("ConstantOfShape", 0), ("Expand", 1), ("Tile", 1), ("Resize", 3)];
/// Most elements that a constant may ask for.
const MOST: u64 = 1 << 31;

/// Checks a model that is to be run.
///
/// # Errors
/// [`Error::Version`] for an opset from the future; [`Error::Malformed`] for a node that needs what it makes, for elements that
/// are kept where the model's source has none, and for constants that ask for more elements than any machine has.
pub(super) fn check(model: &Model) -> Result<()> {
    if let Some(found) = model.opset().filter(|opset| !OPSETS.contains(opset)) {
        let supported = format!("{} to {}", OPSETS.start(), OPSETS.end());
        return Err(Error::Version { source_name: model.source_name().into(), what: "opset", supported, found });
    }
    check_graph(model, model.graph())
}

fn check_graph(model: &Model, graph: &GraphProto) -> Result<()> {
    if let Some(way) = cycle(graph) {
        let place = format!("node `{}`", way[0]);
        let why = format!("expected a graph without cycles, found one through {}", way.join(" -> "));
        return Err(Error::malformed(model.source_name(), place, why));
    }
    let sparse = graph.sparse_initializer.iter().flat_map(|sparse| sparse.values.iter().chain(&sparse.indices));
    let constants = graph.node.iter().flat_map(|node| &node.attribute).flat_map(tensors);
    for tensor in graph.initializer.iter().chain(sparse).chain(constants).filter(|tensor| is_outside(tensor)) {
        model.external().check(model.source_name(), tensor)?;
    }
    check_sizes(model, graph)?;
    subgraphs(&graph.node).try_for_each(|inner| check_graph(model, inner))
}

fn check_sizes(model: &Model, graph: &GraphProto) -> Result<()> {
    let constants = graph.node.iter().filter(|node| node.op_type() == "Constant").filter_map(|node| {
        let value = node.attribute.iter().find(|attribute| attribute.name() == "value")?;
        Some((node.output.first()?.as_str(), value.t.as_ref()?))
    });
    let known: HashMap<&str, &TensorProto> = graph.initializer.iter().map(|tensor| (tensor.name(), tensor)).chain(constants).collect();
    for node in &graph.node {
        let sized = SIZED.iter().find(|(op, _)| node.op_type() == *op).and_then(|&(_, input)| Some((input, node.input.get(input)?)));
        let Some((input, tensor)) = sized.and_then(|(input, name)| Some((input, known.get(name.as_str())?))) else { continue };
        let asked = model.tensor(tensor)?;
        let lengths = asked.as_slice::<i64>().unwrap_or_default();
        let product = lengths.iter().filter_map(|&length| u64::try_from(length).ok()).try_fold(1u64, |all, length| all.checked_mul(length));
        if product.is_none_or(|product| product > MOST) {
            let place = format!("node `{}` ({}), input {input}", node.name(), node.op_type());
            return Err(Error::malformed(
                model.source_name(),
                place,
                format!("expected at most {MOST} elements, found the lengths {lengths:?}"),
            ));
        }
    }
    Ok(())
}

fn is_outside(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32)
}

fn tensors(attribute: &AttributeProto) -> impl Iterator<Item = &TensorProto> {
    let sparse = attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors);
    attribute.t.iter().chain(&attribute.tensors).chain(sparse.flat_map(|sparse| sparse.values.iter().chain(&sparse.indices)))
}

fn subgraphs(nodes: &[NodeProto]) -> impl Iterator<Item = &GraphProto> {
    nodes.iter().flat_map(|node| &node.attribute).flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// Names that a node needs: its inputs, and what graphs inside it take from around them.
fn needs<'a>(node: &'a NodeProto, found: &mut HashSet<&'a str>) {
    found.extend(node.input.iter().map(String::as_str));
    for inner in subgraphs(std::slice::from_ref(node)) {
        let mut taken = inner.output.iter().map(|value| value.name()).collect();
        inner.node.iter().for_each(|node| needs(node, &mut taken));
        let made = inner.node.iter().flat_map(|node| &node.output).map(String::as_str);
        let given = inner.input.iter().map(|value| value.name()).chain(inner.initializer.iter().map(TensorProto::name));
        let own: HashSet<&str> = made.chain(given).collect();
        found.extend(taken.difference(&own));
    }
}

/// Names of nodes in a circle, the first one last again; `None` if there is no circle.
fn cycle(graph: &GraphProto) -> Option<Vec<String>> {
    let mut makers = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        makers.extend(node.output.iter().filter(|name| !name.is_empty()).map(|name| (name.as_str(), index)));
    }
    let before: Vec<BTreeSet<usize>> = (graph.node.iter())
        .map(|node| {
            let mut names = HashSet::new();
            needs(node, &mut names);
            names.into_iter().filter_map(|name| makers.get(name).copied()).collect()
        })
        .collect();
    let mut after = vec![Vec::new(); before.len()];
    let mut waits: Vec<usize> = before.iter().map(BTreeSet::len).collect();
    before.iter().enumerate().for_each(|(node, makers)| makers.iter().for_each(|&maker| after[maker].push(node)));
    let mut ready: Vec<usize> = (0..waits.len()).filter(|&node| waits[node] == 0).collect();
    while let Some(done) = ready.pop() {
        for &node in &after[done] {
            waits[node] -= 1;
            if waits[node] == 0 {
                ready.push(node);
            }
        }
    }
    // Every node that still waits has another one of them before it, so that going back leads into a circle.
    let mut node = waits.iter().position(|&left| left > 0)?;
    let mut way: Vec<usize> = Vec::new();
    while !way.contains(&node) {
        way.push(node);
        node = *before[node].iter().find(|&&maker| waits[maker] > 0)?;
    }
    let start = way.iter().position(|&seen| seen == node)?;
    let name = |&index: &usize| {
        let node = &graph.node[index];
        if node.name().is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name().to_string() }
    };
    Some(way[start..].iter().rev().chain(way.last()).map(name).collect())
}

impl External {
    /// Whether a tensor's elements are where it says, without reading them.
    fn check(&self, source_name: &str, tensor: &TensorProto) -> Result<()> {
        let Self::Files(files) = self else { return Ok(()) };
        let location = tensor.external_data.iter().find(|entry| entry.key() == "location").map(|entry| entry.value());
        if files.iter().any(|file| Some(file.name.as_str()) == location) {
            return Ok(());
        }
        let place = format!("tensor `{}`", tensor.name());
        let why = format!("expected its elements in a file beside the model, found the location `{}`", location.unwrap_or_default());
        Err(Error::malformed(source_name, place, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::ValueInfoProto;

    fn node(name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        NodeProto { name: Some(name.into()), input: own(inputs), output: own(outputs), ..NodeProto::default() }
    }

    fn graph(nodes: Vec<NodeProto>) -> GraphProto {
        GraphProto { node: nodes, ..GraphProto::default() }
    }

    #[test]
    fn a_circle_is_named_and_what_leads_to_it_is_not() {
        let nodes = vec![node("a", &["x"], &["p"]), node("b", &["p", "r"], &["q"]), node("c", &["q"], &["r"]), node("d", &["r"], &["s"])];
        let way = cycle(&graph(nodes)).unwrap();
        assert_eq!(way.len(), 3);
        assert_eq!(way.first(), way.last());
        assert!(way.contains(&"b".into()) && way.contains(&"c".into()), "{way:?}");
        assert_eq!(cycle(&graph(vec![node("a", &["y"], &["y"])])), Some(vec!["a".into(), "a".into()]));
    }

    #[test]
    fn any_order_and_any_sharing_is_sound() {
        let nodes = vec![node("late", &["p", "q", ""], &["y"]), node("one", &["x"], &["p", "q"]), node("two", &["p"], &["z", ""])];
        assert_eq!(cycle(&graph(nodes)), None);
    }

    #[test]
    fn a_graph_inside_needs_what_it_takes_from_around_it() {
        let inside = |inputs: &[&str], names: &[&str]| {
            let input = names.iter().map(|name| ValueInfoProto { name: Some((*name).into()), ..ValueInfoProto::default() }).collect();
            GraphProto { input, ..graph(vec![node("i", inputs, &["j"])]) }
        };
        let around = |inner: GraphProto| {
            let attribute = AttributeProto { g: Some(inner), ..AttributeProto::default() };
            graph(vec![NodeProto { attribute: vec![attribute], ..node("if", &["x"], &["y"]) }, node("next", &["y"], &["z"])])
        };
        assert_eq!(cycle(&around(inside(&["x"], &[]))), None);
        assert!(cycle(&around(inside(&["z"], &[]))).is_some());
        // The name is the inner graph's own.
        assert_eq!(cycle(&around(inside(&["z"], &["z"]))), None);
    }
}
