//! Large files: the batch interface of Git LFS, and the storage behind it.

use super::api::{Hub, not_a_hub, refused};
use super::file::Local;
use crate::error::Result;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use zoo_core::Reporter;

const KIND: &str = "application/vnd.git-lfs+json";

#[derive(Deserialize)]
struct Batch {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    /// Absent if the storage has the content.
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: u16,
    message: String,
}

#[derive(Deserialize)]
struct Actions {
    upload: Option<Action>,
    #[serde(default)]
    verify: Option<Action>,
}

/// An address, and headers that its host wants.
#[derive(Deserialize)]
pub(super) struct Action {
    pub(super) href: String,
    #[serde(default)]
    pub(super) header: BTreeMap<String, String>,
}

/// Uploads what the storage has not, each file as a whole.
pub(super) fn upload(hub: &Hub, repository: &str, files: &[(&Local, String)], reporter: &dyn Reporter) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let objects: Vec<_> = files.iter().map(|(file, oid)| json!({"oid": oid, "size": file.bytes})).collect();
    let body = json!({"operation": "upload", "transfers": ["basic"], "objects": objects, "hash_algo": "sha256"}).to_string();
    let batch: Batch = hub.post(&format!("/{repository}.git/info/lfs/objects/batch"), KIND, body.as_bytes(), repository)?;
    let all: u64 = files.iter().map(|(file, _)| file.bytes).sum();
    let mut done = 0;
    for (file, oid) in files {
        reporter.progress("push", done, Some(all), "bytes");
        reporter.check()?;
        let found = batch.objects.iter().find(|object| object.oid == *oid);
        let object = found.ok_or_else(|| not_a_hub(repository, "an answer about every large file", &file.path))?;
        if let Some(Refusal { code, message }) = &object.error {
            return Err(refused(*code, &format!("{} ({message})", file.path)));
        }
        if let Some(Actions { upload, verify }) = &object.actions {
            if let Some(upload) = upload {
                hub.put(upload, file.open()?, &file.path)?;
            }
            if let Some(verify) = verify {
                let body = json!({"oid": oid, "size": file.bytes}).to_string();
                hub.verify(verify, body.as_bytes(), &file.path)?;
            }
        }
        done += file.bytes;
    }
    reporter.progress("push", done, Some(all), "bytes");
    Ok(())
}
