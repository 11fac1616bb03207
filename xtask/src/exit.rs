//! From errors to exit status and message.

use std::io::Write;
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

/// Prints an error with its causes and gives the exit status that belongs to it. A reader of stdout that has left, as `head`
/// does, is told nothing.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let left = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if !error.root_cause().downcast_ref().is_some_and(left) {
        // Where stderr can't be written, the status has to say it.
        print(error, &mut std::io::stderr().lock()).ok();
    }
    ExitCode::from(status(error))
}

fn print(error: &anyhow::Error, to: &mut dyn Write) -> std::io::Result<()> {
    let mut said = error.to_string();
    writeln!(to, "error: {said}")?;
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Many errors repeat their cause in their own message.
        if !said.contains(&text) {
            writeln!(to, "  caused by: {text}")?;
            said.push_str(&text);
        }
    }
    Ok(())
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
