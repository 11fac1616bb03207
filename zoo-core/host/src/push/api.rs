//! Requests to a hub. Only it gets the token.

use super::lfs::Action;
use crate::error::{Error, Result};
use crate::fetch::{FetchOptions, Origin, Token};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::File;
use std::time::Duration;
use ureq::http::{Method, Request, Response, Uri};
use ureq::{Agent, Body};

pub(super) const JSON: &str = "application/json";
/// Answers are short.
const LONGEST: u64 = 1 << 24;
/// Characters of an answer shown in an error.
const SHOWN: usize = 200;
/// A repository that was renamed answers with its new place.
const REDIRECTS: usize = 3;
/// A hub may take its time over a commit.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Hub {
    agent: Agent,
    endpoint: String,
    origin: Origin,
    token: Token,
    timeout: Duration,
}

impl Hub {
    pub(super) fn new(options: &FetchOptions) -> Result<Self> {
        let timeout = options.timeout.max(PATIENCE);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(options.timeout))
            .timeout_per_read(Some(timeout))
            .user_agent(concat!("zoo/", env!("CARGO_PKG_VERSION")))
            .build();
        let origin = options.hub_endpoint.parse().ok().and_then(|uri| Origin::of(&uri));
        let origin = origin.ok_or_else(|| zoo_core::Error::argument("HF_ENDPOINT", "an http address", &options.hub_endpoint))?;
        let token = options.hub_token.clone().ok_or(Error::NoToken)?;
        Ok(Self { agent: config.into(), endpoint: options.hub_endpoint.clone(), origin, token, timeout })
    }

    /// Whether there is something at a path.
    pub(super) fn exists(&self, path: &str, what: &str) -> Result<bool> {
        match self.own(&Method::GET, path, JSON, &[], what)? {
            (404, _) => Ok(false),
            (200, _) => Ok(true),
            (status, body) => Err(told(status, &body, what)),
        }
    }

    /// Makes something; whether it was not there yet.
    pub(super) fn make(&self, path: &str, body: &Value, what: &str) -> Result<bool> {
        match self.own(&Method::POST, path, JSON, body.to_string().as_bytes(), what)? {
            (409, _) => Ok(false),
            (200 | 201, _) => Ok(true),
            (status, body) => Err(told(status, &body, what)),
        }
    }

    /// Posts to the hub and reads its answer.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, kind: &str, body: &[u8], what: &str) -> Result<T> {
        match self.own(&Method::POST, path, kind, body, what)? {
            (200 | 201, body) => {
                serde_json::from_slice(&body).map_err(|error| not_a_hub(what, "an answer in JSON", &format!("{error}: {}", shown(&body))))
            }
            (status, body) => Err(told(status, &body, what)),
        }
    }

    /// A request to the hub itself, which may lead to another place on the same host.
    fn own(&self, method: &Method, path: &str, kind: &str, body: &[u8], what: &str) -> Result<(u16, Vec<u8>)> {
        let mut url = format!("{}{path}", self.endpoint);
        for _ in 0..REDIRECTS {
            let request = Request::builder().method(method).uri(&url).header("Content-Type", kind).header("Accept", kind);
            let request = request.header("Authorization", format!("Bearer {}", self.token.secret()));
            let response = match *method {
                Method::GET => self.agent.run(request.body(()).map_err(|error| self.bad(what, &error))?),
                _ => self.agent.run(request.body(body).map_err(|error| self.bad(what, &error))?),
            };
            let response = response.map_err(|error| self.failed(error, what))?;
            if !matches!(response.status().as_u16(), 301..=303 | 307 | 308) {
                return self.read(response, what);
            }
            let place = response.headers().get("location").and_then(|place| place.to_str().ok()).unwrap_or_default();
            let next = if place.starts_with('/') { format!("{}{place}", self.origin) } else { place.to_owned() };
            let home = next.parse::<Uri>().ok().and_then(|uri| Origin::of(&uri)).is_some_and(|origin| origin == self.origin);
            if !home || !matches!(response.status().as_u16(), 307 | 308) {
                return Err(not_a_hub(what, "an answer of the hub itself", &format!("a redirect to `{place}`, which was not followed")));
            }
            url = next;
        }
        Err(not_a_hub(what, "an answer", &format!("{REDIRECTS} redirects in a row")))
    }

    /// Uploads a file to an address that is signed; it gets no token.
    pub(super) fn put(&self, action: &Action, file: File, what: &str) -> Result<()> {
        let mut request = Request::builder().method(Method::PUT).uri(&action.href);
        for (name, value) in &action.header {
            request = request.header(name, value);
        }
        let request = request.body(file).map_err(|error| self.bad(what, &error))?;
        self.done(self.agent.run(request), what)
    }

    /// Tells the address that an upload is complete.
    pub(super) fn verify(&self, action: &Action, body: &[u8], what: &str) -> Result<()> {
        let mut request = Request::builder().method(Method::POST).uri(&action.href).header("Content-Type", JSON);
        for (name, value) in &action.header {
            request = request.header(name, value);
        }
        if action.href.parse::<Uri>().ok().and_then(|uri| Origin::of(&uri)).is_some_and(|origin| origin == self.origin) {
            request = request.header("Authorization", format!("Bearer {}", self.token.secret()));
        }
        self.done(self.agent.run(request.body(body).map_err(|error| self.bad(what, &error))?), what)
    }

    fn done(&self, answer: Result<Response<Body>, ureq::Error>, what: &str) -> Result<()> {
        match self.read(answer.map_err(|error| self.failed(error, what))?, what)? {
            (200..=299, _) => Ok(()),
            (status, body) => Err(told(status, &body, what)),
        }
    }

    fn read(&self, mut response: Response<Body>, what: &str) -> Result<(u16, Vec<u8>)> {
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(|error| self.failed(error, what))?;
        Ok((status, body))
    }

    fn failed(&self, error: ureq::Error, what: &str) -> Error {
        match error {
            ureq::Error::Timeout(ureq::Timeout::PerRead) => Error::Stalled { what: what.to_owned(), seconds: self.timeout.as_secs() },
            other => Error::Network { what: format!("{what} on the hub"), message: other.to_string() },
        }
    }

    fn bad(&self, what: &str, error: &ureq::http::Error) -> Error {
        not_a_hub(what, "an address and headers of HTTP", &error.to_string())
    }
}

