//! Downloading into the hub's cache: resumable, bounded in size and in waiting, the token kept at home.

use super::hub::HubFile;
use super::options::{HUB_CACHE, Token};
use super::probe::{Offer, Prober, refused};
use super::stream::written_in;
use crate::error::{Error, Result};
use hf_hub::CacheRepo;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Body;
use ureq::http::Response;
use zoo_core::Reporter;

const CHUNK: usize = 1 << 16;
const LOCK_POLL: Duration = Duration::from_millis(50);

/// One file on its way.
pub(super) struct Transfer<'a> {
    pub(super) prober: &'a Prober,
    pub(super) offer: &'a Offer,
    /// For the hub itself, where it asked for one.
    pub(super) token: Option<&'a Token>,
    /// The file and where it comes from, for messages.
    pub(super) what: &'a str,
    pub(super) reporter: &'a dyn Reporter,
}

impl Transfer<'_> {
    /// Downloads what was offered to `blob`, going on from the part that an earlier run left; returns whether there was one.
    /// The lock has the name that `hf-hub` gives it, so that the two keep out of each other's way.
    pub(super) fn download(&self, blob: &Path) -> Result<bool> {
        let _lock = lock(&blob.with_extension("lock"), self.reporter)?;
        let (what, expected) = (self.what.to_owned(), self.offer.size);
        // Another process made it meanwhile, or the last run was killed before it gave the blob its place.
        if fs::metadata(blob).is_ok_and(|m| m.len() == expected) {
            return Ok(true);
        }
        let part = blob.with_extension("part");
        let mut file = File::options().create(true).append(true).open(&part).map_err(written_in(&part, HUB_CACHE))?;
        let left = file.metadata().map_err(Error::io(&part))?.len();
        let done = if left == expected { left } else { self.receive(&mut file, &part, left)? };
        if done < expected {
            return Err(Error::Truncated { what, expected, found: done });
        }
        if done > expected {
            fs::remove_file(&part).ok();
            return Err(Error::TooLong { what, expected });
        }
        file.sync_all().map_err(written_in(&part, HUB_CACHE))?;
        fs::rename(&part, blob).map_err(written_in(blob, HUB_CACHE))?;
        Ok(left > 0)
    }

    /// Adds to `file`, of `left` bytes, what the server has past them; returns how many bytes came in all, or one more than
    /// was offered where more would come. Where the server does not go on from there, the file is made anew.
    fn receive(&self, file: &mut File, part: &Path, left: u64) -> Result<u64> {
        let get = |range| self.prober.get(&self.offer.url, range, self.token, self.what);
        let mut done = if left > self.offer.size { 0 } else { left };
        let mut response = get((done > 0).then(|| format!("bytes={done}-")))?;
        let status = response.status().as_u16();
        if done > 0 && (status == 416 || status == 206 && start(&response) != Some(done)) {
            done = 0;
            response = get(None)?;
        }
        match response.status().as_u16() {
            206 if start(&response) == Some(done) => {}
            // The whole file: the server does not serve ranges.
            200 => done = 0,
            206 => {
                let found = response.headers().get("content-range").and_then(|r| r.to_str().ok()).unwrap_or("none").to_owned();
                return Err(Error::NotAHub { what: self.what.to_owned(), expected: format!("Content-Range bytes {done}-"), found });
            }
            status => return Err(refused(status, self.what.to_owned())),
        }
        file.set_len(done).map_err(written_in(part, HUB_CACHE))?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            self.reporter.check()?;
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                // The part stays, for the next run to go on from.
                Err(e) if timed_out(&e) => return Err(self.prober.stalled(self.what)),
                Err(_) => break,
            };
            if done + n as u64 > self.offer.size {
                return Ok(self.offer.size + 1);
            }
            file.write_all(&buffer[..n]).map_err(written_in(part, HUB_CACHE))?;
            done += n as u64;
            self.reporter.progress(self.what, done, Some(self.offer.size), "B");
        }
        Ok(done)
    }
}

fn timed_out(error: &std::io::Error) -> bool {
    matches!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(ureq::Error::Timeout(_)))
}

/// Where the range of an answer begins.
fn start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn lock(path: &Path, reporter: &dyn Reporter) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(written_in(path, HUB_CACHE))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(Error::Io { path: path.into(), source }),
            Err(TryLockError::WouldBlock) => {
                reporter.check()?;
                std::thread::sleep(LOCK_POLL);
            }
        }
    }
}

/// Gives a downloaded blob its name in the snapshot of its commit, by a relative link as `huggingface_hub` makes it.
pub(super) fn place(repo: &CacheRepo, file: &HubFile<'_>, blob: &Path) -> Result<PathBuf> {
    let pointer = repo.pointer_path(file.revision).join(file.file);
    let folder = pointer.parent().unwrap_or(&pointer);
    fs::create_dir_all(folder).map_err(written_in(folder, HUB_CACHE))?;
    // A link of an earlier run may lead nowhere.
    fs::remove_file(&pointer).ok();
    // Up from the file's own folders, its commit's folder and `snapshots`.
    let up = "../".repeat(file.file.split('/').count() + 1);
    let name = blob.file_name().unwrap_or_default().to_string_lossy();
    link(Path::new(&format!("{up}blobs/{name}")), blob, &pointer).map_err(written_in(&pointer, HUB_CACHE))?;
    Ok(pointer)
}

#[cfg(unix)]
fn link(relative: &Path, _: &Path, pointer: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(relative, pointer)
}

#[cfg(not(unix))]
fn link(_: &Path, blob: &Path, pointer: &Path) -> std::io::Result<()> {
    fs::copy(blob, pointer).map(|_| ())
}
