//! Libraries that must not be loaded, and why they say they are not.

mod common;

use common::{c_plugin, pin, refusal};
use std::path::{Path, PathBuf};
use zoo_abi_tests::{compile, fixture, include_dir};
use zoo_host::plugins::{Pin, Prefer, Refusal, Search, discover, inspect, sha256_of, trust};

#[track_caller]
fn expect(path: &Path, text: &str) {
    let why = refusal(path).to_string();
    assert!(why.contains(text), "{why}");
}

#[test]
fn a_conforming_c_plugin_is_loaded() {
    let library = c_plugin(&[]);
    let found = discover(&Search { path: vec![library.path.clone()], ..Search::default() }, &[pin(&library.path)], Prefer::Static);
    assert!(found.refused.is_empty(), "{}", found.refused[0].why);
    let plugin = found.plugins.iter().find(|loaded| loaded.plugin.info.name == "c-plugin").unwrap();
    assert_eq!(plugin.plugin.info.version, "1.2");
}

#[test]
fn wrong_tables() {
    expect(&c_plugin(&["BAD_MAGIC"]).path, "wrong magic number 0x000000000000002a, expected 0x3147554c504f4f5a");
    expect(&c_plugin(&["OTHER_MAJOR"]).path, "plugin ABI 99.0, this host speaks 1.x");
    expect(&c_plugin(&["SHORT_TABLE"]).path, "its table has 32 bytes, ABI 1.0 has 72");
    let missing = refusal(&c_plugin(&["NO_SYMBOL"]).path);
    assert!(matches!(missing, Refusal::MissingSymbol), "{missing}");
}

#[test]
fn wrong_facts() {
    expect(&c_plugin(&["FACTS_NOT_JSON"]).path, "facts of the plugin: not JSON of the documented form");
    expect(&c_plugin(&["TOO_MANY"]).path, "declares 18446744073709551615 objects of kind model, at most 4096");
    expect(&c_plugin(&["FAILS_TO_DESCRIBE"]).path, "is unavailable: no licence file");
    expect(&c_plugin(&["CARD_NOT_JSON"]).path, "plugin c-plugin: model card: not JSON of the documented form");
    expect(&c_plugin(&["CARD_LACKS_NAME"]).path, "missing field `name`");
    expect(&c_plugin(&["CARD_NOT_UTF8"]).path, "model card: text is not UTF-8 at byte 9");
    expect(&c_plugin(&["NULL_TEXT"]).path, "model card: text is NULL");
}

#[test]
fn files_that_are_no_library() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    expect(&file("text.so", b"not a library at all"), "not a library: expected a shared library for this system (ELF)");
    expect(&file("empty.so", b""), "not a library");
    let whole = std::fs::read(c_plugin(&[]).path).unwrap();
    for cut in [4, 63, 64, 200, whole.len() / 2, whole.len() - 1] {
        let path = file("cut.so", &whole[..cut]);
        let why = refusal(&path);
        assert!(matches!(why, Refusal::NotALibrary { .. } | Refusal::MissingSymbol | Refusal::Unloadable(_)), "{cut}: {why}");
    }
    assert!(matches!(refusal(&folder.path().join("absent.so")), Refusal::Unreadable(_)));
    expect(&std::env::current_exe().unwrap(), "table");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_library_for_another_processor() {
    let library = c_plugin(&[]);
    let mut bytes = std::fs::read(&library.path).unwrap();
    // e_machine of an ELF file: 183 is AArch64.
    bytes[18..20].copy_from_slice(&183u16.to_le_bytes());
    std::fs::write(&library.path, bytes).unwrap();
    expect(&library.path, "wrong architecture: expected x86_64, found aarch64");
}

