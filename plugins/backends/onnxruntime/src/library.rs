//! Finds the library and looks at it before anything is asked of it.
//!
//! The binding panics over a library that is not what it expects, so name, entry point, version and API table are
//! checked here first.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use zoo_core::{Error, Result};

/// Oldest version of ONNX Runtime that works, as major and minor number.
pub const MIN_VERSION: (u32, u32) = (1, ort::MINOR_VERSION);

/// The command that mends an absent library.
pub(crate) const MEND: &str = "run `cargo xtask setup onnxruntime`";

/// A library that passed the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Library {
    /// Absolute path, or a bare name that the system's loader knows.
    pub(crate) path: PathBuf,
    /// Version string, such as `1.32.0`.
    pub(crate) version: String,
}

/// The per-user folder for the library: `$ZOO_HOME/onnxruntime`, with `~/.local/share/zoo` for an unset `ZOO_HOME`. `None`
/// if there is neither variable nor home folder.
pub fn library_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = set("ZOO_HOME").or_else(|| Some(set("HOME").or_else(|| set("USERPROFILE"))?.join(".local/share/zoo")))?;
    Some(home.join("onnxruntime"))
}

/// Finds and checks the library; see the crate's documentation for the order.
pub(crate) fn find(explicit: Option<&Path>) -> Result<Library> {
    if let Some(path) = explicit {
        return inspect(path);
    }
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()) {
        return inspect(Path::new(&path));
    }
    if let Some(path) = library_folder().as_deref().and_then(newest) {
        return inspect(&path);
    }
    let names = ["libonnxruntime.so.1", "libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];
    let wanted: Vec<_> = names.into_iter().filter(|n| n.contains(std::env::consts::DLL_SUFFIX)).collect();
    let first = wanted.iter().find_map(|name| match inspect(Path::new(name)) {
        // A library that is there but of no use is worth more words than one that is not there.
        Err(Error::Unavailable { why, .. }) if why.starts_with(NOT_LOADED) => None,
        found => Some(found),
    });
    first.unwrap_or_else(|| {
        let folder = library_folder().map_or_else(|| "no per-user folder (HOME is not set)".into(), |f| f.display().to_string());
        Err(unavailable(format!(
            "looked at ORT_DYLIB_PATH (not set), {folder} (no library) and the system's loader ({})",
            wanted.join(", ")
        )))
    })
}

/// The library of the highest version in a folder. Helper libraries of the providers lie beside it.
pub(crate) fn newest(folder: &Path) -> Option<PathBuf> {
    let names = std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let version = |name: &str| name.split('.').filter_map(|part| part.parse::<u32>().ok()).collect::<Vec<_>>();
    names.filter(|name| is_library(name)).max_by_key(|name| version(name)).map(|name| folder.join(name))
}

/// Whether a file name is that of the main library.
pub(crate) fn is_library(name: &str) -> bool {
    let stem = name.strip_prefix(std::env::consts::DLL_PREFIX).and_then(|n| n.strip_prefix("onnxruntime"));
    stem.is_some_and(|rest| rest.starts_with('.') && rest.contains(std::env::consts::DLL_SUFFIX))
}

const NOT_LOADED: &str = "it can't be loaded";

fn unavailable(why: impl Into<String>) -> Error {
    Error::Unavailable { what: "ONNX Runtime".into(), why: why.into(), mend: MEND.into() }
}

/// Checks a library without using it.
pub(crate) fn inspect(path: &Path) -> Result<Library> {
    let is_bare_name = path.parent() == Some(Path::new(""));
    let path = match std::path::absolute(path) {
        Ok(absolute) if !is_bare_name || path.is_file() => absolute,
        _ => path.to_path_buf(),
    };
    let fail = |why: String| unavailable(format!("{}: {why}", path.display()));
    if path.is_absolute() && !path.is_file() {
        return Err(fail("expected a library, found no file".into()));
    }
    // SAFETY: loading runs the initialisers of a file that the user named, installed or has on the system's path for this
    // very purpose; there is no way to use a library without that.
    let library = unsafe { libloading::Library::new(&path) }.map_err(|error| {
        let why = format!("{NOT_LOADED}: {}", chain(&error));
        if is_bare_name { unavailable(why) } else { fail(why) }
    })?;
    // SAFETY: the type is that of ONNX Runtime's documented entry point; a file that exports another thing under that
    // name can't be told apart by any means.
    let entry = unsafe { library.get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase") }
        .map_err(|_| fail("expected ONNX Runtime, found a library without OrtGetApiBase".into()))?;
    // SAFETY: the entry point takes nothing and gives a pointer to a static table, or null.
    let Some(base) = (unsafe { entry().as_ref() }) else {
        return Err(fail("expected a table of functions from OrtGetApiBase, found none".into()));
    };
    // SAFETY: the function takes nothing and gives a static string, or null.
    let text = unsafe { (base.GetVersionString)() };
    if text.is_null() {
        return Err(fail("expected a version, found none".into()));
    }
    // SAFETY: not null, and a C string by the contract of GetVersionString.
    let version = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    let (major, minor) = MIN_VERSION;
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(found), Some(found_minor)) if found == major && found_minor >= minor => {}
        _ => return Err(fail(format!("expected version {major}.{minor} or a later {major}.x, found {version:?}"))),
    }
    // SAFETY: any number may be asked for; an API that the library lacks gives null.
    if unsafe { (base.GetApi)(ort::sys::ORT_API_VERSION) }.is_null() {
        return Err(fail(format!("expected API {minor}, found version {version} without it")));
    }
    // The library is about to be used; unloading and loading it again would only cost time.
    std::mem::forget(library);
    Ok(Library { path, version })
}

/// An error with its causes; libloading keeps the loader's words in a cause.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
