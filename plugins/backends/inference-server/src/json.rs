//! The protocol's messages over HTTP: JSON, and bytes after it.

use crate::answer::{Given, declared, garbage, in_order};
use crate::datatype;
use serde::Deserialize;
use serde_json::{Value, json};
use zoo_core::{Result, Tensor, TensorSpec};

#[derive(Debug, Deserialize)]
struct Answer {
    outputs: Vec<Output>,
}

#[derive(Debug, Deserialize)]
struct Output {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(default)]
    parameters: Parameters,
    data: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
struct Parameters {
    binary_data_size: Option<usize>,
}

/// A request: body, and the length of its JSON part where bytes follow.
pub(crate) fn request(inputs: &[TensorSpec], tensors: &[Tensor], outputs: &[TensorSpec], binary: bool) -> Result<(Vec<u8>, Option<usize>)> {
    let one = |(spec, tensor): (&TensorSpec, &Tensor)| {
        let mut input = json!({"name": spec.name, "shape": tensor.shape(), "datatype": datatype::name(tensor.dtype())?});
        if binary {
            input["parameters"] = json!({"binary_data_size": tensor.as_bytes().len()});
        } else {
            input["data"] = datatype::to_json(tensor)?.into();
        }
        Ok(input)
    };
    let listed = inputs.iter().zip(tensors).map(one).collect::<Result<Vec<_>>>()?;
    let wanted = outputs.iter().map(|spec| match binary {
        true => json!({"name": spec.name, "parameters": {"binary_data": true}}),
        false => json!({"name": spec.name}),
    });
    let mut body = json!({"inputs": listed, "outputs": wanted.collect::<Vec<_>>()}).to_string().into_bytes();
    let header = binary.then_some(body.len());
    if binary {
        tensors.iter().for_each(|tensor| body.extend_from_slice(tensor.as_bytes()));
    }
    Ok((body, header))
}

/// Outputs of an answer in the order of the specs. `header` is the length of its JSON part, if bytes follow.
pub(crate) fn answer(body: &[u8], header: Option<usize>, outputs: &[TensorSpec]) -> Result<Vec<Tensor>> {
    let (text, mut bytes) = body
        .split_at_checked(header.unwrap_or(body.len()))
        .ok_or_else(|| garbage(format!("expected a JSON part of {header:?} bytes, found {} bytes in all", body.len())))?;
    let answer: Answer = serde_json::from_slice(text).map_err(|e| garbage(format!("expected an inference response, found {e}")))?;
    let mut given = Vec::with_capacity(answer.outputs.len());
    for output in answer.outputs {
        let tensor = tensor(&output, &mut bytes)?;
        given.push(Given { name: output.name, tensor });
    }
    in_order(&given, outputs)
}

fn tensor(output: &Output, bytes: &mut &[u8]) -> Result<Tensor> {
    let wrong = |why: String| garbage(format!("output `{}`: {why}", output.name));
    let (dtype, shape, size) = declared(&output.name, &output.datatype, &output.shape)?;
    match (output.parameters.binary_data_size, &output.data) {
        (Some(declared), _) if declared == size => {
            let (own, rest) = bytes.split_at_checked(size).ok_or_else(|| wrong(format!("expected {size} bytes, found {}", bytes.len())))?;
            *bytes = rest;
            Tensor::from_bytes(dtype, shape, own).map_err(|e| wrong(e.to_string()))
        }
        (Some(declared), _) => Err(wrong(format!("expected {size} bytes for shape {shape:?}, found {declared} declared"))),
        (None, Some(data)) => datatype::from_json(dtype, &shape, data)
            .ok_or_else(|| wrong(format!("expected {} of shape {shape:?}, found other data", output.datatype))),
        (None, None) => Err(wrong("expected `data` or `binary_data_size`, found neither".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zoo_core::DType;

    fn y() -> Vec<TensorSpec> {
        vec![TensorSpec::new("y", DType::F32, ["batch"])]
    }

    /// The example of the protocol's binary extension, by hand: JSON of 105 bytes, then two floats.
    #[test]
    fn bytes_follow_the_header() {
        let head = r#"{"outputs":[{"name":"y","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}"#;
        let mut body = head.as_bytes().to_vec();
        body.extend([1f32, -2.5].iter().flat_map(|v| v.to_le_bytes()));
        let outputs = answer(&body, Some(head.len()), &y()).unwrap();
        assert_eq!(outputs[0].as_slice::<f32>().unwrap(), [1.0, -2.5]);
    }

    #[test]
    fn nested_and_flat_json_are_the_same() {
        for data in ["[1,2.5]", "[[1],[2.5]]"] {
            let body = format!(r#"{{"outputs":[{{"name":"y","shape":[2],"datatype":"FP32","data":{data}}}]}}"#);
            assert_eq!(answer(body.as_bytes(), None, &y()).unwrap()[0].to_f32(), [1.0, 2.5]);
        }
    }

    #[test]
    fn garbage_is_told_and_never_believed() {
        let output = |rest: &str| format!(r#"{{"outputs":[{{"name":"y",{rest}}}]}}"#);
        for (body, header, wanted) in [
            ("<html>busy</html>".to_owned(), None, "inference response"),
            ("{}".into(), Some(700), "700"),
            (r#"{"outputs":[]}"#.into(), None, "output `y`"),
            (output(r#""shape":[2],"datatype":"FP31","data":[1,2]"#), None, "FP31"),
            (output(r#""shape":[2],"datatype":"FP32","data":[1]"#), None, "other data"),
            (output(r#""shape":[2],"datatype":"FP32","data":[1,"a"]"#), None, "other data"),
            (output(r#""shape":[2],"datatype":"FP32""#), None, "neither"),
            (output(r#""shape":[-2],"datatype":"FP32","data":[]"#), None, "inference response"),
            (output(r#""shape":[4611686018427387904,8],"datatype":"FP32","parameters":{"binary_data_size":8}"#), None, "fits memory"),
            (output(r#""shape":[2],"datatype":"FP32","parameters":{"binary_data_size":9}"#), None, "9 declared"),
            (output(r#""shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}"#), None, "found 0"),
            (output(r#""shape":[2],"datatype":"INT64","data":[1,2]"#), None, "dtype f32"),
        ] {
            let error = answer(body.as_bytes(), header, &y()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{body}: {error}");
        }
    }
}
