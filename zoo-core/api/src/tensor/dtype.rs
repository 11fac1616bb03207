//! Element types.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// 16-bit signed integer.
    I16,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit signed integer.
    I32,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit signed integer.
    I64,
    /// 64-bit unsigned integer.
    U64,
    /// IEEE half precision.
    F16,
    /// Brain float.
    BF16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
}

impl DType {
    /// All element types.
    pub const ALL: [Self; 13] = [
        Self::Bool,
        Self::I8,
        Self::U8,
        Self::I16,
        Self::U16,
        Self::I32,
        Self::U32,
        Self::I64,
        Self::U64,
        Self::F16,
        Self::BF16,
        Self::F32,
        Self::F64,
    ];

    /// Bytes an element takes.
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// The name used in JSON, cards and messages, such as `f32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::I16 => "i16",
            Self::U16 => "u16",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that can be a tensor's element.
pub trait Element: bytemuck::Pod + Send + Sync {
    /// The matching element type.
    const DTYPE: DType;
}

macro_rules! element {
    ($($rust:ty => $dtype:ident),* $(,)?) => {
        $(impl Element for $rust { const DTYPE: DType = DType::$dtype; })*
    };
}

element!(
    i8 => I8, u8 => U8, i16 => I16, u16 => U16, i32 => I32, u32 => U32, i64 => I64, u64 => U64,
    f16 => F16, bf16 => BF16, f32 => F32, f64 => F64,
);

#[allow(clippy::cast_precision_loss, reason = "the conversion to f32 is what is asked for")]
pub(super) fn to_f32(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    fn map<T: Element>(bytes: &[u8], f: impl Fn(T) -> f32) -> Vec<f32> {
        bytemuck::cast_slice::<u8, T>(bytes).iter().map(|&v| f(v)).collect()
    }
    match dtype {
        DType::Bool | DType::U8 => map(bytes, |v: u8| f32::from(v)),
        DType::I8 => map(bytes, |v: i8| f32::from(v)),
        DType::I16 => map(bytes, |v: i16| f32::from(v)),
        DType::U16 => map(bytes, |v: u16| f32::from(v)),
        DType::I32 => map(bytes, |v: i32| v as f32),
        DType::U32 => map(bytes, |v: u32| v as f32),
        DType::I64 => map(bytes, |v: i64| v as f32),
        DType::U64 => map(bytes, |v: u64| v as f32),
        DType::F16 => map(bytes, f16::to_f32),
        DType::BF16 => map(bytes, bf16::to_f32),
        DType::F32 => map(bytes, |v: f32| v),
        DType::F64 => map(bytes, |v: f64| v as f32),
    }
}
