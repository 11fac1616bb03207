//! One data set on its way in.

use super::hub::HubFile;
use super::options::DATA;
use super::stream::{self, Expect};
use super::{Fetcher, archive, client, unpacked};
use crate::error::{Error, Result};
use crate::registry::{DatasetEntry, FileEntry, Sha256, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use zoo_core::{DataFiles, Level, Reporter};

/// The files of one data set on their way in.
pub(super) struct Job<'a> {
    fetcher: &'a Fetcher,
    entry: &'a DatasetEntry,
    reporter: &'a dyn Reporter,
    found: BTreeMap<String, PathBuf>,
}

impl<'a> Job<'a> {
    pub(super) fn new(fetcher: &'a Fetcher, entry: &'a DatasetEntry, reporter: &'a dyn Reporter) -> Self {
        Self { fetcher, entry, reporter, found: BTreeMap::new() }
    }

    /// Files that are not there yet.
    pub(super) fn missing(&self) -> Vec<&'a FileEntry> {
        self.entry.files.iter().filter(|f| !self.found.contains_key(&f.name)).collect()
    }

    fn expect(&self, file: &FileEntry, sha256: Sha256) -> Expect {
        Expect { what: format!("{} of data set {}", file.name, self.entry.name), sha256, bytes: Some(file.bytes) }
    }

    /// Takes what is in the cache. `held` says whether the locks of what is missing are held.
    pub(super) fn look_up(&mut self, held: bool) -> Result<()> {
        for file in self.missing() {
            let Some(sum) = file.sha256 else { continue };
            let expect = self.expect(file, sum);
            if let Some(path) = self.fetcher.store.lookup(&expect, self.fetcher.options.full_check, held, self.reporter)? {
                self.found.insert(file.name.clone(), path);
            }
        }
        Ok(())
    }

    /// Takes what is missing from a source. What was found before it failed is kept.
    pub(super) fn through(&mut self, source: &Source) -> Result<()> {
        match source {
            Source::Dir(dir) => self.through_dir(dir),
            Source::Hub { repo, revision, path } => {
                for file in self.missing() {
                    let Some(sum) = file.sha256 else { continue };
                    let inner = file.path_in(path.as_deref());
                    let bytes = file.unpack.is_none().then_some(file.bytes);
                    let hub_file = HubFile { repo, revision, file: &inner, bytes };
                    let kept = self.fetcher.through_hub(&hub_file, &self.expect(file, sum), file.unpack, self.reporter)?;
                    self.found.insert(file.name.clone(), kept);
                }
                Ok(())
            }
            Source::Package { client, name, version, path, sha256 } => {
                if self.fetcher.options.offline {
                    return Err(Error::NeedsNetwork { what: source.to_string() });
                }
                let scratch = self.fetcher.store.root().join("tmp");
                let package = client::download(*client, name, version, *sha256, &scratch, self.reporter)?;
                let wanted: BTreeMap<String, &FileEntry> = self.missing().into_iter().map(|f| (f.path_in(path.as_deref()), f)).collect();
                let names: BTreeSet<String> = wanted.keys().cloned().collect();
                let mut kept = Vec::new();
                archive::extract(&package, &names, &mut |inner, stream| {
                    if let Some((file, sum)) = wanted.get(inner).and_then(|f| Some((*f, f.sha256?))) {
                        let mut stream = unpacked(stream, file.unpack);
                        kept.push((file.name.clone(), self.fetcher.store.write(&self.expect(file, sum), &mut *stream, self.reporter)?));
                    }
                    Ok(())
                })?;
                self.found.extend(kept);
                Ok(())
            }
        }
    }

    fn through_dir(&mut self, dir: &str) -> Result<()> {
        let data = self.fetcher.options.data.as_ref().ok_or(Error::NoHome { what: "the folder of local data", variable: DATA })?;
        for file in self.missing() {
            let bare = data.join(dir).join(file.path.as_deref().unwrap_or(&file.name));
            let packed = data.join(dir).join(file.path_in(None));
            // A person may have unpacked it already.
            let (path, unpack) = if bare.is_file() && packed != bare { (bare, None) } else { (packed, file.unpack) };
            if !path.is_file() {
                return Err(Error::NoSuchFile { path });
            }
            let kept = match (file.sha256, unpack) {
                (Some(sum), None) => self.fetcher.store.adopt(&self.expect(file, sum), &path, self.reporter)?,
                (Some(sum), packing) => {
                    let mut packed = File::open(&path).map_err(Error::io(&path))?;
                    self.fetcher.store.write(&self.expect(file, sum), &mut *unpacked(&mut packed, packing), self.reporter)?
                }
                (None, _) => self.unverified(file, path)?,
            };
            self.found.insert(file.name.clone(), kept);
        }
        Ok(())
    }

    /// A file nobody vouches for: used where it lies, if it has the right size and is no pointer or page.
    fn unverified(&self, file: &FileEntry, path: PathBuf) -> Result<PathBuf> {
        let what = format!("{} of data set {}", file.name, self.entry.name);
        let mut head = Vec::new();
        let mut opened = File::open(&path).map_err(Error::io(&path))?;
        let found = opened.metadata().map_err(Error::io(&path))?.len();
        if found != file.bytes {
            opened.by_ref().take(256).read_to_end(&mut head).map_err(Error::io(&path))?;
            let size = if found < file.bytes {
                Error::Truncated { what: what.clone(), expected: file.bytes, found }
            } else {
                Error::TooLong { what: what.clone(), expected: file.bytes }
            };
            return Err(stream::impostor(&head, &what).unwrap_or(size));
        }
        self.reporter.log(Level::Warn, "fetch", &format!("{what}: unverified (the registry has no SHA-256 for it)"));
        Ok(path)
    }

    pub(super) fn finish(self) -> DataFiles {
        DataFiles(self.found)
    }
}
