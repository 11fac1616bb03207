//! Whole files of bounded size, and the error for what is wrong with them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use zoo_core::{Error, Result};

/// Greatest size of a recording, in bytes, and greatest total of what its compressed parts unpack to.
pub const MAX_FILE: u64 = 512 << 20;

/// An [`Error::Data`] of this crate.
pub(crate) fn bad(path: &Path, at: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Error {
    let mend = "delete the file and fetch the data set again".into();
    Error::Data { path: path.into(), at: at.into(), expected: expected.into(), found: found.into(), mend }
}

/// The bytes of a file of at most [`MAX_FILE`] bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io(path))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(bad(path, format!("byte {MAX_FILE}"), format!("a recording of at most {MAX_FILE} bytes"), "more"));
    }
    Ok(bytes)
}

/// Little-endian or big-endian words at an offset, `None` past the end.
pub(crate) fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Splits text lines that start with `%` off the front: the lines, and the offset of what follows.
///
/// A line `% end` is the last one; without it, the first byte that is no `%` ends the header.
pub(crate) fn percent_header<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Vec<&'a str>, usize)> {
    const MAX_LINE: usize = 4096;
    let (mut lines, mut at) = (Vec::new(), 0);
    while bytes.get(at) == Some(&b'%') {
        let rest = &bytes[at..bytes.len().min(at + MAX_LINE)];
        let end = rest.iter().position(|&b| b == b'\n');
        let line = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
        let (Some(end), Some(line)) = (end, line) else {
            return Err(bad(path, format!("byte {at}"), format!("a text line of at most {MAX_LINE} bytes"), "none"));
        };
        at += end + 1;
        let text = line.trim_start_matches('%').trim();
        if text == "end" {
            break;
        }
        lines.push(text);
    }
    Ok((lines, at))
}
