//! A hub that is broken, changed, in the way or hostile: each fault has its own error, and the cache stays valid.

use crate::loopback::{Place, REVISION, Reply, Request, Server, entry, hub_registry, noise, sum};
use zoo_core::Silent;
use zoo_host::Error;

const LEN: usize = 100_000;

/// Fetches from a faulty hub, then from a good one with the same caches; returns the one source's error.
#[track_caller]
fn fault(handler: impl FnMut(&Request) -> Reply + Send + 'static) -> Error {
    let content = noise(LEN);
    let (bad, good, place) = (Server::new(handler), Server::hub(&content), Place::new());
    let entry = entry(&hub_registry(&content));
    let error = place.fetcher(&bad.url).dataset(&entry, &Silent).unwrap_err();
    assert!(place.blobs().is_empty(), "{error}: {:?}", place.blobs());
    assert!(!place.folder.path().parent().unwrap().join("outside").exists());
    let files = place.fetcher(&good.url).dataset(&entry, &Silent).unwrap_or_else(|e| panic!("after {error}: {e}"));
    assert_eq!(std::fs::read(files.get("test.parquet").unwrap()).unwrap(), content);
    assert_eq!(place.blobs(), [sum(&content)]);
    match error {
        Error::AllSourcesFailed { mut failures, missing, .. } => {
            assert_eq!(missing, ["test.parquet"]);
            failures.remove(0).1
        }
        other => other,
    }
}

macro_rules! assert_fault {
    ($handler:expr, $pattern:pat, $said:expr) => {
        let error = fault($handler);
        assert!(matches!(error, $pattern), "{error:?}");
        assert!(error.to_string().contains($said), "{error}");
    };
}

/// Serves other content under the name of the right one.
fn instead(content: Vec<u8>) -> impl FnMut(&Request) -> Reply + Send {
    let etag = sum(&noise(LEN));
    move |request| {
        let mut reply = Reply::file(request, &content);
        reply.headers.retain(|(name, _)| name != "ETag");
        reply.with("ETag", etag.clone())
    }
}

fn padded(head: &[u8]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.resize(LEN, b' ');
    bytes
}

#[test]
fn wrong_content() {
    let mut other = noise(LEN);
    other[LEN / 2] ^= 1;
    assert_fault!(instead(other), Error::WrongHash { .. }, &format!("expected SHA-256 {}, found ", sum(&noise(LEN))));
    assert_fault!(
        instead(noise(LEN - 1)),
        Error::OfferedSize { expected: 100_000, found: 99_999, .. },
        "expected 100000 bytes, but the server offers 99999"
    );
    assert_fault!(instead(noise(LEN * 1000)), Error::OfferedSize { .. }, "nothing was downloaded");
}

#[test]
fn pointers_and_pages() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 100000\n";
    assert_fault!(instead(pointer.to_vec()), Error::LfsPointer { .. }, "git lfs pull");
    assert_fault!(instead(padded(pointer)), Error::LfsPointer { .. }, "Git LFS pointer");
    assert_fault!(instead(padded(b"<!doctype html><title>Sign in</title>")), Error::HtmlPage { .. }, "found an HTML page");
    assert_fault!(|_| Reply::new(200, "<html>Welcome to this network</html>"), Error::HtmlPage { .. }, "proxy");
}

#[test]
fn refusals() {
    assert_fault!(|_| Reply::new(404, "Entry not found"), Error::Refused { status: 404, .. }, "check registry.toml, or set HF_TOKEN");
    assert_fault!(|_| Reply::new(403, ""), Error::Refused { status: 403, .. }, "accept its terms");
    assert_fault!(|_| Reply::new(500, ""), Error::Refused { status: 500, .. }, "try again later");
    assert_fault!(
        |_| Reply::new(429, "").with("Retry-After", "3600"),
        Error::Busy { status: 429, seconds: Some(3600), .. },
        "asks to wait 3600 s"
    );
    assert_fault!(|_| Reply::new(503, "").with("Retry-After", "0"), Error::Busy { status: 503, .. }, "503");
}

#[test]
fn a_short_pause_is_kept() {
    let content = noise(LEN);
    let (served, mut busy) = (content.clone(), 2);
    let server = Server::new(move |request| {
        if busy > 0 {
            busy -= 1;
            return Reply::new(429, "").with("Retry-After", "0");
        }
        Reply::file(request, &served)
    });
    Place::new().fetcher(&server.url).dataset(&entry(&hub_registry(&content)), &Silent).unwrap();
    assert!(server.seen().len() >= 3);
}

