//! Files mapped into memory, for tensors to stand on. The only unsafe code of the crate.

use memmap2::Mmap;
use std::any::Any;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use zoo_core::tensor::Bytes;

/// A whole file, mapped for reading.
pub(crate) struct Map(Mmap);

impl Map {
    pub(crate) fn open(path: &Path) -> std::io::Result<Arc<Self>> {
        let file = File::open(path)?;
        // A folder can be opened but not mapped; say so in the system's words.
        if file.metadata()?.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        // SAFETY: the map is private to this process and never written. Another process that rewrites the file in place
        // could change the bytes under us; the zoo itself only replaces weight files by renaming, which leaves the mapped
        // inode as it is, and every value read from the map is plain data for which any bit pattern is valid.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Arc::new(Self(map)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Bytes for Map {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        None
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
