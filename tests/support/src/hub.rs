//! A hub on the loopback interface that serves, lies, stalls and breaks off as it is told.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The commit that [`Reply::file`] serves.
pub const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
/// Longer heads of requests are not read.
const LONGEST_HEAD: usize = 1 << 14;
/// Longer bodies of requests are not read.
const LONGEST_BODY: usize = 1 << 26;

/// SHA-256 in lower-case hex.
pub fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Bytes that do not repeat and do not compress.
pub fn noise(len: usize) -> Vec<u8> {
    (0u64..).flat_map(|i| <[u8; 32]>::from(Sha256::digest(i.to_le_bytes()))).take(len).collect()
}

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method, such as `GET`.
    pub method: String,
    /// Path, with the query.
    pub path: String,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// What follows the head.
    pub body: Vec<u8>,
}

impl Request {
    /// A request from its head, without a body; `None` if it is none.
    pub fn parse(head: &str) -> Option<Self> {
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ').map(str::to_owned);
        let (method, path) = (first.next()?, first.next()?);
        let headers = lines.filter_map(|l| l.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())));
        Some(Self { method, path, headers: headers.collect(), body: Vec::new() })
    }

    /// The range that is asked for.
    pub fn range(&self) -> Option<&str> {
        self.headers.get("range").map(String::as_str)
    }

    /// Whether it asks for content, not only for what there is.
    pub fn is_download(&self) -> bool {
        self.range() != Some("bytes=0-0")
    }
}

/// An answer, honest or not.
#[derive(Default)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// `Content-Length`, if not the true one.
    pub length: Option<usize>,
    /// Bytes of the body after which the connection ends.
    pub cut: Option<usize>,
    /// Bytes of the body after which the connection is reset; of a request without a body.
    pub reset: Option<usize>,
    /// Bytes of the body after which nothing more comes until the client leaves.
    pub stall: Option<usize>,
    /// Told when the bytes before a stall are sent.
    pub reached: Option<Sender<()>>,
    /// Sent in place of status, headers and body.
    pub raw: Option<Vec<u8>>,
}

impl Reply {
    /// An honest answer.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Ends the connection after some bytes of the body.
    #[must_use]
    pub fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }

    /// Resets the connection after some bytes of the body.
    #[must_use]
    pub fn reset(mut self, after: usize) -> Self {
        self.reset = Some(after);
        self
    }

    /// Sends nothing more after some bytes of the body, until the client leaves.
    #[must_use]
    pub fn stall(mut self, after: usize, reached: Option<Sender<()>>) -> Self {
        (self.stall, self.reached) = (Some(after), reached);
        self
    }

    /// What the hub answers for a file.
    ///
    /// # Panics
    /// If the range is not one that a client of files asks for.
    pub fn file(request: &Request, content: &[u8]) -> Self {
        let described = |reply: Self| reply.with("ETag", format!("\"{}\"", sum(content))).with("X-Repo-Commit", REVISION);
        let Some(range) = request.range().and_then(|r| r.strip_prefix("bytes=")) else {
            return described(Self::new(200, content));
        };
        let (first, last) = range.split_once('-').expect("a range");
        let first: usize = first.parse().expect("a number");
        let last = last.parse().map_or(content.len() - 1, |last: usize| last.min(content.len() - 1));
        if first > last {
            return described(Self::new(416, "")).with("Content-Range", format!("bytes */{}", content.len()));
        }
        described(Self::new(206, &content[first..=last])).with("Content-Range", format!("bytes {first}-{last}/{}", content.len()))
    }

    fn send(self, stream: &mut TcpStream, left: usize) -> std::io::Result<()> {
        if self.reset.is_none() {
            stream.read_exact(&mut [0][..left])?;
        }
        match &self.raw {
            Some(raw) => stream.write_all(raw)?,
            None => self.answer(stream)?,
        }
        if self.stall.is_some() {
            if let Some(reached) = self.reached {
                reached.send(()).ok();
            }
            // Ends when the client does.
            std::io::copy(stream, &mut std::io::sink())?;
        }
        Ok(())
    }

    fn answer(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let length = self.length.unwrap_or(self.body.len());
        let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {length}\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        let first = [self.cut, self.reset, self.stall].into_iter().flatten().min().unwrap_or(self.body.len());
        stream.write_all(&self.body[..first.min(self.body.len())])
    }
}

type Handler = dyn FnMut(&Request) -> Reply + Send;

/// A server that ends when it is dropped.
pub struct Server {
    /// Its address, without a slash at the end.
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers each request by `handler`.
    ///
    /// # Panics
    /// If there is no loopback interface.
    pub fn new(handler: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback interface");
        let address = listener.local_addr().expect("its address");
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let stop = Arc::<AtomicBool>::default();
        let (log, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let mut handler: Box<Handler> = Box::new(handler);
        let thread = std::thread::spawn(move || {
            let mut open: Vec<JoinHandle<()>> = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                // A client may be killed before it has asked.
                let Some((mut stream, request)) = stream.ok().and_then(|stream| read(&stream).map(|request| (stream, request))) else {
                    continue;
                };
                log.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
                let mut reply = handler(&request);
                if request.method == "HEAD" {
                    reply.cut = Some(0);
                }
                let left = usize::from(request.body.is_empty());
                open.push(std::thread::spawn(move || {
                    let reset = reply.reset.is_some();
                    // The client may have gone; that is for its test to judge.
                    reply.send(&mut stream, left).ok();
                    // A connection that is closed with something unread in it is reset.
                    if !reset {
                        stream.shutdown(Shutdown::Both).ok();
                    }
                }));
            }
            for connection in open {
                connection.join().ok();
            }
        });
        Self { url: format!("http://{address}"), requests, stop, address, thread: Some(thread) }
    }

    /// A hub with one file.
    pub fn hub(content: &[u8]) -> Self {
        let content = content.to_vec();
        Self::new(move |request| Reply::file(request, &content))
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that asked for content.
    pub fn downloads(&self) -> Vec<Request> {
        self.seen().into_iter().filter(Request::is_download).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Reads a request, but for the last byte of one without a body.
fn read(mut stream: &TcpStream) -> Option<Request> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r") {
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
        if text.len() > LONGEST_HEAD {
            return None;
        }
    }
    let mut request = Request::parse(&String::from_utf8_lossy(&text))?;
    let length = request.headers.get("content-length").map_or(Some(0), |length| length.parse().ok().filter(|&n| n <= LONGEST_BODY))?;
    if length > 0 {
        stream.read_exact(&mut byte).ok()?;
        request.body = vec![0; length];
        stream.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}
