//! A Python process that times PyTorch's side on request.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use zoo_core::{Error, Result};

const SCRIPT: &str = include_str!("../../bench/peer.py");

pub(super) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    name: String,
}

impl Peer {
    pub(super) fn start(python: &Path, threads: usize) -> Result<Self> {
        let name = python.display().to_string();
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT, &threads.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| unavailable(&name, &error.to_string()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(unavailable(&name, "its pipes could not be opened"));
        };
        let mut peer = Self { child, input: Some(input), output: BufReader::new(output), name };
        // The first line says that the imports went well.
        peer.answer()?;
        Ok(peer)
    }

    /// Seconds of each of `steps` steps.
    pub(super) fn time(&mut self, case: &str, steps: usize) -> Result<Vec<f64>> {
        let sent = self.input.as_mut().map(|input| writeln!(input, "{case} {steps}").and_then(|()| input.flush()));
        if !matches!(sent, Some(Ok(()))) {
            return Err(unavailable(&self.name, "it ended early"));
        }
        let answer = self.answer()?;
        let times: Option<Vec<f64>> = answer.as_array().map(|times| times.iter().filter_map(Value::as_f64).collect());
        times.filter(|t| t.len() == steps).ok_or_else(|| unavailable(&self.name, &format!("expected {steps} times, found {answer}")))
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| unavailable(&self.name, &error.to_string()))?;
        serde_json::from_str(&line).map_err(|_| unavailable(&self.name, &format!("it answered `{}`", line.trim())))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input ends the script.
        self.input = None;
        let _ = self.child.wait();
    }
}

fn unavailable(python: &str, why: &str) -> Error {
    let mend = "give a Python that can import torch, such as the one `cargo xtask setup peers` makes".into();
    Error::Unavailable { what: format!("the peer of the training benchmark ({python})"), why: why.into(), mend }
}
