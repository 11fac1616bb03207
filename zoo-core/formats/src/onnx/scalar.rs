//! Scalars of any element type.

use half::{bf16, f16};
use zoo_core::{DType, Tensor};

/// A tensor of no axes; `None` if an integer type can't hold the value exactly.
pub(super) fn of(dtype: DType, value: f64) -> Option<Tensor> {
    macro_rules! integer {
        ($ty:ty) => {{
            let cast = value as $ty;
            #[allow(clippy::cast_lossless, clippy::float_cmp, reason = "exactness is what is tested")]
            (cast as f64 == value).then(|| Tensor::scalar(cast))
        }};
    }
    match dtype {
        DType::F32 => Some(Tensor::scalar(value as f32)),
        DType::F64 => Some(Tensor::scalar(value)),
        DType::F16 => Some(Tensor::scalar(f16::from_f64(value))),
        DType::BF16 => Some(Tensor::scalar(bf16::from_f64(value))),
        DType::I8 => integer!(i8),
        DType::U8 => integer!(u8),
        DType::I16 => integer!(i16),
        DType::U16 => integer!(u16),
        DType::I32 => integer!(i32),
        DType::U32 => integer!(u32),
        DType::I64 => integer!(i64),
        DType::U64 => integer!(u64),
        DType::Bool if value == 0.0 || value == 1.0 => Tensor::from_bytes(DType::Bool, [], &[u8::from(value == 1.0)]).ok(),
        _ => None,
    }
}
