//! Building a graph: values, initializers, nodes with inferred shapes and types.

use super::attribute::Attribute;
use super::dims::Element;
use super::infer::{self, Fresh};
use super::node::Node;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use zoo_core::{DType, Dim, Tensor};

/// The opset of a graph unless another is asked for.
pub const DEFAULT_OPSET: u32 = 17;
/// The opsets a graph can be written in.
pub const OPSETS: std::ops::RangeInclusive<u32> = 13..=20;

/// A tensor of a [`Graph`]; a cheap handle that only the graph which gave it understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    pub(super) graph: u32,
    pub(super) index: u32,
}

/// Element type and shape of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueType {
    /// Element type.
    pub dtype: DType,
    /// Axes, outermost first. A length that could not be inferred is free, under a name of its own (`unk__0` ...).
    pub shape: Vec<Dim>,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Input,
    Initializer(Tensor),
    Node(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) ty: ValueType,
    pub(super) origin: Origin,
    /// The elements of a small integer tensor of at most one axis, where they follow from shapes and constants.
    pub(super) known: Option<Vec<Element>>,
}

/// A node with its place in the graph.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) op: String,
    pub(super) inputs: Vec<Option<u32>>,
    pub(super) outputs: Vec<u32>,
    pub(super) attributes: BTreeMap<String, Attribute>,
}

/// A node's place before it is taken.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) inputs: Vec<Option<u32>>,
    pub(super) outputs: Vec<String>,
}

/// An ONNX graph under construction.
///
/// Nodes can only use values that are already there, so the graph is in topological order by construction. Every node
/// is checked against its operator's signature and its shapes and types are inferred when it is added. The same calls
/// give the same bytes.
///
/// ```
/// # use zoo_formats::onnx::Graph;
/// # use zoo_core::{DType, Dim, Tensor};
/// # fn main() -> Result<(), zoo_core::Error> {
/// let mut g = Graph::new("mlp");
/// let x = g.input("x", DType::F32, ["batch".into(), Dim::Fixed(3)])?;
/// let w = g.initializer("fc.weight", &Tensor::from_vec([2, 3], vec![1.0f32; 6])?)?;
/// let y = g.linear(x, w, None)?;
/// let y = g.relu(y)?;
/// assert_eq!(g.value_type(y)?.shape, ["batch".into(), Dim::Fixed(2)]);
/// g.output("y", y)?;
/// let artifact = g.finish()?;
/// # let _ = artifact;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    id: u32,
    pub(super) name: String,
    pub(super) opset: u32,
    pub(super) settings: Settings,
    pub(super) values: Vec<Entry>,
    pub(super) nodes: Vec<Placed>,
    pub(super) outputs: Vec<(String, u32)>,
    value_names: HashSet<String>,
    node_names: HashSet<String>,
    counts: HashMap<String, usize>,
    constants: HashMap<(DType, Vec<usize>, Vec<u8>), Value>,
    fresh: Fresh,
    scopes: Vec<String>,
}

/// What is written around the graph.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) variant: String,
    pub(super) ir_version: Option<u32>,
    pub(super) producer: (String, String),
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) doc: String,
    pub(super) external_over: u64,
}

