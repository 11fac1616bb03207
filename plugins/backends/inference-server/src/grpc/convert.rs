//! Tensors to messages and back.

use super::messages::{InferTensor, InferTensorContents, ModelInferRequest, ModelInferResponse, RequestedOutput};
use crate::answer::{Given, declared, garbage, in_order};
use crate::datatype;
use crate::settings::Settings;
use zoo_core::{DType, Error, Result, Tensor, TensorSpec};

/// The request for an inference; elements travel as bytes.
pub(super) fn request(settings: &Settings, inputs: &[TensorSpec], tensors: &[Tensor], outputs: &[TensorSpec]) -> Result<ModelInferRequest> {
    let one = |(spec, tensor): (&TensorSpec, &Tensor)| {
        let axis = |&n: &usize| i64::try_from(n).map_err(|_| Error::argument("tensor for an inference server", "axes up to 2^63", n));
        Ok(InferTensor {
            name: spec.name.clone(),
            datatype: datatype::name(tensor.dtype())?.into(),
            shape: tensor.shape().iter().map(axis).collect::<Result<_>>()?,
            contents: None,
        })
    };
    Ok(ModelInferRequest {
        model_name: settings.model.clone(),
        model_version: settings.version.clone().unwrap_or_default(),
        inputs: inputs.iter().zip(tensors).map(one).collect::<Result<_>>()?,
        outputs: outputs.iter().map(|spec| RequestedOutput { name: spec.name.clone() }).collect(),
        raw_input_contents: tensors.iter().map(|tensor| tensor.as_bytes().to_vec()).collect(),
    })
}

/// Outputs of an answer in the order of the specs. Those without contents of their own have the bytes in order.
pub(super) fn answer(response: ModelInferResponse, outputs: &[TensorSpec]) -> Result<Vec<Tensor>> {
    let mut bytes = response.raw_output_contents.into_iter();
    let mut given = Vec::with_capacity(response.outputs.len());
    for output in response.outputs {
        let (dtype, shape, size) = declared(&output.name, &output.datatype, &output.shape)?;
        let own = match output.contents.filter(|contents| *contents != InferTensorContents::default()) {
            Some(contents) => typed(dtype, &contents),
            None => bytes.next(),
        };
        let wrong = |found: String| garbage(format!("output `{}`: expected {size} bytes for shape {shape:?}, found {found}", output.name));
        // An output without elements may be left out of the bytes.
        let own = own.or_else(|| (size == 0).then(Vec::new)).ok_or_else(|| wrong("none".into()))?;
        if own.len() != size {
            return Err(wrong(own.len().to_string()));
        }
        let tensor = Tensor::from_bytes(dtype, &shape[..], &own).map_err(|error| wrong(error.to_string()))?;
        given.push(Given { name: output.name, tensor });
    }
    in_order(&given, outputs)
}

/// Elements given by type, as bytes; `None` where they are of another type or do not fit.
fn typed(dtype: DType, contents: &InferTensorContents) -> Option<Vec<u8>> {
    macro_rules! narrow {
        ($rust:ty, $from:expr) => {
            $from.iter().map(|&v| <$rust>::try_from(v).ok().map(<$rust>::to_ne_bytes)).collect::<Option<Vec<_>>>().map(|all| all.concat())
        };
    }
    macro_rules! plain {
        ($from:expr) => {
            Some($from.iter().flat_map(|v| v.to_ne_bytes()).collect())
        };
    }
    match dtype {
        DType::Bool => Some(contents.bool_contents.iter().map(|&v| v.into()).collect()),
        DType::I8 => narrow!(i8, contents.int_contents),
        DType::I16 => narrow!(i16, contents.int_contents),
        DType::I32 => plain!(contents.int_contents),
        DType::I64 => plain!(contents.int64_contents),
        DType::U8 => narrow!(u8, contents.uint_contents),
        DType::U16 => narrow!(u16, contents.uint_contents),
        DType::U32 => plain!(contents.uint_contents),
        DType::U64 => plain!(contents.uint64_contents),
        DType::F32 => plain!(contents.fp32_contents),
        DType::F64 => plain!(contents.fp64_contents),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn y() -> Vec<TensorSpec> {
        vec![TensorSpec::new("y", DType::F32, ["batch"])]
    }

    fn output(datatype: &str, shape: &[i64], contents: Option<InferTensorContents>) -> InferTensor {
        InferTensor { name: "y".into(), datatype: datatype.into(), shape: shape.to_vec(), contents }
    }

    fn read(outputs: Vec<InferTensor>, raw: &[&[u8]]) -> Result<Vec<Tensor>> {
        answer(ModelInferResponse { outputs, raw_output_contents: raw.iter().map(|bytes| bytes.to_vec()).collect() }, &y())
    }

    #[test]
    fn bytes_and_typed_contents_are_the_same() {
        let bytes: Vec<u8> = [1f32, -2.5].iter().flat_map(|v| v.to_le_bytes()).collect();
        let typed = InferTensorContents { fp32_contents: vec![1.0, -2.5], ..InferTensorContents::default() };
        for outputs in [read(vec![output("FP32", &[2], None)], &[&bytes]), read(vec![output("FP32", &[2], Some(typed))], &[])] {
            assert_eq!(outputs.unwrap()[0].to_f32(), [1.0, -2.5]);
        }
        assert_eq!(read(vec![output("FP32", &[0], None)], &[]).unwrap()[0].shape(), [0]);
    }

    #[test]
    fn narrow_integers_must_fit() {
        let of = |value| InferTensorContents { int_contents: vec![value], ..InferTensorContents::default() };
        assert_eq!(typed(DType::I8, &of(-128)), Some(vec![0x80]));
        assert_eq!(typed(DType::I8, &of(128)), None);
        assert_eq!(typed(DType::F16, &of(1)), None);
    }

    #[test]
    fn garbage_is_told_and_never_believed() {
        let four: &[u8] = &[0; 4];
        for (outputs, raw, wanted) in [
            (vec![], vec![], "output `y`"),
            (vec![output("FP31", &[1], None)], vec![four], "FP31"),
            (vec![output("FP32", &[2], None)], vec![four], "found 4"),
            (vec![output("FP32", &[1], None)], vec![], "found none"),
            (vec![output("FP32", &[-1], None)], vec![four], "fits memory"),
            (vec![output("FP32", &[i64::MAX, i64::MAX], None)], vec![four], "fits memory"),
            (vec![output("INT32", &[1], None)], vec![four], "dtype f32"),
            (vec![output("FP32", &[1, 1], None)], vec![four], "y"),
        ] {
            let error = read(outputs, &raw).unwrap_err().to_string();
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
    }
}
