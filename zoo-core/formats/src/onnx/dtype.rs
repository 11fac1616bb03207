//! Element types of ONNX and of the zoo.

use super::proto::tensor_proto::DataType;
use zoo_core::DType;

/// The ONNX element type of a zoo tensor.
pub fn to_onnx(dtype: DType) -> Option<DataType> {
    Some(match dtype {
        DType::Bool => DataType::Bool,
        DType::I8 => DataType::Int8,
        DType::U8 => DataType::Uint8,
        DType::I16 => DataType::Int16,
        DType::U16 => DataType::Uint16,
        DType::I32 => DataType::Int32,
        DType::U32 => DataType::Uint32,
        DType::I64 => DataType::Int64,
        DType::U64 => DataType::Uint64,
        DType::F16 => DataType::Float16,
        DType::BF16 => DataType::Bfloat16,
        DType::F32 => DataType::Float,
        DType::F64 => DataType::Double,
        _ => return None,
    })
}

/// The zoo's element type for an ONNX one; `None` for strings, complex numbers and types under 8 bits.
pub fn from_onnx(data_type: i32) -> Option<DType> {
    DType::ALL.into_iter().find(|&dtype| to_onnx(dtype).is_some_and(|known| known as i32 == data_type))
}

/// The ONNX number of an element type.
pub(super) fn code(dtype: DType) -> i32 {
    to_onnx(dtype).unwrap_or(DataType::Undefined) as i32
}
