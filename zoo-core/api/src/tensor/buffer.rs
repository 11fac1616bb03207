//! Who owns a tensor's memory.

use super::dtype::{DType, Element};
use std::any::Any;
use std::sync::Arc;

/// Memory that a tensor can stand on.
///
/// The address of the returned slice must not change while the owner is alive.
pub trait Bytes: Send + Sync + Any {
    /// The whole memory.
    fn bytes(&self) -> &[u8];

    /// The whole memory for writing, or `None` if it is read-only (a memory map, say).
    fn bytes_mut(&mut self) -> Option<&mut [u8]>;

    /// For moving a `Vec` back out.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Element> Bytes for Vec<T> {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }

    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        Some(bytemuck::cast_slice_mut(self))
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Zeroed memory aligned for `dtype`.
pub(super) fn zeroed(dtype: DType, bytes: usize) -> Arc<dyn Bytes> {
    match dtype {
        DType::Bool | DType::U8 => Arc::new(vec![0u8; bytes]),
        DType::I8 => Arc::new(vec![0i8; bytes]),
        DType::F16 => Arc::new(vec![half::f16::ZERO; bytes / 2]),
        DType::BF16 => Arc::new(vec![half::bf16::ZERO; bytes / 2]),
        DType::I16 => Arc::new(vec![0i16; bytes / 2]),
        DType::U16 => Arc::new(vec![0u16; bytes / 2]),
        DType::F32 => Arc::new(vec![0f32; bytes / 4]),
        DType::I32 => Arc::new(vec![0i32; bytes / 4]),
        DType::U32 => Arc::new(vec![0u32; bytes / 4]),
        DType::F64 => Arc::new(vec![0f64; bytes / 8]),
        DType::I64 => Arc::new(vec![0i64; bytes / 8]),
        DType::U64 => Arc::new(vec![0u64; bytes / 8]),
    }
}

/// A copy of `bytes` in memory aligned for `dtype`.
pub(super) fn copy_aligned(dtype: DType, bytes: &[u8]) -> Arc<dyn Bytes> {
    let mut owner = zeroed(dtype, bytes.len());
    if let Some(target) = Arc::get_mut(&mut owner).and_then(|owner| owner.bytes_mut()) {
        target.copy_from_slice(bytes);
    }
    owner
}
