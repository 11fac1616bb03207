//! The corpus of every target runs through without a panic.

use std::path::Path;

#[test]
fn the_corpus_replays() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in zoo_fuzz::TARGETS {
        let folder = std::fs::read_dir(corpus.join(name)).unwrap_or_else(|e| panic!("fuzz/corpus/{name}: {e}"));
        let mut seen = 0;
        for entry in folder {
            let path = entry.expect("an entry of the folder").path();
            target(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
            seen += 1;
        }
        assert!(seen > 0, "fuzz/corpus/{name} is empty");
    }
}

#[test]
fn every_target_has_a_fuzz_binary() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/Cargo.toml")).expect("fuzz/Cargo.toml");
    for (name, _) in zoo_fuzz::TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
    }
}
