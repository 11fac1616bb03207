//! The PyTorch simulators, in a process of their own.

use crate::modes::Impulse;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use zoo_core::{Error, Result};
use zoo_formats::event_graph::EventGraph;

/// Peers by name.
pub(super) const NAMES: [&str; 2] = ["sinabs", "spikingjelly"];

const SCRIPT: &str = include_str!("peers.py");

/// A running interpreter with one case loaded.
pub(super) struct Peers {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Versions of the interpreter and its packages.
    pub(super) versions: BTreeMap<String, String>,
    _folder: tempfile::TempDir,
}

fn failed(stage: &str, message: impl std::fmt::Display) -> Error {
    Error::Runtime { backend: "python peers".into(), stage: stage.into(), message: message.to_string() }
}

impl Peers {
    /// Starts the interpreter and hands it weights and events.
    pub(super) fn start(python: &Path, graph: &EventGraph, samples: &[Vec<Impulse>], threads: usize) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|e| failed("making a folder", e))?;
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).map_err(|e| failed("writing the case", e));
        for layer in ["conv0", "conv1", "conv2", "fc3", "fc4"] {
            write(&format!("{layer}.f32"), graph.tensors[&format!("{layer}.weight")].as_bytes())?;
        }
        let mut frames = vec![0f32; samples.len() * graph.steps * 2 * 34 * 34];
        for (i, sample) in samples.iter().enumerate() {
            for event in sample {
                frames[(i * graph.steps + event.step as usize) * 2 * 34 * 34 + event.index as usize] += event.value;
            }
        }
        let bytes: Vec<u8> = frames.iter().flat_map(|v| v.to_le_bytes()).collect();
        write("frames.f32", &bytes)?;
        write("case.json", json!({"batch": samples.len(), "steps": graph.steps}).to_string().as_bytes())?;
        write("peers.py", SCRIPT.as_bytes())?;
        let mut child = Command::new(python)
            .arg(folder.path().join("peers.py"))
            .arg(folder.path())
            .arg(threads.to_string())
            .env("OMP_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Error::Unavailable {
                what: format!("Python interpreter {}", python.display()),
                why: e.to_string(),
                mend: "run `cargo xtask setup peers`".into(),
            })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("starting", "no pipes"));
        };
        let mut peers = Self { child, input, output: BufReader::new(output), versions: BTreeMap::new(), _folder: folder };
        let line = peers.line()?;
        let versions = line.strip_prefix("ready ").and_then(|json| serde_json::from_str(json).ok());
        peers.versions = versions.ok_or_else(|| failed("loading", format!("expected `ready` and versions, found `{line}`")))?;
        Ok(peers)
    }

    /// Milliseconds a sample of one pass over the batch, and spikes of all layers.
    pub(super) fn time(&mut self, name: &str) -> Result<(f64, u64)> {
        writeln!(self.input, "{name}").and_then(|()| self.input.flush()).map_err(|e| failed(name, e))?;
        let line = self.line()?;
        let mut parts = line.split_whitespace();
        let milliseconds = parts.next().and_then(|p| p.parse().ok());
        let spikes = parts.next().and_then(|p| p.parse().ok());
        milliseconds.zip(spikes).ok_or_else(|| failed(name, format!("expected `milliseconds spikes`, found `{line}`")))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err(failed("answering", "the interpreter ended; it needs torch, sinabs and spikingjelly (`cargo xtask setup peers`)")),
            Ok(_) => Ok(line.trim().to_string()),
            Err(e) => Err(failed("answering", e)),
        }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // The script ends with its input; whatever is left is stopped.
        let _ = writeln!(self.input, "quit");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A comparison of different computations would mean nothing: the spikes must be the same.
pub(super) fn check(case: &str, peer: &str, ours: u64, theirs: u64) -> Result<()> {
    if ours == theirs {
        return Ok(());
    }
    Err(failed(&format!("case {case}"), format!("{peer} gave {theirs} spikes, ours {ours}; the networks differ")))
}
