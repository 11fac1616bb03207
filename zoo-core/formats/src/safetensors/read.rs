//! Reading.

use super::{diagnose, dtype};
use crate::error::{Error, Result};
use crate::mmap::Map;
use crate::sniff::sniff;
use safetensors::tensor::Metadata;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use zoo_core::tensor::Bytes;
use zoo_core::{DType, Tensor, Weights};

/// Bytes of the number that says how long the header is.
pub(super) const LENGTH_BYTES: usize = 8;

/// The file format's own limit.
const HEADER_LIMIT: usize = 100_000_000;

/// Maps a file into memory and reads its tensors.
///
/// Tensors stand on the map without a copy, so that the file must not be rewritten in place while they live; replacing it
/// by a rename, as [`write_atomically`](super::write_atomically) does, is fine. A tensor whose elements are not aligned in
/// the file is copied.
///
/// # Errors
/// [`zoo_core::Error::Io`] if the file can't be opened; [`Error::Safetensors`], naming the tensor, if the header is
/// corrupt, offsets leave the file or overlap, or an element type is not supported.
pub fn read(path: impl AsRef<Path>) -> Result<Weights> {
    let path = path.as_ref();
    let map = Map::open(path).map_err(Error::io(path))?;
    let owner: Arc<dyn Bytes> = Arc::clone(&map) as _;
    collect(path, map.as_bytes(), |dtype, shape, range| match Tensor::from_owner(dtype, shape.clone(), Arc::clone(&owner), range.clone()) {
        Ok(tensor) => Ok(tensor),
        // The one thing left that can be wrong is the alignment, and a copy mends it.
        Err(_) => Ok(Tensor::from_bytes(dtype, shape, &map.as_bytes()[range])?),
    })
}

/// Reads tensors from bytes in memory, copying them; `source` is what errors call the bytes.
///
/// # Errors
/// As [`read`], without input and output.
pub fn from_bytes(source: impl AsRef<Path>, bytes: &[u8]) -> Result<Weights> {
    collect(source.as_ref(), bytes, |dtype, shape, range| Ok(Tensor::from_bytes(dtype, shape, &bytes[range])?))
}

/// Checks the header and makes a tensor of each entry; `make` gets ranges that lie within `bytes`.
fn collect(path: &Path, bytes: &[u8], make: impl Fn(DType, Vec<usize>, Range<usize>) -> Result<Tensor>) -> Result<Weights> {
    let header = header(path, bytes)?;
    let start = LENGTH_BYTES + header.len();
    let data = &bytes[start..];
    let fail = |reason: &str| diagnose::explain(path, header, data.len(), reason);
    let metadata: Metadata = serde_json::from_slice(header).map_err(|error| fail(&error.to_string()))?;
    if metadata.data_len() != data.len() {
        return Err(fail("the tensors do not cover the data"));
    }
    let mut weights = Weights { metadata: metadata.metadata().clone().unwrap_or_default().into_iter().collect(), ..Weights::default() };
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        let dtype = dtype::from_file(info.dtype).ok_or_else(|| unsupported(path, &name, &info.dtype.to_string()))?;
        // The crate has checked that offsets are in order and fit shape and type; that they stay inside follows from the
        // length of the data, but a range that is wrong all the same must not take the process down.
        let range = start + info.data_offsets.0..start + info.data_offsets.1;
        let Some(slice) = bytes.get(range.clone()) else {
            return Err(fail("a tensor leaves the file"));
        };
        if dtype == DType::Bool
            && let Some(bad) = slice.iter().find(|b| **b > 1)
        {
            return Err(Error::Safetensors {
                path: path.into(),
                at: format!("tensor `{name}`"),
                expected: "booleans of 0 and 1".into(),
                found: bad.to_string(),
                mend: "the file is damaged; fetch or write it again".into(),
            });
        }
        weights.insert(name, make(dtype, info.shape.clone(), range)?);
    }
    Ok(weights)
}

pub(super) fn unsupported(path: &Path, name: &str, found: &str) -> Error {
    let known = DType::ALL.map(DType::name).join(", ");
    Error::Safetensors {
        path: path.into(),
        at: format!("tensor `{name}`"),
        expected: format!("one of the element types {known}"),
        found: found.into(),
        mend: "convert the tensor in the framework that wrote it".into(),
    }
}

/// The header's bytes, after checking its length against the bytes that are there.
fn header<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a [u8]> {
    let fail = |expected: String, found: String| {
        let looks = sniff(bytes).filter(|looks| !looks.found.contains("safetensors"));
        Error::Safetensors {
            path: path.into(),
            at: "the header's length".into(),
            expected,
            found: looks.as_ref().map_or(found, |looks| looks.found.into()),
            mend: looks.map_or("the file is truncated or another kind of file; fetch it again", |looks| looks.mend).into(),
        }
    };
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(fail(format!("{LENGTH_BYTES} bytes"), format!("{} bytes", bytes.len())));
    };
    let length = u64::from_le_bytes(*length);
    usize::try_from(length)
        .ok()
        .filter(|&length| length <= HEADER_LIMIT)
        .and_then(|length| rest.get(..length))
        .ok_or_else(|| fail(format!("at most the {} bytes that follow, and {HEADER_LIMIT}", rest.len()), length.to_string()))
}
