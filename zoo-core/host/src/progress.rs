//! Progress in the terminal: bars on a TTY, plain lines elsewhere, machine-readable lines on request.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use zoo_core::{Level, Reporter};

/// How progress is shown on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressMode {
    /// Bars if stderr is a terminal, else plain lines.
    Auto,
    /// One JSON object a line.
    Events,
    /// Nothing but warnings and errors.
    Quiet,
}

/// Seconds a task must take before plain lines speak of it, and between two such lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// Reports log lines and progress on stderr; one for the whole process.
pub struct Terminal {
    mode: ProgressMode,
    bars: MultiProgress,
    tasks: Mutex<HashMap<String, Task>>,
    cancelled: AtomicBool,
    level: Level,
}

struct Task {
    bar: ProgressBar,
    last: Instant,
}

impl Terminal {
    /// A reporter that shows log lines up to `level`.
    pub fn new(mode: ProgressMode, level: Level) -> Self {
        let target = match mode {
            ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressDrawTarget::stderr(),
            _ => ProgressDrawTarget::hidden(),
        };
        Self {
            mode,
            bars: MultiProgress::with_draw_target(target),
            tasks: Mutex::new(HashMap::new()),
            cancelled: AtomicBool::new(false),
            level,
        }
    }

    /// Makes every later [`Reporter::check`] fail. Safe to call from a signal handler's thread.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    fn line(&self, text: &str) {
        self.bars.suspend(|| {
            // A closed stderr is no reason to stop working.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }

    fn event(&self, event: &serde_json::Value) {
        self.line(&event.to_string());
    }

    fn start(&self, task: &str, total: Option<u64>, unit: &str) -> Task {
        let bar = self.bars.add(total.map_or_else(ProgressBar::new_spinner, ProgressBar::new));
        let template = match (total, unit) {
            (Some(_), "B") => "{msg:24} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            (Some(_), _) => "{msg:24} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}",
            (None, _) => "{msg:24} {spinner} {human_pos}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(task.to_string());
        Task { bar, last: Instant::now() }
    }
}

impl Reporter for Terminal {
    fn log(&self, level: Level, target: &str, message: &str) {
        match self.mode {
            ProgressMode::Events => {
                self.event(&serde_json::json!({"event": "log", "level": level, "target": target, "message": message}));
            }
            ProgressMode::Quiet if level > Level::Warn => {}
            _ if level > self.level => {}
            _ => {
                let prefix = match level {
                    Level::Error => "error: ",
                    Level::Warn => "warning: ",
                    _ => "",
                };
                self.line(&format!("{prefix}{message}"));
            }
        }
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        if self.mode == ProgressMode::Quiet {
            return;
        }
        // A poisoned lock only means that another thread panicked while drawing.
        let mut tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let finished = total.is_some_and(|total| done >= total);
        let state = tasks.entry(task.into()).or_insert_with(|| self.start(task, total, unit));
        state.bar.set_position(done);
        let due = state.last.elapsed() >= PLAIN_INTERVAL;
        if self.mode == ProgressMode::Events && (due || finished) {
            state.last = Instant::now();
            let mut event = serde_json::json!({"event": "progress", "task": task, "done": done, "unit": unit});
            if let Some(total) = total {
                event["total"] = total.into();
            }
            self.event(&event);
        } else if self.bars.is_hidden() && due {
            state.last = Instant::now();
            let of = total.map_or(String::new(), |total| format!(" of {total}"));
            self.line(&format!("{task}: {done}{of} {unit}"));
        }
        if finished {
            state.bar.finish_and_clear();
            tasks.remove(task);
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
