//! The process of a plugin, as the host sees it.

use super::lent::{Lent, Objects, Server};
use crate::isolation::fault::Fault;
use crate::isolation::lane::{Lane, Patience, Trouble, lock};
use crate::isolation::limits::Limits;
use crate::isolation::message::{Call, Known, Note, facts};
use crate::isolation::words::{LastWords, listen};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::collections::HashMap;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::ThreadId;
use std::time::{Duration, Instant};
use zoo_core::{Error, Level, Result, Tensor};

/// How long a process may take to die after its sockets closed, before it is made to.
const DYING: Duration = Duration::from_secs(2);
/// How long a plugin may take to come back after the user asked to stop, before it is made to.
const GRACE: Duration = Duration::from_secs(2);

/// A running process of a plugin, or what is left of it.
pub(in crate::isolation) struct Process {
    /// Name of the plugin, or path of its library before it is known.
    name: OnceLock<String>,
    origin: String,
    limits: Limits,
    /// Passes lanes on; absent where there is no process (a test of the protocol).
    door: Option<UnixStream>,
    child: Mutex<Option<Child>>,
    words: Option<Arc<LastWords>>,
    fault: OnceLock<Fault>,
    lanes: Mutex<Lanes>,
    pub(super) objects: Mutex<Objects>,
}

#[derive(Default)]
struct Lanes {
    free: Vec<Arc<Lane>>,
    /// The lane a thread is calling over, and how many calls deep.
    held: HashMap<ThreadId, (Arc<Lane>, usize)>,
}

impl Process {
    /// Starts the program that serves plugins ([`crate::isolation::serve`]). Its stdout and stderr become lines of log.
    pub(super) fn start(program: &std::path::Path, arguments: &[String], origin: &str, limits: Limits) -> std::io::Result<Self> {
        let (door, theirs) = UnixStream::pair()?;
        let (reader, writer) = std::io::pipe()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(writer.try_clone()?).stderr(writer);
        // A group of its own: Ctrl-C is the host's to handle, and whatever the plugin starts ends with it.
        command.process_group(0);
        let child = command.spawn()?;
        // The command holds the write end of the pipe, whose end tells that the process is gone.
        drop(command);
        let words = listen(reader, origin);
        Ok(Self::over(origin, limits, Some(door), Some(child), Some(words)))
    }

    /// A process that is nothing but one lane.
    pub(super) fn of_lane(stream: UnixStream, limits: Limits) -> Self {
        let process = Self::over("lane", limits, None, None, None);
        lock(&process.lanes).free.push(Arc::new(Lane::new(stream)));
        process
    }

    fn over(origin: &str, limits: Limits, door: Option<UnixStream>, child: Option<Child>, words: Option<Arc<LastWords>>) -> Self {
        Self {
            name: OnceLock::new(),
            origin: origin.into(),
            limits,
            door,
            child: Mutex::new(child),
            words,
            fault: OnceLock::new(),
            lanes: Mutex::default(),
            objects: Mutex::default(),
        }
    }

    /// Name of the plugin, for messages.
    pub(super) fn name(&self) -> &str {
        self.name.get().unwrap_or(&self.origin)
    }

    pub(super) fn is_called(&self, name: &str) {
        self.name.get_or_init(|| name.into());
    }

    /// Whether it is gone.
    pub(super) fn ended(&self) -> bool {
        self.fault.get().is_some()
    }

    /// Calls the plugin, which needs nothing lent, and reads the facts of its answer. `what` names the call in messages.
    pub(super) fn ask<T: DeserializeOwned>(&self, what: &str, tensors: &[Tensor], call: Call) -> Result<(T, Vec<Tensor>)> {
        self.call(what, tensors, Lent::default(), |_, _| call)
    }

    /// Asks for a fact where there is no room for an error: it goes to the log, and what comes back is the emptiest answer.
    pub(super) fn ask_or_default<T: DeserializeOwned + Default>(&self, what: &str, call: Call) -> T {
        match self.ask(what, &[], call) {
            Ok((fact, _)) => fact,
            Err(error) => {
                crate::plugins::reporter().log(Level::Error, &format!("plugin {}", self.name()), &error.to_string());
                T::default()
            }
        }
    }

    /// Calls the plugin and serves it with what is lent. `make` is given the lane, whose memory of what was said before
    /// shortens what is to be said.
    pub(super) fn call<'a, T: DeserializeOwned>(
        &self,
        what: &str,
        tensors: &[Tensor],
        lent: Lent<'a>,
        make: impl FnOnce(&mut Known, &Lent<'a>) -> Call,
    ) -> Result<(T, Vec<Tensor>)> {
        if let Some(fault) = self.fault.get() {
            return Err(fault.at(self.name(), &format!("{what}: after an earlier call")));
        }
        let held = Held::of(self).map_err(|trouble| self.end(trouble, what))?;
        let patience = Watch { silence: self.limits.silence, asked: Cell::new(None) };
        let call = make(&mut lock(&held.lane.known), &lent);
        match held.lane.call(&call, tensors, &mut Server { process: self, lent }, &patience) {
            Ok(Ok((text, tensors))) => Ok((facts(&text, self.name())?, tensors)),
            Ok(Err(error)) => Err(error),
            Err(trouble) => Err(self.end(trouble, what)),
        }
    }

