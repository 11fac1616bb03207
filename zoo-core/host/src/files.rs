//! Writing files so that they are there whole or not at all.

use std::io::Write;
use std::path::Path;
use zoo_core::{Error, Result};

/// Writes a file through a temporary one in the same folder: synced, then renamed.
///
/// # Errors
/// [`Error::Io`]; an older file of that name is then still there, untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(folder))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(Error::io(path))?;
    file.persist(path).map_err(|e| Error::Io { path: path.into(), source: e.error })?;
    Ok(())
}
