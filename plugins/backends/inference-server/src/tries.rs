//! Tries with growing pauses, until one succeeds or tries or time are used up.

use crate::MEND;
use crate::settings::Settings;
use std::time::{Duration, Instant};
use zoo_core::{Error, Result};

/// Why a try failed.
pub(crate) enum Failure {
    /// Another try may help.
    Passing(String),
    /// It would not.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Calls `once` with the time that is left.
///
/// # Errors
/// The first final failure; [`Error::Unavailable`] with the last passing one.
pub(crate) fn with_tries<T>(settings: &Settings, mut once: impl FnMut(Duration) -> Result<T, Failure>) -> Result<T> {
    let started = Instant::now();
    let mut why = String::new();
    for attempt in 0..settings.tries {
        if attempt > 0 {
            let pause = settings.backoff.saturating_mul(1 << (attempt - 1).min(16));
            if started.elapsed() + pause >= settings.deadline {
                why = format!("{why} (deadline of {} s)", settings.deadline.as_secs());
                break;
            }
            std::thread::sleep(pause);
        }
        match once(settings.deadline.saturating_sub(started.elapsed())) {
            Ok(answer) => return Ok(answer),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(found)) => why = format!("try {} of {}: {found}", attempt + 1, settings.tries),
        }
    }
    Err(Error::Unavailable { what: format!("server {}", settings.url), why, mend: MEND.into() })
}
