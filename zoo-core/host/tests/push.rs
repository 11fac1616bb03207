//! Pushing to a hub on the loopback interface.

use std::path::Path;
use zoo_core::Silent;
use zoo_host::Error;
use zoo_host::fetch::FetchOptions;
use zoo_host::push::{Push, Pushed, push};
use zoo_test_support::hub::{REVISION, Reply, Server, noise};
use zoo_test_support::store::{Hub, Kept, TOKEN};

const REPOSITORY: &str = "zoo/model";

fn options(endpoint: &str, token: Option<&str>) -> FetchOptions {
    let vars = [("HOME", "/nonexistent"), ("HF_ENDPOINT", endpoint), ("HF_TOKEN", token.unwrap_or_default())];
    FetchOptions::from_vars(|name| vars.iter().find(|(own, _)| *own == name).map(|(_, value)| value.into())).unwrap()
}

/// A folder with a card, a small text in a folder of its own, an empty file and two large files.
fn folder() -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("onnx")).unwrap();
    let files: [(&str, Vec<u8>); 5] = [
        ("README.md", b"---\nlicense: mit\n---\n# Model\n".to_vec()),
        ("onnx/config.json", b"{}\n".to_vec()),
        ("onnx/empty.safetensors", Vec::new()),
        ("onnx/model.onnx", noise(70_000)),
        ("model.safetensors", noise(1_000)),
    ];
    for (path, content) in &files {
        std::fs::write(folder.path().join(path), content).unwrap();
    }
    (folder, files.map(|(path, _)| path.into()).to_vec())
}

fn pushed(endpoint: &str, token: Option<&str>, folder: &Path, files: &[String]) -> Result<Pushed, Error> {
    let what = Push { repository: REPOSITORY, folder, files, private: false, message: "one" };
    push(&options(endpoint, token), &what, &Silent)
}

fn error(hub: &Server) -> Error {
    let (folder, files) = folder();
    pushed(&hub.url, Some(TOKEN), folder.path(), &files).unwrap_err()
}

#[test]
fn a_folder_becomes_one_commit_and_nothing_is_sent_twice() {
    let (hub, (folder, files)) = (Hub::start(), folder());
    let first = pushed(&hub.hub.url, Some(TOKEN), folder.path(), &files).unwrap();
    assert_eq!((first.commit.as_deref(), first.sent.len(), first.unchanged), (Some(REVISION), 5, 0));
    let kept = hub.files(REPOSITORY).unwrap();
    for path in &files {
        let bytes = std::fs::read(folder.path().join(path)).unwrap();
        let large = bytes.len() > 512;
        assert_eq!(kept[path], Kept { bytes, large }, "{path}");
    }
    assert_eq!(hub.commits().0, [first.sent]);
    let (calls, uploads) = (hub.hub.seen().len(), hub.storage.seen().len());
    assert_eq!(uploads, 2);

    let again = pushed(&hub.hub.url, Some(TOKEN), folder.path(), &files).unwrap();
    assert_eq!((again.commit, again.sent, again.unchanged), (None, vec![], 5));
    assert_eq!((hub.hub.seen().len() - calls, hub.storage.seen().len()), (2, uploads), "is it there, and what of it");

    std::fs::write(folder.path().join("onnx/model.onnx"), noise(80_000)).unwrap();
    let changed = pushed(&hub.hub.url, Some(TOKEN), folder.path(), &files).unwrap();
    assert_eq!((changed.sent, changed.unchanged), (vec!["onnx/model.onnx".to_string()], 4));
}