pub(super) fn not_a_hub(what: &str, expected: &str, found: &str) -> Error {
    Error::NotAHub { what: what.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}

fn told(status: u16, body: &[u8], what: &str) -> Error {
    let said = shown(body);
    refused(status, &if said.is_empty() { what.to_owned() } else { format!("{what} ({said})") })
}

/// What the hub says, in one short line; an error of its interface is JSON.
fn shown(body: &[u8]) -> String {
    let error = serde_json::from_slice::<Value>(body).ok().and_then(|value| value["error"].as_str().map(str::to_owned));
    let text = error.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

/// The error for a status that is not success.
pub(super) fn refused(status: u16, what: &str) -> Error {
    let mend = match status {
        401 => "the token is not valid there: set HF_TOKEN to one that is, or log in with `hf auth login`",
        403 => "the token may not do that: make one with the right to write to this repository, and set HF_TOKEN to it",
        404 => "no such repository, or a private one: check its name, and that the token may write to it",
        413 => "that is more than the hub takes at once: push fewer or smaller files (`--dtype f16`, one model at a time)",
        422 | 400 => "the hub does not take it as it is: mend what it names",
        429 => return Error::Busy { what: what.to_owned(), status, seconds: None },
        500.. => "the fault is the server's: run the command again; what is there already is not sent twice",
        _ => "check the repository's name and HF_ENDPOINT",
    };
    Error::Refused { what: what.to_owned(), status, mend }
}
