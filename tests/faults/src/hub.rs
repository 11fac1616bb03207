//! A hub that is slow, broken, busy or hostile.

use crate::check::{Moment, sound};
use crate::kill::{again, survived};
use crate::kit::{Job, Kit, TARGET};
use crate::sandbox::{End, Sandbox};
use crate::table::Row;
use zoo_test_support::hub::{REVISION, Reply, Request, Server, noise, sum};

/// A secret that must not get about.
const SECRET: &str = "hf_faultsuitesecret";

/// How the hub answers for [`TARGET`], given the content.
type Lie = Box<dyn FnMut(&Request, &[u8]) -> Reply + Send>;

/// A lie, and what the command must say of it.
struct Case {
    fault: &'static str,
    lie: Lie,
    /// Exit status.
    status: i32,
    /// Words of the message.
    says: &'static str,
}

fn case(fault: &'static str, status: i32, says: &'static str, lie: impl FnMut(&Request, &[u8]) -> Reply + Send + 'static) -> Case {
    Case { fault, lie: Box::new(lie), status, says }
}

/// The honest answer to what is not a download; `lie` to what is.
fn body(lie: impl Fn(Reply) -> Reply + Send + 'static) -> impl FnMut(&Request, &[u8]) -> Reply + Send {
    move |request, content| {
        let reply = Reply::file(request, content);
        if request.is_download() { lie(reply) } else { reply }
    }
}

/// `status` for the first `times` requests.
fn busy(times: usize, status: u16, after: Option<&'static str>) -> impl FnMut(&Request, &[u8]) -> Reply + Send {
    let mut left = times;
    move |request, content| {
        if left == 0 {
            return Reply::file(request, content);
        }
        left -= 1;
        let reply = Reply::new(status, "");
        after.map_or(reply, |seconds| Reply::new(status, "").with("Retry-After", seconds))
    }
}

fn cases() -> Vec<Case> {
    let wrong = |head: &'static [u8]| {
        body(move |mut reply| {
            reply.body[..head.len()].copy_from_slice(head);
            reply
        })
    };
    vec![
        case("hub: offers another length", 3, "but the server offers", |request, content| Reply::file(request, &content[1..])),
        case("hub: states a shorter length than it offered", 3, "truncated", body(|reply| Reply { length: Some(500), ..reply })),
        case("hub: sends more than it offered", 3, "found more", body(|reply| Reply { body: noise(900_000), ..reply })),
        case("hub: closes in the middle", 3, "truncated", body(|reply| reply.cut(100_000))),
        case("hub: resets in the middle", 3, "truncated", body(|reply| reply.reset(100_000))),
        case("hub: stops sending in the middle", 3, "the server sent nothing for 1 s", body(|reply| reply.stall(100_000, None))),
        case("hub: never answers", 3, "the server sent nothing for 1 s", |_, _| Reply {
            stall: Some(0),
            raw: Some(Vec::new()),
            ..Reply::default()
        }),
        case("hub: answers another range", 3, "expected Content-Range bytes 0-", |request, content| {
            if request.is_download() {
                Reply::new(206, content).with("Content-Range", "bytes 9-300008/300009")
            } else {
                Reply::file(request, content)
            }
        }),
        case("hub: other bytes", 3, "expected SHA-256", wrong(b"not what was summed")),
        case("hub: a Git LFS pointer", 3, "Git LFS pointer", wrong(b"version https://git-lfs.github.com/spec/v1\n")),
        case("hub: an HTML page", 3, "HTML page", wrong(b"<!DOCTYPE html><title>Sign in</title>")),
        case("hub: garbage in place of HTTP", 3, "check the network", |_, _| Reply { raw: Some(noise(4_000)), ..Reply::default() }),
        case("hub: an ETag that is a path", 3, "an ETag of letters and digits", |request, content| {
            let mut reply = Reply::file(request, content);
            reply.headers.retain(|(name, _)| name != "ETag");
            reply.with("ETag", "\"../../../../outside\"")
        }),
        case("hub: 429, Retry-After 3600", 3, "asks to wait 3600 s", busy(usize::MAX, 429, Some("3600"))),
        case("hub: 429, Retry-After 0, then well", 0, "the server is busy", busy(2, 429, Some("0"))),
        case("hub: 503 twice, then well", 0, "the server is busy", busy(2, 503, None)),
        case("hub: 503 for ever", 3, "the server answered 503", busy(usize::MAX, 503, Some("0"))),
        case("hub: 500", 3, "the fault is the server's", |_, _| Reply::new(500, "")),
        case("hub: redirects in a circle", 3, "redirects in a row", |request, _| {
            Reply::new(302, "").with("Location", request.path.clone())
        }),
        case("hub: redirects to a file", 3, "a redirect to an http address", |_, _| {
            Reply::new(302, "").with("Location", "file:///etc/passwd")
        }),
    ]
}

