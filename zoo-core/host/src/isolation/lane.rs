//! A lane: a socket and two arenas between a thread of the host and a thread of the plugin's process.
//!
//! Only one side has the turn. Whoever called waits for the answer and meanwhile serves what the other side calls, so that
//! calls nest as they do on one stack. Several threads use several lanes.

use super::message::{Call, Known, Note, Reply};
use super::mmap::{Incoming, Outgoing};
use super::protocol::{Breach, HEAD, Head, Kind, lay_out, slots};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use zoo_core::abi::{Held, Serial, json};
use zoo_core::{Error, Tensor};

/// How long to look for an answer before going to sleep: waking up takes longer than most calls.
const SPIN: Duration = Duration::from_micros(60);
/// Looking that found nothing is not repeated but every so many waits: the other side may need this very core.
const PROBE: u32 = 16;
/// A wait as long as this says nothing about the next one: the other side had work to do, and looking took little of it.
const WORK: Duration = Duration::from_micros(240);
/// How long to sleep before asking again whether the user wants to stop.
const SLICE: Duration = Duration::from_millis(100);
/// Bytes asked for at once.
const READ: usize = 1 << 16;

/// What ends a lane.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The other side is gone.
    Closed,
    /// The other side said nothing for as long as it may take.
    Silent,
    /// The user asked to stop, and the other side did not.
    Stopped,
    /// The other side broke the protocol.
    Breach(Breach),
    /// This side's own system refused.
    System(io::Error),
}

impl From<Breach> for Trouble {
    fn from(breach: Breach) -> Self {
        Self::Breach(breach)
    }
}

impl From<rustix::io::Errno> for Trouble {
    fn from(error: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        if matches!(error, Errno::PIPE | Errno::CONNRESET) { Self::Closed } else { Self::System(error.into()) }
    }
}

/// How long to wait.
pub(super) trait Patience {
    /// Longest silence; `None` waits for ever.
    fn silence(&self) -> Option<Duration>;

    /// Whether to give up now, because the user asked to stop.
    fn stopped(&self) -> bool;
}

/// Serves what the other side calls.
pub(super) trait Serve {
    /// Answers a call.
    ///
    /// # Errors
    /// Whatever the call finds; it crosses as it is.
    fn serve(&mut self, lane: &Lane, call: Call, tensors: Vec<Tensor>) -> Result<Reply, Error>;

    /// Takes note.
    fn note(&mut self, note: Note);
}

/// A frame that came.
struct Frame {
    kind: Kind,
    text: Vec<u8>,
    tensors: Vec<Tensor>,
}

/// What came back from a call.
pub(super) type Answered = Result<(Vec<u8>, Vec<Tensor>), Error>;

/// One end of a lane.
pub(super) struct Lane {
    stream: UnixStream,
    wire: Mutex<Wire>,
    /// Who may call: the thread that was called, and threads it started, one at a time.
    turn: Serial,
    /// Calls that are being served here.
    serving: Mutex<usize>,
    /// What both sides know already and need not say again.
    pub(super) known: Mutex<Known>,
}

#[derive(Default)]
struct Wire {
    /// Bytes that came, up to `filled`.
    inbox: Vec<u8>,
    filled: usize,
    /// Waits since looking for an answer last found one.
    in_vain: u32,
    descriptors: VecDeque<OwnedFd>,
    incoming: Option<Incoming>,
    outgoing: Option<Outgoing>,
}

