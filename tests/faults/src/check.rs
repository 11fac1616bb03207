//! What may stand where, between a fault and the next run and after it.

use crate::kit::{Files, Job, Kit};
use crate::sandbox::{Sandbox, files};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use zoo_test_support::hub::sum;

/// When it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After a fault: unfinished work may lie about, under the names of unfinished work.
    Between,
    /// After a run that ended well: nothing unfinished is left.
    End,
}

/// Keys of a log line that tell of speed.
const SPEED: [&str; 2] = ["images_per_s", "eta_s"];

/// Looks at every file of the home folder and of the folder that commands write to.
///
/// # Errors
/// The first file that is not whole, not right, or has no business there.
pub fn sound(sandbox: &Sandbox, kit: &Kit, job: Job, moment: Moment) -> Result<(), String> {
    for (name, content) in files(&sandbox.home()) {
        let path = sandbox.home().join(&name);
        at_home(&name.to_string_lossy(), &path, &content, moment).map_err(|why| format!("~/{}: {why}", name.display()))?;
    }
    let written = sandbox.written();
    if job == Job::Fetch {
        return if written.is_empty() { Ok(()) } else { Err(format!("fetch wrote {:?}", written.keys())) };
    }
    let expected = kit.reference(job)?;
    for (name, content) in &written {
        in_out(name, content, &expected, sandbox, moment).map_err(|why| format!("{}: {why}", name.display()))?;
    }
    if moment == Moment::Between {
        return Ok(());
    }
    if let Some(missing) = expected.keys().find(|name| !written.contains_key(*name)) {
        return Err(format!("{} is missing", missing.display()));
    }
    Ok(())
}

/// Whether all files of the data set are in the cache.
///
/// # Errors
/// The first that is not.
pub fn fetched(sandbox: &Sandbox, kit: &Kit) -> Result<(), String> {
    for (name, content) in &kit.pictures {
        let blob = sandbox.cache().join("blobs/sha256").join(sum(content));
        if std::fs::read(&blob).ok().as_ref() != Some(content) {
            return Err(format!("{name} is not in the cache"));
        }
    }
    Ok(())
}

fn whole(right: bool, expected: &str) -> Result<(), String> {
    if right { Ok(()) } else { Err(format!("expected {expected}, found something else under that name")) }
}

fn unfinished(moment: Moment) -> Result<(), String> {
    if moment == Moment::Between { Ok(()) } else { Err("unfinished work is left".into()) }
}

fn at_home(name: &str, path: &Path, content: &[u8], moment: Moment) -> Result<(), String> {
    let last = name.rsplit('/').next().unwrap_or(name);
    if let Some(inside) = name.strip_prefix(".cache/zoo/") {
        return match inside.split('/').next() {
            Some("locks") => Ok(()),
            Some("tmp") => unfinished(moment),
            Some("blobs") if last.ends_with(".part") => unfinished(moment),
            Some("blobs") if last.ends_with(".ok") => {
                let text = String::from_utf8_lossy(content);
                let numbers = text.strip_suffix('\n').map(|line| line.split(' ').filter(|n| n.parse::<u128>().is_ok()).count());
                whole(numbers == Some(3), "size, time and inode")
            }
            Some("blobs") => whole(sum(content) == last, "content of that sum"),
            _ => Err("a file that the cache does not have".into()),
        };
    }
    if let Some(inside) = name.strip_prefix(".cache/huggingface/hub/") {
        return match inside.split('/').nth(1) {
            Some("blobs") if last.ends_with(".lock") => Ok(()),
            Some("blobs") if last.ends_with(".part") => unfinished(moment),
            Some("blobs") => whole(sum(content) == last, "content of that sum"),
            Some("snapshots") => whole(path.is_symlink() && path.is_file(), "a link to a file"),
            _ => Err("a file that the hub's cache does not have".into()),
        };
    }
    Err("a file that nobody should write".into())
}

fn in_out(name: &Path, content: &[u8], expected: &Files, sandbox: &Sandbox, moment: Moment) -> Result<(), String> {
    let text = name.to_string_lossy();
    if text.ends_with(".part") {
        return unfinished(moment);
    }
    let right = expected.get(name).ok_or("a file that an undisturbed run does not write")?;
    match (&*text, moment) {
        ("log.jsonl", Moment::Between) => lines(content, true).map(drop),
        ("log.jsonl", Moment::End) => {
            whole(epochs(&lines(content, false)?) == epochs(&lines(right, false)?), "an undisturbed run's last line of every epoch")
        }
        // Of an earlier epoch, but whole.
        ("checkpoint.safetensors", Moment::Between) => {
            let checkpoint = zoo_formats::safetensors::read(sandbox.out().join(name)).map_err(|e| e.to_string())?;
            whole(checkpoint.metadata.contains_key("epoch"), "a checkpoint")
        }
        _ => whole(content == right, "the bytes of an undisturbed run"),
    }
}

/// Lines of a log; the last one may be half written where `torn` says so, and so may one that a resumed run ended.
fn lines(content: &[u8], torn: bool) -> Result<Vec<Map<String, Value>>, String> {
    let text = String::from_utf8_lossy(content);
    if !torn && !text.is_empty() && !text.ends_with('\n') {
        return Err("expected a line break at the end".into());
    }
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The last line of each epoch, without its speed.
fn epochs(lines: &[Map<String, Value>]) -> BTreeMap<u64, Map<String, Value>> {
    let mut found = BTreeMap::new();
    for line in lines {
        let mut line = line.clone();
        for key in SPEED {
            line.remove(key);
        }
        found.insert(line.get("epoch").and_then(Value::as_u64).unwrap_or(u64::MAX), line);
    }
    found
}
