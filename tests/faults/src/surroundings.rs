//! No home, clocks that are wrong or jump, several processes at once, files that were damaged meanwhile.

use crate::Effort;
use crate::check::{Moment, sound};
use crate::disk::blobs;
use crate::kill::{again, survived};
use crate::kit::{Job, Kit, TARGET};
use crate::sandbox::{End, Sandbox};
use crate::table::Row;
use std::fs::{self, File};
use std::sync::mpsc::channel;
use std::time::{Duration, UNIX_EPOCH};
use zoo_test_support::hub::Server;

/// Processes that fetch the same files at once.
const CROWD: usize = 4;
/// Seconds of a century.
const CENTURY: i64 = 3_155_760_000;

/// Rows of faults of what is around the program.
pub fn rows(kit: &Kit, _: Effort, keep: &mut dyn FnMut(Row)) {
    keep(stdout(kit));
    keep(no_home(kit));
    for job in Job::ALL {
        keep(clock(kit, job));
    }
    keep(file_times(kit));
    keep(crowd(kit));
    for job in [Job::Train, Job::ExportOnnx, Job::ExportEvent] {
        keep(same_folder(kit, job));
    }
    keep(orphans(kit));
    keep(few_handles(kit));
    keep(damaged_cache(kit));
    keep(damaged_checkpoint(kit));
}

fn expect(end: &End, status: i32, says: &str) -> Result<(), String> {
    if end.status == Some(status) && end.said.contains(says) {
        return Ok(());
    }
    Err(format!("expected {status} and `{says}`, found {}: {}", end.name(), end.said))
}

/// The result can't be written: an error, not a panic.
fn stdout(kit: &Kit) -> Row {
    let mut row = Row::new("stdout on a full disk");
    let sandbox = Sandbox::new(kit);
    for arguments in [["list", "models"].as_slice(), &["list", "models", "--json"], &["info", "paper/ann"]] {
        // The kernel's own full disk.
        let Ok(full) = File::options().write(true).open("/dev/full") else { return Row::skipped(row.fault, "there is no /dev/full here") };
        let mut command = std::process::Command::new(&kit.xtask);
        command.args(arguments).arg("--registry").arg(sandbox.path().join("registry.toml"));
        sandbox.environment(&mut command, "http://127.0.0.1:9");
        let output = command.stdout(full).output();
        let (status, said) = output.map_or((None, String::new()), |o| (o.status.code(), String::from_utf8_lossy(&o.stderr).into_owned()));
        let end = End { status, signal: None, said };
        row.count(end.name(), expect(&end, 3, "No space left on device"));
    }
    row
}

fn no_home(kit: &Kit) -> Row {
    let mut row = Row::new("no HOME; a HOME that can't be made");
    let hub = kit.hub();
    for (home, says) in [(None, "HOME is not set"), (Some("/proc/nobody"), "/proc/nobody")] {
        let sandbox = Sandbox::new(kit);
        let mut command = sandbox.command(kit, Job::Fetch, &hub.url);
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        let end = sandbox.run(&mut command);
        row.count(end.name(), expect(&end, 3, says).and_then(|()| survived(kit, &sandbox, Job::Fetch, &hub.url)));
    }
    row
}

/// The time of day is a century off, or jumps to and fro: nothing depends on it.
fn clock(kit: &Kit, job: Job) -> Row {
    let fault = format!("clock a century back, ahead, and jumping, in {}", job.name());
    if let Err(why) = kit.shim.clone().and_then(|_| kit.reference(job).map(drop)) {
        return Row::skipped(fault, why);
    }
    let mut row = Row::new(fault);
    let hub = kit.hub();
    for shift in [format!("-{CENTURY}"), CENTURY.to_string(), format!("x{CENTURY}"), format!("x-{CENTURY}")] {
        let sandbox = Sandbox::new(kit);
        let mut command = sandbox.command(kit, job, &hub.url);
        if let Err(why) = sandbox.counted(kit, &mut command) {
            return Row::skipped(row.fault, why);
        }
        let end = sandbox.run(command.env("ZOO_FAULT_CLOCK", &shift));
        let verdict = expect(&end, 0, "").and_then(|()| sound(&sandbox, kit, job, Moment::End));
        row.count(end.name(), verdict.and_then(|()| again(kit, &sandbox, job, &hub.url)).map_err(|why| format!("{shift} s: {why}")));
    }
    row
}

