//! Backend: a server that speaks the [Open Inference Protocol](https://github.com/kserve/open-inference-protocol),
//! version 2, over HTTP or gRPC: Triton, KServe, OpenVINO Model Server, MLServer. The server has the model already (see
//! `cargo xtask export --format triton-repository`); the artifact says which inputs and outputs it must have.
//!
//! Over HTTP, tensors travel as bytes after the JSON header (the binary tensor data extension) or, where a server lacks that,
//! as JSON; over gRPC, as raw contents. A server that can't be reached, or says that it is busy (429, 502, 503, 504;
//! `UNAVAILABLE`), is asked again with growing pauses until the tries or the deadline are used up; then the error is
//! [`Error::Unavailable`], exit status 3. Answers over 1 GiB are refused. Options:
//!
//! | key | value | default |
//! |---|---|---|
//! | `inference-server.url` | address, such as `http://localhost:8000`, `https://HOST`, `grpc://localhost:8001` or `grpcs://HOST:PORT` | `ZOO_INFERENCE_SERVER` |
//! | `inference-server.model` | the model's name on the server | file name of the artifact without `.onnx` |
//! | `inference-server.version` | its version | the server's choice |
//! | `inference-server.tensors` | `binary` or `json` | `binary` |
//! | `inference-server.tries` | tries of a request, 1 to 100 | 5 |
//! | `inference-server.backoff-ms` | pause before the second try; it doubles each time | 100 |
//! | `inference-server.deadline-s` | seconds for one request with all its tries | 60 |
//! | `inference-server.ca` | PEM file of the authority that signed the server's certificate, in place of the web's | the web's authorities |
//!
//! `ZOO_INFERENCE_TOKEN`, if set, is sent as bearer token.

#![forbid(unsafe_code)]

mod answer;
mod datatype;
mod grpc;
mod http;
mod json;
mod session;
mod settings;
mod transport;
mod tries;

use zoo_core::{Artifact, ArtifactKind, Availability, Backend, Device, Error, Options, Result, Session};

/// Name on the command line, in options and in messages.
pub const NAME: &str = "inference-server";

const MEND: &str = "give --option inference-server.url=http://HOST:PORT (or grpc://HOST:PORT), or set ZOO_INFERENCE_SERVER";

/// The backend. It holds nothing; every session is its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct InferenceServer;

impl Backend for InferenceServer {
    fn name(&self) -> &str {
        NAME
    }

    fn description(&self) -> &str {
        "a server that speaks the Open Inference Protocol v2 over HTTP or gRPC"
    }

    /// Whether the server named by `ZOO_INFERENCE_SERVER` says that it is ready.
    fn probe(&self) -> Availability {
        let ready = settings::parse(&Options::default(), "model").and_then(|settings| {
            let version = format!("{NAME} at {}", settings.url);
            transport::transport(settings.once())?.ready().map(|()| version)
        });
        match ready {
            Ok(version) => Availability::Ready { version, devices: vec![Device::Cpu.to_string()] },
            Err(Error::Unavailable { why, mend, .. }) => Availability::Unavailable { why, mend },
            Err(other) => Availability::Unavailable { why: other.to_string(), mend: MEND.into() },
        }
    }

    fn accepts(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx]
    }

    /// Asks the server for the model's inputs and outputs and compares them with the artifact's. The device is the
    /// server's own.
    ///
    /// # Errors
    /// [`Error::NotOffered`] for another kind of artifact; [`Error::Argument`] or [`Error::Unknown`] for options;
    /// [`Error::Unavailable`] for a server or model that is not there; [`Error::Artifact`] for a malformed artifact;
    /// [`Error::Keys`] or [`Error::DType`] if the server's model has other inputs or outputs; [`Error::Runtime`] for an
    /// answer that is not the protocol's.
    fn compile(&self, artifact: &Artifact, _: &Device, options: &Options) -> Result<Box<dyn Session>> {
        if artifact.kind != ArtifactKind::Onnx {
            return Err(Error::NotOffered {
                who: NAME.into(),
                what: format!("{} artifacts", artifact.kind),
                hint: "export the model as onnx".into(),
            });
        }
        let file = &artifact.main()?.name;
        let settings = settings::parse(options, file.strip_suffix(".onnx").unwrap_or(file))?;
        Ok(Box::new(session::RemoteSession::open(artifact, settings)?))
    }
}

zoo_core::zoo_plugin! { name: "inference-server", backends: [InferenceServer] }
