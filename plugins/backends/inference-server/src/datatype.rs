//! The protocol's names of element types, and elements as JSON.

use serde_json::{Number, Value};
use zoo_core::{DType, Error, Result, Tensor};

const NAMES: [(&str, DType); 13] = [
    ("BOOL", DType::Bool),
    ("INT8", DType::I8),
    ("UINT8", DType::U8),
    ("INT16", DType::I16),
    ("UINT16", DType::U16),
    ("INT32", DType::I32),
    ("UINT32", DType::U32),
    ("INT64", DType::I64),
    ("UINT64", DType::U64),
    ("FP16", DType::F16),
    ("BF16", DType::BF16),
    ("FP32", DType::F32),
    ("FP64", DType::F64),
];

/// The protocol's name of an element type.
pub(crate) fn name(dtype: DType) -> Result<&'static str> {
    NAMES.iter().find(|(_, d)| *d == dtype).map(|(name, _)| *name).ok_or_else(|| Error::DType {
        what: "tensor for an inference server".into(),
        expected: "a type the protocol has".into(),
        found: dtype.to_string(),
    })
}

/// The element type of a name.
pub(crate) fn dtype(name: &str) -> Option<DType> {
    NAMES.iter().find(|(n, _)| *n == name).map(|(_, dtype)| *dtype)
}

/// Elements as a flat list of JSON.
pub(crate) fn to_json(tensor: &Tensor) -> Result<Vec<Value>> {
    macro_rules! list {
        ($rust:ty) => {
            tensor.as_slice::<$rust>()?.iter().map(|&v| Value::from(v)).collect()
        };
    }
    // What JSON has no number for would silently become null.
    let finite = |v: f64| Number::from_f64(v).map(Value::Number).ok_or_else(|| Error::argument("tensor as JSON", "finite numbers", v));
    Ok(match tensor.dtype() {
        DType::Bool => tensor.as_bytes().iter().map(|&b| Value::from(b != 0)).collect(),
        DType::I8 => list!(i8),
        DType::U8 => list!(u8),
        DType::I16 => list!(i16),
        DType::U16 => list!(u16),
        DType::I32 => list!(i32),
        DType::U32 => list!(u32),
        DType::I64 => list!(i64),
        DType::U64 => list!(u64),
        DType::F64 => tensor.as_slice::<f64>()?.iter().map(|&v| finite(v)).collect::<Result<_>>()?,
        DType::F32 => tensor.as_slice::<f32>()?.iter().map(|&v| finite(v.into())).collect::<Result<_>>()?,
        other => {
            return Err(Error::DType {
                what: "tensor as JSON".into(),
                expected: "a type other than 16-bit floats (or tensors=binary)".into(),
                found: other.to_string(),
            });
        }
    })
}

/// Elements from JSON, flat or nested; `None` where a value does not fit the type or the count.
pub(crate) fn from_json(dtype: DType, shape: &[usize], data: &[Value]) -> Option<Tensor> {
    let mut flat = Vec::new();
    flatten(data, &mut flat, 0)?;
    macro_rules! take {
        ($rust:ty, $read:expr) => {
            Tensor::from_vec(shape, flat.iter().map(|v| $read(v)).collect::<Option<Vec<$rust>>>()?).ok()
        };
    }
    macro_rules! integer {
        ($rust:ty) => {
            take!($rust, |v: &Value| v.as_i64().and_then(|n| <$rust>::try_from(n).ok()))
        };
    }
    #[allow(clippy::cast_possible_truncation, reason = "JSON carries f32 as decimal numbers")]
    let single = |v: &Value| v.as_f64().map(|x| x as f32);
    match dtype {
        DType::Bool => {
            let bytes: Option<Vec<u8>> = flat.iter().map(|v| v.as_bool().map(u8::from)).collect();
            Tensor::from_bytes(DType::Bool, shape, &bytes?).ok()
        }
        DType::I8 => integer!(i8),
        DType::U8 => integer!(u8),
        DType::I16 => integer!(i16),
        DType::U16 => integer!(u16),
        DType::I32 => integer!(i32),
        DType::U32 => integer!(u32),
        DType::I64 => integer!(i64),
        DType::U64 => take!(u64, Value::as_u64),
        DType::F32 => take!(f32, single),
        DType::F64 => take!(f64, Value::as_f64),
        _ => None,
    }
}

/// Tensors have few axes; deeper nesting is no tensor.
fn flatten<'v>(data: &'v [Value], flat: &mut Vec<&'v Value>, depth: usize) -> Option<()> {
    for value in data {
        match value {
            Value::Array(inner) if depth < 32 => flatten(inner, flat, depth + 1)?,
            Value::Array(_) => return None,
            scalar => flat.push(scalar),
        }
    }
    Some(())
}
