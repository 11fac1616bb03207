//! The Hugging Face hub, behind one small trait.
//!
//! Files come into the cache layout that Python's `huggingface_hub` reads, with `hf-hub` for its paths. The transfer is our
//! own: that of `hf-hub` 0.5 sends the `Authorization` header on to the storage host a file is redirected to, can't read from
//! servers without ranges, and waits for ever for a server that has stopped sending.

use super::options::{FetchOptions, HUB_CACHE, Token};
use super::probe::{Offer, Prober};
use super::stream::written_in;
use super::transfer::{self, Transfer};
use crate::error::{Error, Result};
use crate::registry::{HubKind, HubRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use std::fs;
use std::path::PathBuf;
use zoo_core::Reporter;

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
    /// Whether it, or its first part, was left by an earlier run, so that a wrong sum may be that run's fault.
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

/// The hub, in the cache layout of `hf-hub`.
pub(super) struct HfHub {
    cache: Cache,
    endpoint: String,
    token: Option<Token>,
    prober: Prober,
}

impl HfHub {
    pub(super) fn new(options: &FetchOptions) -> Result<Self> {
        let cache = options.hub_cache.clone().ok_or(Error::NoHome { what: "the hub's cache", variable: HUB_CACHE })?;
        // The links inside the cache are relative to each other; the client wants both ends absolute.
        let cache = std::path::absolute(&cache).map_err(Error::io(&cache))?;
        Ok(Self {
            prober: Prober::new(&options.hub_endpoint, options.timeout),
            endpoint: options.hub_endpoint.clone(),
            token: options.hub_token.clone(),
            cache: Cache::new(cache),
        })
    }

    fn snapshots(&self, file: &HubFile<'_>) -> CacheRepo {
        self.cache.repo(file.repo())
    }

    fn url(&self, file: &HubFile<'_>) -> String {
        format!("{}/{}/resolve/{}/{}", self.endpoint, file.repo().url(), file.revision, file.file)
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
}

impl Hub for HfHub {
    fn cached(&self, file: &HubFile<'_>) -> Option<PathBuf> {
        let path = self.snapshots(file).pointer_path(file.revision).join(file.file);
        path.is_file().then_some(path)
    }

    fn fetch(&self, file: &HubFile<'_>, reporter: &dyn Reporter) -> Result<Fetched> {
        let what = file.what();
        let (offer, token) = self.offer(&self.url(file), &what, reporter)?;
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
        let resumed = Transfer { prober: &self.prober, offer: &offer, token, what: &what, reporter }.download(&blob)?;
        Ok(Fetched { path: transfer::place(&self.snapshots(file), file, &blob)?, resumed })
    }

    fn discard(&self, file: &HubFile<'_>) {
        let pointer = self.snapshots(file).pointer_path(file.revision).join(file.file);
        if let Ok(blob) = fs::canonicalize(&pointer) {
            fs::remove_file(blob).ok();
        }
        fs::remove_file(pointer).ok();
    }
}
