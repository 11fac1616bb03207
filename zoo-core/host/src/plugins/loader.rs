//! Opening a library and taking over what its table hands out.

use super::library::Inspected;
use super::refusal::Refusal;
use std::sync::OnceLock;
use zoo_core::abi::{self, ZooPlugin};
use zoo_core::{Level, Plugin, Reporter};

static REPORTER: OnceLock<(Box<dyn Reporter>, Option<Level>)> = OnceLock::new();

/// Sets where the log lines of plugins up to a level go, and who knows whether the user asked to stop; without it they become
/// `tracing` events. The first call counts, and only before the first plugin is opened. Returns whether it counted.
pub fn set_reporter(reporter: Box<dyn Reporter>, most: Level) -> bool {
    REPORTER.set((reporter, Some(most))).is_ok()
}

/// Where the log lines of plugins go.
pub(crate) fn reporter() -> &'static dyn Reporter {
    REPORTER.get_or_init(|| (Box::new(Traced), None)).0.as_ref()
}

/// Log lines as `tracing` events.
struct Traced;

impl Reporter for Traced {
    fn log(&self, level: Level, target: &str, message: &str) {
        match level {
            Level::Error => tracing::error!(plugin_target = target, "{message}"),
            Level::Warn => tracing::warn!(plugin_target = target, "{message}"),
            Level::Info => tracing::info!(plugin_target = target, "{message}"),
            Level::Debug => tracing::debug!(plugin_target = target, "{message}"),
            Level::Trace => tracing::trace!(plugin_target = target, "{message}"),
        }
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        tracing::debug!(task, done, total, unit, "progress");
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// The greatest level that somebody listens to, so that plugins need not send more.
pub(crate) fn most() -> Level {
    use tracing::level_filters::LevelFilter;
    if let Some((_, Some(most))) = REPORTER.get() {
        return *most;
    }
    match LevelFilter::current() {
        LevelFilter::TRACE => Level::Trace,
        LevelFilter::DEBUG => Level::Debug,
        LevelFilter::INFO => Level::Info,
        LevelFilter::WARN => Level::Warn,
        _ => Level::Error,
    }
}

/// Opens a library that was looked at and found trusted.
pub(crate) fn open(library: &Inspected) -> Result<Plugin, Refusal> {
    let origin = library.path.display().to_string();
    // SAFETY: opening runs the library's constructors; the caller decided to trust it.
    let opened = unsafe { open_now(&library.path) }.map_err(|e| Refusal::Unloadable(chain(&e)))?;
    // Never unloaded, on any path: code of the library may be needed as long as the process lives.
    let opened = std::mem::ManuallyDrop::new(opened);
    // SAFETY: the export is the plugin's constant table by the ABI's naming rule; its content is checked before use.
    let table: *const ZooPlugin =
        unsafe { *opened.get::<*const ZooPlugin>(library.symbol.as_bytes()).map_err(|e| Refusal::Unloadable(chain(&e)))? };
    // SAFETY: the table lives as long as the library, which is never unloaded; `load` checks what can be checked.
    unsafe { abi::load(table, &origin, reporter(), most()) }.map_err(Refusal::Plugin)
}

/// Resolves every symbol at once, so that one which is missing is an error here and not a crash later.
///
/// # Safety
/// The library's constructors are sound.
#[cfg(unix)]
unsafe fn open_now(path: &std::path::Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: passed on.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

/// # Safety
/// The library's constructors are sound.
#[cfg(not(unix))]
unsafe fn open_now(path: &std::path::Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: passed on.
    unsafe { libloading::Library::new(path) }
}

/// An error with its causes: the system's own words come last.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
