//! Panics and log lines of a plugin, forwarded to the host.
//!
//! A shared library has its own copy of the standard library and of the `log` crate, so neither the host's panic hook
//! nor its logger sees what happens inside. [`connect`] gives the plugin's copies ones that speak to the host.

use super::import::ForeignReporter;
use crate::services::{Level, Reporter};
use std::cell::Cell;
use std::sync::OnceLock;

static HOST: OnceLock<ForeignReporter> = OnceLock::new();
thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Marks the thread as inside a guarded call.
pub(super) struct Inside;

impl Inside {
    pub(super) fn enter() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

struct Forward;

impl log::Log for Forward {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Some(host) = HOST.get().filter(|_| self.enabled(record.metadata())) {
            host.log(level_of(record.level()), record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Connects this copy of the crate with the host; the first call counts.
pub(super) fn connect(host: ForeignReporter, most: Level) {
    if HOST.set(host).is_err() {
        return;
    }
    // A plugin that brings its own logger keeps it.
    if log::set_logger(&Forward).is_ok() {
        log::set_max_level(filter_of(most));
    }
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match HOST.get().filter(|_| DEPTH.with(Cell::get) > 0) {
        Some(host) => host.log(Level::Error, "panic", &info.to_string()),
        None => previous(info),
    }));
}

fn level_of(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warn,
        log::Level::Info => Level::Info,
        log::Level::Debug => Level::Debug,
        log::Level::Trace => Level::Trace,
    }
}

fn filter_of(level: Level) -> log::LevelFilter {
    match level {
        Level::Error => log::LevelFilter::Error,
        Level::Warn => log::LevelFilter::Warn,
        Level::Info => log::LevelFilter::Info,
        Level::Debug => log::LevelFilter::Debug,
        Level::Trace => log::LevelFilter::Trace,
    }
}
