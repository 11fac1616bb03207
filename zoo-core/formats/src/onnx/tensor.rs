//! Tensors of the zoo as ONNX tensors, and back.

use super::dtype;
use super::proto::TensorProto;
use crate::error::{Error, Result};
use half::{bf16, f16};
use zoo_core::{DType, Tensor};

/// The ONNX form, elements in `raw_data`.
pub fn to_proto(name: &str, tensor: &Tensor) -> TensorProto {
    let mut proto = header(name, tensor);
    proto.raw_data = Some(tensor.as_bytes().to_vec());
    proto
}

/// The ONNX form without elements.
pub(super) fn header(name: &str, tensor: &Tensor) -> TensorProto {
    TensorProto {
        dims: tensor.shape().iter().map(|&d| d as i64).collect(),
        data_type: Some(dtype::code(tensor.dtype())),
        name: Some(name).filter(|n| !n.is_empty()).map(Into::into),
        ..TensorProto::default()
    }
}

/// Element type and shape that an ONNX tensor declares.
pub(super) fn declared(source_name: &str, proto: &TensorProto) -> Result<(DType, Vec<usize>)> {
    let place = || format!("tensor `{}`", proto.name());
    let code = proto.data_type.unwrap_or_default();
    let dtype = dtype::from_onnx(code).ok_or_else(|| {
        Error::malformed(source_name, place(), format!("expected an element type the zoo has tensors for, found ONNX data type {code}"))
    })?;
    let shape = proto
        .dims
        .iter()
        .map(|&d| usize::try_from(d).map_err(|_| Error::malformed(source_name, place(), format!("expected axes of at least 0, found {d}"))))
        .collect::<Result<Vec<_>>>()?;
    Ok((dtype, shape))
}

/// Reads a tensor whose elements are inside the message.
///
/// # Errors
/// [`Error::Malformed`] if the element type has no counterpart, the elements are elsewhere, or their number differs
/// from what the shape says.
pub fn from_proto(source_name: &str, proto: &TensorProto) -> Result<Tensor> {
    let place = || format!("tensor `{}`", proto.name());
    let (dtype, shape) = declared(source_name, proto)?;
    if proto.segment.is_some() {
        return Err(Error::malformed(source_name, place(), "expected a whole tensor, found a segment of one"));
    }
    let bytes = match &proto.raw_data {
        Some(raw) => std::borrow::Cow::Borrowed(raw.as_slice()),
        None => std::borrow::Cow::Owned(typed_bytes(proto, dtype).ok_or_else(|| {
            Error::malformed(source_name, place(), format!("expected {dtype} elements, found a value out of the type's range"))
        })?),
    };
    checked(source_name, &place(), dtype, shape, &bytes)
}

/// A tensor over a copy of `bytes`, with the number of elements and the values of booleans checked.
pub(super) fn checked(source_name: &str, place: &str, dtype: DType, shape: Vec<usize>, bytes: &[u8]) -> Result<Tensor> {
    let wanted = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
    if wanted != Some(bytes.len()) {
        let wanted = wanted.map_or_else(|| "more than memory holds".into(), |n| n.to_string());
        let why = format!("expected {wanted} bytes for {dtype} {shape:?}, found {}", bytes.len());
        return Err(Error::malformed(source_name, place, why));
    }
    if dtype == DType::Bool
        && let Some(bad) = bytes.iter().find(|b| **b > 1)
    {
        return Err(Error::malformed(source_name, place, format!("expected booleans of 0 and 1, found {bad}")));
    }
    Ok(Tensor::from_bytes(dtype, shape, bytes)?)
}

/// Elements from the typed field that the format prescribes for the element type, in little-endian order.
fn typed_bytes(proto: &TensorProto, dtype: DType) -> Option<Vec<u8>> {
    fn narrow<T: TryFrom<i32> + bytemuck::Pod>(values: &[i32]) -> Option<Vec<u8>> {
        let narrowed: Option<Vec<T>> = values.iter().map(|&v| T::try_from(v).ok()).collect();
        Some(bytemuck::cast_slice(&narrowed?).to_vec())
    }
    let ints = proto.int32_data.as_slice();
    match dtype {
        DType::F32 => Some(bytemuck::cast_slice(&proto.float_data).to_vec()),
        DType::F64 => Some(bytemuck::cast_slice(&proto.double_data).to_vec()),
        DType::I64 => Some(bytemuck::cast_slice(&proto.int64_data).to_vec()),
        DType::U64 => Some(bytemuck::cast_slice(&proto.uint64_data).to_vec()),
        DType::U32 => {
            let narrowed: Option<Vec<u32>> = proto.uint64_data.iter().map(|&v| u32::try_from(v).ok()).collect();
            Some(bytemuck::cast_slice(&narrowed?).to_vec())
        }
        DType::I32 => Some(bytemuck::cast_slice(ints).to_vec()),
        DType::I16 => narrow::<i16>(ints),
        DType::U16 => narrow::<u16>(ints),
        DType::I8 => narrow::<i8>(ints),
        DType::U8 | DType::Bool => narrow::<u8>(ints),
        // Halves travel as the bit pattern in the low 16 bits.
        DType::F16 => {
            let halves: Option<Vec<f16>> = ints.iter().map(|&v| u16::try_from(v).ok().map(f16::from_bits)).collect();
            Some(bytemuck::cast_slice(&halves?).to_vec())
        }
        DType::BF16 => {
            let halves: Option<Vec<bf16>> = ints.iter().map(|&v| u16::try_from(v).ok().map(bf16::from_bits)).collect();
            Some(bytemuck::cast_slice(&halves?).to_vec())
        }
        _ => None,
    }
}
