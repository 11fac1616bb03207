//! Files to push.

use crate::error::{Error, Result};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

/// Bytes that the hub judges a file by.
const SAMPLE: u64 = 512;

/// A file of a folder.
pub(super) struct Local {
    /// Its path in the folder, and in the repository.
    pub(super) path: String,
    pub(super) bytes: u64,
    place: PathBuf,
}

impl Local {
    pub(super) fn find(folder: &Path, path: &str) -> Result<Self> {
        let inside = !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || path.contains(['\\', '\n']) {
            return Err(zoo_core::Error::argument("file to push", "a path inside the folder", path).into());
        }
        let place = folder.join(path);
        let found = place.metadata().map_err(Error::io(&place))?;
        if !found.is_file() {
            return Err(Error::NoSuchFile { path: place });
        }
        Ok(Self { path: path.into(), bytes: found.len(), place })
    }

    pub(super) fn open(&self) -> Result<File> {
        File::open(&self.place).map_err(Error::io(&self.place))
    }

    pub(super) fn read(&self) -> Result<Vec<u8>> {
        std::fs::read(&self.place).map_err(Error::io(&self.place))
    }

    pub(super) fn sample(&self) -> Result<Vec<u8>> {
        let mut sample = Vec::new();
        self.open()?.take(SAMPLE).read_to_end(&mut sample).map_err(Error::io(&self.place))?;
        Ok(sample)
    }

    /// The name of the content in the large file storage.
    pub(super) fn sha256(&self) -> Result<String> {
        let (mut hasher, mut file) = (Sha256::new(), BufReader::new(self.open()?));
        std::io::copy(&mut file, &mut hasher).map_err(Error::io(&self.place))?;
        Ok(hex::encode(hasher.finalize()))
    }
}

/// The name of content in git.
pub(super) fn git_oid(content: &[u8]) -> String {
    let head = format!("blob {}\0", content.len());
    hex::encode(Sha1::new_with_prefix(head).chain_update(content).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `git hash-object`.
    #[test]
    fn content_is_named_as_git_names_it() {
        assert_eq!(git_oid(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(git_oid(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn paths_stay_inside_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x"), "1").unwrap();
        assert!(Local::find(folder.path(), "x").is_ok());
        for path in ["", "../x", "/x", "a/../x", ".", "a\\b"] {
            assert!(matches!(Local::find(folder.path(), path), Err(Error::Core(zoo_core::Error::Argument { .. }))), "{path}");
        }
        assert!(matches!(Local::find(folder.path(), "y"), Err(Error::Io { .. })));
    }
}
