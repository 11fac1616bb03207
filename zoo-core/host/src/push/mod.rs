//! Pushing exported folders to a repository of the Hugging Face hub, by its HTTP interface.
//!
//! The hub is asked which files it keeps in git and which in its large file storage, and what it has of them already: nothing is
//! sent twice, so that a push that broke off goes on where it was. Everything becomes one commit. The token goes to the hub's own
//! host and nowhere else; storage is reached by addresses that are signed.

mod api;
mod file;
mod lfs;

use crate::error::{Error, Result};
use crate::export::{CARD, read_header_of};
use crate::fetch::FetchOptions;
use api::Hub;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use file::Local;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use zoo_core::{Level, Reporter};

/// The branch that is pushed to.
const BRANCH: &str = "main";
/// Files that the hub is asked about at once, as its own client does.
const ASKED: usize = 256;

/// What is to be pushed.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// `OWNER/NAME` of a repository of models.
    pub repository: &'a str,
    /// Folder that becomes the repository's root.
    pub folder: &'a Path,
    /// Files by their paths in the folder, with slashes. A model card among them is checked first.
    pub files: &'a [String],
    /// Whether a repository that is made is private.
    pub private: bool,
    /// First line of the commit's message.
    pub message: &'a str,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Address of the repository.
    pub url: String,
    /// The commit; `None` if the hub had everything.
    pub commit: Option<String>,
    /// Paths in the commit.
    pub sent: Vec<String>,
    /// How many files the hub had already.
    pub unchanged: usize,
}

/// Where the hub keeps a file, and what it has of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mode {
    path: String,
    upload_mode: String,
    #[serde(default)]
    should_ignore: bool,
    #[serde(default)]
    oid: Option<String>,
}

#[derive(Deserialize)]
struct Modes {
    files: Vec<Mode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commit {
    commit_oid: String,
}

/// Pushes files as one commit; the repository is made if it is missing.
///
/// # Errors
/// [`zoo_core::Error::Argument`] for a name that is no repository's and for paths that leave the folder; [`zoo_core::Error::Data`] for a
/// card whose header is not YAML; [`Error::NeedsNetwork`] in offline mode; [`Error::NoToken`]; [`Error::Refused`], [`Error::Busy`],
/// [`Error::NotAHub`], [`Error::Network`] and [`Error::Stalled`] for what the hub answers; [`Error::Io`].
pub fn push(options: &FetchOptions, push: &Push<'_>, reporter: &dyn Reporter) -> Result<Pushed> {
    check_repository(push.repository)?;
    let files = push.files.iter().map(|path| Local::find(push.folder, path)).collect::<Result<Vec<_>>>()?;
    if push.files.iter().any(|path| path == CARD) {
        read_header_of(&push.folder.join(CARD))?;
    }
    if options.offline {
        return Err(Error::NeedsNetwork { what: format!("pushing to {}", push.repository) });
    }
    let hub = Hub::new(options)?;
    ensure_repository(&hub, push, reporter)?;
    let (mut lines, mut stored, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    let modes = modes(&hub, push.repository, &files, reporter)?;
    for file in &files {
        reporter.check()?;
        let mode = modes.get(&file.path).ok_or_else(|| api::not_a_hub(push.repository, "an answer about every file", &file.path))?;
        if mode.should_ignore {
            reporter.log(Level::Warn, "push", &format!("{}: the repository's .gitignore leaves it out", file.path));
            continue;
        }
        // The storage takes no empty files.
        let large = match mode.upload_mode.as_str() {
            "lfs" => file.bytes > 0,
            "regular" => false,
            other => return Err(api::not_a_hub(push.repository, "a file that is `lfs` or `regular`", other)),
        };
        let line = if large {
            let sha256 = file.sha256()?;
            if mode.oid.as_ref() == Some(&sha256) {
                continue;
            }
            stored.push((file, sha256.clone()));
            json!({"key": "lfsFile", "value": {"path": file.path, "algo": "sha256", "oid": sha256, "size": file.bytes}})
        } else {
            let content = file.read()?;
            if mode.oid == Some(file::git_oid(&content)) {
                continue;
            }
            json!({"key": "file", "value": {"content": BASE64_STANDARD.encode(content), "path": file.path, "encoding": "base64"}})
        };
        sent.push(file.path.clone());
        lines.push(line);
    }
    let unchanged = files.len() - sent.len();
    let url = format!("{}/{}", options.hub_endpoint, push.repository);
    if lines.is_empty() {
        return Ok(Pushed { url, commit: None, sent, unchanged });
    }
    lfs::upload(&hub, push.repository, &stored, reporter)?;
    let header = json!({"key": "header", "value": {"summary": push.message, "description": ""}});
    let mut body = Vec::new();
    for line in std::iter::once(header).chain(lines) {
        body.extend(line.to_string().into_bytes());
        body.push(b'\n');
    }
    let path = format!("/api/models/{}/commit/{BRANCH}", push.repository);
    let commit: Commit = hub.post(&path, "application/x-ndjson", &body, push.repository)?;
    Ok(Pushed { url, commit: Some(commit.commit_oid), sent, unchanged })
}

/// A name that can't lead an address elsewhere.
fn check_repository(name: &str) -> Result<()> {
    let part = |part: &str| {
        let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        !part.is_empty()
            && part.len() <= 96
            && plain
            && !part.starts_with(['.', '-'])
            && !part.ends_with(['.', '-'])
            && !part.contains("..")
    };
    if name.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name)) {
        return Ok(());
    }
    Err(zoo_core::Error::argument("repository", "OWNER/NAME of letters, digits, `-`, `_` and `.`", name).into())
}

fn ensure_repository(hub: &Hub, push: &Push<'_>, reporter: &dyn Reporter) -> Result<()> {
    if hub.exists(&format!("/api/models/{}", push.repository), push.repository)? {
        return Ok(());
    }
    let (owner, name) = push.repository.split_once('/').unwrap_or_default();
    let body = json!({"name": name, "organization": owner, "type": "model", "private": push.private});
    // It may have been made meanwhile.
    if hub.make("/api/repos/create", &body, push.repository)? {
        reporter.log(Level::Info, "push", &format!("made the repository {}", push.repository));
    }
    Ok(())
}

fn modes(hub: &Hub, repository: &str, files: &[Local], reporter: &dyn Reporter) -> Result<BTreeMap<String, Mode>> {
    let path = format!("/api/models/{repository}/preupload/{BRANCH}");
    let mut modes = BTreeMap::new();
    for some in files.chunks(ASKED) {
        reporter.check()?;
        let listed =
            some.iter().map(|file| Ok(json!({"path": file.path, "sample": BASE64_STANDARD.encode(file.sample()?), "size": file.bytes})));
        let body = json!({"files": listed.collect::<Result<Vec<Value>>>()?}).to_string();
        let found: Modes = hub.post(&path, api::JSON, body.as_bytes(), repository)?;
        modes.extend(found.files.into_iter().map(|mode| (mode.path.clone(), mode)));
    }
    Ok(modes)
}
