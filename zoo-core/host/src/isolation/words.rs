//! What a plugin's process writes to stdout and stderr: lines of the host's log, the last of which are kept.

use super::lane::lock;
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zoo_core::Level;

/// Longest line that is passed on in one piece, in bytes.
const LONGEST: u64 = 4096;
/// Lines that are kept: a backtrace may follow those that matter.
const KEPT: usize = 64;
/// How long to wait for lines that are still on their way after the process has ended.
const LATE: Duration = Duration::from_millis(500);

/// The last lines, and the end of the pipe.
pub(super) struct LastWords {
    lines: Arc<Mutex<Vec<String>>>,
    end: Mutex<Receiver<()>>,
}

impl LastWords {
    /// Waits until all lines of a process that has ended were passed on.
    pub(super) fn wait_for_the_end(&self) {
        // A process that it left behind may hold the pipe open for ever.
        match lock(&self.end).recv_timeout(LATE) {
            Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }

    /// The last lines of a process that has ended.
    pub(super) fn after_the_end(&self) -> Vec<String> {
        self.wait_for_the_end();
        lock(&self.lines).clone()
    }
}

/// Passes lines on until the pipe ends.
pub(super) fn listen(reader: PipeReader, origin: &str) -> Arc<LastWords> {
    let (done, end) = sync_channel(1);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (kept, target) = (Arc::clone(&lines), format!("plugin {origin}"));
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        loop {
            let mut line = Vec::new();
            match reader.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_string();
            if text.is_empty() {
                continue;
            }
            crate::plugins::reporter().log(Level::Info, &target, &text);
            let mut kept = lock(&kept);
            if kept.len() == KEPT {
                kept.remove(0);
            }
            kept.push(text);
        }
        // Nobody waits for the end of a process that is never asked about.
        let _ = done.send(());
    });
    Arc::new(LastWords { lines, end: Mutex::new(end) })
}
