//! The model of the tests, and a server of gRPC on the loopback interface, on HTTP/2 alone.

#[allow(dead_code, reason = "the client has messages that a server does not make")]
#[path = "../../src/grpc/messages.rs"]
pub mod messages;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use messages::{InferTensor, ModelInferRequest, ModelInferResponse, ModelMetadataResponse, ServerReadyResponse, TensorMetadata};
use prost::Message;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use zoo_backend_tract::Tract;
use zoo_core::{Artifact, ArtifactKind, Backend, DType, Device, Dim, Options, Session, Tensor, TensorSpec};
use zoo_test_support::inference::{Named, Served};

pub fn artifact() -> Artifact {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/conformance/golden/cnn.onnx")).unwrap();
    Artifact::single(ArtifactKind::Onnx, "model", "cnn.onnx", bytes)
}

pub fn local() -> Box<dyn Session> {
    Tract.compile(&artifact(), &Device::Cpu, &Options::default()).unwrap()
}

/// Inputs for a session: a ramp, three items where the batch is free.
pub fn inputs(session: &dyn Session) -> Vec<Tensor> {
    let one = |spec: &TensorSpec| {
        let shape: Vec<usize> = spec.shape.iter().map(|d: &Dim| d.fixed().unwrap_or(3)).collect();
        let count: usize = shape.iter().product();
        Tensor::from_vec(shape, (0..count).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>()).unwrap()
    };
    session.inputs().iter().map(one).collect()
}

/// The model on tract, behind the protocol over HTTP.
pub fn served() -> Served {
    let mut session = local();
    let names = |specs: &[TensorSpec]| specs.iter().map(|spec| spec.name.clone()).collect::<Vec<_>>();
    let (inputs, outputs) = (names(session.inputs()), names(session.outputs()));
    let infer = move |given: Vec<Named>| {
        let given: Vec<_> = given.into_iter().map(|one| Tensor::from_vec(one.shape, one.values).unwrap()).collect();
        let answers = session.run(&given).unwrap();
        let named = |(spec, tensor): (&TensorSpec, &Tensor)| Named {
            name: spec.name.clone(),
            shape: tensor.shape().to_vec(),
            values: tensor.to_f32(),
        };
        session.outputs().iter().zip(&answers).map(named).collect()
    };
    Served::new("cnn", &inputs, &outputs, infer)
}

/// Settings of the backend, every key without its prefix.
pub fn options(settings: &[(&str, &str)]) -> Options {
    let extra = settings.iter().map(|(key, value)| (format!("inference-server.{key}"), (*value).to_owned()));
    Options { extra: extra.collect(), ..Options::default() }
}

/// What a call gets in place of an answer.
pub enum Act {
    /// A status without a message.
    Status(u32, &'static str),
    /// A frame of these bytes.
    Frame(Vec<u8>),
    /// The end of the stream before an answer.
    Reset,
    /// Nothing, ever.
    Silence,
}

/// What the server knows and has seen.
struct Model {
    session: Box<dyn Session>,
    /// What inferences get; afterwards they are answered.
    script: VecDeque<Act>,
    inferences: usize,
    /// What each call said it may.
    authorizations: Vec<Option<String>>,
}

/// A server of one model, `cnn`, that ends when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    model: Arc<Mutex<Model>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub fn start(script: impl IntoIterator<Item = Act>) -> Self {
        Self::over(script, None)
    }

    /// As [`Server::start`], behind TLS.
    pub fn behind(tls: rustls::ServerConfig) -> Self {
        Self::over([], Some(tls))
    }

    fn over(script: impl IntoIterator<Item = Act>, tls: Option<rustls::ServerConfig>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let model = Model { session: local(), script: script.into_iter().collect(), inferences: 0, authorizations: Vec::new() };
        let model = Arc::new(Mutex::new(model));
        let (stop, mut stopped) = oneshot::channel();
        let served = Arc::clone(&model);
        let acceptor = tls.map(|tls| tokio_rustls::TlsAcceptor::from(Arc::new(tls)));
        let work = async move {
            loop {
                let socket = tokio::select! {
                    _ = &mut stopped => return,
                    accepted = listener.accept() => accepted.unwrap().0,
                };
                let (model, acceptor) = (Arc::clone(&served), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => converse(socket, model).await,
                        // A client that does not trust this server hangs up.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(socket).await {
                                converse(stream, model).await;
                            }
                        }
                    }
                });
            }
        };
        let thread = std::thread::spawn(move || runtime.block_on(work));
        Self { address, model, stop: Some(stop), thread: Some(thread) }
    }

    /// Inferences that were asked for, and what is left of the script.
    pub fn counts(&self) -> (usize, usize) {
        let model = self.model.lock().unwrap();
        (model.inferences, model.script.len())
    }

    /// The header `authorization` of every call.
    pub fn authorizations(&self) -> Vec<Option<String>> {
        self.model.lock().unwrap().authorizations.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A server that has ended by itself listens no more.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Serves a connection until the client leaves it.
async fn converse(socket: impl AsyncRead + AsyncWrite + Unpin, model: Arc<Mutex<Model>>) {
    let mut connection = h2::server::handshake(socket).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(call(request, respond, Arc::clone(&model)));
    }
}

