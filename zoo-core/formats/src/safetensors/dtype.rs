//! Element types of safetensors and of the zoo.

use safetensors::Dtype;
use zoo_core::DType;

const PAIRS: [(DType, Dtype); 13] = [
    (DType::Bool, Dtype::BOOL),
    (DType::I8, Dtype::I8),
    (DType::U8, Dtype::U8),
    (DType::I16, Dtype::I16),
    (DType::U16, Dtype::U16),
    (DType::I32, Dtype::I32),
    (DType::U32, Dtype::U32),
    (DType::I64, Dtype::I64),
    (DType::U64, Dtype::U64),
    (DType::F16, Dtype::F16),
    (DType::BF16, Dtype::BF16),
    (DType::F32, Dtype::F32),
    (DType::F64, Dtype::F64),
];

pub(super) fn from_file(dtype: Dtype) -> Option<DType> {
    PAIRS.iter().find(|(_, other)| *other == dtype).map(|(own, _)| *own)
}

pub(super) fn to_file(dtype: DType) -> Option<Dtype> {
    PAIRS.iter().find(|(own, _)| *own == dtype).map(|(_, other)| *other)
}
