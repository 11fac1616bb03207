//! The backend against a small server of the protocol in this process, which runs the model on tract.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use zoo_backend_inference_server::InferenceServer;
use zoo_backend_tract::Tract;
use zoo_core::serde_json::{self, Value, json};
use zoo_core::{Artifact, ArtifactKind, Backend, DType, Device, Dim, Error, Options, Result, Session, Tensor};

fn artifact() -> Artifact {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/conformance/golden/cnn.onnx")).unwrap();
    Artifact::single(ArtifactKind::Onnx, "model", "cnn.onnx", bytes)
}

/// What the server does with an inference; anything but `Answer` is its way of failing.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Answer,
    Status(u16),
    /// Closes the connection in the middle of the answer.
    Cut,
    Garbage,
}

struct Server {
    address: SocketAddr,
    /// What inferences get, the next one last; afterwards they are answered.
    script: Arc<Mutex<Vec<Act>>>,
    seen: Arc<Mutex<usize>>,
}

impl Server {
    /// `dies_after`: inferences after which nobody listens any more.
    fn start(script: &[Act], dies_after: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Mutex<Vec<Act>>> = Arc::new(Mutex::new(script.iter().rev().copied().collect()));
        let seen = Arc::new(Mutex::new(0));
        let (acts, count) = (Arc::clone(&script), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut session = Tract.compile(&artifact(), &Device::Cpu, &Options::default()).unwrap();
            for stream in listener.incoming() {
                // A client that hangs up early is its own affair.
                let _ = serve(stream.unwrap(), &mut *session, &acts, &count);
                if dies_after.is_some_and(|most| *count.lock().unwrap() >= most) {
                    return;
                }
            }
        });
        Self { address, script, seen }
    }

    fn options(&self, more: &[(&str, &str)]) -> Options {
        let url = format!("http://{}", self.address);
        let own = [("url", url.as_str()), ("backoff-ms", "0"), ("tries", "4")];
        let extra = own.iter().chain(more).map(|(key, value)| (format!("inference-server.{key}"), (*value).to_owned()));
        Options { extra: extra.collect(), ..Options::default() }
    }

    fn session(&self, more: &[(&str, &str)]) -> Result<Box<dyn Session>> {
        InferenceServer.compile(&artifact(), &Device::Cpu, &self.options(more))
    }
}

fn serve(mut stream: TcpStream, session: &mut dyn Session, script: &Mutex<Vec<Act>>, seen: &Mutex<usize>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut header) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "inference-header-content-length" => header = Some(value.parse().unwrap()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, json_part, answer) = if path == "/v2/models/cnn" {
        (200, None, metadata(session).to_string().into_bytes())
    } else if path == "/v2/models/cnn/infer" {
        *seen.lock().unwrap() += 1;
        match script.lock().unwrap().pop().unwrap_or(Act::Answer) {
            Act::Status(status) => (status, None, b"busy".to_vec()),
            Act::Garbage => (200, None, b"<html>login</html>".to_vec()),
            Act::Cut => return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{{\"outp"),
            Act::Answer => {
                let (json_part, answer) = infer(session, &body, header);
                (200, json_part, answer)
            }
        }
    } else {
        (404, None, b"no such model".to_vec())
    };
    let extra = json_part.map(|n| format!("Inference-Header-Content-Length: {n}\r\n")).unwrap_or_default();
    write!(stream, "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{extra}\r\n", answer.len())?;
    stream.write_all(&answer)
}

fn metadata(session: &dyn Session) -> Value {
    let ports = |specs: &[zoo_core::TensorSpec]| -> Vec<Value> {
        specs.iter().map(|s| json!({"name": s.name, "datatype": "FP32", "shape": [-1]})).collect()
    };
    json!({"name": "cnn", "platform": "tract", "inputs": ports(session.inputs()), "outputs": ports(session.outputs())})
}

