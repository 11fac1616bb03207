//! The Hugging Face hub, behind one small trait.
//!
//! Files come through the `hf-hub` client into the cache layout that Python's `huggingface_hub` reads. Two cases go past
//! its transfer, into the same layout: repositories that need a token, because `hf-hub` 0.5 sends the `Authorization`
//! header on to the storage host a file is redirected to; and servers without ranges, which it can't read from.

use super::options::{FetchOptions, HUB_CACHE, Token};
use super::probe::{Offer, Prober};
use super::stream::written_in;
use super::transfer;
use crate::error::{Error, Result};
use crate::registry::{HubKind, HubRepo};
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use zoo_core::{Level, Reporter};

/// A file on the hub.
#[derive(Clone, Copy, Debug)]
pub(super) struct HubFile<'a> {
    pub(super) repo: &'a HubRepo,
    pub(super) revision: &'a str,
    pub(super) file: &'a str,
    /// Size the server must offer, where it is known.
    pub(super) bytes: Option<u64>,
}

impl HubFile<'_> {
    pub(super) fn what(&self) -> String {
        format!("{} of hub {}", self.file, self.repo)
    }

    fn repo(&self) -> Repo {
        let kind = match self.repo.kind {
            HubKind::Model => RepoType::Model,
            HubKind::Dataset => RepoType::Dataset,
        };
        Repo::with_revision(self.repo.id.clone(), kind, self.revision.to_owned())
    }
}

/// A fetched file, not yet verified.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    /// Whether its first part was left by an earlier run, so that a wrong sum may be that part's fault.
    pub(super) resumed: bool,
}

/// What the fetcher needs of a hub.
pub(super) trait Hub {
    /// The file in the hub's own cache, if it is there.
    fn cached(&self, file: &HubFile<'_>) -> Option<PathBuf>;

    /// Downloads a file into the hub's own cache.
    fn fetch(&self, file: &HubFile<'_>, reporter: &dyn Reporter) -> Result<Fetched>;

    /// Removes a file that turned out to be wrong from the hub's own cache.
    fn discard(&self, file: &HubFile<'_>);
}

/// The hub as `hf-hub` speaks to it.
pub(super) struct HfHub {
    cache: Cache,
    endpoint: String,
    token: Option<Token>,
    prober: Prober,
}

/// Carried out of `hf-hub` by unwinding, for its progress callback can't return an error. Its locks are freed on the way.
enum Stop {
    Cancelled,
    TooLong,
}

struct Watch<'a> {
    reporter: &'a dyn Reporter,
    task: &'a str,
    size: u64,
    done: u64,
}

impl Progress for Watch<'_> {
    fn init(&mut self, _: usize, _: &str) {
        self.done = 0;
    }

    fn update(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.done > self.size {
            resume_unwind(Box::new(Stop::TooLong));
        }
        self.reporter.progress(self.task, self.done, Some(self.size), "B");
        if self.reporter.cancelled() {
            resume_unwind(Box::new(Stop::Cancelled));
        }
    }

    fn finish(&mut self) {}
}

impl HfHub {
    pub(super) fn new(options: &FetchOptions) -> Result<Self> {
        let cache = options.hub_cache.clone().ok_or(Error::NoHome { what: "the hub's cache", variable: HUB_CACHE })?;
        // The links inside the cache are relative to each other; the client wants both ends absolute.
        let cache = std::path::absolute(&cache).map_err(Error::io(&cache))?;
        Ok(Self {
            prober: Prober::new(&options.hub_endpoint),
            endpoint: options.hub_endpoint.clone(),
            token: options.hub_token.clone(),
            cache: Cache::new(cache),
        })
    }

    fn snapshots(&self, file: &HubFile<'_>) -> CacheRepo {
        self.cache.repo(file.repo())
    }

    fn api(&self, file: &HubFile<'_>, what: &str) -> Result<ApiRepo> {
        let builder = ApiBuilder::from_cache(self.cache.clone()).with_endpoint(self.endpoint.clone()).with_token(None).with_progress(false);
        let api = builder.build().map_err(|e| Error::Network { what: what.to_owned(), message: e.to_string() })?;
        Ok(api.repo(file.repo()))
    }