#[test]
fn lies_about_length() {
    let content = noise(LEN);
    // States less than it serves in the answer itself: the rest is lost.
    let served = content.clone();
    let short = move |request: &Request| {
        let mut reply = Reply::file(request, &served);
        if request.is_download() {
            reply.length = Some(500);
        }
        reply
    };
    assert_fault!(short, Error::Truncated { expected: 100_000, found: 500, .. }, "truncated");
    // Offers the right size, sends ten times as much.
    let served = content.clone();
    let long = move |request: &Request| {
        let mut reply = Reply::file(request, &served);
        if request.is_download() {
            reply.body = noise(LEN * 10);
        }
        reply
    };
    assert_fault!(long, Error::TooLong { expected: 100_000, .. }, "expected 100000 bytes, found more");
    // The same without ranges.
    let long = move |request: &Request| {
        let mut reply = Reply::new(200, content.clone()).with("ETag", sum(&content)).with("X-Repo-Commit", REVISION);
        if request.is_download() {
            reply.body = noise(LEN * 10);
        }
        reply
    };
    assert_fault!(long, Error::TooLong { expected: 100_000, .. }, "expected 100000 bytes, found more");
}

#[test]
fn ranges_that_are_not_those_asked_for() {
    let content = noise(LEN);
    // The beginning of the file, said to be somewhere else.
    let served = content.clone();
    let elsewhere = move |request: &Request| {
        if request.is_download() {
            return Reply::new(206, served.clone()).with("Content-Range", format!("bytes 7-{}/{LEN}", LEN - 1));
        }
        Reply::file(request, &served)
    };
    assert_fault!(elsewhere, Error::NotAHub { .. }, "expected Content-Range bytes 0-, found bytes 7-99999/100000");
    // A part is left, and the server goes on elsewhere, or not at all: then the whole is asked for.
    for refuses in [false, true] {
        let (served, place) = (content.clone(), Place::new());
        let blobs = place.path("hub/datasets--own--pictures/blobs");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join(format!("{}.part", sum(&content))), &content[..40_000]).unwrap();
        let server = Server::new(move |request| match request.range() {
            Some("bytes=40000-") if refuses => Reply::new(416, ""),
            Some("bytes=40000-") => Reply::new(206, &served[30_000..]).with("Content-Range", format!("bytes 30000-99999/{LEN}")),
            _ => Reply::file(request, &served),
        });
        place.fetcher(&server.url).dataset(&entry(&hub_registry(&content)), &Silent).unwrap();
        assert_eq!(place.blobs(), [sum(&content)]);
        assert_eq!(server.downloads().len(), 2);
    }
}

#[test]
fn a_connection_that_breaks() {
    let content = noise(LEN);
    let served = content.clone();
    let reset = move |request: &Request| {
        let reply = Reply::file(request, &served);
        if request.is_download() { reply.reset(30_000) } else { reply }
    };
    // A reset also discards what has come and was not read yet: it may be noticed in the middle of the file or before it.
    let error = fault(reset);
    let said = match &error {
        Error::Truncated { expected: 100_000, .. } => "truncated",
        Error::Network { .. } => "check the network",
        other => panic!("{other:?}"),
    };
    assert!(error.to_string().contains(said), "{error}");
    assert_fault!(|_| Reply { raw: Some(noise(500)), ..Reply::default() }, Error::Network { .. }, "check the network");
    assert_fault!(|_| Reply { length: Some(10), ..Reply::new(200, "") }, Error::NotAHub { .. }, "ETag");
    let cut = move |request: &Request| Reply::file(request, &content).cut(if request.is_download() { 1_000 } else { 1 });
    assert_fault!(cut, Error::Truncated { expected: 100_000, found: 1_000, .. }, "Fetch it again");
    let content = noise(10);
    let error = Place::new().fetcher("http://127.0.0.1:9").dataset(&entry(&hub_registry(&content)), &Silent).unwrap_err();
    assert!(error.to_string().contains("check the network (HF_ENDPOINT names a mirror)"), "{error}");
}

#[test]
fn hostile_headers() {
    let with = |etag: &'static str, commit: &'static str| {
        move |request: &Request| {
            let mut reply = Reply::file(request, &noise(LEN));
            reply.headers.retain(|(name, _)| name == "Content-Range");
            reply.with("ETag", etag).with("X-Repo-Commit", commit)
        }
    };
    assert_fault!(with("../../../outside", REVISION), Error::NotAHub { .. }, "an ETag of letters and digits, found `../../../outside`");
    assert_fault!(with("", REVISION), Error::NotAHub { .. }, "ETag");
    assert_fault!(with("abc", "../../../outside"), Error::NotAHub { .. }, "found commit ../../../outside");
    assert_fault!(|_| Reply::new(302, "").with("Location", "/again"), Error::NotAHub { .. }, "6 redirects in a row");
    assert_fault!(|_| Reply::new(302, "").with("Location", "file:///etc/passwd"), Error::NotAHub { .. }, "a redirect to an http address");
    assert_fault!(
        |_| Reply::new(206, "x")
            .with("ETag", "abc")
            .with("X-Repo-Commit", REVISION)
            .with("Content-Range", "bytes 0-0/99999999999999999999999"),
        Error::NotAHub { .. },
        "a stated size"
    );
}
