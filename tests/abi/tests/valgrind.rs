//! The memory checker finds nothing in a run over the whole ABI through a loaded library.

use std::path::PathBuf;
use std::process::Command;

/// Without valgrind (it exists on few systems beside Linux) there is nothing to run.
#[test]
#[cfg(target_os = "linux")]
fn valgrind_finds_nothing() {
    let me = std::env::current_exe().unwrap();
    let program: PathBuf = me.ancestors().nth(2).unwrap().join("examples/exercise");
    assert!(program.is_file(), "cargo builds the examples of this crate with its tests: {program:?}");
    let output = Command::new("valgrind")
        .args([
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect",
        ])
        .arg(program)
        .output()
        .expect("valgrind is installed (Debian: `apt-get install valgrind`)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("lines\n"));
}
