//! The bearer token of `ZOO_INFERENCE_TOKEN`, over both transports.
//!
//! The variable belongs to the process, so each test runs itself again with its own.

use crate::wire::{Server, artifact, inputs, options, served};
use std::process::Command;
use zoo_backend_inference_server::InferenceServer;
use zoo_core::{Backend, Device, Error, Result};
use zoo_test_support::hub;

const TOKEN: &str = "ZOO_INFERENCE_TOKEN";
const SECRET: &str = "hush-3141";

/// Runs a test of this file again with a token, or does what is to be done there.
fn with_token(name: &str, token: &str, test: impl FnOnce()) {
    if std::env::var(TOKEN).is_ok_and(|value| value == token) {
        return test();
    }
    let program = std::env::current_exe().unwrap();
    let again = Command::new(program).args(["--exact", &format!("token::{name}")]).env(TOKEN, token).output().unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}

fn infer(url: &str) -> Result<()> {
    let settings = options(&[("url", url), ("backoff-ms", "0"), ("tries", "1")]);
    let mut session = InferenceServer.compile(&artifact(), &Device::Cpu, &settings)?;
    let inputs = inputs(&*session);
    session.run(&inputs).map(drop)
}

#[test]
fn a_token_goes_with_every_call() {
    with_token("a_token_goes_with_every_call", SECRET, || {
        let bearer = format!("Bearer {SECRET}");
        let grpc = Server::start([]);
        infer(&format!("grpc://{}", grpc.address)).unwrap();
        let calls = grpc.authorizations();
        assert!(calls.len() >= 2 && calls.iter().all(|one| one.as_deref() == Some(bearer.as_str())), "{calls:?}");
        let mut model = served();
        let http = hub::Server::new(move |request| model.answer(request));
        infer(&http.url).unwrap();
        let calls = http.seen();
        assert!(calls.len() >= 2 && calls.iter().all(|one| one.headers.get("authorization") == Some(&bearer)));
        // What fails does not tell it.
        let (gone, closed) = (format!("grpc://{}", grpc.address), http.url.clone());
        drop((grpc, http));
        for url in [gone, closed] {
            let error = infer(&url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
        }
    });
}

#[test]
fn a_token_that_no_header_can_carry_is_told() {
    with_token("a_token_that_no_header_can_carry_is_told", "hush\n3141", || {
        let server = Server::start([]);
        let error = infer(&format!("grpc://{}", server.address)).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }) && !error.to_string().contains("3141"), "{error}");
        assert_eq!(server.authorizations(), []);
        let error = infer("http://127.0.0.1:9").unwrap_err();
        assert!(!error.to_string().contains("3141"), "{error}");
    });
}

#[test]
fn without_a_token_none_is_sent() {
    let server = Server::start([]);
    infer(&format!("grpc://{}", server.address)).unwrap();
    assert!(server.authorizations().iter().all(Option::is_none));
}
