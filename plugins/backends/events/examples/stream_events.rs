//! Streams events through a network and prints the greatest resident memory on the way: `stream_events [EVENTS]`.
//!
//! The network and its input are fixed (SplitMix64), so that the digest of the outputs is the same at every run.

use std::sync::Arc;
use std::time::Instant;
use zoo_backend_events::plan::lower;
use zoo_backend_events::settings::Settings;
use zoo_backend_events::stream::{Stream, StreamEvent};
use zoo_core::Tensor;
use zoo_formats::event_graph::{EventGraph, Neuron, ReadoutRule, Source};

/// Resident bytes, where the system says so.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn main() -> zoo_core::Result<()> {
    let total: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000_000);
    let mut random = 1;
    let mut weights = |n: usize| (0..n).map(|_| (next(&mut random) >> 40) as f32 / 16_777_216.0 - 0.4).collect::<Vec<_>>();
    let graph = EventGraph::builder(1)
        .input("x", [2, 34, 34], Source::Events)
        .conv2d("c", "x", Tensor::from_vec([8, 2, 3, 3], weights(144))?, None)
        .stride([2, 2])
        .padding([1, 1])
        .neuron("n", "c", Neuron::leaky(0.9, 1.0))
        .flatten("f", "n")
        .linear("out", "f", Tensor::from_vec([10, 2312], weights(23_120))?, None)
        .readout("out", ReadoutRule::Sum)
        .build()?;
    let mut stream = Stream::new(Arc::new(lower::<f32>(&graph)?), &Settings::default(), 1000)?;
    let (start, mut time, mut outputs, mut digest, mut most) = (Instant::now(), 0, 0u64, 0u64, 0);
    let mut early = None;
    let mut batch = Vec::new();
    while stream.events() < total {
        batch.clear();
        for _ in 0..4096.min(total - stream.events()) {
            // About a hundred events a step of a millisecond.
            time += next(&mut random) % 20;
            let place = next(&mut random);
            let (x, y) = ((place % 34) as u32, (place >> 16) as u32 % 34);
            batch.push(StreamEvent { time_us: time, x, y, channel: (place >> 40) as u32 % 2, value: 1.0 });
        }
        let mut left = batch.as_slice();
        while !left.is_empty() {
            let taken = stream.push(left)?;
            left = &left[taken..];
            while let Some(output) = stream.poll() {
                outputs += 1;
                for value in output.values {
                    digest = digest.rotate_left(5) ^ u64::from(value.to_bits());
                }
            }
        }
        most = most.max(resident().unwrap_or(0));
        if early.is_none() && stream.events() >= total / 100 {
            early = Some(most);
        }
    }
    stream.end();
    let seconds = start.elapsed().as_secs_f64();
    println!("{total} events, {outputs} outputs, digest {digest:016x}, {:.2} million events/s", total as f64 / seconds / 1e6);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("greatest resident memory: {:.1} MiB after 1 %, {:.1} MiB at the end", mib(early.unwrap_or(most)), mib(most));
    println!("state and queues: {} bytes", stream.bytes());
    Ok(())
}
