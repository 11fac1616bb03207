//! Attributes of a node.

use super::proto::attribute_proto::AttributeType;
use super::proto::{AttributeProto, GraphProto};
use super::tensor;
use zoo_core::Tensor;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute {
    /// An integer; also the form of flags.
    Int(i64),
    /// A number.
    Float(f32),
    /// A string.
    Text(String),
    /// Integers.
    Ints(Vec<i64>),
    /// Numbers.
    Floats(Vec<f32>),
    /// Strings.
    Texts(Vec<String>),
    /// A tensor.
    Tensor(Tensor),
    /// A graph that the node runs; [`super::Graph::scan`] makes it.
    Graph(Box<GraphProto>),
}

impl Attribute {
    /// The name that the signatures use.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "string",
            Self::Ints(_) => "ints",
            Self::Floats(_) => "floats",
            Self::Texts(_) => "strings",
            Self::Tensor(_) => "tensor",
            Self::Graph(_) => "graph",
        }
    }

    pub(super) fn to_proto(&self, name: &str) -> AttributeProto {
        let mut proto = AttributeProto { name: Some(name.into()), ..AttributeProto::default() };
        let kind = match self {
            Self::Int(i) => {
                proto.i = Some(*i);
                AttributeType::Int
            }
            Self::Float(f) => {
                proto.f = Some(*f);
                AttributeType::Float
            }
            Self::Text(s) => {
                proto.s = Some(s.clone().into_bytes());
                AttributeType::String
            }
            Self::Ints(ints) => {
                proto.ints.clone_from(ints);
                AttributeType::Ints
            }
            Self::Floats(floats) => {
                proto.floats.clone_from(floats);
                AttributeType::Floats
            }
            Self::Texts(texts) => {
                proto.strings = texts.iter().map(|t| t.clone().into_bytes()).collect();
                AttributeType::Strings
            }
            Self::Tensor(value) => {
                proto.t = Some(tensor::to_proto("", value));
                AttributeType::Tensor
            }
            Self::Graph(graph) => {
                proto.g = Some((**graph).clone());
                AttributeType::Graph
            }
        };
        proto.r#type = Some(kind as i32);
        proto
    }
}

macro_rules! from {
    ($($rust:ty => |$value:ident| $to:expr;)*) => {
        $(impl From<$rust> for Attribute {
            fn from($value: $rust) -> Self {
                $to
            }
        })*
    };
}

from! {
    i64 => |value| Self::Int(value);
    bool => |value| Self::Int(value.into());
    f32 => |value| Self::Float(value);
    &str => |value| Self::Text(value.into());
    String => |value| Self::Text(value);
    Vec<i64> => |value| Self::Ints(value);
    &[i64] => |value| Self::Ints(value.to_vec());
    Vec<f32> => |value| Self::Floats(value);
    &[f32] => |value| Self::Floats(value.to_vec());
    Tensor => |value| Self::Tensor(value);
}

impl<const N: usize> From<[i64; N]> for Attribute {
    fn from(value: [i64; N]) -> Self {
        Self::Ints(value.to_vec())
    }
}
