//! The plugin's side: what runs in its process.

mod dispatch;
mod remote;

use super::lane::{Lane, Patience, lock};
use super::message::Note;
use dispatch::Plugged;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;
use zoo_core::{Level, Reporter};

/// Stack of a lane's thread, in bytes: that of a program's main thread, which plugins run on when they are not isolated.
const STACK: usize = 8 << 20;

/// Serves a host: takes lanes from the socket that is this process's stdin and calls the plugin for them. Comes back only
/// if stdin is no such socket; the process ends with the host.
///
/// # Errors
/// If stdin is no socket of a host.
pub fn serve() -> io::Result<()> {
    let door = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // What reads stdin finds nothing there.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let plugged = Arc::new(Plugged::default());
    while let Some(stream) = next_lane(&door)? {
        let plugged = Arc::clone(&plugged);
        let lane = Arc::new(Lane::new(UnixStream::from(stream)));
        std::thread::Builder::new().name("lane".into()).stack_size(STACK).spawn(move || {
            CURRENT.set(Some(Arc::clone(&lane)));
            let trouble = lane.serve(&mut dispatch::Server { plugged: &plugged, lane: &lane }, &Forever);
            // The host is gone or talks nonsense: either way nobody waits for an answer.
            if !matches!(trouble, super::lane::Trouble::Closed) {
                eprintln!("the host and this process do not understand one another: {trouble:?}");
            }
            end();
        })?;
    }
    end()
}

/// Ends this process and what the plugin started, whatever the plugin is doing.
fn end() -> ! {
    if getpgrp() == getpid() {
        // If the system refuses, there is still the end below.
        let _ = kill_current_process_group(Signal::KILL);
    }
    std::process::abort();
}

/// The next lane; `None` when the host is gone.
fn next_lane(door: &UnixStream) -> io::Result<Option<OwnedFd>> {
    loop {
        let (mut byte, mut space) = ([0], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
        let mut control = RecvAncillaryBuffer::new(&mut space);
        match recvmsg(door, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) if message.bytes == 0 => return Ok(None),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut lanes = control.drain().filter_map(|came| match came {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        if let Some(lane) = lanes.next() {
            return Ok(Some(lane));
        }
    }
}

/// Waits for the host as long as it lives.
struct Forever;

impl Patience for Forever {
    fn silence(&self) -> Option<Duration> {
        None
    }

    fn stopped(&self) -> bool {
        false
    }
}

thread_local! {
    /// The lane that this thread serves.
    static CURRENT: RefCell<Option<Arc<Lane>>> = const { RefCell::new(None) };
}

/// Says something to the host over the lane of this thread. A thread of the plugin's own has none; returns whether it was said.
fn say(note: &Note) -> bool {
    CURRENT.with_borrow(|lane| lane.as_ref().is_some_and(|lane| lane.is_serving() && lane.note(note, &Forever).is_ok()))
}

/// Log lines of the plugin, on their way to the host.
struct Log;

impl Reporter for Log {
    fn log(&self, level: Level, target: &str, message: &str) {
        if !say(&Note::Log { bench: false, level, target: target.into(), message: message.into() }) {
            // Stderr is read by the host, too.
            eprintln!("{target}: {message}");
        }
    }

    fn progress(&self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        say(&Note::Progress { task: task.into(), done, total, unit: unit.into() });
    }

    fn cancelled(&self) -> bool {
        false
    }
}
