//! The cache: files named by their SHA-256, whole and verified or not there at all.
//!
//! ```text
//! blobs/sha256/HEX        a verified file
//! blobs/sha256/HEX.part   being written, under the lock
//! blobs/sha256/HEX.ok     size, time and inode of the file when it was verified; written under the lock
//! locks/HEX               held while the file is being made; freed by the kernel if its holder dies
//! ```

use super::stream::{self, Expect, written};
use crate::error::{Error, Result};
use crate::registry::Sha256;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use zoo_core::{Level, Reporter};

/// How often a waiting fetcher looks whether the user wants to stop.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// A content-addressed cache.
#[derive(Clone, Debug)]
pub(super) struct Store {
    root: PathBuf,
}

/// Held while a blob is being made.
pub(super) struct Lock {
    _file: File,
}

impl Store {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn blob(&self, sum: &Sha256) -> PathBuf {
        self.root.join("blobs/sha256").join(sum.to_string())
    }

    fn lock_file(&self, sum: &Sha256) -> Result<(File, PathBuf)> {
        let folder = self.root.join("locks");
        fs::create_dir_all(&folder).map_err(written(&folder))?;
        let path = folder.join(sum.to_string());
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(written(&path))?;
        Ok((file, path))
    }

    /// Waits for the lock of a blob.
    pub(super) fn lock(&self, sum: &Sha256, reporter: &dyn Reporter) -> Result<Lock> {
        let (file, path) = self.lock_file(sum)?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(fs::TryLockError::Error(source)) => return Err(Error::Io { path, source }),
                Err(fs::TryLockError::WouldBlock) => {
                    if !told {
                        reporter.log(Level::Info, "fetch", &format!("waiting for another process that fetches {sum}"));
                        told = true;
                    }
                    reporter.check()?;
                    std::thread::sleep(LOCK_POLL);
                }
            }
        }
    }

    /// The verified file, if it is there. A file whose size, time or inode changed since it was verified, or any file if
    /// `full`, is read and summed again. A damaged one is removed if the caller holds its lock; without the lock it may
    /// already be another process's new file, and counts as not there.
    pub(super) fn lookup(&self, expect: &Expect, full: bool, held: bool, reporter: &dyn Reporter) -> Result<Option<PathBuf>> {
        let blob = self.blob(&expect.sha256);
        let Ok(mark) = mark(&blob) else { return Ok(None) };
        if !full && fs::read_to_string(marker(&blob)).is_ok_and(|known| known == mark) {
            return Ok(Some(blob));
        }
        let mut file = File::open(&blob).map_err(Error::io(&blob))?;
        match stream::check(&mut file, expect, reporter) {
            Ok(()) => {
                // A cache on a read-only disk still serves, as does one whose lock another has; it only has to be summed again.
                let lock = if held { None } else { self.lock_file(&expect.sha256).ok() };
                if held || lock.is_some_and(|(lock, _)| lock.try_lock().is_ok()) {
                    remember(&blob, &mark).ok();
                }
                Ok(Some(blob))
            }
            Err(Error::Core(stopped)) => Err(stopped.into()),
            Err(_) if !held => Ok(None),
            Err(fault) => {
                reporter.log(Level::Warn, "fetch", &format!("removing a damaged file from the cache: {fault}"));
                fs::remove_file(&blob).map_err(written(&blob))?;
                fs::remove_file(marker(&blob)).ok();
                Ok(None)
            }
        }
    }

    /// Makes a blob from a stream. The caller holds its lock.
    pub(super) fn write(&self, expect: &Expect, from: &mut dyn Read, reporter: &dyn Reporter) -> Result<PathBuf> {
        let blob = self.blob(&expect.sha256);
        let part = self.part(&blob)?;
        let result = File::create_new(&part).map_err(written(&part)).and_then(|mut file| {
            stream::copy(from, &mut file, &part, expect, reporter)?;
            file.sync_all().map_err(written(&part))
        });
        if let Err(error) = result {
            fs::remove_file(&part).ok();
            return Err(error);
        }
        self.settle(&part, &blob)?;
        Ok(blob)
    }

    /// Makes a blob from a file that stays where it is: verified, then linked, or copied where links are not possible. The
    /// caller holds the blob's lock.
    pub(super) fn adopt(&self, expect: &Expect, path: &Path, reporter: &dyn Reporter) -> Result<PathBuf> {
        // The hub's snapshots are symbolic links.
        let path = fs::canonicalize(path).map_err(Error::io(path))?;
        let mut file = File::open(&path).map_err(Error::io(&path))?;
        let blob = self.blob(&expect.sha256);
        let part = self.part(&blob)?;
        if fs::hard_link(&path, &part).is_err() {
            return self.write(expect, &mut file, reporter);
        }
        if let Err(error) = stream::check(&mut file, expect, reporter) {
            fs::remove_file(&part).ok();
            return Err(error);
        }
        self.settle(&part, &blob)?;
        Ok(blob)
    }

    /// The name under which a blob is made, with nothing there. What a killed process left may be a link to somebody's own
    /// file, which must not be written to.
    fn part(&self, blob: &Path) -> Result<PathBuf> {
        let folder = blob.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(written(folder))?;
        let part = blob.with_extension("part");
        match fs::remove_file(&part) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(written(&part)(error)),
            _ => Ok(part),
        }
    }

    fn settle(&self, part: &Path, blob: &Path) -> Result<()> {
        let mark = mark(part).map_err(Error::io(part))?;
        fs::rename(part, blob).map_err(written(blob))?;
        if let Some(folder) = blob.parent() {
            // The name itself must survive a power cut; not every file system lets a folder be synced.
            File::open(folder).and_then(|f| f.sync_all()).ok();
        }
        remember(blob, &mark)
    }
}

/// Notes that a file was verified as it was when `mark` was taken. The caller holds its lock.
fn remember(blob: &Path, mark: &str) -> Result<()> {
    let path = marker(blob);
    let part = blob.with_extension("ok.part");
    fs::write(&part, mark).map_err(written(&part))?;
    fs::rename(&part, &path).map_err(written(&path))
}

fn marker(blob: &Path) -> PathBuf {
    blob.with_extension("ok")
}

/// What changes whenever a file is replaced or written to.
fn mark(path: &Path) -> std::io::Result<String> {
    let facts = fs::metadata(path)?;
    let time = facts.modified()?.duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos());
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&facts);
    #[cfg(not(unix))]
    let inode = 0;
    Ok(format!("{} {time} {inode}\n", facts.len()))
}
