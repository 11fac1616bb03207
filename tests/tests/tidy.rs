//! The tree is what it says it is: sizes, stubs, licences, machine paths.

use std::path::{Path, PathBuf};

/// A file longer than this needs a line here with its reason.
const LONGEST: usize = 600;
const MAY_BE_LONGER: [&str; 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_path_buf()
}

/// Files git tracks, relative to the root.
fn tracked() -> Vec<PathBuf> {
    let output = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git runs");
    let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
    text.split('\0').filter(|p| !p.is_empty()).map(PathBuf::from).filter(|p| root().join(p).is_file()).collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    let rust = tracked().into_iter().filter(|p| p.extension().is_some_and(|e| e == "rs"));
    rust.map(|p| (p.clone(), std::fs::read_to_string(root().join(p)).expect("a source is UTF-8"))).collect()
}

#[test]
fn files_fit_a_screen_or_two_of_thought() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(p, _)| !p.components().any(|c| c.as_os_str() == "proto"))
        .filter(|(p, text)| text.lines().count() > LONGEST && !MAY_BE_LONGER.iter().any(|m| Path::new(m) == p))
        .map(|(p, text)| format!("{} ({})", p.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "split these, or give a reason: {long:?}");
}

#[test]
fn no_stub_passes_for_done() {
    // Spelled apart, so that this file does not find itself.
    let stubs = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("#[ig", "nore")];
    let found: Vec<_> = sources().into_iter().filter(|(_, text)| stubs.iter().any(|s| text.contains(s))).map(|(p, _)| p).collect();
    assert!(found.is_empty(), "stubs in {found:?}");
}

#[test]
fn unsafe_stays_in_its_rooms() {
    let rooms = ["abi", "dlpack", "mmap", "simd", "loader"];
    // Opening ONNX Runtime's library, its C API where the crate has no call, and the one door to the gemm crate.
    let doors = [
        "plugins/backends/onnxruntime/src/library.rs",
        "plugins/backends/onnxruntime/src/placement.rs",
        "zoo-core/train/src/kernels/matmul.rs",
    ];
    let words = [concat!("unsa", "fe {"), concat!("unsa", "fe fn"), concat!("unsa", "fe impl")];
    let stray: Vec<_> = sources()
        .into_iter()
        .filter(|(p, text)| {
            let inside = p.components().any(|c| rooms.iter().any(|r| c.as_os_str().to_string_lossy().trim_end_matches(".rs") == *r));
            !inside && !doors.iter().any(|d| p == Path::new(d)) && !p.starts_with("tests") && words.iter().any(|w| text.contains(w))
        })
        .map(|(p, _)| p)
        .collect();
    assert!(stray.is_empty(), "unsafe outside {rooms:?}: {stray:?}");
}

#[test]
fn nothing_names_a_machine_or_a_registry_host() {
    let words = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("crates", ".io"), concat!("py", "pi.org"), concat!("npmjs", ".com")];
    let found: Vec<_> = tracked()
        .into_iter()
        .filter(|p| p != Path::new("Cargo.lock"))
        .filter(|p| std::fs::read_to_string(root().join(p)).is_ok_and(|text| words.iter().any(|w| text.contains(w))))
        .collect();
    assert!(found.is_empty(), "machine paths or registry hosts in {found:?}");
}

#[test]
fn large_files_stay_out() {
    let large: Vec<_> = tracked().into_iter().filter(|p| root().join(p).metadata().is_ok_and(|m| m.len() > 2 << 20)).collect();
    assert!(large.is_empty(), "over 2 MiB: {large:?}");
}

#[test]
fn every_paper_has_its_room() {
    let papers = root().join("plugins/papers");
    for room in std::fs::read_dir(papers).expect("plugins/papers is there").flatten() {
        for part in ["src/lib.rs", "src/model.rs", "card.md", "config"] {
            assert!(room.path().join(part).exists(), "{} lacks {part}", room.path().display());
        }
    }
}

#[test]
fn the_readme_shows_the_example_that_is_compiled() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("a text of the repository");
    let example = read("tests/examples/library.rs");
    let (_, body) = example.split_once("\n\n").expect("a header, then the code");
    assert!(read("README.md").contains(body.trim()), "README.md and tests/examples/library.rs differ");
}

/// Building a crate a second time for its unit tests costs seconds; one that has none says so, and may then not have any.
#[test]
fn no_unit_test_hides_in_a_crate_that_is_not_built_for_them() {
    let (silent, built): (Vec<_>, Vec<_>) = tracked()
        .into_iter()
        .filter(|p| p.ends_with("Cargo.toml") && root().join(p).with_file_name("src/lib.rs").is_file())
        .filter(|p| !["tests/abi/fixtures", "fuzz", "examples"].iter().any(|own| p.starts_with(own)))
        .partition(|p| std::fs::read_to_string(root().join(p)).expect("a manifest is UTF-8").contains("\ntest = false\n"));
    let tests = |manifest: &PathBuf| {
        let folder = manifest.with_file_name("src");
        let word = concat!("cfg(te", "st)");
        sources().iter().any(|(p, text)| p.starts_with(&folder) && text.contains(word))
    };
    let hidden: Vec<_> = silent.iter().filter(|m| tests(m)).collect();
    assert!(hidden.is_empty(), "unit tests that never run: {hidden:?}");
    let wasted: Vec<_> = built.iter().filter(|m| !tests(m)).collect();
    assert!(wasted.is_empty(), "crates without unit tests, built for them: write `test = false` under `[lib]`: {wasted:?}");
}

#[test]
fn every_file_of_tests_is_in_its_program() {
    let mut programs = 0;
    for (path, text) in sources().iter().filter(|(path, _)| path.ends_with("tests/all.rs")) {
        let manifest = path.with_file_name("").with_file_name("Cargo.toml");
        let manifest = std::fs::read_to_string(root().join(manifest)).expect("a manifest beside its tests");
        for entry in std::fs::read_dir(root().join(path).with_file_name("")).expect("a folder of tests").flatten() {
            let file = entry.path();
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let listed = text.contains(&format!("mod {name};")) || manifest.contains(&format!("[[test]]\nname = \"{name}\""));
            let is_source = file.extension().is_some_and(|e| e == "rs") && name != "all" || file.join("main.rs").exists();
            assert!(listed || !is_source, "tests that never run: {}", file.display());
        }
        programs += 1;
    }
    assert!(programs > 10, "programs of tests were looked for in the wrong place");
}
