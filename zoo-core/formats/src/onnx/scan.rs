//! A first look at the bytes of a model, before anything is decoded.
//!
//! Two bytes of a hostile file can ask for a message of a kilobyte. The scan walks the wire format without allocating, adds
//! up what decoding would take, finds the version, and refuses what is over the limits.

use super::proto;
use std::mem::size_of;

/// Limits of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes a model file may have. Protobuf allows no more than 2 GiB, which is the default.
    pub bytes: u64,
    /// Most bytes of memory that the decoded messages may take besides the file's own bytes; 1 GiB unless set.
    pub messages: u64,
    /// Deepest nesting of messages; 90 unless set, and never over what the decoder allows.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 31, messages: 1 << 30, depth: 90 }
    }
}

/// What the scan found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) ir_version: Option<i64>,
    pub(super) has_graph: bool,
    pub(super) has_opset: bool,
    messages: u64,
}

/// Why a scan stopped.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Not a well-formed message at this offset.
    Wire(usize),
    /// Decoding would take more memory than allowed.
    Messages(u64),
    /// Messages are nested more deeply than allowed.
    Depth,
}

/// The messages that contain others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Nested,
    MapType,
    Training,
    Function,
    Annotation,
    Device,
    Sharding,
    ShardedDim,
    /// A message that contains no other.
    Leaf,
    /// Not a message: a string, bytes or packed numbers.
    Text,
}

impl Kind {
    /// What a length-delimited field of this message holds.
    fn child(self, field: u64) -> Self {
        match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) | (Self::Training, 1 | 2) => Self::Graph,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::Sparse,
            (Self::Graph, 11..=13) | (Self::Function, 12) => Self::ValueInfo,
            (Self::Graph, 14) => Self::Annotation,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Node, 10) => Self::Device,
            (Self::Device, 2) => Self::Sharding,
            (Self::Sharding, 4) => Self::ShardedDim,
            (Self::ValueInfo, 2) | (Self::Attribute, 14 | 15) | (Self::Nested, 1) | (Self::MapType, 2) => Self::Type,
            (Self::Type, 1 | 8) => Self::TensorType,
            (Self::Type, 4 | 9) => Self::Nested,
            (Self::Type, 5) => Self::MapType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Model, 8 | 14 | 26)
            | (Self::Graph | Self::Tensor, 16)
            | (Self::Node, 9)
            | (Self::Tensor, 3 | 13)
            | (Self::ValueInfo, 4)
            | (Self::Type, 7)
            | (Self::Shape, 1)
            | (Self::Training, 3 | 4)
            | (Self::Function, 9 | 14)
            | (Self::Annotation, 2)
            | (Self::Sharding, 3)
            | (Self::ShardedDim, 2) => Self::Leaf,
            _ => Self::Text,
        }
    }

    /// Bytes that the decoded form takes, besides what it points to.
    fn size(self) -> usize {
        match self {
            Self::Model => size_of::<proto::ModelProto>(),
            Self::Graph => size_of::<proto::GraphProto>(),
            Self::Node => size_of::<proto::NodeProto>(),
            Self::Attribute => size_of::<proto::AttributeProto>(),
            Self::Tensor => size_of::<proto::TensorProto>(),
            Self::Sparse => size_of::<proto::SparseTensorProto>(),
            Self::ValueInfo => size_of::<proto::ValueInfoProto>(),
            Self::Type | Self::TensorType | Self::Shape | Self::Nested | Self::MapType => size_of::<proto::TypeProto>(),
            Self::Training => size_of::<proto::TrainingInfoProto>(),
            Self::Function => size_of::<proto::FunctionProto>(),
            Self::Annotation | Self::Device | Self::Sharding | Self::ShardedDim | Self::Leaf => LEAF_BYTES,
            Self::Text => size_of::<String>(),
        }
    }
}

/// Not less than the largest of the small messages takes.
const LEAF_BYTES: usize = 128;

/// Walks a model.
pub(super) fn scan(bytes: &[u8], limits: &Limits) -> Result<Scan, Refusal> {
    let mut scan = Scan::default();
    walk(&mut scan, bytes, 0, Kind::Model, limits, 0)?;
    Ok(scan)
}

fn walk(scan: &mut Scan, bytes: &[u8], offset: usize, kind: Kind, limits: &Limits, depth: u32) -> Result<(), Refusal> {
    if depth > limits.depth {
        return Err(Refusal::Depth);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = offset + (bytes.len() - rest.len());
        let wire = |_| Refusal::Wire(at);
        let key = varint(&mut rest).ok_or(()).map_err(wire)?;
        let (field, wire_type) = (key >> 3, key & 7);
        if field == 0 {
            return Err(Refusal::Wire(at));
        }
        match wire_type {
            0 => {
                let value = varint(&mut rest).ok_or(()).map_err(wire)?;
                if kind == Kind::Model && field == 1 {
                    scan.ir_version = Some(value.cast_signed());
                }
            }
            1 => rest = rest.get(8..).ok_or(()).map_err(wire)?,
            5 => rest = rest.get(4..).ok_or(()).map_err(wire)?,
            2 => {
                let length = varint(&mut rest).and_then(|n| usize::try_from(n).ok()).ok_or(()).map_err(wire)?;
                let (inside, after) = rest.split_at_checked(length).ok_or(()).map_err(wire)?;
                let child = kind.child(field);
                scan.messages += child.size() as u64;
                if scan.messages > limits.messages {
                    return Err(Refusal::Messages(scan.messages));
                }
                if kind == Kind::Model {
                    scan.has_graph |= field == 7;
                    scan.has_opset |= field == 8;
                }
                if !matches!(child, Kind::Leaf | Kind::Text) {
                    let start = offset + (bytes.len() - rest.len());
                    walk(scan, inside, start, child, limits, depth + 1)?;
                }
                rest = after;
            }
            _ => return Err(Refusal::Wire(at)),
        }
    }
    Ok(())
}

/// Takes a variable-length number of at most ten bytes off the front.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for position in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
