//! What a hub offers at an address, before anything is downloaded.

use super::options::Token;
use super::origin::Origin;
use super::stream::impostor;
use crate::error::{Error, Result};
use std::io::Read;
use std::time::Duration;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body};
use zoo_core::{Level, Reporter};

const REDIRECTS: usize = 6;
const TRIES: usize = 3;
/// A server that asks for a longer pause gets the user's decision.
const LONGEST_PAUSE: u64 = 20;
const PAUSE_STEP: Duration = Duration::from_millis(100);
const LOOK: u64 = 256;

/// A file as the hub describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// Address that answered in the end.
    pub(super) url: String,
    /// Name of the content in the hub's cache.
    pub(super) etag: String,
    /// Commit the answer belongs to.
    pub(super) commit: String,
    /// Size in bytes.
    pub(super) size: u64,
    /// Whether the server serves ranges.
    pub(super) ranges: bool,
}

/// Asks; the token goes to the hub itself and to nobody else.
pub(super) struct Prober {
    agent: Agent,
    origin: Option<Origin>,
    timeout: Duration,
}

impl Prober {
    /// `timeout` bounds connecting and each wait for the server, not a whole transfer.
    pub(super) fn new(endpoint: &str, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(timeout))
            .timeout_per_read(Some(timeout))
            .user_agent(concat!("zoo/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), origin: endpoint.parse().ok().and_then(|uri| Origin::of(&uri)), timeout }
    }

    /// The error for a server that has stopped sending.
    pub(super) fn stalled(&self, what: &str) -> Error {
        Error::Stalled { what: what.to_owned(), seconds: self.timeout.as_secs() }
    }

    /// One request, without following redirects. The token is added only where `url` is the hub's.
    pub(super) fn get(&self, url: &str, range: Option<String>, token: Option<&Token>, what: &str) -> Result<Response<Body>> {
        let mut request = self.agent.get(url).header("Accept-Encoding", "identity");
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        let home = self.origin.is_some() && url.parse().ok().and_then(|uri| Origin::of(&uri)) == self.origin;
        if let Some(token) = token.filter(|_| home) {
            request = request.header("Authorization", format!("Bearer {}", token.secret()));
        }
        request.call().map_err(|e| match e {
            ureq::Error::Timeout(ureq::Timeout::PerRead) => self.stalled(what),
            other => Error::Network { what: what.to_owned(), message: other.to_string() },
        })
    }

    /// Finds out what is at `url`, following redirects and waiting where the server asks for a short pause.
    pub(super) fn probe(&self, url: &str, what: &str, token: Option<&Token>, reporter: &dyn Reporter) -> Result<Offer> {
        let mut tries = 1;
        loop {
            reporter.check()?;
            match self.follow(url, what, token) {
                Err(Error::Busy { seconds, .. }) if tries < TRIES && seconds.unwrap_or(1) <= LONGEST_PAUSE => {
                    tries += 1;
                    let pause = Duration::from_secs(seconds.unwrap_or(1));
                    reporter.log(Level::Info, "fetch", &format!("{what}: the server is busy, waiting {} s", pause.as_secs()));
                    let steps = pause.as_millis() / PAUSE_STEP.as_millis();
                    for _ in 0..steps {
                        reporter.check()?;
                        std::thread::sleep(PAUSE_STEP);
                    }
                }
                other => return other,
            }
        }
    }

    fn follow(&self, url: &str, what: &str, token: Option<&Token>) -> Result<Offer> {
        let mut url = url.to_owned();
        let (mut etag, mut commit) = (None, None);
        for _ in 0..REDIRECTS {
            let mut response = self.get(&url, Some("bytes=0-0".into()), token, what)?;
            let headers = response.headers();
            // What the first host says of the content stands; the storage host behind it names things its own way.
            etag = etag.or_else(|| text(headers, "x-linked-etag").or_else(|| text(headers, "etag")).map(|e| bare(&e)));
            commit = commit.or_else(|| text(headers, "x-repo-commit"));
            let status = response.status();
            if status.is_redirection() {
                let place = text(headers, "location").unwrap_or_default();
                url = resolve(&url, &place)
                    .ok_or_else(|| not_a_hub(what, "a redirect to an http address", format!("`Location: {place}`")))?;
                continue;
            }
            if matches!(status.as_u16(), 429 | 503) {
                let seconds = text(headers, "retry-after").and_then(|s| s.trim().parse().ok());
                return Err(Error::Busy { what: what.to_owned(), status: status.as_u16(), seconds });
            }
            if !status.is_success() {
                return Err(refused(status.as_u16(), what.to_owned()));
            }
            let ranges = status.as_u16() == 206;
            let length = if ranges {
                text(headers, "content-range").and_then(|range| range.rsplit('/').next()?.parse().ok())
            } else {
                text(headers, "content-length").and_then(|length| length.parse().ok())
            };
            let (Some(etag), Some(commit)) = (etag, commit) else {
                let head = head(&mut response);
                let lacking = || not_a_hub(what, "headers ETag and X-Repo-Commit", "an answer without them");
                return Err(impostor(&head, what).unwrap_or_else(lacking));
            };
            // It becomes a file name.
            if etag.is_empty() || etag.len() > 128 || !etag.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
                return Err(not_a_hub(what, "an ETag of letters and digits", format!("`{etag}`")));
            }
            let size = length.ok_or_else(|| not_a_hub(what, "a stated size", "none"))?;
            return Ok(Offer { url, etag, commit, size, ranges });
        }
        Err(not_a_hub(what, "a file", format!("{REDIRECTS} redirects in a row")))
    }