impl Graph {
    /// An empty graph in opset 17.
    pub fn new(name: impl Into<String>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            opset: DEFAULT_OPSET,
            settings: Settings {
                variant: "model".into(),
                ir_version: None,
                producer: ("zoo".into(), env!("CARGO_PKG_VERSION").into()),
                metadata: BTreeMap::new(),
                doc: String::new(),
                external_over: 1 << 30,
            },
            values: Vec::new(),
            nodes: Vec::new(),
            outputs: Vec::new(),
            value_names: HashSet::new(),
            node_names: HashSet::new(),
            counts: HashMap::new(),
            constants: HashMap::new(),
            fresh: Fresh::default(),
            scopes: Vec::new(),
        }
    }

    /// An empty graph in another opset, say `request.opset.unwrap_or(DEFAULT_OPSET)`.
    ///
    /// # Errors
    /// [`Error::Graph`] if the opset is not within [`OPSETS`].
    pub fn with_opset(name: impl Into<String>, opset: u32) -> Result<Self> {
        let mut graph = Self::new(name);
        if !OPSETS.contains(&opset) {
            return Err(graph.error("opset", format!("expected {} to {}, found {opset}", OPSETS.start(), OPSETS.end())));
        }
        graph.opset = opset;
        Ok(graph)
    }

    /// The opset.
    pub fn opset(&self) -> u32 {
        self.opset
    }

    /// Adds an input of the graph; `"batch".into()` makes a free axis.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken or empty.
    pub fn input(&mut self, name: &str, dtype: DType, shape: impl IntoIterator<Item = Dim>) -> Result<Value> {
        let shape: Vec<Dim> = shape.into_iter().collect();
        self.claim_value_name(name)?;
        self.fresh.reserve(&shape);
        Ok(self.push(Entry { name: name.into(), ty: ValueType { dtype, shape }, origin: Origin::Input, known: None }))
    }

    /// Adds a named constant, such as a weight; its memory is shared, not copied.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken or empty.
    pub fn initializer(&mut self, name: &str, tensor: &Tensor) -> Result<Value> {
        self.claim_value_name(name)?;
        let shape = tensor.shape().iter().map(|&d| Dim::Fixed(d)).collect();
        let ty = ValueType { dtype: tensor.dtype(), shape };
        let known = infer::known_elements(tensor);
        Ok(self.push(Entry { name: name.into(), ty, origin: Origin::Initializer(tensor.clone()), known }))
    }

    /// Adds a constant that nobody looks up by name. The same small constant is stored once.
    ///
    /// # Errors
    /// None in practice; the signature leaves room for names that clash.
    pub fn constant(&mut self, tensor: &Tensor) -> Result<Value> {
        const SHARED_BYTES: usize = 1024;
        let key = (tensor.dtype(), tensor.shape().to_vec(), tensor.as_bytes().to_vec());
        let small = key.2.len() <= SHARED_BYTES;
        if small && let Some(&value) = self.constants.get(&key) {
            return Ok(value);
        }
        let name = self.free_name("const");
        let value = self.initializer(&name, tensor)?;
        if small {
            self.constants.insert(key, value);
        }
        Ok(value)
    }

    /// A constant of one axis that holds integers: axes, shapes, pads.
    ///
    /// # Errors
    /// As [`Graph::constant`].
    pub fn ints(&mut self, values: &[i64]) -> Result<Value> {
        let tensor = Tensor::from_vec([values.len()], values.to_vec())?;
        self.constant(&tensor)
    }

    /// A constant of no axes, converted from `value` to `dtype`.
    ///
    /// # Errors
    /// [`Error::Graph`] if `dtype` can't hold the value.
    pub fn scalar(&mut self, dtype: DType, value: f64) -> Result<Value> {
        let tensor = super::scalar::of(dtype, value)
            .ok_or_else(|| self.error("scalar", format!("expected a value that {dtype} can hold, found {value}")))?;
        self.constant(&tensor)
    }

    /// Adds a node of one output.
    ///
    /// # Errors
    /// As [`Graph::insert`].
    pub fn node<'a>(&mut self, op: &str, inputs: &[Value], attributes: impl IntoIterator<Item = (&'a str, Attribute)>) -> Result<Value> {
        let node = attributes.into_iter().fold(Node::new(op).inputs(inputs), |node, (name, value)| node.attr(name, value));
        self.insert_one(node)
    }

    /// Adds a node and returns its only output.
    ///
    /// # Errors
    /// As [`Graph::insert`], and [`Error::Operator`] if the node has not exactly one output.
    pub fn insert_one(&mut self, node: Node) -> Result<Value> {
        if node.outputs != 1 {
            return Err(Error::Operator {
                node: node.name.unwrap_or_default(),
                op: node.op,
                why: format!("expected one output, found {}", node.outputs),
            });
        }
        let outputs = self.insert(node)?;
        outputs.first().copied().ok_or_else(|| self.error("node", "expected one output, found none"))
    }

    /// Adds a node and returns its outputs, with shapes and types inferred.
    ///
    /// # Errors
    /// [`Error::UnknownOperator`] for an operator that the opset lacks, [`Error::Operator`] if inputs or attributes do
    /// not fit, [`Error::Graph`] if the name is taken or a value belongs to another graph.
    pub fn insert(&mut self, node: Node) -> Result<Vec<Value>> {
        let slot = self.slot(&node)?;
        let given: Vec<Option<&Entry>> = slot.inputs.iter().map(|i| i.and_then(|i| self.values.get(i as usize))).collect();
        let inferred = infer::run(self.opset, &slot.name, &node, &given, &mut self.fresh)?;
        Ok(self.place(node, slot, inferred))
    }

    /// Names and inputs of a node that is to be added.
    pub(super) fn slot(&mut self, node: &Node) -> Result<Slot> {
        let inputs = node.inputs.iter().map(|v| v.map(|v| self.index(v)).transpose()).collect::<Result<Vec<_>>>()?;
        let name = match &node.name {
            Some(name) => self.scoped(name),
            None => {
                let stem = self.scoped(&node.op.to_lowercase());
                self.free_name(&stem)
            }
        };
        let outputs: Vec<_> =
            (0..node.outputs).map(|position| if position == 0 { name.clone() } else { format!("{name}.{position}") }).collect();
        let taken = |name: &&String| self.value_names.contains(*name);
        if let Some(taken) = outputs.iter().find(taken).or_else(|| Some(&name).filter(|name| self.node_names.contains(*name))) {
            return Err(self.error(format!("node `{taken}`"), "expected a name of its own, found one that is taken"));
        }
        Ok(Slot { name, inputs, outputs })
    }

    /// Adds a node whose outputs are known.
    pub(super) fn place(&mut self, node: Node, slot: Slot, inferred: Vec<infer::Output>) -> Vec<Value> {
        let place = self.nodes.len();
        self.node_names.insert(slot.name.clone());
        let mut outputs = Vec::with_capacity(inferred.len());
        for (output_name, output) in slot.outputs.into_iter().zip(inferred) {
            self.value_names.insert(output_name.clone());
            outputs.push(self.push(Entry { name: output_name, ty: output.ty, origin: Origin::Node(place), known: output.known }));
        }
        let trimmed = slot.inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.nodes.push(Placed {
            name: slot.name,
            op: node.op,
            inputs: slot.inputs[..trimmed].to_vec(),
            outputs: outputs.iter().map(|v| v.index).collect(),
            attributes: node.attributes,
        });
        outputs
    }

    /// Declares a value an output of the graph, under a name of its own.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken or the value belongs to another graph.
    pub fn output(&mut self, name: &str, value: Value) -> Result<()> {
        let index = self.index(value)?;
        let computed = matches!(self.values[index as usize].origin, Origin::Node(_));
        let declared = self.outputs.iter().any(|&(_, other)| other == index);
        if computed && !declared {
            self.rename(value, name)?;
            self.outputs.push((name.into(), index));
            return Ok(());
        }
        // An input, a constant or a value that is already an output can't be renamed.
        let copy = self.node("Identity", &[value], [])?;
        self.rename(copy, name)?;
        self.outputs.push((name.into(), copy.index));
        Ok(())
    }

    /// Gives a computed value, and if it is its node's first output the node too, another name.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken, or the value is an input, a constant or an output.
    pub fn rename(&mut self, value: Value, name: &str) -> Result<()> {
        let index = self.index(value)?;
        let entry = &self.values[index as usize];
        let old = entry.name.clone();
        let Origin::Node(place) = entry.origin else {
            return Err(self.error(format!("value `{old}`"), "expected the output of a node to rename, found an input or a constant"));
        };
        if old == name {
            return Ok(());
        }
        if self.outputs.iter().any(|&(_, other)| other == index) {
            return Err(self.error(format!("value `{old}`"), "expected a value that is not yet an output, whose name is fixed"));
        }
        self.claim_value_name(name)?;
        self.value_names.remove(&old);
        self.values[index as usize].name = name.into();
        if self.nodes[place].outputs.first() == Some(&index) && self.node_names.insert(name.into()) {
            self.node_names.remove(&old);
            self.nodes[place].name = name.into();
        }
        Ok(())
    }

    /// Says what is known about a shape that could not be inferred: names free axes or fixes them.
    ///
    /// # Errors
    /// [`Error::Graph`] if the number of axes differs or an axis that is known would change.
    pub fn refine(&mut self, value: Value, shape: impl IntoIterator<Item = Dim>) -> Result<()> {
        let shape: Vec<Dim> = shape.into_iter().collect();
        let index = self.index(value)?;
        let entry = &self.values[index as usize];
        let fits =
            entry.ty.shape.len() == shape.len() && entry.ty.shape.iter().zip(&shape).all(|(old, new)| old == new || self.fresh.made(old));
        if !fits || !matches!(entry.origin, Origin::Node(_)) {
            let why = format!("expected a shape that fits {:?}, found {shape:?}", entry.ty.shape);
            return Err(self.error(format!("value `{}`", entry.name), why));
        }
        self.fresh.reserve(&shape);
        self.values[index as usize].ty.shape = shape;
        Ok(())
    }

    /// Element type and shape of a value.
    ///
    /// # Errors
    /// [`Error::Graph`] if the value belongs to another graph.
    pub fn value_type(&self, value: Value) -> Result<&ValueType> {
        Ok(&self.values[self.index(value)? as usize].ty)
    }

    /// Name of a value.
    ///
    /// # Errors
    /// [`Error::Graph`] if the value belongs to another graph.
    pub fn value_name(&self, value: Value) -> Result<&str> {
        Ok(&self.values[self.index(value)? as usize].name)
    }

    /// Starts a scope: nodes that follow are named `SCOPE/...` until [`Graph::leave`].
    pub fn enter(&mut self, scope: impl Into<String>) {
        self.scopes.push(scope.into());
    }

    /// Ends the innermost scope.
    pub fn leave(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn error(&self, place: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Graph { graph: self.name.clone(), place: place.into(), why: why.into() }
    }

    pub(super) fn index(&self, value: Value) -> Result<u32> {
        if value.graph == self.id && (value.index as usize) < self.values.len() {
            return Ok(value.index);
        }
        Err(self.error("value", "expected a value of this graph, found one of another graph"))
    }

    fn push(&mut self, entry: Entry) -> Value {
        self.values.push(entry);
        Value { graph: self.id, index: (self.values.len() - 1) as u32 }
    }

    /// Names and types of the inputs, in order.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &ValueType)> {
        self.values.iter().filter(|entry| matches!(entry.origin, Origin::Input)).map(|entry| (entry.name.as_str(), &entry.ty))
    }

    /// Names and types of the outputs, in order.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &ValueType)> {
        self.outputs.iter().map(|(name, index)| (name.as_str(), &self.values[*index as usize].ty))
    }

    fn claim_value_name(&mut self, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(self.error("value", "expected a name, found an empty one"));
        }
        if !self.value_names.insert(name.into()) {
            return Err(self.error(format!("value `{name}`"), "expected a name of its own, found one that is taken"));
        }
        Ok(())
    }

    fn scoped(&self, name: &str) -> String {
        let mut full = String::new();
        for scope in &self.scopes {
            full.push_str(scope);
            full.push('/');
        }
        full + name
    }

    /// The stem and the least count that neither a value nor a node has yet.
    fn free_name(&mut self, stem: &str) -> String {
        let count = self.counts.entry(stem.into()).or_default();
        loop {
            let name = format!("{stem}_{count}");
            *count += 1;
            if !self.value_names.contains(&name) && !self.node_names.contains(&name) {
                return name;
            }
        }
    }
}
