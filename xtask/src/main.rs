//! `cargo xtask`: the command line of the zoo. Parses arguments, calls the host, prints.

mod cli;
mod commands;
mod exit;
mod stdout;

use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;
use zoo_core::Level;
use zoo_host::progress::{ProgressMode, Terminal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let level = match cli.global.verbose {
        0 => Level::Info,
        1 => Level::Debug,
        _ => Level::Trace,
    };
    let mode = if cli.global.events { ProgressMode::Events } else { ProgressMode::Auto };
    let terminal = Arc::new(Terminal::new(mode, level));
    stop_on_interrupt(&terminal);
    // The process of a plugin has a reporter of its own, which talks to the host.
    if !matches!(cli.command, cli::Command::Plugin { command: cli::PluginCommand::Serve }) {
        zoo_host::plugins::set_reporter(Box::new(Arc::clone(&terminal)), level);
    }
    match commands::dispatch(cli.command, &cli.global, &terminal) {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}

/// The first Ctrl-C asks the work to stop where nothing is half written; the second ends the process.
fn stop_on_interrupt(terminal: &Arc<Terminal>) {
    let terminal = Arc::clone(terminal);
    let handler = move || {
        if zoo_core::Reporter::cancelled(&*terminal) {
            std::process::exit(130);
        }
        terminal.cancel();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("warning: Ctrl-C will end the process at once: {error}");
    }
}