    /// Without the token first; with it only if the hub refuses.
    fn offer(&self, url: &str, what: &str, reporter: &dyn Reporter) -> Result<(Offer, Option<&Token>)> {
        match (self.prober.probe(url, what, None, reporter), &self.token) {
            (Err(Error::Refused { status: 401 | 403 | 404, .. }), Some(token)) => {
                Ok((self.prober.probe(url, what, Some(token), reporter)?, Some(token)))
            }
            (offer, _) => Ok((offer?, None)),
        }
    }

    fn by_client(&self, api: &ApiRepo, file: &HubFile<'_>, offer: &Offer, part: &Path, reporter: &dyn Reporter) -> Result<PathBuf> {
        let what = file.what();
        loop {
            let watch = Watch { reporter, task: &what, size: offer.size, done: 0 };
            match catch_unwind(AssertUnwindSafe(|| api.download_with_progress(file.file, watch))) {
                Ok(Ok(path)) => return Ok(path),
                Ok(Err(ApiError::LockAcquisition(_))) => {
                    reporter.log(Level::Info, "fetch", &format!("waiting for another process that fetches {what}"));
                    reporter.check()?;
                }
                Ok(Err(error)) => return Err(client_error(error, what, offer, part)),
                Err(payload) => match payload.downcast_ref::<Stop>() {
                    Some(Stop::Cancelled) => return Err(zoo_core::Error::Cancelled.into()),
                    Some(Stop::TooLong) => {
                        fs::remove_file(part).ok();
                        return Err(Error::TooLong { what, expected: offer.size });
                    }
                    None => resume_unwind(payload),
                },
            }
        }
    }
}

fn client_error(error: ApiError, what: String, offer: &Offer, part: &Path) -> Error {
    let found = fs::metadata(part).map_or(0, |m| m.len());
    match error {
        ApiError::RequestError(inner) => match *inner {
            ureq::Error::StatusCode(status) => super::probe::refused(status, what),
            other => Error::Network { what, message: other.to_string() },
        },
        ApiError::IoError(source) => match written_in(part, HUB_CACHE)(source) {
            Error::Io { .. } if found < offer.size => Error::Truncated { what, expected: offer.size, found },
            other => other,
        },
        other => Error::NotAHub { what, expected: "the headers of a hub".into(), found: other.to_string() },
    }
}

impl Hub for HfHub {
    fn cached(&self, file: &HubFile<'_>) -> Option<PathBuf> {
        let path = self.snapshots(file).pointer_path(file.revision).join(file.file);
        path.is_file().then_some(path)
    }

    fn fetch(&self, file: &HubFile<'_>, reporter: &dyn Reporter) -> Result<Fetched> {
        let what = file.what();
        let api = self.api(file, &what)?;
        let (offer, token) = self.offer(&api.url(file.file), &what, reporter)?;
        if offer.commit != file.revision {
            return Err(Error::NotAHub { what, expected: format!("commit {}", file.revision), found: format!("commit {}", offer.commit) });
        }
        if let Some(expected) = file.bytes.filter(|&bytes| bytes != offer.size) {
            return Err(self.prober.look(&offer, &what, token).unwrap_or(Error::OfferedSize { what, expected, found: offer.size }));
        }
        let blob = self.snapshots(file).blob_path(&offer.etag);
        if let Some(folder) = blob.parent() {
            fs::create_dir_all(folder).map_err(written_in(folder, HUB_CACHE))?;
        }
        let part = blob.with_extension("part");
        // All bytes but no new name: the last run was killed between the two. A range past the end would be refused.
        if fs::metadata(&part).is_ok_and(|m| m.len() >= offer.size) {
            fs::remove_file(&part).map_err(written_in(&part, HUB_CACHE))?;
        }
        let resumed = fs::metadata(&part).is_ok_and(|m| m.len() > 0);
        let path = if offer.ranges && token.is_none() {
            match self.by_client(&api, file, &offer, &part, reporter) {
                // A server may stop honouring ranges half way, and send the whole again after the part.
                Err(Error::TooLong { .. }) if resumed => self.by_client(&api, file, &offer, &part, reporter)?,
                other => other?,
            }
        } else {
            transfer::download(&self.prober, &offer, token, &blob, &what, reporter)?;
            transfer::place(&self.snapshots(file), file, &blob)?
        };
        Ok(Fetched { path, resumed })
    }

    fn discard(&self, file: &HubFile<'_>) {
        let pointer = self.snapshots(file).pointer_path(file.revision).join(file.file);
        if let Ok(blob) = fs::canonicalize(&pointer) {
            fs::remove_file(blob).ok();
        }
        fs::remove_file(pointer).ok();
    }
}
