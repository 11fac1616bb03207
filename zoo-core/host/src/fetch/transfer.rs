//! Downloading into the hub's cache where `hf-hub` can't or must not: resumable, bounded, the token kept at home.

use super::hub::HubFile;
use super::options::{HUB_CACHE, Token};
use super::probe::{Offer, Prober, refused};
use super::stream::written_in;
use crate::error::{Error, Result};
use hf_hub::CacheRepo;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zoo_core::Reporter;

const CHUNK: usize = 1 << 16;
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Downloads what was offered to `blob`, going on from the part that an earlier run left. The lock has the name that
/// `hf-hub` gives it, so that the two keep out of each other's way.
pub(super) fn download(
    prober: &Prober,
    offer: &Offer,
    token: Option<&Token>,
    blob: &Path,
    what: &str,
    reporter: &dyn Reporter,
) -> Result<()> {
    let _lock = lock(&blob.with_extension("lock"), reporter)?;
    let part = blob.with_extension("part");
    let mut file = File::options().create(true).append(true).open(&part).map_err(written_in(&part, HUB_CACHE))?;
    let mut done = file.metadata().map_err(Error::io(&part))?.len();
    let range = (done > 0).then(|| format!("bytes={done}-"));
    let mut response = prober.get(&offer.url, range, token, what)?;
    let goes_on =
        response.headers().get("content-range").and_then(|r| r.to_str().ok()).is_some_and(|r| r.starts_with(&format!("bytes {done}-")));
    match response.status().as_u16() {
        206 if goes_on => {}
        // The whole file: the server does not serve ranges.
        200 => {
            file.set_len(0).map_err(written_in(&part, HUB_CACHE))?;
            done = 0;
        }
        status => {
            fs::remove_file(&part).ok();
            return Err(refused(status, what.to_owned()));
        }
    }
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; CHUNK];
    loop {
        reporter.check()?;
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            // The part stays, for the next run to go on from.
            Err(_) => break,
        };
        if done + n as u64 > offer.size {
            fs::remove_file(&part).ok();
            return Err(Error::TooLong { what: what.to_owned(), expected: offer.size });
        }
        file.write_all(&buffer[..n]).map_err(written_in(&part, HUB_CACHE))?;
        done += n as u64;
        reporter.progress(what, done, Some(offer.size), "B");
    }
    if done < offer.size {
        return Err(Error::Truncated { what: what.to_owned(), expected: offer.size, found: done });
    }
    file.sync_all().map_err(written_in(&part, HUB_CACHE))?;
    fs::rename(&part, blob).map_err(written_in(blob, HUB_CACHE))
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
    fs::remove_file(&pointer).ok();
    // Up from the file's own folders, its commit's folder and `snapshots`.
    let up = "../".repeat(file.file.split('/').count() + 1);
    let name = blob.file_name().unwrap_or_default().to_string_lossy();
    link(Path::new(&format!("{up}blobs/{name}")), blob, &pointer).map_err(written_in(&pointer, HUB_CACHE))?;
    repo.create_ref(file.revision).map_err(written_in(&pointer, HUB_CACHE))?;
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
