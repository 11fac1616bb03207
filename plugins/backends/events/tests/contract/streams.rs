//! The streaming interface.

use crate::nets::{Random, run};
use std::sync::Arc;
use zoo_backend_events::modes::{Feed, Impulse};
use zoo_backend_events::plan::lower;
use zoo_backend_events::settings::{Mode, Settings};
use zoo_backend_events::stream::{Stream, StreamEvent};
use zoo_formats::event_graph::{Dynamics, EventGraph, Neuron, ReadoutRule, Source};

fn graph(steps: usize) -> EventGraph {
    let random = &mut Random(4);
    let leaky = Neuron { dynamics: Dynamics::Lif { decay: 0.75.into(), gain: 1.0 }, ..Neuron::integrate_and_fire(1.0) };
    EventGraph::builder(steps)
        .input("x", [2, 8, 8], Source::Events)
        .conv2d("c", "x", crate::nets::weights(random, &[4, 2, 3, 3], crate::nets::Grid::Any, 0.8), None)
        .padding([1, 1])
        .neuron("n", "c", leaky)
        .flatten("f", "n")
        .linear("out", "f", crate::nets::weights(random, &[3, 256], crate::nets::Grid::Any, 0.1), None)
        .readout("out", ReadoutRule::Sum)
        .build()
        .unwrap()
}

fn event(time_us: u64, random: &mut Random) -> StreamEvent {
    StreamEvent { time_us, x: random.below(8) as u32, y: random.below(8) as u32, channel: random.below(2) as u32, value: 1.0 }
}

#[test]
fn a_stream_gives_what_a_run_gives() {
    let random = &mut Random(2);
    let mut time = 0;
    let mut events = Vec::new();
    for _ in 0..900 {
        // Bursts, and gaps of many steps.
        time += if random.chance(0.02) { 40_000 } else { random.below(400) as u64 };
        events.push(event(time, random));
    }
    let steps = (time / 1000 + 1) as usize;
    let impulses: Vec<_> =
        events.iter().map(|e| Impulse { step: (e.time_us / 1000) as u32, index: (e.channel * 8 + e.y) * 8 + e.x, value: 1.0 }).collect();
    let graph = graph(steps);
    let whole = run(&graph, &[Feed::Impulses(&impulses)], Mode::Clocked);
    let mut stream = Stream::new(Arc::new(lower::<f32>(&graph).unwrap()), &Settings::default(), 1000).unwrap();
    let mut by_step = vec![0.0f32; steps * 3];
    let mut keep = |stream: &mut Stream<f32>| {
        while let Some(output) = stream.poll() {
            by_step[output.step as usize * 3..][..3].copy_from_slice(&output.values);
        }
    };
    for part in events.chunks(37) {
        let mut left = part;
        while !left.is_empty() {
            let taken = stream.push(left).unwrap();
            left = &left[taken..];
            keep(&mut stream);
        }
    }
    stream.end();
    keep(&mut stream);
    assert_eq!(by_step, whole.per_step);
    assert_eq!(stream.logits(), whole.logits);
    assert!(stream.push(&events[..1]).unwrap_err().to_string().contains("after its end"));
}

#[test]
fn bad_stream_events_are_refused_by_number() {
    let mut stream = Stream::new(Arc::new(lower::<f32>(&graph(1)).unwrap()), &Settings::default(), 1000).unwrap();
    let at = |time_us, x, value| StreamEvent { time_us, x, y: 0, channel: 0, value };
    let mut fails = |e| stream.push(&[e]).unwrap_err().to_string();
    assert!(fails(at(0, 8, 1.0)).contains("x below 8"));
    assert!(fails(at(0, 0, f32::NAN)).contains("stream event 0, value"));
    stream.push(&[at(5000, 0, 1.0)]).unwrap();
    let error = stream.push(&[at(4999, 0, 1.0)]).unwrap_err().to_string();
    assert!(error.contains("stream event 1, time") && error.contains("5000"), "{error}");
    assert!(Stream::new(Arc::new(lower::<f32>(&graph(1)).unwrap()), &Settings::default(), 0).is_err());
}

#[test]
fn memory_stays_the_same_and_an_unread_stream_pushes_back() {
    let mut stream = Stream::new(Arc::new(lower::<f32>(&graph(1)).unwrap()), &Settings::default(), 1000).unwrap();
    let random = &mut Random(9);
    let mut time = 0;
    let mut peak = 0;
    for round in 0..400 {
        let events: Vec<_> = (0..1000)
            .map(|_| {
                time += 20;
                event(time, random)
            })
            .collect();
        assert_eq!(stream.push(&events).unwrap(), 1000);
        while stream.poll().is_some() {}
        if round == 20 {
            peak = stream.bytes();
        }
    }
    assert_eq!(stream.events(), 400_000);
    assert!(stream.bytes() <= 2 * peak, "{} bytes after {peak}", stream.bytes());
    let burst: Vec<_> = (0..3000).map(|i| event(time + i * 1000, random)).collect();
    let taken = stream.push(&burst).unwrap();
    assert!(taken < burst.len(), "unread outputs must push back");
}

#[test]
fn a_million_events_take_no_more_memory_than_ten_thousand_and_replay_bit_by_bit() {
    let plan = Arc::new(lower::<f32>(&graph(1)).unwrap());
    let replay = |events: u64| {
        let random = &mut Random(8);
        let mut stream = Stream::new(plan.clone(), &Settings::default(), 1000).unwrap();
        let (mut time, mut most, mut early, mut digest) = (0, 0, 0, 0u64);
        let mut batch = Vec::new();
        while stream.events() < events {
            batch.clear();
            for _ in 0..1000 {
                time += random.below(20) as u64;
                batch.push(event(time, random));
            }
            let mut left = batch.as_slice();
            while !left.is_empty() {
                left = &left[stream.push(left).unwrap()..];
                while let Some(output) = stream.poll() {
                    output.values.iter().for_each(|v| digest = digest.rotate_left(7) ^ u64::from(v.to_bits()));
                }
            }
            most = most.max(stream.bytes());
            if stream.events() == 10_000 {
                early = most;
            }
        }
        (digest, early, most)
    };
    let (digest, early, most) = replay(1_000_000);
    // The lists of one step grow to the busiest step seen; nothing grows with the number of steps.
    assert!(most <= 2 * early, "{most} bytes after {early}");
    assert_eq!(replay(1_000_000).0, digest);
}
