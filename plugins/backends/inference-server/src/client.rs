//! Requests with tries, pauses and a deadline.

use crate::protocol::{Metadata, garbage};
use crate::settings::Settings;
use crate::{MEND, NAME};
use std::time::Instant;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, http::Response};
use zoo_core::{Error, Result};

/// Greatest answer taken, in bytes.
const LONGEST: u64 = 1 << 30;
/// Greatest message of the server shown in an error, in characters.
const SHOWN: usize = 300;
/// Header with the length of the JSON part.
const HEADER: &str = "Inference-Header-Content-Length";

/// A client of one model on one server.
pub(crate) struct Client {
    agent: Agent,
    pub(crate) settings: Settings,
}

/// An answer: body and length of its JSON part.
pub(crate) type Answer = (Vec<u8>, Option<usize>);

enum Failure {
    /// Another try may help.
    Passing(String),
    /// It would not.
    Final(Error),
}

impl Client {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &settings.ca {
            tls = tls.root_certs(RootCerts::new_with_certs(&authorities(path)?));
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

    /// The server's name and version.
    pub(crate) fn ready(&self) -> Result<String> {
        self.ask("/v2/health/ready", None)?;
        Ok(format!("{NAME} at {}", self.settings.url))
    }

    /// Inputs and outputs of the model.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        let (body, _) = self.ask(&self.model_path(), None)?;
        serde_json::from_slice(&body).map_err(|e| garbage(format!("expected the metadata of model {}, found {e}", self.settings.model)))
    }

    /// One inference.
    pub(crate) fn infer(&self, body: &[u8], header: Option<usize>) -> Result<Answer> {
        self.ask(&format!("{}/infer", self.model_path()), Some((body, header)))
    }

    fn ask(&self, path: &str, post: Option<(&[u8], Option<usize>)>) -> Result<Answer> {
        let (settings, started) = (&self.settings, Instant::now());
        let mut why = String::new();
        for attempt in 0..settings.tries {
            if attempt > 0 {
                let pause = settings.backoff.saturating_mul(1 << (attempt - 1).min(16));
                if started.elapsed() + pause >= settings.deadline {
                    why = format!("{why} (deadline of {} s)", settings.deadline.as_secs());
                    break;
                }
                std::thread::sleep(pause);
            }
            match self.once(path, post, started) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(found)) => why = format!("try {} of {}: {found}", attempt + 1, settings.tries),
            }
        }
        Err(Error::Unavailable { what: format!("server {}", settings.url), why, mend: MEND.into() })
    }

    fn once(&self, path: &str, post: Option<(&[u8], Option<usize>)>, started: Instant) -> Result<Answer, Failure> {
        let left = self.settings.deadline.saturating_sub(started.elapsed());
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
        self.read(sent.map_err(failure)?)
    }

    fn read(&self, mut response: Response<Body>) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        let header = response.headers().get(HEADER).map(|v| v.to_str().ok().and_then(|v| v.parse().ok()));
        let body = response.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(failure)?;
        match status {
            200 => match header {
                Some(None) => Err(Failure::Final(garbage(format!("expected a number in {HEADER}, found none")))),
                header => Ok((body, header.flatten())),
            },
            429 | 502..=504 => Err(Failure::Passing(format!("status {status}"))),
            404 => Err(Failure::Final(Error::Unavailable {
                what: format!("model {} on server {}", self.settings.model, self.settings.url),
                why: format!("status 404: {}", said(&body)),
                mend: "give --option inference-server.model=NAME".into(),
            })),
            _ => {
                let hint = if self.settings.binary { " (a server without binary tensors needs inference-server.tensors=json)" } else { "" };
                Err(Failure::Final(Error::Runtime {
                    backend: NAME.into(),
                    stage: "asking the server".into(),
                    message: format!("status {status}: {}{hint}", said(&body)),
                }))
            }
        }
    }
}

/// The server's message, in one short line.
fn said(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

fn failure(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::BodyExceedsLimit(limit) => Failure::Final(garbage(format!("expected at most {limit} bytes, found more"))),
        ureq::Error::BadUri(why) => Failure::Final(Error::argument("option `inference-server.url`", "an address", why)),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
            let mend = "check the certificate, or name its authority with inference-server.ca".into();
            Failure::Final(Error::Unavailable { what: NAME.into(), why: error.to_string(), mend })
        }
        other => Failure::Passing(other.to_string()),
    }
}

fn authorities(path: &std::path::Path) -> Result<Vec<Certificate<'static>>> {
    let pem = std::fs::read(path).map_err(Error::io(path))?;
    let found: Vec<_> = parse_pem(&pem).filter_map(|item| if let Ok(PemItem::Certificate(c)) = item { Some(c) } else { None }).collect();
    if found.is_empty() {
        return Err(Error::argument(format!("authority {}", path.display()), "a certificate in PEM", "none"));
    }
    Ok(found)
}
