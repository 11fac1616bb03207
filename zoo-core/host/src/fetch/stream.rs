//! Copying with a bound, a sum and a look at what is really there.

use crate::error::{Error, Result};
use crate::registry::Sha256;
use sha2::Digest;
use std::io::{Read, Write};
use std::path::Path;
use zoo_core::Reporter;

const CHUNK: usize = 1 << 16;
const HEAD: usize = 256;

/// What a file must be.
#[derive(Clone, Debug)]
pub(super) struct Expect {
    /// The file and where it comes from, for messages.
    pub(super) what: String,
    pub(super) sha256: Sha256,
    /// `None` where only the sum is known; then nothing bounds the size but the file it is read from.
    pub(super) bytes: Option<u64>,
}

/// What was read.
struct Seen {
    head: Vec<u8>,
    bytes: u64,
    sha256: Sha256,
    longer: bool,
}

/// Copies `from` into `to`, never past the expected size, and checks the content.
///
/// `at` is where `to` writes. Read errors are damaged archives, except for those of plain files.
pub(super) fn copy(from: &mut dyn Read, to: &mut dyn Write, at: &Path, expect: &Expect, reporter: &dyn Reporter) -> Result<()> {
    let seen = pass(from, expect, reporter, &mut |chunk| to.write_all(chunk).map_err(written(at)))?;
    judge(&seen, expect)
}

/// Reads `from` and checks the content.
pub(super) fn check(from: &mut dyn Read, expect: &Expect, reporter: &dyn Reporter) -> Result<()> {
    let seen = pass(from, expect, reporter, &mut |_| Ok(()))?;
    judge(&seen, expect)
}

fn pass(from: &mut dyn Read, expect: &Expect, reporter: &dyn Reporter, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Seen> {
    let limit = expect.bytes.unwrap_or(u64::MAX);
    let mut sum = sha2::Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let mut seen = Seen { head: Vec::new(), bytes: 0, sha256: Sha256([0; 32]), longer: false };
    loop {
        reporter.check()?;
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::Archive { what: expect.what.clone(), why: format!("damaged after {} bytes: {e}", seen.bytes) }),
        };
        let chunk = &buffer[..n];
        seen.head.extend_from_slice(&chunk[..n.min(HEAD - seen.head.len())]);
        if seen.bytes + n as u64 > limit {
            seen.longer = true;
            break;
        }
        sum.update(chunk);
        sink(chunk)?;
        seen.bytes += n as u64;
        reporter.progress(&expect.what, seen.bytes, expect.bytes, "B");
    }
    seen.sha256 = Sha256(sum.finalize().into());
    Ok(seen)
}

fn judge(seen: &Seen, expect: &Expect) -> Result<()> {
    let what = || expect.what.clone();
    let size_fits = expect.bytes.is_none_or(|bytes| bytes == seen.bytes) && !seen.longer;
    if size_fits && seen.sha256 == expect.sha256 {
        return Ok(());
    }
    if let Some(impostor) = impostor(&seen.head, &expect.what) {
        return Err(impostor);
    }
    Err(match expect.bytes {
        Some(expected) if seen.longer => Error::TooLong { what: what(), expected },
        Some(expected) if seen.bytes < expected => Error::Truncated { what: what(), expected, found: seen.bytes },
        _ => Error::WrongHash { what: what(), expected: expect.sha256, found: seen.sha256 },
    })
}

/// The error for a file that begins as something that is never data.
pub(super) fn impostor(head: &[u8], what: &str) -> Option<Error> {
    if head.starts_with(b"version https://git-lfs") {
        return Some(Error::LfsPointer { what: what.to_owned() });
    }
    let start = String::from_utf8_lossy(head).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let html = ["<!doctype html", "<html"].iter().any(|tag| start.starts_with(tag));
    html.then(|| Error::HtmlPage { what: what.to_owned() })
}

/// The error for a failed write into the cache.
pub(super) fn written(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    written_in(path, super::options::CACHE)
}

/// The error for a failed write below the folder that `variable` names.
pub(super) fn written_in(path: &Path, variable: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    use std::io::ErrorKind;
    let path = path.to_owned();
    move |source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::DiskFull { path, variable },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::ReadOnlyCache { path, variable, source },
        _ => Error::Io { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zoo_core::Silent;

    fn expect(bytes: &[u8]) -> Expect {
        Expect { what: "x".into(), sha256: Sha256(sha2::Sha256::digest(bytes).into()), bytes: Some(bytes.len() as u64) }
    }

    fn verdict(content: &[u8], wanted: &[u8]) -> Result<()> {
        check(&mut &content[..], &expect(wanted), &Silent)
    }

    #[test]
    fn each_fault_has_its_own_name() {
        assert!(verdict(b"data", b"data").is_ok());
        assert!(matches!(verdict(b"dat", b"data"), Err(Error::Truncated { expected: 4, found: 3, .. })));
        assert!(matches!(verdict(b"datum", b"data"), Err(Error::TooLong { expected: 4, .. })));
        assert!(matches!(verdict(b"dato", b"data"), Err(Error::WrongHash { .. })));
        assert!(matches!(verdict(b"version https://git-lfs.github.com/spec/v1\n", b"data"), Err(Error::LfsPointer { .. })));
        assert!(matches!(verdict(b"\n <!DOCTYPE html><p>no", b"data"), Err(Error::HtmlPage { .. })));
        // A file that is meant to be a page is one.
        assert!(verdict(b"<html></html>", b"<html></html>").is_ok());
    }

    #[test]
    fn an_endless_source_is_not_read_to_its_end() {
        assert!(matches!(check(&mut std::io::repeat(7), &expect(&[7; 10]), &Silent), Err(Error::TooLong { expected: 10, .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_says_so() {
        // The kernel's own full disk.
        let path = Path::new("/dev/full");
        let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let error = copy(&mut &b"data"[..], &mut file, path, &expect(b"data"), &Silent).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        assert_eq!(error.to_string(), "/dev/full: no space left on the disk; free some, or set ZOO_CACHE to a folder on another disk");
    }
}
