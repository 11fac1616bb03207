//! From errors to exit status and message.

use std::process::ExitCode;
use zoo_core::Error;

/// All measured, all gating bars hold.
pub(crate) const OK: u8 = 0;
/// A gating bar fell short.
pub(crate) const BAR: u8 = 1;
/// Wrong use.
pub(crate) const USE: u8 = 2;
/// Something needed is unavailable, or failed while it was needed.
pub(crate) const UNAVAILABLE: u8 = 3;
/// Stopped by the user.
pub(crate) const CANCELLED: u8 = 130;

/// An error of use that has no other type.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub(crate) String);

/// Prints an error with its causes and gives the exit status that belongs to it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let mut said = error.to_string();
    eprintln!("error: {said}");
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Many errors repeat their cause in their own message.
        if !said.contains(&text) {
            eprintln!("  caused by: {text}");
            said.push_str(&text);
        }
    }
    ExitCode::from(status(error))
}

/// The exit status for an error.
pub(crate) fn status(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(core) = cause.downcast_ref::<Error>() {
            return of_core(core);
        }
        if cause.is::<WrongUse>() || cause.is::<zoo_host::registry::RegistryError>() {
            return USE;
        }
    }
    UNAVAILABLE
}

fn of_core(error: &Error) -> u8 {
    match error {
        Error::Unknown { .. } | Error::Argument { .. } | Error::Config { .. } | Error::NotOffered { .. } | Error::Keys { .. } => USE,
        Error::Cancelled => CANCELLED,
        _ => UNAVAILABLE,
    }
}
