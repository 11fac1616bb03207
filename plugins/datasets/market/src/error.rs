//! Errors of this crate's readers.

use std::path::Path;
use zoo_core::Error;

/// An [`Error::Data`] about `path`.
pub(crate) fn bad(path: &Path, at: impl Into<String>, expected: impl Into<String>, found: impl Into<String>, mend: &str) -> Error {
    Error::Data { path: path.into(), at: at.into(), expected: expected.into(), found: found.into(), mend: mend.into() }
}

/// What to do about a file that somebody vouched for.
pub(crate) const FETCH_AGAIN: &str = "delete the file and fetch the data set again";

/// What to do about a row that breaks the order of time.
pub(crate) const MEND_ROW: &str = "mend or remove the row";

/// A short piece of hostile text, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push_str("...");
    }
    format!("`{short}`")
}
