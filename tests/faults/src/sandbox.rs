//! A home folder of its own, and processes that run in it.

use crate::kit::{Files, Job, Kit, paper, weights};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use tempfile::TempDir;

/// A process that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// A folder with a home, a registry and a place to write to.
pub struct Sandbox {
    folder: TempDir,
    /// What processes say, apart, so that a disk that is full for them has room for it.
    said: TempDir,
}

/// How a process ended.
#[derive(Debug)]
pub struct End {
    /// Exit status, if it ended by itself.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to stdout and stderr.
    pub said: String,
}

impl End {
    /// For the table.
    pub fn name(&self) -> String {
        match (self.status, self.signal) {
            (Some(status), _) => status.to_string(),
            (None, Some(9)) => "killed".into(),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        }
    }
}

impl Sandbox {
    /// A fresh one.
    ///
    /// # Panics
    /// If the temporary folder can't be written.
    pub fn new(kit: &Kit) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = |name: &str| folder.path().join(name);
        for name in ["home", "out"] {
            fs::create_dir(place(name)).expect("a folder");
        }
        fs::write(place("registry.toml"), &kit.registry).expect("a small file");
        fs::write(place("small.toml"), &kit.config).expect("a small file");
        fs::copy(paper().join("config/vgg-mini-mnist.toml"), place("snn.toml")).expect("the paper's configuration");
        for family in ["ann", "snn"] {
            fs::copy(weights(family), place(&format!("{family}.safetensors"))).expect("the committed weights");
        }
        Self { folder, said: tempfile::tempdir().expect("a temporary folder") }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path outside the folder.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.said.path().join(name)
    }

    /// The home folder.
    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Root of the cache.
    pub fn cache(&self) -> PathBuf {
        self.home().join(".cache/zoo")
    }

    /// Where commands write to.
    pub fn out(&self) -> PathBuf {
        self.path().join("out")
    }

    /// A command in this sandbox, with nothing of the environment outside but the search path.
    pub fn command(&self, kit: &Kit, job: Job, hub: &str) -> Command {
        let mut command = Command::new(&kit.xtask);
        self.arguments(&mut command, job);
        self.environment(&mut command, hub);
        command
    }

    /// Adds a job's arguments.
    pub fn arguments(&self, command: &mut Command, job: Job) {
        command.args(job.arguments()).arg("--registry").arg(self.path().join("registry.toml"));
        if job != Job::Fetch {
            command.arg("--out").arg(self.out());
        }
    }

    /// Sets the environment.
    pub fn environment(&self, command: &mut Command, hub: &str) {
        command.env_clear().current_dir(self.path()).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home());
        command.env("HF_ENDPOINT", hub).env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
        // A build without the training engine must not go and build one.
        command.env("CARGO", "/nonexistent/cargo");
    }

    /// Puts the library that counts file operations before the C library.
    ///
    /// # Errors
    /// Why there is none.
    pub fn counted(&self, kit: &Kit, command: &mut Command) -> Result<(), String> {
        command.env("LD_PRELOAD", kit.shim.as_ref()?).env("ZOO_FAULT_ROOT", self.path());
        Ok(())
    }

    /// Starts a process; what it says is kept outside the folders that are looked at.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn start(&self, command: &mut Command) -> Running {
        let said = tempfile::NamedTempFile::new_in(self.said.path()).expect("a file");
        let handle = |file: &File| file.try_clone().expect("a second handle");
        command.stdout(handle(said.as_file())).stderr(handle(said.as_file()));
        Running { child: command.spawn().expect("the program starts"), said }
    }

    /// Runs a process to its end.
    pub fn run(&self, command: &mut Command) -> End {
        self.start(command).finish()
    }

    /// The files where commands write to.
    pub fn written(&self) -> Files {
        files(&self.out())
    }
}

/// A process that was started.
pub struct Running {
    /// The process.
    pub child: Child,
    said: tempfile::NamedTempFile,
}

impl Running {
    /// Kills it and waits for it.
    pub fn kill(mut self) -> End {
        self.child.kill().ok();
        self.finish()
    }

    /// Waits for its end; what takes too long is killed, and says so.
    pub fn finish(mut self) -> End {
        let (done, watched) = channel::<()>();
        let pid = self.child.id().to_string();
        let watch = std::thread::spawn(move || {
            let hangs = watched.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout);
            if hangs {
                Command::new("kill").args(["-KILL", &pid]).status().ok();
            }
            hangs
        });
        let status = self.child.wait().unwrap_or_else(|_| ExitStatus::from_raw(-1));
        done.send(()).ok();
        let mut said = String::from_utf8_lossy(&fs::read(self.said.path()).unwrap_or_default()).into_owned();
        if watch.join().unwrap_or_default() {
            said += "\n(it hung and was killed)";
        }
        End { status: status.code(), signal: status.signal(), said }
    }
}

/// All files below a folder, by their paths in it.
pub fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_path_buf();
                found.insert(name, fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}
