//! How a plugin's process may end, and what to do about it.

use super::limits::{Limits, MEMORY, SECONDS, bytes_text};
use std::process::ExitStatus;
use zoo_core::Error;

/// Why the process of a plugin is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A signal ended it: a memory error, an abort.
    #[error("its process was ended by signal {number} ({name}){}", quoted(words))]
    Signal {
        /// The signal.
        number: i32,
        /// Its name.
        name: &'static str,
        /// The last it wrote to stdout or stderr.
        words: String,
    },
    /// It ended by itself.
    #[error("its process exited with status {status} instead of answering{}", quoted(words))]
    Exit {
        /// The status.
        status: i32,
        /// The last it wrote to stdout or stderr.
        words: String,
    },
    /// It asked for more memory than it may have.
    #[error(
        "its process reached the memory limit of {} ({}); if the plugin needs more, set {MEMORY}, such as {MEMORY}={}",
        bytes_text(*limit), words, bytes_text(limit.saturating_mul(2))
    )]
    Memory {
        /// The limit in bytes.
        limit: u64,
        /// The last it wrote to stdout or stderr.
        words: String,
    },
    /// It said nothing for too long.
    #[error(
        "its process neither answered nor called back for {seconds} s and was ended; if the plugin needs longer, set {SECONDS}, such as \
         {SECONDS}={}", seconds.saturating_mul(2)
    )]
    Time {
        /// The limit in seconds.
        seconds: u64,
    },
    /// It does not follow the protocol.
    #[error("its process broke the protocol and was ended: {0}; does the plugin write to descriptors that are not its own?")]
    Protocol(String),
    /// The system refused something.
    #[error("talking to its process failed: {0}")]
    System(String),
}

fn quoted(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("; its last words: {words}") }
}

impl Fault {
    /// The fault behind an exit status.
    pub(super) fn of_status(status: ExitStatus, lines: &[String], limits: &Limits) -> Self {
        use std::os::unix::process::ExitStatusExt;
        // What the allocators of Rust, C++ and Python say before they give up.
        const STARVED: [&str; 4] = ["memory allocation of", "bad_alloc", "Cannot allocate memory", "MemoryError"];
        const SHOWN: usize = 3;
        let before_trace = lines.iter().position(|line| line == "stack backtrace:").unwrap_or(lines.len());
        let words = lines[before_trace.saturating_sub(SHOWN)..before_trace].join(" / ");
        let Some(number) = status.signal() else { return Self::Exit { status: status.code().unwrap_or(-1), words } };
        if let Some(line) = lines.iter().rev().find(|line| STARVED.iter().any(|said| line.contains(said))) {
            return Self::Memory { limit: limits.memory, words: line.clone() };
        }
        Self::Signal { number, name: signal_name(number), words }
    }

    /// This fault, met in a call, as the error of the seams.
    pub(super) fn at(&self, plugin: &str, call: &str) -> Error {
        Error::Plugin { plugin: plugin.into(), message: format!("{call}: {self}") }
    }
}

fn signal_name(number: i32) -> &'static str {
    match number {
        4 => "SIGILL, an instruction there is not",
        6 => "SIGABRT, an abort",
        7 => "SIGBUS, a memory error",
        8 => "SIGFPE, a division by zero",
        9 => "SIGKILL, by the system when memory is short, or by somebody",
        11 => "SIGSEGV, a memory error",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        24 => "SIGXCPU, a limit on processor time",
        31 => "SIGSYS, a forbidden system call",
        _ => "see signal(7)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn each_end_is_told_with_what_to_do() {
        let limits = Limits { memory: 8 << 30, silence: std::time::Duration::from_secs(300) };
        let lines = |words: &str| words.lines().map(String::from).collect::<Vec<_>>();
        let of =
            |raw, words: &str| Fault::of_status(ExitStatus::from_raw(raw), &lines(words), &limits).at("p", "run of a session").to_string();
        assert_eq!(of(11, ""), "plugin p: run of a session: its process was ended by signal 11 (SIGSEGV, a memory error)");
        assert_eq!(of(0, "bye"), "plugin p: run of a session: its process exited with status 0 instead of answering; its last words: bye");
        let memory = of(6, "memory allocation of 10737418240 bytes failed\nstack backtrace:\n0: main");
        assert!(memory.contains("memory limit of 8GiB") && memory.contains("ZOO_PLUGIN_MEMORY=16GiB"), "{memory}");
        let time = Fault::Time { seconds: 300 }.to_string();
        assert!(time.contains("ZOO_PLUGIN_SECONDS=600"), "{time}");
    }
}
