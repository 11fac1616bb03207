//! The result goes to stdout. A full disk or a reader that has left is an error there, not a panic.

use anyhow::{Context, Result};
use std::fmt::Arguments;
use std::io::Write;

/// Writes to stdout as `println!` does; ends the function with the error where that fails.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::stdout::write(format_args!("{}\n", format_args!($($text)*)))?
    };
}
pub(crate) use say;

/// Writes text to stdout.
pub(crate) fn write(text: Arguments<'_>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_fmt(text).and_then(|()| out.flush()).context("writing to stdout")
}
