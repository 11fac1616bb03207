//! The protocol over gRPC. A runtime of its own drives the connection while a call waits for its answer.

mod convert;
mod messages;

use crate::answer::{LONGEST, Metadata, Port, no_model, refused, said, untrusted};
use crate::settings::Settings;
use crate::transport::Transport;
use crate::tries::{Failure, with_tries};
use crate::{MEND, NAME};
use http::uri::PathAndQuery;
use messages::{ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse, ServerReadyRequest, ServerReadyResponse, TensorMetadata};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use zoo_core::{Error, Result, Tensor, TensorSpec};

/// A client of one model on one server.
pub(crate) struct Grpc {
    channel: Channel,
    runtime: Runtime,
    token: Option<MetadataValue<Ascii>>,
    settings: Settings,
}

impl Grpc {
    pub(crate) fn new(settings: Settings, tls: bool) -> Result<Self> {
        let wrong = |found: &dyn std::fmt::Display| {
            Error::argument("option `inference-server.url`", "an address such as grpc://HOST:PORT", format!("{} ({found})", settings.url))
        };
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(|error| Error::Runtime {
            backend: NAME.into(),
            stage: "starting a runtime for gRPC".into(),
            message: error.to_string(),
        })?;
        let (_, place) = settings.url.split_once("://").unwrap_or_default();
        let address = format!("{}://{place}", if tls { "https" } else { "http" });
        let mut endpoint = Endpoint::from_shared(address).map_err(|error| wrong(&error))?;
        if endpoint.uri().port().is_none() || endpoint.uri().path() != "/" {
            return Err(wrong(&"with a port and without a path"));
        }
        if tls {
            let config = match &settings.ca {
                Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
                None => ClientTlsConfig::new().with_webpki_roots(),
            };
            endpoint = endpoint.tls_config(config).map_err(|error| untrusted(&settings.url, chain(&error)))?;
        }
        let endpoint = endpoint.user_agent(concat!("zoo/", env!("CARGO_PKG_VERSION"))).map_err(|error| wrong(&error))?;
        let bearer = |token: &String| {
            let value = format!("Bearer {token}").parse::<MetadataValue<Ascii>>();
            value.map_err(|_| Error::argument("ZOO_INFERENCE_TOKEN", "printable ASCII", "other characters"))
        };
        let token = settings.token.as_ref().map(bearer).transpose()?;
        let channel = {
            let _inside = runtime.enter();
            endpoint.connect_lazy()
        };
        Ok(Self { channel, runtime, token, settings })
    }

    fn call<Q, A>(&self, method: &'static str, message: &Q) -> Result<A>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        with_tries(&self.settings, |left| self.once(method, message.clone(), left))
    }

    fn once<Q, A>(&self, method: &'static str, message: Q, left: Duration) -> Result<A, Failure>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut request = Request::new(message);
        request.set_timeout(left);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        let mut client = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(LONGEST);
        let call = async {
            client.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
            client.unary(request, PathAndQuery::from_static(method), ProstCodec::default()).await
        };
        let answer = self.runtime.block_on(async { tokio::time::timeout(left, call).await });
        match answer {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.failure(&status)),
            Err(_) => Err(Failure::Passing(format!("no answer within the deadline of {} s", self.settings.deadline.as_secs()))),
        }
    }

    fn failure(&self, status: &Status) -> Failure {
        let Settings { url, model, .. } = &self.settings;
        if let Some(error) = certificate(status) {
            return Failure::Final(untrusted(url, error));
        }
        let told = format!("{}: {}", status.code(), said(status.message()));
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Failure::Passing(format!("{told}{}", below(status))),
            // What a server says has no cause on this side; a connection that broke has.
            _ if std::error::Error::source(status).is_some() => Failure::Passing(format!("{told}{}", below(status))),
            Code::NotFound => Failure::Final(no_model(model, url, told)),
            Code::Unimplemented => Failure::Final(Error::Unavailable {
                what: format!("the Open Inference Protocol on server {url}"),
                why: told,
                mend: MEND.into(),
            }),
            Code::ResourceExhausted | Code::OutOfRange => Failure::Final(refused(format!(
                "{told} (smaller batches, --batch N, make smaller messages; servers have a limit of their own)"
            ))),
            _ => Failure::Final(refused(told)),
        }
    }
}

/// The failure of a handshake below a status.
fn certificate(status: &Status) -> Option<String> {
    let mut next = std::error::Error::source(status);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = error.downcast_ref::<rustls::Error>().or_else(|| inner.and_then(|inner| inner.downcast_ref())) {
            return Some(found.to_string());
        }
        next = error.source();
    }
    None
}

/// The causes of a status, each once.
fn below(status: &Status) -> String {
    std::error::Error::source(status).map(|cause| format!(" ({})", chain(cause))).unwrap_or_default()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut told = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !told.contains(&text) {
            told.push(text);
        }
        next = cause.source();
    }
    said(&told.join(": "))
}

impl Transport for Grpc {
    fn ready(&self) -> Result<()> {
        let answer: ServerReadyResponse = self.call("/inference.GRPCInferenceService/ServerReady", &ServerReadyRequest {})?;
        if answer.ready {
            return Ok(());
        }
        let what = format!("server {}", self.settings.url);
        Err(Error::Unavailable { what, why: "it says that it is not ready".into(), mend: "wait until its models are loaded".into() })
    }

    fn metadata(&self) -> Result<Metadata> {
        let version = self.settings.version.clone().unwrap_or_default();
        let request = ModelMetadataRequest { name: self.settings.model.clone(), version };
        let answer: ModelMetadataResponse = self.call("/inference.GRPCInferenceService/ModelMetadata", &request)?;
        let ports = |tensors: Vec<TensorMetadata>| {
            tensors.into_iter().map(|TensorMetadata { name, datatype }| Port { name, datatype }).collect::<Vec<_>>()
        };
        Ok(Metadata { inputs: ports(answer.inputs), outputs: ports(answer.outputs) })
    }

    fn infer(&self, inputs: &[TensorSpec], tensors: &[Tensor], outputs: &[TensorSpec]) -> Result<Vec<Tensor>> {
        let request = convert::request(&self.settings, inputs, tensors, outputs)?;
        let response: ModelInferResponse = self.call("/inference.GRPCInferenceService/ModelInfer", &request)?;
        convert::answer(response, outputs)
    }
}
