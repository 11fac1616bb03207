//! The backend against a small server of the protocol in this process, which runs the model on tract.

use crate::wire::{artifact, inputs, local, options, served};
use std::sync::{Arc, Mutex};
use zoo_backend_inference_server::InferenceServer;
use zoo_core::{Backend, Device, Error, Options, Result, Session};
use zoo_test_support::hub::{Reply, Server};
use zoo_test_support::inference::Served;

/// What the server does with an inference; anything but `Answer` is its way of failing.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Answer,
    Status(u16),
    /// Closes the connection in the middle of the answer.
    Cut,
    Garbage,
}

/// A server, and what inferences get, the next one last; afterwards they are answered.
struct Scripted {
    server: Server,
    script: Arc<Mutex<Vec<Act>>>,
}

impl Scripted {
    fn start(script: &[Act]) -> Self {
        let script: Arc<Mutex<Vec<Act>>> = Arc::new(Mutex::new(script.iter().rev().copied().collect()));
        let (acts, mut model) = (Arc::clone(&script), served());
        let server = Server::new(move |request| {
            let act = if Served::is_inference(request) { acts.lock().unwrap().pop() } else { None };
            match act.unwrap_or(Act::Answer) {
                Act::Answer => model.answer(request),
                Act::Status(status) => Reply::new(status, "busy"),
                Act::Cut => model.answer(request).cut(10),
                Act::Garbage => Reply::new(200, "<html>login</html>"),
            }
        });
        Self { server, script }
    }

    fn inferences(&self) -> usize {
        self.server.seen().iter().filter(|request| Served::is_inference(request)).count()
    }

    fn options(&self, more: &[(&str, &str)]) -> Options {
        let own = [("url", self.server.url.as_str()), ("backoff-ms", "0"), ("tries", "4")];
        options(&[&own[..], more].concat())
    }

    fn session(&self, more: &[(&str, &str)]) -> Result<Box<dyn Session>> {
        InferenceServer.compile(&artifact(), &Device::Cpu, &self.options(more))
    }
}

#[test]
fn both_forms_give_the_local_result() {
    let server = Scripted::start(&[]);
    for tensors in ["binary", "json"] {
        let mut session = server.session(&[("tensors", tensors)]).unwrap();
        let inputs = inputs(&*session);
        let outputs = session.run(&inputs).unwrap();
        for (here, there) in local().run(&inputs).unwrap().iter().zip(&outputs) {
            assert_eq!(here.shape(), there.shape());
            let worst = here.to_f32().iter().zip(there.to_f32()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 1e-5, "{tensors}: {worst}");
        }
        assert_eq!(session.stats().runs, 1);
    }
}

#[test]
fn a_busy_or_broken_connection_is_tried_again() {
    let server = Scripted::start(&[Act::Status(503), Act::Cut, Act::Status(429)]);
    let mut session = server.session(&[]).unwrap();
    let inputs = inputs(&*session);
    session.run(&inputs).unwrap();
    assert_eq!((server.inferences(), server.script.lock().unwrap().len()), (4, 0));
}

#[test]
fn a_server_that_dies_is_unavailable_after_all_tries() {
    let server = Scripted::start(&[]);
    let mut session = server.session(&[]).unwrap();
    let inputs = inputs(&*session);
    session.run(&inputs).unwrap();
    drop(server);
    let error = session.run(&inputs).unwrap_err();
    assert!(matches!(&error, Error::Unavailable { why, .. } if why.contains("try 4 of 4")), "{error}");
}

#[test]
fn errors_are_not_asked_again() {
    let server = Scripted::start(&[Act::Garbage, Act::Status(400)]);
    let mut session = server.session(&[]).unwrap();
    let inputs = inputs(&*session);
    let garbage = session.run(&inputs).unwrap_err().to_string();
    assert!(garbage.contains("expected an inference response"), "{garbage}");
    let refused = session.run(&inputs).unwrap_err().to_string();
    assert!(refused.contains("status 400: busy") && refused.contains("tensors=json"), "{refused}");
    assert_eq!(server.inferences(), 2);
}

#[test]
fn a_model_the_server_has_not_is_named() {
    let server = Scripted::start(&[]);
    let error = server.session(&[("model", "other")]).err().unwrap();
    assert!(matches!(&error, Error::Unavailable { what, .. } if what.contains("model other")), "{error}");
}

#[test]
fn wrong_options_are_told() {
    let server = Scripted::start(&[]);
    for (key, value) in [("url", "ftp://x"), ("model", "../x"), ("tries", "0"), ("tensors", "xml"), ("speed", "9"), ("deadline-s", "-1")] {
        let error = server.session(&[(key, value)]).err().unwrap();
        assert!(matches!(error, Error::Argument { .. } | Error::Unknown { .. }), "{key}: {error}");
    }
    let error = server.session(&[("ca", "/nonexistent.pem")]).err().unwrap();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}
