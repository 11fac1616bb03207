//! A model behind the Open Inference Protocol, version 2, for the server of [`crate::hub`]. Tensors are single precision.

use crate::hub::{Reply, Request};
use serde_json::{Value, json};

/// Header with the length of the JSON part.
const HEADER: &str = "inference-header-content-length";

/// A named tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Name.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub values: Vec<f32>,
}

type Infer = dyn FnMut(Vec<Named>) -> Vec<Named> + Send;

/// A served model.
pub struct Served {
    name: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    infer: Box<Infer>,
}

impl Served {
    /// A model that `infer` computes.
    pub fn new(name: &str, inputs: &[String], outputs: &[String], infer: impl FnMut(Vec<Named>) -> Vec<Named> + Send + 'static) -> Self {
        Self { name: name.into(), inputs: inputs.to_vec(), outputs: outputs.to_vec(), infer: Box::new(infer) }
    }

    /// Whether a request asks for an inference.
    pub fn is_inference(request: &Request) -> bool {
        request.path.ends_with("/infer")
    }

    /// What a server of the protocol answers; tensors come in the form that the request has.
    ///
    /// # Panics
    /// If the request is not the protocol's, or the model fails.
    pub fn answer(&mut self, request: &Request) -> Reply {
        let model = format!("/v2/models/{}", self.name);
        match request.path.strip_prefix(&model) {
            _ if request.path == "/v2/health/ready" => Reply::new(200, ""),
            Some("") => Reply::new(200, self.metadata().to_string()),
            Some("/infer") => self.inference(request),
            _ => Reply::new(404, "no such model"),
        }
    }

    fn metadata(&self) -> Value {
        let ports = |names: &[String]| -> Vec<Value> {
            names.iter().map(|name| json!({"name": name, "datatype": "FP32", "shape": [-1]})).collect()
        };
        json!({"name": self.name, "platform": "test", "inputs": ports(&self.inputs), "outputs": ports(&self.outputs)})
    }

    fn inference(&mut self, request: &Request) -> Reply {
        let header = request.headers.get(HEADER).map(|length| length.parse::<usize>().expect("a number"));
        let (text, mut bytes) = request.body.split_at(header.unwrap_or(request.body.len()));
        let asked: Value = serde_json::from_slice(text).expect("JSON");
        let given = asked["inputs"].as_array().expect("a list").iter().map(|input| tensor(input, &mut bytes)).collect();
        assert!(bytes.is_empty(), "bytes are left over");
        let mut tail = Vec::new();
        let listed = (self.infer)(given).into_iter().map(|Named { name, shape, values }| {
            let mut one = json!({"name": name, "datatype": "FP32", "shape": shape});
            if header.is_some() {
                one["parameters"] = json!({"binary_data_size": 4 * values.len()});
                tail.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            } else {
                one["data"] = json!(values);
            }
            one
        });
        let answer = json!({"model_name": self.name, "outputs": listed.collect::<Vec<_>>()}).to_string();
        let reply = Reply::new(200, [answer.as_bytes(), &tail].concat());
        if header.is_some() { reply.with(HEADER, answer.len().to_string()) } else { reply }
    }
}

/// A tensor of a request; those sent as bytes follow one another.
fn tensor(input: &Value, bytes: &mut &[u8]) -> Named {
    assert_eq!(input["datatype"], "FP32");
    let values = match input["parameters"]["binary_data_size"].as_u64() {
        Some(size) => {
            let (own, rest) = bytes.split_at(usize::try_from(size).expect("a length"));
            *bytes = rest;
            own.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four bytes"))).collect()
        }
        None => serde_json::from_value(input["data"].clone()).expect("numbers"),
    };
    let name = input["name"].as_str().expect("a name").to_owned();
    Named { name, shape: serde_json::from_value(input["shape"].clone()).expect("lengths"), values }
}