impl Lane {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, wire: Mutex::default(), turn: Serial::default(), serving: Mutex::new(0), known: Mutex::default() }
    }

    /// Calls the other side and serves it until it answers.
    pub(super) fn call(
        &self,
        call: &Call,
        tensors: &[Tensor],
        server: &mut dyn Serve,
        patience: &dyn Patience,
    ) -> Result<Answered, Trouble> {
        let _turn = self.turn.enter();
        self.send(Kind::Call, &text_of(call), tensors, patience)?;
        loop {
            let frame = self.receive(patience)?;
            match frame.kind {
                Kind::Return => return Ok(Ok((frame.text, frame.tensors))),
                Kind::Failure => return Ok(Err(error_of(&frame.text)?)),
                Kind::Call => self.answer(&frame.text, frame.tensors, server, patience)?,
                Kind::Note => server.note(parse(&frame.text)?),
            }
        }
    }

    /// Waits until no other thread of this side is calling.
    pub(super) fn enter(&self) -> Held<'_> {
        self.turn.enter()
    }

    /// Whether a call is being served here, without which the other side does not listen.
    pub(super) fn is_serving(&self) -> bool {
        *lock(&self.serving) > 0
    }

    /// Serves the other side until it is gone.
    pub(super) fn serve(&self, server: &mut dyn Serve, patience: &dyn Patience) -> Trouble {
        let one = |server: &mut dyn Serve| -> Result<(), Trouble> {
            let frame = self.receive(patience)?;
            match frame.kind {
                Kind::Call => self.answer(&frame.text, frame.tensors, server, patience),
                Kind::Note => {
                    server.note(parse(&frame.text)?);
                    Ok(())
                }
                other => Err(Breach::new("kind of a frame", "a call or a note", format!("{other:?}")).into()),
            }
        };
        loop {
            if let Err(trouble) = one(server) {
                return trouble;
            }
        }
    }

    /// Says something that needs no answer.
    pub(super) fn note(&self, note: &Note, patience: &dyn Patience) -> Result<(), Trouble> {
        let _turn = self.turn.enter();
        self.send(Kind::Note, &text_of(note), &[], patience)
    }

    fn answer(&self, text: &[u8], tensors: Vec<Tensor>, server: &mut dyn Serve, patience: &dyn Patience) -> Result<(), Trouble> {
        let call = parse(text)?;
        *lock(&self.serving) += 1;
        let result = server.serve(self, call, tensors);
        // A thread that the call left behind may be in the middle of a call of its own.
        let _turn = self.turn.enter();
        *lock(&self.serving) -= 1;
        match result.and_then(fits) {
            Ok(reply) => self.send(Kind::Return, &reply.text, &reply.tensors, patience),
            Err(error) => self.send(Kind::Failure, json::error_to(&error).1.as_bytes(), &[], patience),
        }
    }

    fn send(&self, kind: Kind, text: &[u8], tensors: &[Tensor], patience: &dyn Patience) -> Result<(), Trouble> {
        let mut wire = lock(&self.wire);
        let (list, starts, end) = lay_out(tensors.iter().map(|tensor| (tensor.dtype(), tensor.shape(), tensor.as_bytes().len())));
        let mut descriptor = None;
        if end > 0 && wire.outgoing.as_ref().is_none_or(|arena| arena.len() < end) {
            let (arena, file) = Outgoing::new(end).map_err(Trouble::System)?;
            (wire.outgoing, descriptor) = (Some(arena), Some(file));
        }
        if let Some(arena) = &mut wire.outgoing {
            tensors.iter().zip(starts).for_each(|(tensor, start)| arena.write(start, tensor.as_bytes()));
        }
        let head = Head { kind, new_arena: descriptor.is_some(), text: text.len(), list: list.len() }.encode()?;
        drop(wire);
        self.push(&[&head, text, &list].concat(), descriptor.as_ref(), patience)
    }

    /// Sends bytes, the first of them with a descriptor.
    fn push(&self, mut bytes: &[u8], descriptor: Option<&OwnedFd>, patience: &dyn Patience) -> Result<(), Trouble> {
        let descriptors = descriptor.map(AsFd::as_fd);
        let mut with = descriptors.as_slice();
        let mut waiting = Waiting::new(patience);
        while !bytes.is_empty() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !with.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(with));
            }
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match sendmsg(&self.stream, &[IoSlice::new(bytes)], &mut control, flags) {
                Ok(sent) => (bytes, with) = (bytes.get(sent..).unwrap_or_default(), &[]),
                Err(rustix::io::Errno::AGAIN) => waiting.sleep(&self.stream, PollFlags::OUT)?,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn receive(&self, patience: &dyn Patience) -> Result<Frame, Trouble> {
        let mut wire = lock(&self.wire);
        let mut waiting = Waiting::new(patience);
        waiting.spins = wire.in_vain.is_multiple_of(PROBE);
        wire.fill(&self.stream, HEAD, &mut waiting)?;
        wire.in_vain = waiting.in_vain(wire.in_vain);
        let mut head = [0; HEAD];
        head.copy_from_slice(&wire.inbox[..HEAD]);
        let head = Head::decode(&head)?;
        let whole = HEAD + head.text + head.list;
        wire.fill(&self.stream, whole, &mut waiting)?;
        if head.new_arena {
            let file = wire.descriptors.pop_front().ok_or_else(|| Breach::new("arena", "a descriptor with the frame", "none"))?;
            wire.incoming = Some(Incoming::new(&file)?);
        }
        // One may have come ahead of its frame, with the bytes of this one; more are nobody's.
        wire.descriptors.truncate(1);
        let text = wire.inbox[HEAD..HEAD + head.text].to_vec();
        let places = slots(&wire.inbox[HEAD + head.text..whole], wire.incoming.as_ref().map_or(0, Incoming::len))?;
        let tensors = places.into_iter().map(|slot| match &wire.incoming {
            Some(arena) => arena.read(slot),
            None => Ok(Tensor::zeros(slot.dtype, slot.shape).map_err(|e| Breach::new("tensor", "an arena, or no elements", e))?),
        });
        let tensors = tensors.collect::<Result<_, _>>()?;
        wire.taken(whole);
        Ok(Frame { kind: head.kind, text, tensors })
    }
}

