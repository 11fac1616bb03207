//! The backend over gRPC, against a small server in this process.

use crate::wire::{Act, Server, artifact, inputs, local, options};
use zoo_backend_inference_server::InferenceServer;
use zoo_core::{Backend, Device, Error, Result, Session};

/// Status codes of gRPC.
const RESOURCE_EXHAUSTED: u32 = 8;
const UNAVAILABLE: u32 = 14;

fn session(server: &Server, more: &[(&str, &str)]) -> Result<Box<dyn Session>> {
    let url = format!("grpc://{}", server.address);
    let own = [("url", url.as_str()), ("backoff-ms", "0"), ("tries", "4")];
    InferenceServer.compile(&artifact(), &Device::Cpu, &options(&[&own[..], more].concat()))
}

/// The error of the first inference.
fn failure(script: impl IntoIterator<Item = Act>, more: &[(&str, &str)]) -> (Error, Server) {
    let server = Server::start(script);
    let mut session = session(&server, more).unwrap();
    let inputs = inputs(&*session);
    (session.run(&inputs).unwrap_err(), server)
}

#[test]
fn the_result_is_the_local_one() {
    let server = Server::start([]);
    let mut session = session(&server, &[]).unwrap();
    let inputs = inputs(&*session);
    let (here, there) = (local().run(&inputs).unwrap(), session.run(&inputs).unwrap());
    assert_eq!(here.len(), there.len());
    for (here, there) in here.iter().zip(&there) {
        assert_eq!((here.shape(), here.as_bytes()), (there.shape(), there.as_bytes()));
    }
}

#[test]
fn a_busy_server_is_asked_again() {
    let server = Server::start([Act::Status(UNAVAILABLE, "loading"), Act::Status(UNAVAILABLE, "loading")]);
    let mut session = session(&server, &[]).unwrap();
    let inputs = inputs(&*session);
    session.run(&inputs).unwrap();
    assert_eq!(server.counts(), (3, 0));
}

#[test]
fn a_stream_that_breaks_is_tried_again() {
    let server = Server::start([Act::Reset, Act::Reset]);
    let mut session = session(&server, &[]).unwrap();
    let inputs = inputs(&*session);
    session.run(&inputs).unwrap();
    assert_eq!(server.counts(), (3, 0));
}

#[test]
fn a_server_that_dies_is_unavailable_after_all_tries() {
    let server = Server::start([]);
    let mut session = session(&server, &[]).unwrap();
    let inputs = inputs(&*session);
    session.run(&inputs).unwrap();
    drop(server);
    let error = session.run(&inputs).unwrap_err();
    assert!(matches!(&error, Error::Unavailable { why, .. } if why.contains("try 4 of 4")), "{error}");
}

#[test]
fn a_server_that_is_silent_is_unavailable_at_the_deadline() {
    let (error, server) = failure([Act::Silence], &[("deadline-s", "1")]);
    assert!(matches!(&error, Error::Unavailable { why, .. } if why.contains("deadline of 1 s")), "{error}");
    assert_eq!(server.counts(), (1, 0));
}

#[test]
fn what_is_wrong_is_not_asked_again() {
    let (garbage, server) = failure([Act::Frame(vec![0, 0, 0, 0, 2, 0xff, 0xff])], &[]);
    assert!(matches!(garbage, Error::Runtime { .. }), "{garbage}");
    assert_eq!(server.counts(), (1, 0));
    let (large, server) = failure([Act::Status(RESOURCE_EXHAUSTED, "message larger than max (5 vs. 4)")], &[]);
    assert!(large.to_string().contains("larger than max") && large.to_string().contains("--batch"), "{large}");
    assert_eq!(server.counts(), (1, 0));
    // Two GiB are announced; nothing is allocated for them.
    let (endless, _) = failure([Act::Frame(vec![0, 0x80, 0, 0, 0])], &[]);
    assert!(matches!(&endless, Error::Runtime { message, .. } if message.contains("1073741824")), "{endless}");
}

#[test]
fn a_model_or_a_protocol_the_server_has_not_is_named() {
    let server = Server::start([]);
    let error = session(&server, &[("model", "other")]).err().unwrap();
    assert!(matches!(&error, Error::Unavailable { what, .. } if what.contains("model other")), "{error}");
}

#[test]
fn wrong_addresses_are_told() {
    for (url, more) in [
        ("grpc://localhost", None),
        ("grpc://localhost:1/path", None),
        ("grpc://:", None),
        ("grpc://localhost:1", Some(("tensors", "json"))),
    ] {
        let settings: Vec<_> = [("url", url)].into_iter().chain(more).collect();
        let error = InferenceServer.compile(&artifact(), &Device::Cpu, &options(&settings)).err().unwrap();
        assert!(matches!(error, Error::Argument { .. }), "{url}: {error}");
    }
}
