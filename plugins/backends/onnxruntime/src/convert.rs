//! Tensors between the zoo and ONNX Runtime, without copies.

use crate::guard::{guard, runtime};
use half::{bf16, f16};
use ort::session::SessionInputValue;
use ort::value::{DynValue, TensorElementType, TensorRef};
use std::any::Any;
use std::sync::Arc;
use zoo_core::tensor::Bytes;
use zoo_core::{DType, Error, Result, Tensor};

/// A view of a tensor's memory as an input of a session.
pub(crate) fn to_ort<'a>(name: &str, tensor: &'a Tensor) -> Result<SessionInputValue<'a>> {
    let shape = tensor.shape();
    macro_rules! view {
        ($($dtype:ident: $rust:ty),* $(,)?) => {
            match tensor.dtype() {
                $(DType::$dtype => {
                    let data = tensor.as_slice::<$rust>()?;
                    guard("taking an input", || TensorRef::from_array_view((shape, data)).map(Into::into))
                })*
                DType::Bool => {
                    let data = bytemuck::checked::try_cast_slice::<u8, bool>(tensor.as_bytes())
                        .map_err(|_| Error::argument(format!("input `{name}`"), "booleans of 0 and 1", "another byte"))?;
                    guard("taking an input", || TensorRef::from_array_view((shape, data)).map(Into::into))
                }
                other => Err(unsupported(name, other)),
            }
        };
    }
    view!(I8: i8, U8: u8, I16: i16, U16: u16, I32: i32, U32: u32, I64: i64, U64: u64, F16: f16, BF16: bf16, F32: f32, F64: f64)
}

fn unsupported(name: &str, found: impl std::fmt::Display) -> Error {
    Error::DType {
        what: format!("tensor `{name}` on onnxruntime"),
        expected: "bool, an integer of 8 to 64 bits, f16, bf16, f32 or f64".into(),
        found: found.to_string(),
    }
}

/// The zoo's name of an element type.
fn dtype(ty: TensorElementType) -> Option<DType> {
    use TensorElementType as T;
    Some(match ty {
        T::Bool => DType::Bool,
        T::Int8 => DType::I8,
        T::Uint8 => DType::U8,
        T::Int16 => DType::I16,
        T::Uint16 => DType::U16,
        T::Int32 => DType::I32,
        T::Uint32 => DType::U32,
        T::Int64 => DType::I64,
        T::Uint64 => DType::U64,
        T::Float16 => DType::F16,
        T::Bfloat16 => DType::BF16,
        T::Float32 => DType::F32,
        T::Float64 => DType::F64,
        _ => return None,
    })
}

/// An output of a session, lent to a zoo tensor.
struct Held {
    value: DynValue,
    dtype: DType,
}

/// The elements of a tensor value as bytes.
fn elements(value: &DynValue, dtype: DType) -> ort::Result<&[u8]> {
    macro_rules! cast {
        ($($dtype:ident: $rust:ty),* $(,)?) => {
            match dtype {
                $(DType::$dtype => Ok(bytemuck::cast_slice(value.try_extract_tensor::<$rust>()?.1)),)*
                other => Err(ort::Error::new(format!("no tensor holds {other}"))),
            }
        };
    }
    cast!(
        Bool: bool, I8: i8, U8: u8, I16: i16, U16: u16, I32: i32, U32: u32, I64: i64, U64: u64, F16: f16, BF16: bf16, F32: f32,
        F64: f64
    )
}

impl Bytes for Held {
    fn bytes(&self) -> &[u8] {
        // Extraction succeeded when this was made, and neither type nor memory of a value change.
        elements(&self.value, self.dtype).unwrap_or(&[])
    }

    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        None
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// A zoo tensor over the memory of an output.
pub(crate) fn from_ort(name: &str, value: DynValue) -> Result<Tensor> {
    let stage = "reading an output";
    let ty = value.dtype().tensor_type().ok_or_else(|| runtime(stage, format!("`{name}` is no tensor")))?;
    let dtype = dtype(ty).ok_or_else(|| unsupported(name, ty))?;
    let dims = value.dtype().tensor_shape().map(|s| s.to_vec()).unwrap_or_default();
    let shape = dims.iter().map(|&n| usize::try_from(n)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| runtime(stage, format!("`{name}` has the shape {dims:?}")))?;
    if shape.contains(&0) {
        return Tensor::zeros(dtype, shape);
    }
    let bytes = guard(stage, || elements(&value, dtype).map(<[u8]>::len))?;
    Tensor::from_owner(dtype, shape, Arc::new(Held { value, dtype }), 0..bytes)
}
