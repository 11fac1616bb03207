//! Writing files so that they are there whole or not at all, with the host's errors.

use std::io::Write;
use std::path::Path;
use zoo_core::{Error, Result};

/// Writes bytes through [`zoo_formats::files::write_atomically`].
///
/// # Errors
/// [`Error::Io`]; an older file of that name is then still there, untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    zoo_formats::files::write_atomically(path, |file| file.write_all(bytes)).map_err(Error::io(path))
}
