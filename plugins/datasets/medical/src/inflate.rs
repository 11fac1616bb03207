//! Reading files that may be gzip, with a bound on what comes out.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zoo_core::{Error, Result};

/// Greatest number of bytes that a file may have, or unpack to: a 512 x 512 x 512 volume of `f64`.
pub const MAX_INFLATED: u64 = 1 << 30;

/// Opens a file, unpacking it if it begins as gzip does.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut magic = [0; 2];
    let mut read = 0;
    while read < magic.len() {
        match file.read(&mut magic[read..]).map_err(Error::io(path))? {
            0 => break,
            n => read += n,
        }
    }
    let start = std::io::Cursor::new(magic[..read].to_vec());
    let whole = start.chain(file);
    Ok(if magic == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(BufReader::new(whole))) } else { Box::new(BufReader::new(whole)) })
}

/// Reads exactly `len` bytes, allocating only as bytes arrive; `Err` holds how many there were.
pub(crate) fn exactly(source: &mut dyn Read, len: u64) -> std::io::Result<Result<Vec<u8>, u64>> {
    let mut bytes = Vec::new();
    source.take(len).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 == len { Ok(bytes) } else { Err(bytes.len() as u64) })
}