#[test]
fn an_upload_that_broke_off_goes_on_where_it_was() {
    let broken = std::sync::atomic::AtomicBool::new(true);
    let hub = Hub::with(move |request| {
        let fails = request.path.contains("/commit/") && broken.swap(false, std::sync::atomic::Ordering::SeqCst);
        fails.then(|| Reply::new(502, "Bad Gateway"))
    });
    let (folder, files) = folder();
    let failed = pushed(&hub.hub.url, Some(TOKEN), folder.path(), &files).unwrap_err();
    assert!(matches!(&failed, Error::Refused { status: 502, mend, .. } if mend.contains("run the command again")), "{failed}");
    assert_eq!(hub.storage.seen().len(), 2);
    assert_eq!(pushed(&hub.hub.url, Some(TOKEN), folder.path(), &files).unwrap().sent.len(), 5);
    assert_eq!(hub.storage.seen().len(), 2, "the storage had both");
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let (hub, (folder, files)) = (Hub::start(), folder());
    pushed(&hub.hub.url, Some(TOKEN), folder.path(), &files).unwrap();
    let bearer = format!("Bearer {TOKEN}");
    assert!(hub.hub.seen().iter().all(|request| request.headers["authorization"] == bearer));
    let uploads = hub.storage.seen();
    assert!(uploads.iter().all(|request| !request.headers.contains_key("authorization") && request.headers["x-signed"] == "yes"));
    // A hub that sends its client elsewhere.
    for status in [301, 302, 307, 308] {
        let elsewhere = Server::new(|_| Reply::new(200, "{}"));
        let place = elsewhere.url.clone();
        let hub = Server::new(move |request| Reply::new(status, "").with("Location", format!("{place}{}", request.path)));
        let told = error(&hub);
        assert!(matches!(&told, Error::NotAHub { found, .. } if found.contains("not followed")), "{told}");
        assert!(elsewhere.seen().is_empty());
        assert!(!told.to_string().contains(TOKEN));
    }
}

#[test]
fn a_repository_that_moved_is_followed_on_its_host() {
    let hub = Hub::with(|request| {
        let moved = request.path.replace("/old/name", &format!("/{REPOSITORY}"));
        (moved != request.path).then(|| Reply::new(307, "").with("Location", moved))
    });
    let (folder, files) = folder();
    let what = Push { repository: "old/name", folder: folder.path(), files: &files, private: false, message: "one" };
    push(&options(&hub.hub.url, Some(TOKEN)), &Push { repository: REPOSITORY, files: &files[..1], ..what.clone() }, &Silent).unwrap();
    assert_eq!(push(&options(&hub.hub.url, Some(TOKEN)), &what, &Silent).unwrap().sent.len(), 4);
    assert_eq!(hub.files(REPOSITORY).unwrap().len(), 5);
}

#[test]
fn a_private_repository_is_made_private() {
    let (hub, (folder, files)) = (Hub::start(), folder());
    let what = Push { repository: REPOSITORY, folder: folder.path(), files: &files, private: true, message: "one" };
    push(&options(&hub.hub.url, Some(TOKEN)), &what, &Silent).unwrap();
    assert_eq!(hub.commits().1, [REPOSITORY]);
}

