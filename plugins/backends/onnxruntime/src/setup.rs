//! Gets the library from PyPI into the per-user folder.

use crate::library::{MIN_VERSION, is_library, library_folder, newest};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use zoo_core::{Error, Level, Reporter, Result};

/// Most bytes that the libraries of a wheel may unpack to.
const MOST_BYTES: u64 = 8 << 30;

/// Downloads the wheel of ONNX Runtime (`gpu`: with the CUDA and TensorRT providers) and puts its libraries into
/// [`library_folder`], replacing what is there in one step. Returns the path of the library.
///
/// The download is `python3 -m pip download` with checks of its own; the wheel is only unpacked, nothing in it is run. The
/// GPU wheel does not hold CUDA itself.
///
/// # Errors
/// [`Error::Unavailable`] if Python or its pip are absent, or pip can't download; [`Error::Data`] if the wheel is not what
/// it should be; [`Error::Io`]; [`Error::Cancelled`]. The folder is then as it was.
pub fn setup(gpu: bool, reporter: &dyn Reporter) -> Result<PathBuf> {
    let folder = library_folder().ok_or_else(|| Error::Unavailable {
        what: "the per-user folder".into(),
        why: "neither ZOO_HOME nor HOME is set".into(),
        mend: "set ZOO_HOME to a folder".into(),
    })?;
    setup_with(Path::new("python3"), &folder, gpu, reporter)
}

/// [`setup`] with a Python and a folder of the caller's choice.
pub(crate) fn setup_with(python: &Path, folder: &Path, gpu: bool, reporter: &dyn Reporter) -> Result<PathBuf> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
    let work = tempfile::Builder::new().prefix("onnxruntime-setup-").tempdir_in(parent).map_err(Error::io(parent))?;
    let download = work.path().join("download");
    std::fs::create_dir(&download).map_err(Error::io(&download))?;
    let package = if gpu { "onnxruntime-gpu" } else { "onnxruntime" };
    reporter.log(Level::Info, "onnxruntime", &format!("downloading {package} with pip"));
    pip(python, package, &download, reporter)?;
    let wheel = only_wheel(&download)?;
    let fresh = work.path().join("fresh");
    std::fs::create_dir(&fresh).map_err(Error::io(&fresh))?;
    unpack(&wheel, &fresh, reporter)?;
    replace(&fresh, folder, &work.path().join("old"))?;
    let library = newest(folder).ok_or_else(|| bad_wheel(&wheel, "capi", "the library", "none"))?;
    reporter.log(Level::Info, "onnxruntime", &format!("installed {}", library.display()));
    Ok(library)
}

/// Runs pip, stopping it if the user does.
fn pip(python: &Path, package: &str, target: &Path, reporter: &dyn Reporter) -> Result<()> {
    let (major, minor) = MIN_VERSION;
    let mut command = Command::new(python);
    command.args([
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        "--dest",
    ]);
    command.arg(target).arg(format!("{package}>={major}.{minor}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| Error::Unavailable {
        what: python.display().to_string(),
        why: error.to_string(),
        mend: "install Python 3 with pip, or set ORT_DYLIB_PATH to a library you have".into(),
    })?;
    let words = child.stderr.take().map(|stream| std::thread::spawn(move || read_all(stream)));
    let status = wait(&mut child, reporter);
    let words = words.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if status?.success() {
        return Ok(());
    }
    let last = words.lines().filter(|l| !l.trim().is_empty()).collect::<Vec<_>>();
    let why = if last.is_empty() { "pip failed without a word".into() } else { last[last.len().saturating_sub(3)..].join(" / ") };
    let mend = if words.contains("No module named pip") {
        "install pip for Python 3 (Debian: python3-pip), or set ORT_DYLIB_PATH to a library you have"
    } else {
        "check the network and pip's index, then try again; or copy the library by hand and set ORT_DYLIB_PATH"
    };
    Err(Error::Unavailable { what: format!("PyPI package {package}"), why, mend: mend.into() })
}

fn read_all(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    // What could be read before a failure is still worth showing.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wait(child: &mut Child, reporter: &dyn Reporter) -> Result<std::process::ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().map_err(Error::io("pip"))? {
            return Ok(status);
        }
        if let Err(cancelled) = reporter.check() {
            // It may have ended by itself in the meantime.
            let _ = child.kill();
            let _ = child.wait();
            return Err(cancelled);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn bad_wheel(wheel: &Path, at: &str, expected: &str, found: impl std::fmt::Display) -> Error {
    Error::Data {
        path: wheel.into(),
        at: at.into(),
        expected: expected.into(),
        found: found.to_string(),
        mend: "run `cargo xtask setup onnxruntime` again".into(),
    }
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let wheels: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "whl")).collect();
    match &wheels[..] {
        [wheel] => Ok(wheel.clone()),
        other => Err(bad_wheel(folder, "download", "one wheel", other.len())),
    }
}

/// Whether an entry of the wheel is one of the libraries, and under which file name.
fn library_name(entry: &str) -> Option<&str> {
    let name = entry.strip_prefix("onnxruntime/capi/")?;
    let is_helper = |name: &str| name.starts_with("libonnxruntime_providers_") || name.starts_with("onnxruntime_providers_");
    let is_wanted = is_library(name) || (is_helper(name) && name.contains(std::env::consts::DLL_SUFFIX));
    (is_wanted && !name.contains(['/', '\\'])).then_some(name)
}

/// Unpacks the libraries, and nothing else.
fn unpack(wheel: &Path, target: &Path, reporter: &dyn Reporter) -> Result<()> {
    let file = std::fs::File::open(wheel).map_err(Error::io(wheel))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|e| bad_wheel(wheel, "archive", "a wheel", e))?;
    let (mut left, mut found) = (MOST_BYTES, false);
    for i in 0..archive.len() {
        let entry = archive.by_index(i).map_err(|e| bad_wheel(wheel, &format!("entry {i}"), "a readable entry", e))?;
        let path = entry.name().map_err(|e| bad_wheel(wheel, &format!("entry {i}"), "a name", e))?.into_owned();
        let Some(name) = library_name(&path) else { continue };
        reporter.check()?;
        found |= is_library(name);
        let declared = entry.size();
        let to = target.join(name);
        let mut out = std::fs::File::create(&to).map_err(Error::io(&to))?;
        let copied =
            std::io::copy(&mut entry.take(left.min(declared) + 1), &mut out).map_err(|e| bad_wheel(wheel, &path, "a whole entry", e))?;
        if copied != declared || copied > left {
            return Err(bad_wheel(wheel, &path, &format!("{declared} bytes, {left} at most"), format!("{copied} bytes")));
        }
        left -= copied;
        out.flush().and_then(|()| out.sync_all()).map_err(Error::io(&to))?;
    }
    if found { Ok(()) } else { Err(bad_wheel(wheel, "onnxruntime/capi", "the library", "none")) }
}

/// Puts `fresh` where `folder` is; what was there goes to `old`, and comes back if the second step fails.
fn replace(fresh: &Path, folder: &Path, old: &Path) -> Result<()> {
    let had_one = folder.exists();
    if had_one {
        std::fs::rename(folder, old).map_err(Error::io(folder))?;
    }
    std::fs::rename(fresh, folder).map_err(|error| {
        if had_one {
            // If even this fails, the first error is still the one to tell.
            let _ = std::fs::rename(old, folder);
        }
        Error::io(folder)(error)
    })
}

#[cfg(all(test, unix))]
#[path = "setup_tests.rs"]
mod tests;
