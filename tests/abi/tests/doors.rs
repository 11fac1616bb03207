//! Both doors: the same plugin linked in, over its table inside one process, and as a library.

use std::path::PathBuf;
use zoo_abi_tests::{fixture, transcript};
use zoo_core::abi::{self, Entry};
use zoo_core::{Level, Plugin, Silent};
use zoo_host::plugins::{Pin, Prefer, Search, discover, inspect, sha256_of};
use zoo_host::zoo::Door;

/// The static door would take the name; a library under another name shows what the dynamic one does.
fn dynamic() -> Plugin {
    let library = inspect(&fixture("good")).unwrap();
    assert_eq!(library.symbol, "zoo_plugin_table__fixture_good");
    // SAFETY: the fixture follows the ABI and the library is never unloaded.
    unsafe {
        let opened = Box::leak(Box::new(libloading::Library::new(&library.path).unwrap()));
        let table = *opened.get::<*const abi::ZooPlugin>(library.symbol.as_bytes()).unwrap();
        abi::load(table, "fixture", &Silent, Level::Trace).unwrap()
    }
}

#[test]
fn a_script_of_calls_gives_the_same_through_every_door() {
    struct InProcess;
    impl Entry for InProcess {
        fn plugin() -> Plugin {
            fixture_good::zoo_plugin()
        }
    }
    static TABLE: abi::ZooPlugin = abi::table::<InProcess>();
    let direct = transcript(&fixture_good::zoo_plugin());
    // SAFETY: a table of our own.
    let table = unsafe { abi::load(&raw const TABLE, "in process", &Silent, Level::Error) }.unwrap();
    assert_lines(&transcript(&table), &direct);
    assert_lines(&transcript(&dynamic()), &direct);
    assert!(direct.lines().count() > 100, "{direct}");
}

#[track_caller]
fn assert_lines(found: &str, expected: &str) {
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

#[test]
fn two_plugins_live_in_one_program_and_both_libraries_load() {
    let linked: Vec<_> = zoo_core::plugin::linked().into_iter().map(|p| p.info.name).collect();
    assert_eq!(linked, ["fixture-good", "fixture-panics"]);
    assert_eq!(fixture_panics::zoo_plugin().info.name, "fixture-panics");
    assert_eq!(inspect(&fixture("panics")).unwrap().symbol, "zoo_plugin_table__fixture_panics");
}

#[test]
fn a_linked_plugin_and_a_library_of_its_name_clash() {
    let path = fixture("good");
    let search = Search { trusted: vec![path.clone()], ..Search::default() };
    let found = discover(&search, &[], Prefer::Static);
    assert_eq!(found.plugins.len(), 2);
    let why = found.refused[0].why.to_string();
    assert!(why.contains("`fixture-good` is taken by the program itself"), "{why}");
    assert!(why.contains(&path.file_name().unwrap().to_string_lossy().into_owned()), "{why}");
}

#[test]
fn build_outputs_of_the_workspace_replace_linked_plugins_and_need_no_pin() {
    let target = tempfile::tempdir().unwrap();
    let deps = target.path().join("deps");
    std::fs::create_dir(&deps).unwrap();
    std::fs::write(deps.join("libzoo_notes.so"), "no library").unwrap();
    let library = deps.join(format!("{}zoo_good{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX));
    std::fs::copy(fixture("good"), &library).unwrap();
    let search = Search { workspace: Some(target.path().into()), ..Search::default() };
    let found = discover(&search, &[], Prefer::Dynamic);
    assert!(found.refused.is_empty());
    let doors: Vec<_> = found.plugins.iter().map(|loaded| (loaded.plugin.info.name.as_str(), loaded.door.clone())).collect();
    let sha256 = sha256_of(&library).unwrap();
    let path = library.canonicalize().unwrap();
    assert_eq!(doors, [("fixture-good", Door::Dynamic { path, sha256, isolated: false }), ("fixture-panics", Door::Static)]);
    let without = discover(&search, &[], Prefer::Static);
    assert!(without.plugins.iter().all(|loaded| loaded.door == Door::Static));
}

#[test]
fn a_library_is_loaded_once_although_two_pins_and_two_paths_name_it() {
    let pin = |name: &str| Pin { name: name.into(), sha256: sha256_of(&fixture("good")).unwrap(), path: PathBuf::new() };
    let search = Search { path: vec![fixture("good"), fixture("good")], trusted: vec![fixture("good")], ..Search::default() };
    let found = discover(&search, &[pin("fixture-good"), pin("other")], Prefer::Static);
    assert_eq!(found.refused.len(), 1);
}
