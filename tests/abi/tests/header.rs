//! The checked-in header is what the declarations generate, and C and C++ agree with Rust about the layout.

use std::process::Command;
use zoo_abi_tests::{generate, include_dir};

#[test]
fn the_header_is_fresh() {
    let found = std::fs::read_to_string(include_dir().join("zoo_plugin.h")).unwrap();
    assert!(found == generate(), "zoo_plugin.h is stale; run `cargo run --release -p zoo-abi-tests --bin zoo-header`");
}

#[test]
fn the_header_is_c99_and_cplusplus() {
    let folder = tempfile::tempdir().unwrap();
    for (compiler, file, standard) in [("cc", "a.c", "-std=c99"), ("c++", "a.cpp", "-std=c++11")] {
        let source = folder.path().join(file);
        std::fs::write(&source, "#include \"zoo_plugin.h\"\nint main(void) { return sizeof(ZooPlugin) == 0; }\n").unwrap();
        let output = Command::new(compiler)
            .args([standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I"])
            .arg(include_dir())
            .arg(&source)
            .output()
            .unwrap();
        assert!(output.status.success(), "{compiler}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
