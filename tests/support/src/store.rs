//! A hub on the loopback interface that takes commits, as far as its clients need it.

use crate::hub::{REVISION, Reply, Request, Server, sum};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The token that may write.
pub const TOKEN: &str = "hf_of_the_tests";

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Content.
    pub bytes: Vec<u8>,
    /// Whether it lies in the large file storage.
    pub large: bool,
}

/// What a hub holds.
#[derive(Default)]
struct State {
    repositories: BTreeMap<String, BTreeMap<String, Kept>>,
    storage: BTreeMap<String, Vec<u8>>,
    commits: Vec<Vec<String>>,
    private: Vec<String>,
}

type Instead = dyn Fn(&Request) -> Option<Reply> + Send;

/// A hub and, on another port, the storage of its large files.
pub struct Hub {
    /// The hub.
    pub hub: Server,
    /// The storage.
    pub storage: Server,
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// An empty hub.
    pub fn start() -> Self {
        Self::with(|_| None)
    }

    /// A hub that answers some requests otherwise.
    pub fn with(instead: impl Fn(&Request) -> Option<Reply> + Send + 'static) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let (kept, instead): (_, Box<Instead>) = (Arc::clone(&state), Box::new(instead));
        let storage = Server::new(move |request| {
            let oid = request.path.trim_start_matches("/put/").to_owned();
            if request.method != "PUT" || sum(&request.body) != oid {
                return Reply::new(400, "other content than announced");
            }
            lock(&kept).storage.insert(oid, request.body.clone());
            Reply::new(200, "")
        });
        let (kept, place) = (Arc::clone(&state), storage.url.clone());
        let hub = Server::new(move |request| instead(request).unwrap_or_else(|| lock(&kept).answer(request, &place)));
        Self { hub, storage, state }
    }

    /// Files of a repository by path; `None` if there is no such repository.
    pub fn files(&self, repository: &str) -> Option<BTreeMap<String, Kept>> {
        lock(&self.state).repositories.get(repository).cloned()
    }