    /// Says something that needs no answer; a process that is gone needs to hear nothing.
    pub(super) fn note(&self, note: &Note) {
        if self.ended() {
            return;
        }
        let patience = Watch { silence: self.limits.silence, asked: Cell::new(None) };
        let said = Held::of(self).and_then(|held| held.lane.note(note, &patience));
        if let Err(trouble) = said {
            drop(self.end(trouble, "dropping an object"));
        }
    }

    /// Ends the process, if it has not ended by itself, and says why it is gone.
    fn end(&self, trouble: Trouble, call: &str) -> Error {
        let stopped = matches!(trouble, Trouble::Stopped);
        let fault = self.fault.get_or_init(|| match trouble {
            Trouble::Closed => self.buried(),
            Trouble::Silent => {
                self.kill();
                Fault::Time { seconds: self.limits.silence.as_secs() }
            }
            Trouble::Stopped => {
                self.kill();
                Fault::System("the user asked to stop".into())
            }
            Trouble::Breach(breach) => {
                self.kill();
                Fault::Protocol(breach.to_string())
            }
            Trouble::System(error) => {
                self.kill();
                Fault::System(error.to_string())
            }
        });
        // Dropped outside the lock: they may be objects of this very plugin.
        let objects = std::mem::take(&mut *lock(&self.objects));
        drop(objects);
        if stopped { Error::Cancelled } else { fault.at(self.name(), call) }
    }

    /// What became of a process whose sockets closed.
    fn buried(&self) -> Fault {
        let status = {
            let mut child = lock(&self.child);
            let Some(child) = child.as_mut() else { return Fault::Protocol("the other end was closed".into()) };
            let since = Instant::now();
            loop {
                match child.try_wait() {
                    Ok(Some(status)) => break Some(status),
                    Ok(None) if since.elapsed() < DYING => std::thread::sleep(Duration::from_millis(1)),
                    _ => break None,
                }
            }
        };
        self.kill();
        let words = self.words.as_ref().map(|words| words.after_the_end()).unwrap_or_default();
        match status {
            Some(status) => Fault::of_status(status, &words, &self.limits),
            None => Fault::Protocol("it closed its end and went on running".into()),
        }
    }

    /// Ends the process and whatever it started, and collects what is left.
    fn kill(&self) {
        if let Some(mut child) = lock(&self.child).take() {
            // Of a group that is gone already there is nothing to end.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
        }
    }

    /// A new lane, its other end passed through the door.
    fn open_lane(&self) -> Result<Arc<Lane>, Trouble> {
        let door = self.door.as_ref().ok_or(Trouble::Closed)?;
        let (ours, theirs) = UnixStream::pair().map_err(Trouble::System)?;
        let descriptors = [theirs.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(door, &[IoSlice::new(b"l")], &mut control, SendFlags::NOSIGNAL)?;
        Ok(Arc::new(Lane::new(ours)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // What it wrote may still be on its way, and this may be the end of the program.
        if let Some(words) = &self.words {
            words.wait_for_the_end();
        }
    }
}

/// The lane of this thread, for the time of a call. A thread that is called back and calls again goes on over the same lane.
struct Held<'a> {
    process: &'a Process,
    lane: Arc<Lane>,
}

impl<'a> Held<'a> {
    fn of(process: &'a Process) -> Result<Self, Trouble> {
        let me = std::thread::current().id();
        let mut lanes = lock(&process.lanes);
        if let Some((lane, depth)) = lanes.held.get_mut(&me) {
            *depth += 1;
            return Ok(Self { process, lane: Arc::clone(lane) });
        }
        let lane = match lanes.free.pop() {
            Some(lane) => lane,
            None => process.open_lane()?,
        };
        lanes.held.insert(me, (Arc::clone(&lane), 1));
        Ok(Self { process, lane })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let me = std::thread::current().id();
        let mut lanes = lock(&self.process.lanes);
        let Some((_, depth)) = lanes.held.get_mut(&me) else { return };
        *depth -= 1;
        if *depth == 0
            && let Some((lane, _)) = lanes.held.remove(&me)
        {
            lanes.free.push(lane);
        }
    }
}

/// Waits as long as the limits allow, and not much longer than the user.
struct Watch {
    silence: Duration,
    /// When it was first seen that the user asked to stop.
    asked: Cell<Option<Instant>>,
}

impl Patience for Watch {
    fn silence(&self) -> Option<Duration> {
        Some(self.silence)
    }

    fn stopped(&self) -> bool {
        if !crate::plugins::reporter().cancelled() {
            return false;
        }
        let asked = self.asked.get().unwrap_or_else(Instant::now);
        self.asked.set(Some(asked));
        asked.elapsed() > GRACE
    }
}