impl Wire {
    /// Reads until there are `want` bytes.
    fn fill(&mut self, stream: &UnixStream, want: usize, waiting: &mut Waiting<'_>) -> Result<(), Trouble> {
        while self.filled < want {
            // Room for what is still to come, but never for more than has come already and a bit: a length is only a claim.
            let room = (self.filled + READ).min(want.max(READ));
            if self.inbox.len() < room {
                self.inbox.resize(room.max(READ), 0);
            }
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            match recvmsg(stream, &mut [IoSliceMut::new(&mut self.inbox[self.filled..])], &mut control, flags) {
                Ok(message) if message.bytes == 0 => return Err(Trouble::Closed),
                Ok(message) => {
                    self.filled += message.bytes;
                    for came in control.drain() {
                        if let RecvAncillaryMessage::ScmRights(files) = came {
                            self.descriptors.extend(files);
                        }
                    }
                }
                Err(rustix::io::Errno::AGAIN) => waiting.look_again(stream)?,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Forgets the first `bytes` bytes.
    fn taken(&mut self, bytes: usize) {
        self.inbox.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        if self.inbox.len() > 16 * READ && self.filled <= READ {
            self.inbox.truncate(READ);
            self.inbox.shrink_to_fit();
        }
    }
}

/// One wait for one frame.
struct Waiting<'a> {
    patience: &'a dyn Patience,
    since: Instant,
    slept: bool,
    /// Whether to look before sleeping.
    spins: bool,
}

impl<'a> Waiting<'a> {
    fn new(patience: &'a dyn Patience) -> Self {
        Self { patience, since: Instant::now(), slept: false, spins: true }
    }

    /// How many waits it is since looking for an answer was worth it, of which there were `before`.
    fn in_vain(&self, before: u32) -> u32 {
        match self.slept {
            false if self.spins => 0,
            true if self.since.elapsed() >= WORK => before,
            _ => before.wrapping_add(1),
        }
    }

    fn look_again(&mut self, stream: &UnixStream) -> Result<(), Trouble> {
        static SPINS: LazyLock<bool> = LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1));
        if !self.slept && *SPINS && self.spins && self.since.elapsed() < SPIN {
            std::hint::spin_loop();
            return Ok(());
        }
        self.sleep(stream, PollFlags::IN)
    }

    /// Sleeps until the stream is ready, or for a slice of time.
    fn sleep(&mut self, stream: &UnixStream, ready: PollFlags) -> Result<(), Trouble> {
        self.slept = true;
        let silence = self.patience.silence();
        let left = silence.map(|most| most.saturating_sub(self.since.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Trouble::Silent);
        }
        if self.patience.stopped() {
            return Err(Trouble::Stopped);
        }
        // Who waits for ever has nobody to ask.
        let slice = left.map(|left| Timespec::try_from(left.min(SLICE)).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 }));
        match poll(&mut [PollFd::new(stream, ready)], slice.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Refuses a reply whose text is too long for a frame, which is the caller's mistake and no breach.
fn fits(reply: Reply) -> Result<Reply, Error> {
    let most = super::protocol::LONGEST_TEXT;
    if reply.text.len() <= most {
        return Ok(reply);
    }
    Err(Error::argument("facts on their way to another process", format!("at most {most} bytes of JSON"), reply.text.len()))
}

fn text_of(value: &impl serde::Serialize) -> Vec<u8> {
    // Messages are made of strings, numbers and JSON values: this can't fail, and if it did the other side would say so.
    serde_json::to_vec(value).unwrap_or_default()
}

fn parse<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Breach> {
    serde_json::from_slice(text).map_err(|e| Breach::new("message", "JSON of the documented form", e))
}

fn error_of(text: &[u8]) -> Result<Error, Breach> {
    let error = std::str::from_utf8(text).ok().and_then(json::error_from);
    error.ok_or_else(|| Breach::new("error", "JSON of the documented form", format!("{} bytes of another", text.len())))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