    /// Paths in each commit, and repositories that were made private.
    pub fn commits(&self) -> (Vec<Vec<String>>, Vec<String>) {
        let state = lock(&self.state);
        (state.commits.clone(), state.private.clone())
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(value: &Value) -> Reply {
    Reply::new(200, value.to_string()).with("Content-Type", "application/json")
}

fn git_oid(content: &[u8]) -> String {
    use sha1::Digest;
    hex::encode(sha1::Sha1::new_with_prefix(format!("blob {}\0", content.len())).chain_update(content).finalize())
}

impl Kept {
    fn oid(&self) -> String {
        if self.large { sum(&self.bytes) } else { git_oid(&self.bytes) }
    }
}

impl State {
    fn answer(&mut self, request: &Request, storage: &str) -> Reply {
        let path = request.path.split('?').next().unwrap_or_default();
        let body = || serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        let writes = request.headers.get("authorization").is_some_and(|given| *given == format!("Bearer {TOKEN}"));
        if let Some((repository, file)) = path.trim_start_matches('/').split_once("/resolve/") {
            let file = file.split_once('/').map_or("", |(_, file)| file);
            return match self.repositories.get(repository).and_then(|files| files.get(file)) {
                Some(kept) => Reply::file(request, &kept.bytes),
                None => Reply::new(404, "").with("X-Error-Code", "EntryNotFound"),
            };
        }
        if !writes {
            return Reply::new(401, r#"{"error":"Invalid credentials"}"#);
        }
        if path == "/api/validate-yaml" {
            return answer(&json!({"errors": [], "warnings": []}));
        }
        if path == "/api/repos/create" {
            return self.create(&body());
        }
        if let Some(repository) = path.strip_prefix('/').and_then(|path| path.strip_suffix(".git/info/lfs/objects/batch")) {
            let verify = format!("http://{}/verify", request.headers.get("host").map_or("", String::as_str));
            return self.batch(repository, &body(), storage, &verify);
        }
        if path == "/verify" {
            let stored = self.storage.get(body()["oid"].as_str().unwrap_or_default()).map(|bytes| bytes.len() as u64);
            return Reply::new(if stored.is_some() && stored == body()["size"].as_u64() { 200 } else { 404 }, "");
        }
        let parts: Vec<&str> = path.trim_start_matches("/api/models/").split('/').collect();
        let [owner, name, rest @ ..] = &parts[..] else { return Reply::new(404, "") };
        let repository = format!("{owner}/{name}");
        let Some(files) = self.repositories.get(&repository) else { return Reply::new(404, r#"{"error":"Repository not found"}"#) };
        match rest {
            [] | ["revision", _] => {
                let siblings: Vec<_> = files.keys().map(|path| json!({"rfilename": path})).collect();
                answer(
                    &json!({"id": repository, "modelId": repository, "sha": REVISION, "private": false, "tags": [], "siblings": siblings}),
                )
            }
            ["preupload", _] => answer(&preupload(files, &body())),
            ["commit", _] => self.commit(&repository, &request.body),
            ["tree", _, ..] => {
                let listed = files.iter().map(|(path, kept)| {
                    let mut entry = json!({"type": "file", "path": path, "size": kept.bytes.len(), "oid": git_oid(&kept.bytes)});
                    if kept.large {
                        entry["lfs"] = json!({"oid": kept.oid(), "size": kept.bytes.len(), "pointerSize": 130});
                    }
                    entry
                });
                answer(&listed.collect())
            }
            _ => Reply::new(404, ""),
        }
    }

    fn create(&mut self, body: &Value) -> Reply {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let repository = format!("{}/{}", text("organization"), text("name"));
        if self.repositories.contains_key(&repository) {
            return Reply::new(409, r#"{"error":"You already created this model repo"}"#);
        }
        if body["private"] == true {
            self.private.push(repository.clone());
        }
        self.repositories.insert(repository.clone(), BTreeMap::new());
        answer(&json!({"url": format!("/{repository}"), "name": repository, "id": "0"}))
    }

    fn batch(&self, repository: &str, body: &Value, storage: &str, verify: &str) -> Reply {
        assert!(self.repositories.contains_key(repository) && body["operation"] == "upload", "{body}");
        let objects = body["objects"].as_array().expect("objects").iter().map(|object| {
            let oid = object["oid"].as_str().expect("a sum");
            let mut found = object.clone();
            if !self.storage.contains_key(oid) {
                found["actions"] =
                    json!({"upload": {"href": format!("{storage}/put/{oid}"), "header": {"X-Signed": "yes"}}, "verify": {"href": verify}});
            }
            found
        });
        answer(&json!({"transfer": "basic", "objects": objects.collect::<Vec<_>>()}))
    }

    fn commit(&mut self, repository: &str, body: &[u8]) -> Reply {
        let mut paths = Vec::new();
        for line in body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).expect("a line of JSON");
            let value = &line["value"];
            let path = value["path"].as_str().unwrap_or_default().to_owned();
            let kept = match line["key"].as_str() {
                Some("header") => continue,
                Some("file") => {
                    let content = BASE64_STANDARD.decode(value["content"].as_str().expect("content")).expect("base64");
                    Kept { bytes: content, large: false }
                }
                Some("lfsFile") => match self.storage.get(value["oid"].as_str().expect("a sum")) {
                    Some(bytes) => Kept { bytes: bytes.clone(), large: true },
                    None => return Reply::new(400, r#"{"error":"the storage lacks a file of the commit"}"#),
                },
                other => panic!("an operation {other:?}"),
            };
            paths.push(path.clone());
            self.repositories.entry(repository.to_owned()).or_default().insert(path, kept);
        }
        self.commits.push(paths);
        let url = format!("/{repository}/commit/{REVISION}");
        answer(&json!({"success": true, "commitOid": REVISION, "commitUrl": url, "hookOutput": ""}))
    }
}

/// As the hub does: by its name, or because it holds other bytes than text, a file is large.
fn preupload(files: &BTreeMap<String, Kept>, body: &Value) -> Value {
    let modes = body["files"].as_array().expect("files").iter().map(|file| {
        let path = file["path"].as_str().expect("a path");
        let sample = BASE64_STANDARD.decode(file["sample"].as_str().expect("a sample")).expect("base64");
        let large = [".onnx", ".safetensors"].iter().any(|end| path.ends_with(end)) || sample.contains(&0);
        let oid = files.get(path).map(Kept::oid);
        json!({"path": path, "uploadMode": if large { "lfs" } else { "regular" }, "shouldIgnore": false, "oid": oid})
    });
    json!({"files": modes.collect::<Vec<_>>(), "commitOid": REVISION})
}