async fn call(request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>, model: Arc<Mutex<Model>>) {
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let (head, mut body) = request.into_parts();
    let mut frame = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        frame.extend_from_slice(&data);
    }
    let (prefix, message) = frame.split_at(5);
    assert_eq!(prefix[..], [&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..]].concat());
    let authorization = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let act = {
        let mut model = model.lock().unwrap();
        model.authorizations.push(authorization);
        model.answer(head.uri.path(), message)
    };
    let response = Response::builder().header("content-type", "application/grpc");
    let mut trailers = HeaderMap::new();
    match act {
        Act::Reset => respond.send_reset(h2::Reason::INTERNAL_ERROR),
        Act::Silence => std::future::pending().await,
        Act::Status(code, message) => {
            let response = response.header("grpc-status", code.to_string()).header("grpc-message", message);
            respond.send_response(response.body(()).unwrap(), true).unwrap();
        }
        Act::Frame(frame) => {
            let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
            stream.send_data(frame.into(), false).unwrap();
            trailers.insert("grpc-status", "0".parse().unwrap());
            stream.send_trailers(trailers).unwrap();
        }
    }
}

fn framed(message: &impl Message) -> Act {
    let bytes = message.encode_to_vec();
    Act::Frame([&[0], &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat())
}

impl Model {
    fn answer(&mut self, path: &str, message: &[u8]) -> Act {
        match path.strip_prefix("/inference.GRPCInferenceService/") {
            Some("ServerReady") => framed(&ServerReadyResponse { ready: true }),
            Some("ModelMetadata") if messages::ModelMetadataRequest::decode(message).unwrap().name != "cnn" => {
                Act::Status(5, "no such model")
            }
            Some("ModelMetadata") => {
                let ports = |specs: &[TensorSpec]| {
                    specs.iter().map(|spec| TensorMetadata { name: spec.name.clone(), datatype: "FP32".into() }).collect::<Vec<_>>()
                };
                framed(&ModelMetadataResponse { inputs: ports(self.session.inputs()), outputs: ports(self.session.outputs()) })
            }
            Some("ModelInfer") => {
                self.inferences += 1;
                self.script.pop_front().unwrap_or_else(|| self.infer(&ModelInferRequest::decode(message).unwrap()))
            }
            _ => Act::Status(12, "no such method"),
        }
    }

    fn infer(&mut self, request: &ModelInferRequest) -> Act {
        let tensor = |(input, raw): (&InferTensor, &Vec<u8>)| {
            assert_eq!(input.datatype, "FP32");
            let shape: Vec<usize> = input.shape.iter().map(|&n| n.try_into().unwrap()).collect();
            Tensor::from_bytes(DType::F32, shape, raw).unwrap()
        };
        assert_eq!(request.inputs.len(), request.raw_input_contents.len());
        let given: Vec<_> = request.inputs.iter().zip(&request.raw_input_contents).map(tensor).collect();
        let answers = self.session.run(&given).unwrap();
        let named = |(spec, tensor): (&TensorSpec, &Tensor)| InferTensor {
            name: spec.name.clone(),
            datatype: "FP32".into(),
            shape: tensor.shape().iter().map(|&n| n.try_into().unwrap()).collect(),
            contents: None,
        };
        framed(&ModelInferResponse {
            outputs: self.session.outputs().iter().zip(&answers).map(named).collect(),
            raw_output_contents: answers.iter().map(|tensor| tensor.as_bytes().to_vec()).collect(),
        })
    }
}