/// Cached files from before 1970, and from the next century: read again, not fetched again.
fn file_times(kit: &Kit) -> Row {
    let mut row = Row::new("cached files with times far back and far ahead");
    let century = Duration::from_secs(CENTURY.unsigned_abs());
    for time in [UNIX_EPOCH.checked_sub(Duration::from_secs(86_400)), UNIX_EPOCH.checked_add(century)] {
        let Some(time) = time else { continue };
        let sandbox = Sandbox::new(kit);
        let hub = kit.hub();
        sandbox.run(&mut sandbox.command(kit, Job::Fetch, &hub.url));
        for blob in blobs(&sandbox) {
            File::options().write(true).open(&blob).and_then(|file| file.set_modified(time)).ok();
        }
        let before = hub.seen().len();
        let end = sandbox.run(&mut sandbox.command(kit, Job::Fetch, &hub.url));
        let asked = if hub.seen().len() == before { Ok(()) } else { Err("the hub was asked again".to_string()) };
        row.count(end.name(), expect(&end, 0, "").and(asked).and_then(|()| sound(&sandbox, kit, Job::Fetch, Moment::End)));
    }
    row
}

/// Several processes that fetch the same at once: each ends well, and each file is fetched once.
fn crowd(kit: &Kit) -> Row {
    let mut row = Row::new(format!("{CROWD} processes fetch the same files at once"));
    let (sandbox, hub) = (Sandbox::new(kit), kit.hub());
    let running: Vec<_> = (0..CROWD).map(|_| sandbox.start(&mut sandbox.command(kit, Job::Fetch, &hub.url))).collect();
    for end in running.into_iter().map(crate::sandbox::Running::finish) {
        row.count(end.name(), expect(&end, 0, "").and_then(|()| sound(&sandbox, kit, Job::Fetch, Moment::End)));
    }
    let downloads = hub.downloads().len();
    if downloads != kit.pictures.len() {
        row.count("0", Err(format!("expected {} downloads, found {downloads}", kit.pictures.len())));
    }
    row
}

/// Several processes that write the same into one folder: what is under way for one is not swept by another.
fn same_folder(kit: &Kit, job: Job) -> Row {
    let fault = format!("{CROWD} processes write to the same folder: {}", job.name());
    if let Err(why) = kit.reference(job) {
        return Row::skipped(fault, why);
    }
    let mut row = Row::new(fault);
    let (sandbox, hub) = (Sandbox::new(kit), kit.hub());
    let running: Vec<_> = (0..CROWD).map(|_| sandbox.start(&mut sandbox.command(kit, job, &hub.url))).collect();
    let ends: Vec<_> = running.into_iter().map(crate::sandbox::Running::finish).collect();
    for end in ends {
        row.count(end.name(), expect(&end, 0, "").and_then(|()| sound(&sandbox, kit, job, Moment::End)));
    }
    row
}

/// So few handles for files that something can't be opened: an error that says so, or an end without them.
fn few_handles(kit: &Kit) -> Row {
    let mut row = Row::new("few handles for files, in fetch and train");
    let hub = kit.hub();
    for job in [Job::Fetch, Job::Train] {
        if kit.reference(job).is_err() {
            continue;
        }
        for handles in [4, 5, 6, 7, 8, 10] {
            let sandbox = Sandbox::new(kit);
            let mut command = std::process::Command::new("sh");
            command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &handles.to_string()]).arg(&kit.xtask);
            sandbox.arguments(&mut command, job);
            sandbox.environment(&mut command, &hub.url);
            let end = sandbox.run(&mut command);
            if end.said.contains("error while loading shared libraries") {
                // Too few for the program to start at all.
                continue;
            }
            let verdict = match end.status {
                Some(0) => sound(&sandbox, kit, job, Moment::End),
                Some(3) if end.said.contains("Too many open files") => survived(kit, &sandbox, job, &hub.url),
                _ => Err(format!("ended with {}: {}", end.name(), end.said)),
            };
            row.count(end.name(), verdict.map_err(|why| format!("{}, {handles} handles: {why}", job.name())));
        }
    }
    row
}

