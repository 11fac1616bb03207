//! The protocol over HTTP.

use crate::answer::{LONGEST, Metadata, garbage, no_model, refused, said, untrusted};
use crate::json;
use crate::settings::Settings;
use crate::transport::Transport;
use crate::tries::{Failure, with_tries};
use std::time::Duration;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, http::Response};
use zoo_core::{Error, Result, Tensor, TensorSpec};

/// Header with the length of the JSON part.
const HEADER: &str = "Inference-Header-Content-Length";

/// A client of one model on one server.
pub(crate) struct Http {
    agent: Agent,
    settings: Settings,
}

/// An answer: body and length of its JSON part.
type Answer = (Vec<u8>, Option<usize>);

impl Http {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &settings.ca {
            // The settings have seen that there is one.
            let found = parse_pem(pem).filter_map(|item| if let Ok(PemItem::Certificate(c)) = item { Some(c) } else { None });
            tls = tls.root_certs(RootCerts::new_with_certs(&found.collect::<Vec<Certificate<'static>>>()));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls.build())
            .user_agent(concat!("zoo/", env!("CARGO_PKG_VERSION")));
        Ok(Self { agent: config.build().into(), settings })
    }

    fn model_path(&self) -> String {
        let version = self.settings.version.as_ref().map(|v| format!("/versions/{v}")).unwrap_or_default();
        format!("/v2/models/{}{version}", self.settings.model)
    }

    fn ask(&self, path: &str, post: Option<(&[u8], Option<usize>)>) -> Result<Answer> {
        with_tries(&self.settings, |left| self.once(path, post, left))
    }

    fn once(&self, path: &str, post: Option<(&[u8], Option<usize>)>, left: Duration) -> Result<Answer, Failure> {
        let url = format!("{}{path}", self.settings.url);
        let token = self.settings.token.as_ref().map(|token| format!("Bearer {token}"));
        let sent = match post {
            None => {
                let mut request = self.agent.get(&url);
                if let Some(token) = token {
                    request = request.header("Authorization", token);
                }
                request.config().timeout_global(Some(left)).build().call()
            }
            Some((body, header)) => {
                let mut request = self.agent.post(&url);
                if let Some(token) = token {
                    request = request.header("Authorization", token);
                }
                request = match header {
                    Some(length) => request.header("Content-Type", "application/octet-stream").header(HEADER, length.to_string()),
                    None => request.header("Content-Type", "application/json"),
                };
                request.config().timeout_global(Some(left)).build().send(body)
            }
        };
        self.read(sent.map_err(|error| self.failure(error))?)
    }

    fn read(&self, mut response: Response<Body>) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        let header = response.headers().get(HEADER).map(|v| v.to_str().ok().and_then(|v| v.parse().ok()));
        let body = response.body_mut().with_config().limit(LONGEST as u64).read_to_vec().map_err(|error| self.failure(error))?;
        match status {
            200 => match header {
                Some(None) => Err(Failure::Final(garbage(format!("expected a number in {HEADER}, found none")))),
                header => Ok((body, header.flatten())),
            },
            429 | 502..=504 => Err(Failure::Passing(format!("status {status}"))),
            404 => Err(Failure::Final(no_model(&self.settings.model, &self.settings.url, format!("status 404: {}", shown(&body))))),
            _ => {
                let hint = if self.settings.binary { " (a server without binary tensors needs inference-server.tensors=json)" } else { "" };
                Err(Failure::Final(refused(format!("status {status}: {}{hint}", shown(&body)))))
            }
        }
    }

    fn failure(&self, error: ureq::Error) -> Failure {
        if let Some(why) = certificate(&error) {
            return Failure::Final(untrusted(&self.settings.url, why));
        }
        match error {
            ureq::Error::BodyExceedsLimit(limit) => Failure::Final(garbage(format!("expected at most {limit} bytes, found more"))),
            ureq::Error::BadUri(why) => Failure::Final(Error::argument("option `inference-server.url`", "an address", why)),
            other => Failure::Passing(other.to_string()),
        }
    }
}

/// The failure of a handshake; it may come wrapped in that of the connection.
fn certificate(error: &ureq::Error) -> Option<String> {
    match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Some(error.to_string()),
        ureq::Error::Io(io) => io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).map(ToString::to_string),
        _ => None,
    }
}

fn shown(body: &[u8]) -> String {
    said(&String::from_utf8_lossy(body))
}

impl Transport for Http {
    fn ready(&self) -> Result<()> {
        self.ask("/v2/health/ready", None).map(|_| ())
    }

    fn metadata(&self) -> Result<Metadata> {
        let (body, _) = self.ask(&self.model_path(), None)?;
        serde_json::from_slice(&body).map_err(|e| garbage(format!("expected the metadata of model {}, found {e}", self.settings.model)))
    }

    fn infer(&self, inputs: &[TensorSpec], tensors: &[Tensor], outputs: &[TensorSpec]) -> Result<Vec<Tensor>> {
        let (body, header) = json::request(inputs, tensors, outputs, self.settings.binary)?;
        let (body, header) = self.ask(&format!("{}/infer", self.model_path()), Some((&body, header)))?;
        json::answer(&body, header, outputs)
    }
}
