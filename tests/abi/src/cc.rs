//! Plugins in C, compiled for a test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A compiled library in a folder of its own.
pub struct Library {
    /// The folder; removed at the end.
    pub folder: tempfile::TempDir,
    /// The library.
    pub path: PathBuf,
}

/// Compiles a C source with macros (`NAME` or `NAME=VALUE`) and further arguments into a library.
///
/// # Panics
/// If there is no C compiler (`cc`, which linking Rust needs too) or it refuses the source.
pub fn compile(source: &Path, include: &Path, macros: &[&str], more: &[&str]) -> Library {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join(format!("plugin{}", std::env::consts::DLL_SUFFIX));
    let output = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args([
            "-shared",
            "-fPIC",
            "-O1",
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-parameter",
            "-Wno-unused-function",
            "-Wno-unused-variable",
            "-Wno-unused-const-variable",
        ])
        .args(macros.iter().map(|name| format!("-D{name}")))
        .arg("-I")
        .arg(include)
        .arg("-o")
        .args([&path, source])
        .args(more)
        .output()
        .expect("a C compiler is installed as `cc`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Library { folder, path }
}