/// The process that downloads is killed while others wait for it: they go on in its place.
fn orphans(kit: &Kit) -> Row {
    let mut row = Row::new(format!("the one of {CROWD} processes that downloads is killed"));
    let (reached, waiting) = channel();
    let honest = kit.honest();
    let mut first = true;
    let hub = Server::new(move |request| {
        let reply = honest(request);
        let target = request.is_download() && request.path.ends_with(TARGET);
        if target && std::mem::take(&mut first) { reply.stall(100_000, Some(reached.clone())) } else { reply }
    });
    let sandbox = Sandbox::new(kit);
    let command = || {
        let mut command = sandbox.command(kit, Job::Fetch, &hub.url);
        // Longer than anything here takes: it waits for its end.
        command.env("HF_HUB_DOWNLOAD_TIMEOUT", "60");
        command
    };
    let first = sandbox.start(&mut command());
    waiting.recv().ok();
    let others: Vec<_> = (1..CROWD).map(|_| sandbox.start(&mut command())).collect();
    let killed = first.kill();
    row.count(
        killed.name(),
        if killed.signal == Some(9) { Ok(()) } else { Err(format!("it ended with {}: {}", killed.name(), killed.said)) },
    );
    for end in others.into_iter().map(crate::sandbox::Running::finish) {
        row.count(end.name(), expect(&end, 0, "").and_then(|()| sound(&sandbox, kit, Job::Fetch, Moment::End)));
    }
    row
}

/// What becomes of a file.
type Damage = fn(&[u8]) -> Vec<u8>;

/// A cached file is damaged, cut or emptied: it is noticed, and fetched again.
fn damaged_cache(kit: &Kit) -> Row {
    let mut row = Row::new("a cached file is damaged, cut, or empty");
    let damages: [Damage; 3] = [|bytes| bytes.iter().map(|b| !b).collect(), |bytes| bytes[..bytes.len() / 2].to_vec(), |_| Vec::new()];
    for damage in damages {
        let (sandbox, hub) = (Sandbox::new(kit), kit.hub());
        sandbox.run(&mut sandbox.command(kit, Job::Fetch, &hub.url));
        for blob in blobs(&sandbox) {
            let content = fs::read(&blob).unwrap_or_default();
            fs::write(&blob, damage(&content)).ok();
        }
        let end = sandbox.run(&mut sandbox.command(kit, Job::Fetch, &hub.url));
        row.count(end.name(), expect(&end, 0, "removing a damaged file").and_then(|()| again(kit, &sandbox, Job::Fetch, &hub.url)));
    }
    row
}

/// A checkpoint that somebody cut is named, not read; without `--resume` training starts anew.
fn damaged_checkpoint(kit: &Kit) -> Row {
    let fault = "a checkpoint is cut, or garbage";
    let reference = match kit.reference(Job::Train) {
        Ok(reference) => reference,
        Err(why) => return Row::skipped(fault, why),
    };
    let mut row = Row::new(fault);
    let name = std::path::Path::new("checkpoint.safetensors");
    let whole = reference.get(name).cloned().unwrap_or_default();
    let hub = kit.hub();
    for damaged in [whole[..whole.len() / 2].to_vec(), b"no checkpoint at all".to_vec()] {
        let sandbox = Sandbox::new(kit);
        fs::write(sandbox.out().join(name), &damaged).ok();
        let end = sandbox.run(&mut sandbox.command(kit, Job::Train, &hub.url));
        let untouched = if sandbox.written().get(name) == Some(&damaged) { Ok(()) } else { Err("it was changed".to_string()) };
        let anew = || {
            fs::remove_file(sandbox.out().join(name)).map_err(|e| e.to_string())?;
            again(kit, &sandbox, Job::Train, &hub.url)
        };
        row.count(end.name(), expect(&end, 3, "checkpoint.safetensors").and(untouched).and_then(|()| anew()));
    }
    row
}
