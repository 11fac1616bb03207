//! Disks that are full, broken or read-only, and files that may not be read.

use crate::Effort;
use crate::check::{Moment, sound};
use crate::kill::{Points, again, operations, survived};
use crate::kit::{Job, Kit};
use crate::sandbox::{End, Sandbox};
use crate::table::Row;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Error numbers of Linux.
const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// Rows of faults of the disk.
pub fn rows(kit: &Kit, effort: Effort, keep: &mut dyn FnMut(Row)) {
    for job in Job::ALL {
        keep(fails(kit, effort, job, "disk full", ENOSPC, "no space left on"));
        keep(fails(kit, effort, job, "disk broken (EIO)", EIO, "input/output error"));
    }
    let namespace = namespace();
    keep(small_disk(kit, &namespace));
    for row in [read_only_cache, read_only_out] {
        keep(row(kit, &namespace));
    }
    keep(unreadable(kit));
}

/// What must hold of a run that met an error: status 3 and its words, or an end in spite of it.
fn verdict(kit: &Kit, sandbox: &Sandbox, job: Job, end: &End, says: &str) -> Result<(), String> {
    match end.status {
        Some(3) if end.said.to_lowercase().contains(says) => survived(kit, sandbox, job, &kit.hub().url),
        Some(0) => sound(sandbox, kit, job, Moment::End),
        _ => Err(format!("expected 3 and `{says}`, found {}: {}", end.name(), end.said)),
    }
}

/// From one file operation on, all that need the disk fail.
fn fails(kit: &Kit, effort: Effort, job: Job, name: &str, number: i32, says: &str) -> Row {
    let fault = format!("{name} in {}, from a file operation on", job.name());
    let operations = match operations(kit, job) {
        Ok(operations) => operations,
        Err(why) => return Row::skipped(fault, why),
    };
    let mut row = Row::new(fault);
    let mut points = Points::new(effort.seed, 100 * u64::from(number.unsigned_abs()) + job as u64);
    let hub = kit.hub();
    for _ in 0..effort.points {
        let from = points.draw(operations.len()) + 1;
        let sandbox = Sandbox::new(kit);
        let mut command = sandbox.command(kit, job, &hub.url);
        if let Err(why) = sandbox.counted(kit, &mut command) {
            return Row::skipped(row.fault, why);
        }
        let end = sandbox.run(command.env("ZOO_FAULT_ERRNO", format!("{from}:{number}")));
        let found = verdict(kit, &sandbox, job, &end, says);
        row.count(end.name(), found.map_err(|why| format!("from operation {from} ({}): {why}", operations[from - 1])));
    }
    row
}

/// The words before a command that let it mount for itself alone.
///
/// # Errors
/// If nobody may here.
fn namespace() -> Result<Vec<&'static str>, String> {
    let ways: [&[&str]; 2] = [&["unshare", "--mount"], &["unshare", "--user", "--map-root-user", "--mount"]];
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    for way in ways {
        let mut probe = Command::new(way[0]);
        probe.args(&way[1..]).args(["mount", "-t", "tmpfs", "none"]).arg(folder.path());
        if probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return Ok(way.to_vec());
        }
    }
    Err("neither `unshare --mount` nor a user namespace is allowed here".into())
}

/// A job in a namespace of its own, after `script`, in which `$1` is `folder`.
fn mounted(kit: &Kit, sandbox: &Sandbox, way: &[&str], script: &str, folder: &Path, job: Job) -> Command {
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).args(["sh", "-c", script, "sh"]).arg(folder).arg(&kit.xtask);
    sandbox.arguments(&mut command, job);
    command
}

/// A home on a file system of memory too small for what is fetched.
fn small_disk(kit: &Kit, namespace: &Result<Vec<&'static str>, String>) -> Row {
    let fault = "disk full in fetch, on a small tmpfs";
    let way = match namespace {
        Ok(way) => way,
        Err(why) => return Row::skipped(fault, why),
    };
    let mut row = Row::new(fault);
    let hub = kit.hub();
    // Too small for the first file, for the packed one, and for what it unpacks to.
    for kibibytes in [128, 400, 540] {
        let sandbox = Sandbox::new(kit);
        let kept = sandbox.outside("kept");
        // What is on it goes with the namespace, so that it is copied to where it can be looked at.
        let script = format!(
            "home=$1; shift; mount -t tmpfs -o size={kibibytes}k none \"$home\" && \"$@\"; status=$?; cp -a \"$home\" {:?}; exit $status",
            kept.display()
        );
        let mut command = mounted(kit, &sandbox, way, &script, &sandbox.home(), Job::Fetch);
        sandbox.environment(&mut command, &hub.url);
        let end = sandbox.run(&mut command);
        let moved = fs::remove_dir(sandbox.home()).and_then(|()| fs::rename(&kept, sandbox.home())).map_err(|e| e.to_string());
        let found = moved.and_then(|()| match end.status {
            Some(3) if end.said.contains("no space left on the disk") => survived(kit, &sandbox, Job::Fetch, &hub.url),
            _ => Err(format!("expected 3, found {}: {}", end.name(), end.said)),
        });
        row.count(end.name(), found.map_err(|why| format!("{kibibytes} KiB: {why}")));
    }
    row
}

