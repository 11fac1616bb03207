//! What a guarded call over the ABI costs, in one process: `cargo run --release -p zoo-abi-tests --example bench`.
//!
//! Prints nanoseconds a call, the least of 20 rounds of 100,000 calls.

use std::hint::black_box;
use std::time::Instant;
use zoo_core::abi::{self, Entry};
use zoo_core::{Artifact, ArtifactKind, Config, DataFiles, Device, Level, Options, Plugin, Silent, Tensor};

struct InProcess;

impl Entry for InProcess {
    fn plugin() -> Plugin {
        fixture_good::zoo_plugin()
    }
}

static TABLE: abi::ZooPlugin = abi::table::<InProcess>();

fn measure(what: &str, mut call: impl FnMut()) {
    const CALLS: u32 = 100_000;
    let round = || {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    let best = std::iter::repeat_with(round).take(20).fold(f64::INFINITY, f64::min);
    println!("{what}: {best:.1} ns");
}

fn main() -> zoo_core::Result<()> {
    // SAFETY: a table of our own.
    let across = unsafe { abi::load(&raw const TABLE, "bench", &Silent, Level::Error) }?;
    for (door, plugin) in [("direct", fixture_good::zoo_plugin()), ("abi", across)] {
        let artifact = Artifact::single(ArtifactKind::Onnx, "m", "m.onnx", &b"fixture"[..]);
        let mut session = plugin.backends[0].compile(&artifact, &Device::Cpu, &Options::default())?;
        let dataset = plugin.datasets[0].open("ramps", "test", &DataFiles::default(), &Config::default())?;
        let input = [Tensor::from_vec([1, 2, 3], vec![0.5f32; 6])?];
        measure(&format!("{door} session.reset"), || session.reset());
        measure(&format!("{door} dataset.get (2 tensors out)"), || drop(black_box(dataset.get(black_box(3)))));
        measure(&format!("{door} session.run (1 tensor in, 2 out)"), || drop(black_box(session.run(&input))));
    }
    Ok(())
}