/// Answers in the form the request has: bytes or JSON.
fn infer(session: &mut dyn Session, body: &[u8], header: Option<usize>) -> (Option<usize>, Vec<u8>) {
    let (text, mut bytes) = body.split_at(header.unwrap_or(body.len()));
    let request: Value = serde_json::from_slice(text).unwrap();
    let inputs = request["inputs"].as_array().unwrap().iter().map(|input| {
        assert_eq!(input["datatype"], "FP32");
        let shape: Vec<usize> = serde_json::from_value(input["shape"].clone()).unwrap();
        match input["parameters"]["binary_data_size"].as_u64() {
            Some(size) => {
                let (own, rest) = bytes.split_at(size as usize);
                bytes = rest;
                Tensor::from_bytes(DType::F32, shape, own).unwrap()
            }
            None => Tensor::from_vec(shape, serde_json::from_value::<Vec<f32>>(input["data"].clone()).unwrap()).unwrap(),
        }
    });
    let inputs: Vec<_> = inputs.collect();
    assert!(bytes.is_empty(), "bytes are left over");
    let outputs = session.run(&inputs).unwrap();
    let mut tail = Vec::new();
    let listed = session.outputs().iter().zip(&outputs).map(|(spec, tensor)| {
        let mut one = json!({"name": spec.name, "datatype": "FP32", "shape": tensor.shape()});
        if header.is_some() {
            one["parameters"] = json!({"binary_data_size": tensor.as_bytes().len()});
            tail.extend_from_slice(tensor.as_bytes());
        } else {
            one["data"] = json!(tensor.to_f32());
        }
        one
    });
    let mut answer = json!({"model_name": "cnn", "outputs": listed.collect::<Vec<_>>()}).to_string().into_bytes();
    let json_part = header.is_some().then_some(answer.len());
    answer.append(&mut tail);
    (json_part, answer)
}

/// Inputs for a session: a ramp, three items where the batch is free.
fn inputs(session: &dyn Session) -> Vec<Tensor> {
    let one = |spec: &zoo_core::TensorSpec| {
        let shape: Vec<usize> = spec.shape.iter().map(|d: &Dim| d.fixed().unwrap_or(3)).collect();
        let count: usize = shape.iter().product();
        Tensor::from_vec(shape, (0..count).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>()).unwrap()
    };
    session.inputs().iter().map(one).collect()
}

fn local() -> Vec<Tensor> {
    let mut session = Tract.compile(&artifact(), &Device::Cpu, &Options::default()).unwrap();
    let inputs = inputs(&*session);
    session.run(&inputs).unwrap()
}

#[test]
fn both_forms_give_the_local_result() {
    let server = Server::start(&[], None);
    for tensors in ["binary", "json"] {
        let mut session = server.session(&[("tensors", tensors)]).unwrap();
        let inputs = inputs(&*session);
        let outputs = session.run(&inputs).unwrap();
        for (here, there) in local().iter().zip(&outputs) {
            assert_eq!(here.shape(), there.shape());
            let worst = here.to_f32().iter().zip(there.to_f32()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 1e-5, "{tensors}: {worst}");
        }
        assert_eq!(session.stats().runs, 1);
    }
}

#[test]
fn a_busy_or_broken_connection_is_tried_again() {
    let server = Server::start(&[Act::Status(503), Act::Cut, Act::Status(429)], None);
    let mut session = server.session(&[]).unwrap();
    let inputs = inputs(&*session);
    session.run(&inputs).unwrap();
    assert_eq!((*server.seen.lock().unwrap(), server.script.lock().unwrap().len()), (4, 0));
}

#[test]
fn a_server_that_dies_is_unavailable_after_all_tries() {
    let server = Server::start(&[], Some(2));
    let mut session = server.session(&[]).unwrap();
    let inputs = inputs(&*session);
    session.run(&inputs).unwrap();
    session.run(&inputs).unwrap();
    // The server's thread closes its socket once it has answered; what comes then is refused or cut off.
    let error = session.run(&inputs).unwrap_err();
    assert!(matches!(&error, Error::Unavailable { why, .. } if why.contains("try 4 of 4")), "{error}");
}

#[test]
fn errors_are_not_asked_again() {
    let server = Server::start(&[Act::Garbage, Act::Status(400)], None);
    let mut session = server.session(&[]).unwrap();
    let inputs = inputs(&*session);
    let garbage = session.run(&inputs).unwrap_err().to_string();
    assert!(garbage.contains("expected an inference response"), "{garbage}");
    let refused = session.run(&inputs).unwrap_err().to_string();
    assert!(refused.contains("status 400: busy") && refused.contains("tensors=json"), "{refused}");
    assert_eq!(*server.seen.lock().unwrap(), 2);
}

#[test]
fn a_model_the_server_has_not_is_named() {
    let server = Server::start(&[], None);
    let error = server.session(&[("model", "other")]).err().unwrap();
    assert!(matches!(&error, Error::Unavailable { what, .. } if what.contains("model other")), "{error}");
}

#[test]
fn wrong_options_are_told() {
    let server = Server::start(&[], None);
    for (key, value) in [("url", "ftp://x"), ("model", "../x"), ("tries", "0"), ("tensors", "xml"), ("speed", "9"), ("deadline-s", "-1")] {
        let error = server.session(&[(key, value)]).err().unwrap();
        assert!(matches!(error, Error::Argument { .. } | Error::Unknown { .. }), "{key}: {error}");
    }
    let error = server.session(&[("ca", "/nonexistent.pem")]).err().unwrap();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}
