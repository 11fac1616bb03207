//! Loads libraries and runs the script of the door tests on `fixture-good`, for running under a memory checker.

use zoo_abi_tests::{fixture, transcript};
use zoo_core::{Config, DataFiles, Level, Silent, abi};

fn main() {
    let library = zoo_host::plugins::inspect(&fixture("good")).expect("the fixture is a plugin");
    // SAFETY: the fixture follows the ABI and the library is never unloaded.
    let plugin = unsafe {
        let opened = std::mem::ManuallyDrop::new(libloading::Library::new(&library.path).expect("it opens"));
        let table = *opened.get::<*const abi::ZooPlugin>(library.symbol.as_bytes()).expect("it has its table");
        abi::load(table, "fixture", &Silent, Level::Trace).expect("it loads")
    };
    let across = transcript(&plugin);
    assert_eq!(across, transcript(&fixture_good::zoo_plugin()));
    let dataset = plugin.datasets[0].open("ramps", "test", &DataFiles::default(), &Config::default()).expect("it opens");
    for i in 0..200 {
        drop(dataset.get(i % 13));
    }
    println!("{} lines", across.lines().count());
}