/// Rows of faults of the hub.
pub fn rows(kit: &Kit, keep: &mut dyn FnMut(Row)) {
    for case in cases() {
        let mut row = Row::new(case.fault);
        let (end, verdict) = lied_to(kit, case);
        row.count(end.name(), verdict);
        keep(row);
    }
    keep(foreign(kit));
}

fn lied_to(kit: &Kit, case: Case) -> (End, Result<(), String>) {
    let (honest, content, mut lie) = (kit.honest(), kit.served[TARGET].clone(), case.lie);
    let hub = Server::new(move |request| if request.path.ends_with(TARGET) { lie(request, &content) } else { honest(request) });
    let sandbox = Sandbox::new(kit);
    let end = sandbox.run(&mut sandbox.command(kit, Job::Fetch, &hub.url));
    let verdict = if end.status != Some(case.status) || !end.said.contains(case.says) {
        Err(format!("expected {} and `{}`, found {}: {}", case.status, case.says, end.name(), end.said))
    } else if case.status == 0 {
        sound(&sandbox, kit, Job::Fetch, Moment::End)
    } else {
        survived(kit, &sandbox, Job::Fetch, &kit.hub().url)
    };
    (end, verdict)
}

/// A hub that wants a token and sends its client to another host: the token stays at home.
fn foreign(kit: &Kit) -> Row {
    let mut row = Row::new("hub: redirects to a foreign host, with a token set");
    for asks in [false, true] {
        let content = kit.served[TARGET].clone();
        let storage =
            Server::new(
                move |request| {
                    if asks { Reply::new(401, "").with("WWW-Authenticate", "Bearer") } else { Reply::file(request, &content) }
                },
            );
        let (honest, away, etag) = (kit.honest(), storage.url.clone(), sum(&kit.served[TARGET]));
        let hub = Server::new(move |request| {
            if !request.path.ends_with(TARGET) {
                return honest(request);
            }
            if request.headers.get("authorization").is_none_or(|value| *value != format!("Bearer {SECRET}")) {
                return Reply::new(401, "");
            }
            let reply = Reply::new(302, "").with("Location", format!("{away}/signed/{TARGET}"));
            reply.with("X-Linked-Etag", etag.clone()).with("X-Repo-Commit", REVISION)
        });
        let sandbox = Sandbox::new(kit);
        let end = sandbox.run(sandbox.command(kit, Job::Fetch, &hub.url).env("HF_TOKEN", SECRET));
        let leaked = storage.seen().iter().any(|seen| format!("{seen:?}").contains(SECRET)) || end.said.contains(SECRET);
        let verdict = if leaked {
            Err("the token left the hub".into())
        } else if storage.seen().is_empty() {
            Err(format!("the foreign host was never asked: {}", end.said))
        } else if end.status != Some(if asks { 3 } else { 0 }) {
            Err(format!("ended with {}: {}", end.name(), end.said))
        } else {
            sound(&sandbox, kit, Job::Fetch, Moment::Between).and_then(|()| again(kit, &sandbox, Job::Fetch, &kit.hub().url))
        };
        row.count(end.name(), verdict);
    }
    row
}
