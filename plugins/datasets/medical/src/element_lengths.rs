//! A walk over the elements of a DICOM file that checks their declared lengths against the bytes there are.
//!
//! The parser allocates what an element declares, up to 4 GiB, before it reads; after this walk every declared length
//! is known to be covered by the file.

use std::path::Path;
use zoo_core::{Error, Result};

use crate::problem::bad;

const UNDEFINED: u32 = u32::MAX;
pub(crate) const EXPLICIT_LE: &str = "1.2.840.10008.1.2.1";
pub(crate) const IMPLICIT_LE: &str = "1.2.840.10008.1.2";
/// Value representations whose length takes four bytes, after two reserved ones.
const LONG: [&[u8; 2]; 13] = [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];

/// Checks a whole file and returns its transfer syntax.
///
/// # Errors
/// [`Error::Data`] with the byte offset; nothing of the content is repeated.
pub(crate) fn check(path: &Path, file: &[u8]) -> Result<String> {
    let fail =
        |at: usize, expected: &str, found: &str| bad(path, format!("byte {at}"), expected, found, "check that it is a whole DICOM file");
    if file.get(128..132) != Some(b"DICM") {
        return Err(fail(128, "the mark `DICM` after a preamble of 128 bytes", "none"));
    }
    let mut walk = Walk { path, file, at: 132 };
    let mut syntax = None;
    while walk.peek_group() == Some(2) {
        let (tag, length) = walk.header(true)?;
        let value = walk.value(length)?;
        if tag == (0x0002, 0x0010) {
            syntax = Some(String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).to_owned());
        }
    }
    let syntax = syntax.ok_or_else(|| fail(132, "a transfer syntax (0002,0010) in the file meta group", "none"))?;
    let explicit = match syntax.as_str() {
        EXPLICIT_LE => true,
        IMPLICIT_LE => false,
        _ => {
            // A UID says nothing about a person, but whatever else stands there might.
            let shown = if syntax.bytes().all(|b| b.is_ascii_digit() || b == b'.') { syntax.as_str() } else { "something that is no UID" };
            return Err(bad(
                path,
                "transfer syntax (0002,0010)",
                "uncompressed little endian pixels",
                shown,
                "transcode it, for example with `gdcmconv --raw` or `dcmdjpeg`",
            ));
        }
    };
    while walk.at < file.len() {
        let (tag, length) = walk.header(explicit)?;
        // What an undefined length spans is walked element by element; its delimiters are elements too.
        if length != UNDEFINED && tag.0 != 0xFFFE {
            walk.value(length)?;
        } else if length != UNDEFINED && walk.file.len() - walk.at < length as usize {
            return Err(walk.beyond(length));
        }
    }
    Ok(syntax)
}

struct Walk<'a> {
    path: &'a Path,
    file: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.file.len());
        let Some(end) = end else {
            return Err(self.beyond(count as u32));
        };
        let bytes = &self.file[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn beyond(&self, length: u32) -> Error {
        let (expected, found) = (format!("{length} bytes"), format!("the end after {}", self.file.len() - self.at));
        bad(self.path, format!("byte {}", self.at), expected, found, "check that it is a whole DICOM file")
    }

    fn u16(&mut self) -> Result<u16> {
        let b = self.take(2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    fn u32(&mut self) -> Result<u32> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn peek_group(&self) -> Option<u16> {
        self.file.get(self.at..self.at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]))
    }

    /// Tag and length of the element that starts here.
    fn header(&mut self, explicit: bool) -> Result<((u16, u16), u32)> {
        let tag = (self.u16()?, self.u16()?);
        if !explicit || tag.0 == 0xFFFE {
            return Ok((tag, self.u32()?));
        }
        let vr = self.take(2)?;
        if LONG.iter().any(|long| long.as_slice() == vr) {
            self.take(2)?;
            return Ok((tag, self.u32()?));
        }
        Ok((tag, self.u16()?.into()))
    }

    fn value(&mut self, length: u32) -> Result<&'a [u8]> {
        self.take(length as usize)
    }
}
