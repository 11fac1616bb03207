//! Bytes at offsets: a file read by seeking, or a small file that was unpacked into memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use zoo_core::{Error, Result};

/// What to do about a file that is not what its name says.
pub(crate) const FETCH_AGAIN: &str = "delete the file and fetch the data set again";

/// An [`Error::Data`] of this crate.
pub(crate) fn bad(path: &Path, at: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Data { path: path.into(), at: at.into(), expected: expected.into(), found: found.into(), mend: FETCH_AGAIN.into() }
}

/// Random access to the bytes of one file.
pub(crate) struct Source {
    path: PathBuf,
    len: u64,
    bytes: Bytes,
}

enum Bytes {
    /// Read by seeking; the lock keeps seek and read together.
    File(Mutex<File>),
    Memory(Vec<u8>),
}

impl Source {
    /// Opens a plain file.
    pub(crate) fn file(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let len = file.metadata().map_err(Error::io(path))?.len();
        Ok(Self { path: path.into(), len, bytes: Bytes::File(Mutex::new(file)) })
    }

    /// Takes bytes that were unpacked from `path`.
    pub(crate) fn memory(path: &Path, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), len: bytes.len() as u64, bytes: Bytes::Memory(bytes) }
    }

    /// Number of (unpacked) bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills `target` with the bytes from `offset` on.
    pub(crate) fn read_at(&self, offset: u64, target: &mut [u8]) -> Result<()> {
        let end = offset.saturating_add(target.len() as u64);
        if end > self.len {
            return Err(bad(
                &self.path,
                format!("byte {offset}"),
                format!("{} bytes", target.len()),
                format!("the end, at byte {}", self.len),
            ));
        }
        match &self.bytes {
            Bytes::Memory(bytes) => {
                // Both ends are within `bytes`, whose length is a usize.
                target.copy_from_slice(&bytes[offset as usize..end as usize]);
                Ok(())
            }
            Bytes::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset)).map_err(Error::io(&self.path))?;
                file.read_exact(target).map_err(|e| {
                    if e.kind() == std::io::ErrorKind::UnexpectedEof {
                        let expected = format!("{} bytes, as when the file was opened", target.len());
                        return bad(&self.path, format!("byte {offset}"), expected, "an end of file: it was cut meanwhile");
                    }
                    Error::io(&self.path)(e)
                })
            }
        }
    }
}
