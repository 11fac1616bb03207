//! A hub on the loopback interface that serves, lies, stalls and breaks off as it is told.
#![allow(dead_code, unreachable_pub)]

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use zoo_core::{Level, Reporter};
use zoo_host::fetch::{FetchOptions, Fetcher, Token};
use zoo_host::registry::{DatasetEntry, Registry};

pub const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

pub fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Bytes that do not repeat and do not compress.
pub fn noise(len: usize) -> Vec<u8> {
    (0u64..).flat_map(|i| <[u8; 32]>::from(Sha256::digest(i.to_le_bytes()))).take(len).collect()
}

#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

impl Request {
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
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// `Content-Length`, if not the true one.
    pub length: Option<usize>,
    /// Bytes after which the connection breaks.
    pub cut: Option<usize>,
    /// Bytes after which nothing more comes until the other end of the channel is dropped.
    pub stall: Option<(usize, Receiver<()>)>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }

    /// What the hub answers for a file.
    pub fn file(request: &Request, content: &[u8]) -> Self {
        let described = |reply: Self| reply.with("ETag", format!("\"{}\"", sum(content))).with("X-Repo-Commit", REVISION);
        let Some(range) = request.range().and_then(|r| r.strip_prefix("bytes=")) else {
            return described(Self::new(200, content));
        };
        let (first, last) = range.split_once('-').unwrap();
        let first: usize = first.parse().unwrap();
        let last = last.parse().map_or(content.len() - 1, |last: usize| last.min(content.len() - 1));
        if first > last {
            return described(Self::new(416, "")).with("Content-Range", format!("bytes */{}", content.len()));
        }
        described(Self::new(206, &content[first..=last])).with("Content-Range", format!("bytes {first}-{last}/{}", content.len()))
    }

    fn send(self, stream: &mut TcpStream) -> std::io::Result<()> {
        let length = self.length.unwrap_or(self.body.len());
        let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {length}\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        let sent = self.cut.unwrap_or(self.body.len()).min(self.body.len());
        if let Some((after, gate)) = self.stall {
            stream.write_all(&self.body[..after])?;
            stream.flush()?;
            gate.recv().ok();
            return stream.write_all(&self.body[after..sent]);
        }
        stream.write_all(&self.body[..sent])
    }
}

type Handler = dyn FnMut(&Request) -> Reply + Send;

/// A server that ends when it is dropped.
pub struct Server {
    pub url: String,
    pub requests: Arc<Mutex<Vec<Request>>>,
    address: std::net::SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn new(handler: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let log = Arc::clone(&requests);
        let handler: Arc<Mutex<Box<Handler>>> = Arc::new(Mutex::new(Box::new(handler)));
        let thread = std::thread::spawn(move || {
            let mut open: Vec<JoinHandle<()>> = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { break };
                let Some(request) = read(&stream) else { break };
                log.lock().unwrap().push(request.clone());
                let reply = (handler.lock().unwrap())(&request);
                open.push(std::thread::spawn(move || {
                    // The client may have gone; that is for its test to judge.
                    reply.send(&mut stream).ok();
                    stream.shutdown(Shutdown::Both).ok();
                }));
            }
            for connection in open {
                connection.join().ok();
            }
        });
        Self { url: format!("http://{address}"), requests, address, thread: Some(thread) }
    }

    /// A hub with one file.
    pub fn hub(content: &[u8]) -> Self {
        let content = content.to_vec();
        Self::new(move |request| Reply::file(request, &content))
    }

    pub fn seen(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn downloads(&self) -> Vec<Request> {
        self.seen().into_iter().filter(Request::is_download).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A connection without a request ends the loop.
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let headers = lines.map_while(|l| l.ok().filter(|l| !l.is_empty()));
    let headers = headers.filter_map(|l| l.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))).collect();
    Some(Request { path, headers })
}

/// Keeps what it is told; stops once `stop_at` bytes are there.
#[derive(Default)]
pub struct Heard {
    pub lines: Mutex<Vec<String>>,
    pub most: Mutex<u64>,
    pub stop_at: Option<u64>,
}

impl Reporter for Heard {
    fn log(&self, level: Level, _: &str, message: &str) {
        self.lines.lock().unwrap().push(format!("{level:?}: {message}"));
    }

    fn progress(&self, _: &str, done: u64, _: Option<u64>, _: &str) {
        let mut most = self.most.lock().unwrap();
        *most = done.max(*most);
    }

    fn cancelled(&self) -> bool {
        self.stop_at.is_some_and(|stop| *self.most.lock().unwrap() >= stop)
    }
}

/// Caches in a folder of their own, which goes with this.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn options(&self, endpoint: &str) -> FetchOptions {
        FetchOptions {
            cache: self.path("cache"),
            data: Some(self.path("data")),
            hub_cache: Some(self.path("hub")),
            hub_endpoint: endpoint.into(),
            hub_token: None,
            offline: false,
            full_check: false,
        }
    }

    pub fn fetcher(&self, endpoint: &str) -> Fetcher {
        Fetcher::new(self.options(endpoint)).unwrap()
    }

    pub fn with_token(&self, endpoint: &str, token: &str) -> Fetcher {
        Fetcher::new(FetchOptions { hub_token: Some(Token::new(token)), ..self.options(endpoint) }).unwrap()
    }

    /// Files in the cache of verified blobs, markers apart.
    pub fn blobs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path("cache/blobs/sha256")) else { return Vec::new() };
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|n| !n.ends_with(".ok")).collect()
    }
}

/// Text of a registry with one data set of one file from the hub: a Parquet file of an image data set.
pub fn hub_registry(content: &[u8]) -> String {
    format!(
        "schema = 1\n[[dataset]]\nname = \"pictures\"\nplugin = \"vision\"\nlicence = \"MIT\"\nfiles = [{{ name = \"test.parquet\", \
         bytes = {}, sha256 = \"{}\" }}]\nsources = [{{ hub = \"datasets/own/pictures\", revision = \"{REVISION}\", path = \"data\" }}]\n",
        content.len(),
        sum(content)
    )
}

pub fn entry(registry: &str) -> DatasetEntry {
    let registry = Registry::parse(registry, Path::new("registry.toml")).unwrap_or_else(|e| panic!("{e}"));
    registry.datasets()[0].clone()
}

/// The example `fetch`, which cargo builds beside the tests.
pub fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.ancestors().nth(2).unwrap().join("examples/fetch");
    assert!(path.is_file(), "expected the example `fetch` at {}; build it with `cargo build --examples`", path.display());
    path
}