/// A script that makes `$1` read-only.
const READ_ONLY: &str = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";

fn read_only_cache(kit: &Kit, namespace: &Result<Vec<&'static str>, String>) -> Row {
    let fault = "read-only cache: empty, and with everything in it";
    let way = match namespace {
        Ok(way) => way,
        Err(why) => return Row::skipped(fault, why),
    };
    let mut row = Row::new(fault);
    let hub = kit.hub();
    for full in [false, true] {
        let sandbox = Sandbox::new(kit);
        if full {
            sandbox.run(&mut sandbox.command(kit, Job::Fetch, &hub.url));
            // Markers of another machine: everything has to be read again, and can't be marked.
            for blob in blobs(&sandbox) {
                fs::write(blob.with_extension("ok"), "0 0 0\n").ok();
            }
        }
        let mut command = mounted(kit, &sandbox, way, READ_ONLY, &sandbox.home(), Job::Fetch);
        sandbox.environment(&mut command, &hub.url);
        let end = sandbox.run(&mut command);
        let found = match (full, end.status) {
            (true, Some(0)) => again(kit, &sandbox, Job::Fetch, &hub.url),
            (false, Some(3)) if end.said.contains("the cache can't be written") => survived(kit, &sandbox, Job::Fetch, &hub.url),
            _ => Err(format!("ended with {}: {}", end.name(), end.said)),
        };
        row.count(end.name(), found);
    }
    row
}

fn read_only_out(kit: &Kit, namespace: &Result<Vec<&'static str>, String>) -> Row {
    let fault = "read-only folder to write to";
    let way = match namespace {
        Ok(way) => way,
        Err(why) => return Row::skipped(fault, why),
    };
    let mut row = Row::new(fault);
    let hub = kit.hub();
    for job in [Job::Train, Job::ExportOnnx] {
        if kit.reference(job).is_err() {
            continue;
        }
        let sandbox = Sandbox::new(kit);
        let mut command = mounted(kit, &sandbox, way, READ_ONLY, &sandbox.out(), job);
        sandbox.environment(&mut command, &hub.url);
        let end = sandbox.run(&mut command);
        let found = match end.status {
            Some(3) if end.said.contains("Read-only file system") && end.said.contains("/out") => survived(kit, &sandbox, job, &hub.url),
            _ => Err(format!("expected 3 and the folder's name, found {}: {}", end.name(), end.said)),
        };
        row.count(end.name(), found.map_err(|why| format!("{}: {why}", job.name())));
    }
    row
}

/// Cached files, markers apart.
pub fn blobs(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.cache().join("blobs/sha256")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_none()).collect()
}

/// Files that may not be read, by a user who is not root.
fn unreadable(kit: &Kit) -> Row {
    use std::os::unix::fs::PermissionsExt;
    let fault = "a file that may not be read: weights, registry";
    let mut row = Row::new(fault);
    for name in ["ann.safetensors", "registry.toml"] {
        let sandbox = Sandbox::new(kit);
        let path = sandbox.path().join(name);
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        // Anybody may look into the sandbox, and write where commands write to.
        let opened = mode(sandbox.path(), 0o755).and(mode(&sandbox.out(), 0o777)).and(mode(&sandbox.home(), 0o777));
        if opened.and(mode(&path, 0o000)).is_err() {
            return Row::skipped(fault, "permissions can't be changed here");
        }
        let mut command = if fs::read(&path).is_ok() {
            // Root may read everything.
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&kit.xtask);
            command
        } else {
            Command::new(&kit.xtask)
        };
        sandbox.arguments(&mut command, Job::ExportOnnx);
        sandbox.environment(&mut command, "http://127.0.0.1:9");
        let end = sandbox.run(&mut command);
        if end.said.contains("failed to execute") {
            return Row::skipped(fault, "another user may not run the program");
        }
        let refused = end.status == Some(3) && end.said.contains(name) && end.said.contains("Permission denied");
        let found = if refused {
            mode(&path, 0o644).map_err(|e| e.to_string()).and_then(|()| survived(kit, &sandbox, Job::ExportOnnx, "http://127.0.0.1:9"))
        } else {
            Err(format!("{name}: expected 3 and its name, found {}: {}", end.name(), end.said))
        };
        row.count(end.name(), found);
    }
    row
}
