//! Shorthand for the errors of this crate.

use std::path::Path;
use zoo_core::Error;

/// What to do about a file that came from a package or a folder and is not what its name says.
pub(crate) const FETCH_AGAIN: &str = "delete the file and obtain the data set again";

/// An [`Error::Data`] with its own advice.
pub(crate) fn bad(path: &Path, at: impl Into<String>, expected: impl Into<String>, found: impl Into<String>, mend: &str) -> Error {
    Error::Data { path: path.into(), at: at.into(), expected: expected.into(), found: found.into(), mend: mend.into() }
}

/// The index of an item, or an error that says how many there are.
pub(crate) fn within(index: usize, len: usize) -> Result<usize, Error> {
    if index < len { Ok(index) } else { Err(Error::argument("index of an item", format!("0..{len}"), index)) }
}
