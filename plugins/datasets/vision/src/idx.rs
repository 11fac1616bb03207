//! The IDX format: two zero bytes, element type, number of axes, one big-endian u32 an axis, row-major data.
//!
//! Source: the format notes that accompany MNIST. Only `u8` elements (type 0x08) occur in these data sets.

use crate::source::{Source, bad};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zoo_core::{Error, Result};

/// Greatest size, in bytes, to which a gzip-compressed IDX file is unpacked: that of MNIST's training images.
pub const MAX_INFLATED: u64 = 47_040_016;

const U8: u8 = 0x08;
const MAX_AXES: u8 = 4;

/// The header of an IDX file of `u8` elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxHeader {
    /// Length of each axis, outermost first.
    pub shape: Vec<u32>,
}

impl IdxHeader {
    /// Bytes that the header takes.
    pub fn len(&self) -> u64 {
        4 + 4 * self.shape.len() as u64
    }

    /// Whether the header describes a scalar.
    pub fn is_empty(&self) -> bool {
        self.shape.is_empty()
    }

    /// Bytes of the whole file, or `None` if that overflows.
    pub fn file_len(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(u64::from(d)))?.checked_add(self.len())
    }

    /// Reads the header; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Data`] with the byte offset of what is wrong.
    pub fn read(path: &Path, reader: &mut impl Read) -> Result<Self> {
        let mut magic = [0u8; 4];
        fill(path, reader, 0, &mut magic)?;
        let [zero, zero2, kind, axes] = magic;
        if (zero, zero2) != (0, 0) {
            return Err(bad(path, "byte 0", "the IDX magic: two zero bytes", format!("{zero:#04x} {zero2:#04x}")));
        }
        if kind != U8 {
            return Err(bad(path, "byte 2", "element type 0x08 (u8)", format!("{kind:#04x}")));
        }
        if axes == 0 || axes > MAX_AXES {
            return Err(bad(path, "byte 3", format!("1 to {MAX_AXES} axes"), axes.to_string()));
        }
        let mut shape = Vec::with_capacity(usize::from(axes));
        for axis in 0..u64::from(axes) {
            let mut length = [0u8; 4];
            fill(path, reader, 4 + 4 * axis, &mut length)?;
            shape.push(u32::from_be_bytes(length));
        }
        Ok(Self { shape })
    }
}

/// An IDX file, open for reading at offsets.
pub(crate) struct Idx {
    pub(crate) header: IdxHeader,
    source: Source,
}

impl Idx {
    /// Opens a plain or gzip-compressed file; which of the two it is, its first bytes tell.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let mut start = Vec::with_capacity(2);
        Read::take(&mut file, 2).read_to_end(&mut start).map_err(Error::io(path))?;
        let idx = if start == [0x1f, 0x8b] { Self::inflate(path)? } else { Self::plain(path)? };
        Ok(idx)
    }

    fn plain(path: &Path) -> Result<Self> {
        let source = Source::file(path)?;
        let header = IdxHeader::read(path, &mut File::open(path).map_err(Error::io(path))?)?;
        header.expect_len(path, source.len())?;
        Ok(Self { header, source })
    }

    fn inflate(path: &Path) -> Result<Self> {
        let mut reader = MultiGzDecoder::new(File::open(path).map_err(Error::io(path))?);
        let header = IdxHeader::read(path, &mut reader)?;
        let len = header.file_len().filter(|&n| n <= MAX_INFLATED).ok_or_else(|| {
            bad(path, "byte 4 of the unpacked data", format!("at most {MAX_INFLATED} bytes in all"), format!("axes {:?}", header.shape))
        })?;
        // The vector grows with what is truly there; the declared size only sets where to stop.
        let mut bytes = vec![0u8; header.len() as usize];
        reader.take(len - header.len() + 1).read_to_end(&mut bytes).map_err(|e| {
            bad(path, format!("byte {} of the unpacked data", bytes.len()), format!("{len} bytes of gzip data"), e.to_string())
        })?;
        header.expect_len(path, bytes.len() as u64)?;
        Ok(Self { header, source: Source::memory(path, bytes) })
    }

    /// Number of items: the length of the first axis.
    pub(crate) fn count(&self) -> usize {
        self.header.shape[0] as usize
    }

    /// Bytes of one item.
    pub(crate) fn item_len(&self) -> usize {
        self.header.shape[1..].iter().map(|&d| d as usize).product()
    }

    /// Byte offset of an item.
    pub(crate) fn offset(&self, item: usize) -> u64 {
        self.header.len() + (item as u64) * (self.item_len() as u64)
    }

    /// The bytes of `count` items from `first` on.
    pub(crate) fn items(&self, first: usize, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0u8; count * self.item_len()];
        self.source.read_at(self.offset(first), &mut bytes)?;
        Ok(bytes)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.source.path()
    }
}