#[test]
fn a_library_that_needs_a_missing_one() {
    let folder = tempfile::tempdir().unwrap();
    let needed = folder.path().join("needed.c");
    std::fs::write(&needed, "int zoo_test_missing_function(void) { return 1; }\n").unwrap();
    let needed = compile(&needed, &include_dir(), &[], &["-Wl,-soname,libzoo-test-needed.so.3"]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/plugin.c");
    let library = compile(&source, &include_dir(), &["NEEDS_LIBRARY"], &[needed.path.to_str().unwrap()]);
    expect(&library.path, "libzoo-test-needed.so.3");
    // A symbol that nothing defines is found when the library is opened, not when it is called.
    let library = compile(&source, &include_dir(), &["NEEDS_LIBRARY"], &[]);
    expect(&library.path, "zoo_test_missing_function");
}

#[test]
fn unpinned_and_changed_files() {
    let library = c_plugin(&[]);
    let search = Search { path: vec![library.path.clone()], ..Search::default() };
    let why = |pins: &[Pin]| discover(&search, pins, Prefer::Static).refused.pop().map(|refused| refused.why);
    let sum = sha256_of(&library.path).unwrap();
    let unpinned = why(&[]).unwrap().to_string();
    assert!(unpinned.contains(&sum) && unpinned.contains("cargo xtask plugin trust"), "{unpinned}");
    assert!(why(&[pin(&library.path)]).is_none());
    let stale = |path: PathBuf| Pin { name: "c-plugin".into(), sha256: "0".repeat(64), path };
    for path in [library.path.clone(), library.path.file_name().unwrap().into()] {
        let changed = why(&[stale(path)]).unwrap();
        assert!(matches!(&changed, Refusal::Changed { found, .. } if *found == sum), "{changed}");
    }
    assert!(matches!(why(&[stale("/elsewhere/plugin.so".into())]), Some(Refusal::Unpinned { .. })));
    let other = Pin { name: "d-plugin".into(), ..pin(&library.path) };
    let other = why(&[other]).unwrap().to_string();
    assert!(other.contains("pins it as `d-plugin`, but it calls itself `c-plugin`"), "{other}");
}

#[test]
fn constructors_of_an_untrusted_library_do_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let (source, mark) = (folder.path().join("ctor.c"), folder.path().join("ran"));
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/plugin.c");
    let constructor = format!(
        "#include <stdio.h>\n#include {plugin:?}\n__attribute__((constructor)) static void ran(void) {{ FILE *f = fopen({mark:?}, \"w\"); if (f) fclose(f); }}\n"
    );
    std::fs::write(&source, constructor).unwrap();
    let library = compile(&source, &include_dir(), &[], &[]);
    let search = Search { path: vec![library.path.clone()], ..Search::default() };
    assert_eq!(discover(&search, &[], Prefer::Static).refused.len(), 1);
    assert!(!mark.exists());
    assert!(discover(&search, &[pin(&library.path)], Prefer::Static).refused.is_empty());
    assert!(mark.exists());
}

#[test]
fn two_libraries_of_one_name() {
    let (first, second) = (c_plugin(&[]), c_plugin(&["BUILD=1"]));
    std::fs::write(second.folder.path().join("notes.txt"), "").unwrap();
    let search = Search { path: vec![first.path.clone(), second.folder.path().into()], ..Search::default() };
    let found = discover(&search, &[pin(&first.path), pin(&second.path)], Prefer::Static);
    let why = found.refused[0].why.to_string();
    for path in [&first.path, &second.path] {
        assert!(why.contains(&path.canonicalize().unwrap().display().to_string()), "{why}");
    }
    assert_eq!(found.plugins.iter().filter(|loaded| loaded.plugin.info.name == "c-plugin").count(), 1);
}

#[test]
fn trust_writes_a_pin_and_leaves_the_rest_alone() {
    let library = c_plugin(&[]);
    let folder = tempfile::tempdir().unwrap();
    let registry = folder.path().join("registry.toml");
    let before = "# The list.\nschema = 1   # one\n\n[[plugin]]\nname = \"other\"\npath = \"other.so\" # kept\nsha256 = \"00\"\n";
    std::fs::write(&registry, before).unwrap();
    let written = trust(&library.path, &registry, None).unwrap();
    assert_eq!((written.name.as_str(), written.path.as_path()), ("c-plugin", Path::new("plugin.so")));
    let after = std::fs::read_to_string(&registry).unwrap();
    assert!(after.starts_with(before), "{after}");
    assert!(
        after.ends_with(&format!("[[plugin]]\nname = \"c-plugin\"\npath = \"plugin.so\"\nsha256 = \"{}\"\n", written.sha256)),
        "{after}"
    );
    // Another build of it replaces the sum.
    let again = trust(&c_plugin(&["BUILD=2"]).path, &registry, None).unwrap();
    assert_eq!(std::fs::read_to_string(&registry).unwrap(), after.replace(&written.sha256, &again.sha256));
    assert_ne!(written.sha256, again.sha256);
    // What can't be loaded is not pinned, and a broken registry is not touched.
    trust(&c_plugin(&["BAD_MAGIC"]).path, &registry, None).unwrap_err();
    std::fs::write(&registry, "schema = = 1").unwrap();
    assert!(trust(&library.path, &registry, None).unwrap_err().to_string().contains("nothing was written"));
    assert_eq!(std::fs::read_to_string(&registry).unwrap(), "schema = = 1");
}

#[test]
fn looking_at_a_library_tells_its_table_and_sum() {
    let path = fixture("panics");
    let seen = inspect(&path).unwrap();
    assert_eq!(seen.sha256, sha256_of(&path).unwrap());
    assert_eq!(seen.path, path.canonicalize().unwrap());
    // `printf abc | sha256sum`.
    let folder = tempfile::tempdir().unwrap();
    let abc = folder.path().join("abc");
    std::fs::write(&abc, "abc").unwrap();
    assert_eq!(sha256_of(&abc).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