#[test]
fn every_refusal_is_typed_and_says_what_to_do() {
    for (status, word) in
        [(400, "mend what it names"), (401, "not valid"), (403, "right to write"), (413, "smaller"), (500, "server's"), (503, "server's")]
    {
        let told = error(&Server::new(move |_| Reply::new(status, r#"{"error":"because"}"#)));
        assert!(matches!(&told, Error::Refused { status: found, .. } if *found == status), "{status}: {told}");
        assert!(told.to_string().contains(word) && told.to_string().contains("because") && !told.to_string().contains(TOKEN), "{told}");
    }
    // Not there, and may not be made.
    let told = error(&Server::new(|request| Reply::new(if request.path.contains("create") { 403 } else { 404 }, "")));
    assert!(matches!(told, Error::Refused { status: 403, .. }), "{told}");
    let told = error(&Server::new(|request| Reply::new(if request.path.contains("preupload") { 404 } else { 200 }, "")));
    assert!(matches!(told, Error::Refused { status: 404, .. }), "{told}");
    let told = error(&Server::new(|_| Reply::new(429, "")));
    assert!(matches!(told, Error::Busy { status: 429, .. }), "{told}");
    let told = error(&Server::new(|_| Reply::new(200, "<html>login</html>")));
    assert!(matches!(&told, Error::NotAHub { found, .. } if found.contains("login")), "{told}");
    let told = error(&Server::new(|_| Reply { raw: Some(Vec::new()), ..Reply::default() }));
    assert!(matches!(told, Error::Network { .. }), "{told}");
}

#[test]
fn a_storage_that_refuses_an_object_is_told() {
    let hub = Hub::with(|request| {
        let refusal = |oid: &str| format!(r#"{{"objects":[{{"oid":"{oid}","error":{{"code":413,"message":"too large"}}}}]}}"#);
        let asked = String::from_utf8_lossy(&request.body).into_owned();
        let oid = asked.split("\"oid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        request.path.ends_with("/objects/batch").then(|| Reply::new(200, refusal(oid)))
    });
    let told = error(&hub.hub);
    assert!(matches!(&told, Error::Refused { status: 413, what, .. } if what.contains("too large")), "{told}");
    assert!(hub.commits().0.is_empty());
}

#[test]
fn what_is_wrong_here_is_told_before_anything_is_asked() {
    let (hub, (folder, files)) = (Hub::start(), folder());
    let none = pushed(&hub.hub.url, None, folder.path(), &files).unwrap_err();
    assert!(matches!(none, Error::NoToken), "{none}");
    for repository in ["name", "a/b/c", "../x", "a/..", "a/b?x", "/b", "a/"] {
        let what = Push { repository, folder: folder.path(), files: &files, private: false, message: "one" };
        let told = push(&options(&hub.hub.url, Some(TOKEN)), &what, &Silent).unwrap_err();
        assert!(matches!(told, Error::Core(zoo_core::Error::Argument { .. })), "{repository}: {told}");
    }
    let offline = FetchOptions { offline: true, ..options(&hub.hub.url, Some(TOKEN)) };
    let what = Push { repository: REPOSITORY, folder: folder.path(), files: &files, private: false, message: "one" };
    assert!(matches!(push(&offline, &what, &Silent), Err(Error::NeedsNetwork { .. })));
    std::fs::write(folder.path().join("README.md"), "---\ntags: [a, b\n---\n").unwrap();
    let told = pushed(&hub.hub.url, Some(TOKEN), folder.path(), &files).unwrap_err();
    assert!(matches!(&told, Error::Core(zoo_core::Error::Data { path, .. }) if path.ends_with("README.md")), "{told}");
    assert!(hub.hub.seen().is_empty());
}

/// The hub's own client on the same hub: what we pushed it reads, and has nothing to add; what it pushed we have nothing to add to.
#[test]
fn the_hubs_own_client_agrees() {
    if zoo_test_support::python().is_none() {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
        return;
    }
    let (hub, (folder, files)) = (Hub::start(), folder());
    pushed(&hub.hub.url, Some(TOKEN), folder.path(), &files).unwrap();
    let script = r#"
import os, pathlib, sys, tempfile
endpoint, token, folder = sys.argv[1:]
os.environ.update(HF_ENDPOINT=endpoint, HF_HOME=tempfile.mkdtemp(), HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
from huggingface_hub import HfApi
api = HfApi(endpoint=endpoint, token=token)
here = {str(path.relative_to(folder)): path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file()}
for path, content in here.items():
    assert pathlib.Path(api.hf_hub_download("zoo/model", path)).read_bytes() == content, path
api.upload_folder(repo_id="zoo/model", folder_path=folder)
api.create_repo("zoo/other")
api.upload_folder(repo_id="zoo/other", folder_path=folder)
"#;
    let args = [hub.hub.url.as_str(), TOKEN, folder.path().to_str().unwrap()];
    zoo_test_support::run_python(script, &args).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(hub.commits().0.len(), 2, "the client had nothing to add to ours");
    assert_eq!(hub.files("zoo/other"), hub.files(REPOSITORY));
    let what = Push { repository: "zoo/other", folder: folder.path(), files: &files, private: false, message: "one" };
    let ours = push(&options(&hub.hub.url, Some(TOKEN)), &what, &Silent).unwrap();
    assert_eq!((ours.commit, ours.unchanged), (None, 5));
}