    /// Looks at the beginning of a file of the wrong size: is it a pointer or a page?
    pub(super) fn look(&self, offer: &Offer, what: &str, token: Option<&Token>) -> Option<Error> {
        let mut response = self.get(&offer.url, Some(format!("bytes=0-{}", LOOK - 1)), token, what).ok()?;
        impostor(&head(&mut response), what)
    }
}

fn head(response: &mut Response<Body>) -> Vec<u8> {
    let mut head = Vec::new();
    response.body_mut().as_reader().take(LOOK).read_to_end(&mut head).ok();
    head
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn bare(etag: &str) -> String {
    etag.trim_start_matches("W/").replace('"', "")
}

/// The address a redirect leads to.
fn resolve(from: &str, to: &str) -> Option<String> {
    if to.starts_with("http://") || to.starts_with("https://") {
        return Some(to.to_owned());
    }
    let from: Uri = from.parse().ok()?;
    let path = to.strip_prefix('/').filter(|rest| !rest.starts_with('/'))?;
    Some(format!("{}://{}/{path}", from.scheme_str()?, from.authority()?))
}

fn not_a_hub(what: &str, expected: &str, found: impl Into<String>) -> Error {
    Error::NotAHub { what: what.to_owned(), expected: expected.to_owned(), found: found.into() }
}

/// The error for a status that is not success.
pub(super) fn refused(status: u16, what: String) -> Error {
    let mend = match status {
        401 | 403 => "it needs permission: accept its terms on the hub and set HF_TOKEN to a token that may read it",
        404 => "no such repository, revision or file, or a private one: check registry.toml, or set HF_TOKEN",
        429 | 503 => return Error::Busy { what, status, seconds: None },
        500.. => "the fault is the server's: try again later",
        _ => "check the repository and file name in registry.toml",
    };
    Error::Refused { what, status, mend }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved_against_the_host_they_came_from() {
        assert_eq!(resolve("http://a:1/x/y", "/z?q=1").as_deref(), Some("http://a:1/z?q=1"));
        assert_eq!(resolve("http://a:1/x", "https://b/z").as_deref(), Some("https://b/z"));
        for odd in ["//b/z", "z", "", "file:///etc/passwd", "ftp://b/z"] {
            assert_eq!(resolve("http://a:1/x", odd), None, "{odd}");
        }
    }
}
