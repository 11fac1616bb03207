//! Tensors and element types between the zoo and tract.

use crate::guard::{guard, runtime};
use std::any::Any;
use std::sync::Arc;
use tract_onnx::prelude::{DatumType, Tensor as TractTensor, TractResult, f16};
use zoo_core::tensor::Bytes;
use zoo_core::{DType, Error, Result, Tensor};

/// Tract's name of an element type; `None` for brain floats, which tract has not.
pub(crate) fn datum_type(dtype: DType) -> Option<DatumType> {
    Some(match dtype {
        DType::Bool => DatumType::Bool,
        DType::I8 => DatumType::I8,
        DType::U8 => DatumType::U8,
        DType::I16 => DatumType::I16,
        DType::U16 => DatumType::U16,
        DType::I32 => DatumType::I32,
        DType::U32 => DatumType::U32,
        DType::I64 => DatumType::I64,
        DType::U64 => DatumType::U64,
        DType::F16 => DatumType::F16,
        DType::F32 => DatumType::F32,
        DType::F64 => DatumType::F64,
        _ => return None,
    })
}

fn dtype(datum: DatumType) -> Option<DType> {
    DType::ALL.into_iter().find(|&d| datum_type(d) == Some(datum.unquantized()))
}

/// A tract tensor with a copy of the elements. Tract owns and aligns its memory, so that one copy can't be avoided.
pub(crate) fn to_tract(name: &str, tensor: &Tensor) -> Result<TractTensor> {
    let shape = tensor.shape();
    macro_rules! copy {
        ($($dtype:ident: $rust:ty),* $(,)?) => {
            match tensor.dtype() {
                $(DType::$dtype => {
                    let slice = tensor.as_slice::<$rust>()?;
                    guard("taking an input", || TractTensor::from_shape::<$rust>(shape, slice))
                })*
                DType::Bool => {
                    let flags = flags(name, tensor.as_slice::<u8>()?)?;
                    guard("taking an input", || TractTensor::from_shape::<bool>(shape, &flags))
                }
                other => Err(unsupported(name, other)),
            }
        };
    }
    copy!(I8: i8, U8: u8, I16: i16, U16: u16, I32: i32, U32: u32, I64: i64, U64: u64, F16: f16, F32: f32, F64: f64)
}

/// Booleans from bytes, refusing all but 0 and 1.
fn flags(name: &str, bytes: &[u8]) -> Result<Vec<bool>> {
    bytes
        .iter()
        .map(|&b| match b {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Error::argument(format!("input `{name}`"), "booleans of 0 and 1", other)),
        })
        .collect()
}

/// The error for an element type that tract has not.
pub(crate) fn unsupported(name: &str, found: impl std::fmt::Display) -> Error {
    Error::DType {
        what: format!("tensor `{name}` on tract"),
        expected: "bool, an integer of 8 to 64 bits, f16, f32 or f64".into(),
        found: found.to_string(),
    }
}

/// Memory of a tract tensor, lent to a zoo tensor.
struct Held(Arc<TractTensor>);

impl Bytes for Held {
    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        Arc::get_mut(&mut self.0).map(TractTensor::as_bytes_mut)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// A zoo tensor over tract's memory, without a copy (a symbolic result, such as a shape, is made an `i64` first).
pub(crate) fn from_tract(name: &str, tensor: Arc<TractTensor>) -> Result<Tensor> {
    let tensor = match tensor.datum_type() {
        DatumType::TDim => guard("reading an output", || numbers(&tensor))?,
        _ => tensor,
    };
    let Some(dtype) = dtype(tensor.datum_type()) else {
        return Err(unsupported(name, format!("{:?}", tensor.datum_type())));
    };
    if !tensor.is_plain_ram() {
        return Err(runtime("reading an output", format!("`{name}` is not held as plain memory")));
    }
    let shape = tensor.shape().to_vec();
    let bytes = tensor.as_bytes().len();
    Tensor::from_owner(dtype, shape, Arc::new(Held(tensor)), 0..bytes)
}

fn numbers(tensor: &TractTensor) -> TractResult<Arc<TractTensor>> {
    Ok(Arc::new(tensor.cast_to::<i64>()?.into_owned()))
}