impl IdxHeader {
    fn expect_len(&self, path: &Path, found: u64) -> Result<()> {
        let expected = self.file_len();
        if expected == Some(found) {
            return Ok(());
        }
        let text = expected.map_or_else(|| "more bytes than there can be".into(), |n| format!("{n} bytes in all"));
        let found_text = match expected {
            Some(n) if found > n => format!("{} bytes too many", found - n),
            _ => format!("the end, at byte {found}"),
        };
        let at = format!("byte {}", expected.unwrap_or(found).min(found));
        Err(bad(path, at, format!("{text}, as axes {:?} say", self.shape), found_text))
    }
}

fn fill(path: &Path, reader: &mut impl Read, offset: u64, target: &mut [u8]) -> Result<()> {
    reader.read_exact(target).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            bad(path, format!("byte {offset}"), format!("{} bytes of IDX header", target.len()), "the end")
        }
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
            bad(path, "its gzip stream", "valid gzip data", e.to_string())
        }
        _ => Error::io(path)(e),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<IdxHeader> {
        IdxHeader::read(Path::new("t"), &mut &bytes[..])
    }

    #[test]
    fn headers_of_the_two_kinds() {
        assert_eq!(read(&[0, 0, 8, 1, 0, 0, 0x27, 0x10]).unwrap().shape, [10_000]);
        let images = read(&[0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 28, 0, 0, 0, 28]).unwrap();
        assert_eq!((images.shape.as_slice(), images.file_len()), ([60_000, 28, 28].as_slice(), Some(MAX_INFLATED)));
    }

    #[test]
    fn each_fault_is_named_with_its_byte() {
        for (bytes, at) in [
            (vec![], "at byte 0: expected 4 bytes of IDX header, found the end"),
            (vec![b'<', b'h', b't', b'm'], "at byte 0: expected the IDX magic"),
            (vec![0, 0, 0x0d, 3], "at byte 2: expected element type 0x08 (u8), found 0x0d"),
            (vec![0, 0, 8, 0], "at byte 3: expected 1 to 4 axes, found 0"),
            (vec![0, 0, 8, 200], "at byte 3: expected 1 to 4 axes, found 200"),
            (vec![0, 0, 8, 2, 0, 0, 0, 1, 0], "at byte 8: expected 4 bytes of IDX header, found the end"),
        ] {
            let message = read(&bytes).unwrap_err().to_string();
            assert!(message.contains(at), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics_and_sizes_never_wrap(bytes in proptest::collection::vec(any::<u8>(), 0..24), axes in 1u8..5) {
            let mut bytes = bytes;
            if bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&[0, 0, 8, axes]);
            }
            if let Ok(header) = read(&bytes) {
                let exact = header.shape.iter().fold(1u128, |n, &d| n * u128::from(d)) + u128::from(header.len());
                prop_assert_eq!(header.file_len().map(u128::from), u64::try_from(exact).ok().map(u128::from));
            }
        }
    }
}
