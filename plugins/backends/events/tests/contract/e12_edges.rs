//! E12 and hostile input: equal times, silence, bad addresses, many events, replay.

use crate::nets::{Family, Grid, Random, Recipe, feed, network, run, same, tensor};
use zoo_backend_events::modes::{Feed, Impulse, execute};
use zoo_backend_events::settings::{Mode, Settings};
use zoo_core::{Artifact, ArtifactKind, Backend, Device, Options, Tensor};
use zoo_formats::event_graph::{EventGraph, Neuron, ReadoutRule, Source};

const MODES: [Mode; 4] = [Mode::TickSync, Mode::AsyncBfs, Mode::AsyncDfs, Mode::Clocked];

fn small(source: Source) -> EventGraph {
    let w: Vec<f32> = (0..18).map(|i| (i as f32 - 8.0) / 8.0).collect();
    EventGraph::builder(4)
        .input("x", [1, 6, 6], source)
        .conv2d("c", "x", tensor(&[2, 1, 3, 3], &w), None)
        .padding([1, 1])
        .neuron("n", "c", Neuron::integrate_and_fire(1.0))
        .flatten("f", "n")
        .linear("out", "f", tensor(&[3, 72], &[0.25; 216]), None)
        .readout("out", ReadoutRule::Sum)
        .build()
        .unwrap()
}

#[test]
fn silence_gives_silence() {
    for mode in MODES {
        let outcome = run(&small(Source::Events), &[Feed::Impulses(&[])], mode);
        assert_eq!(outcome.logits, [0.0; 3]);
        assert!(outcome.layers.iter().all(|l| l.raster.step.is_empty()));
    }
}

#[test]
fn replay_is_identical() {
    for mode in MODES {
        for seed in 0..20 {
            let recipe = Recipe::plain(Family::If, Grid::Any);
            let (graph, data) = network(seed, recipe);
            assert_eq!(run(&graph, &feed(recipe, &data), mode), run(&graph, &feed(recipe, &data), mode), "{mode:?}");
        }
    }
}

#[test]
fn a_million_events_pass() {
    let graph = small(Source::Events);
    let random = &mut Random(1);
    let mut events: Vec<_> =
        (0..1_000_001).map(|_| Impulse { step: random.below(4) as u32, index: random.below(36) as u32, value: 1.0 }).collect();
    events.sort_by_key(|e| e.step);
    let tick = run(&graph, &[Feed::Impulses(&events)], Mode::TickSync);
    same(&tick, &run(&graph, &[Feed::Impulses(&events)], Mode::Clocked), "a million events");
    for mode in [Mode::AsyncBfs, Mode::AsyncDfs] {
        assert!(run(&graph, &[Feed::Impulses(&events)], mode).logits.iter().all(|l| l.is_finite()));
    }
}

#[track_caller]
fn refused(source: Source, feed: Feed<'_>, parts: &[&str]) {
    for mode in MODES {
        let error = execute(&small(source), &[feed], &Settings { mode, ..Settings::default() }).expect_err("must be refused").to_string();
        for part in parts {
            assert!(error.contains(part), "{mode:?}: `{error}` does not say `{part}`");
        }
    }
}

#[test]
fn bad_events_are_refused() {
    let event = |step, index, value| Impulse { step, index, value };
    refused(Source::Events, Feed::Impulses(&[event(0, 36, 1.0)]), &["event 0", "below 36", "36"]);
    refused(Source::Events, Feed::Impulses(&[event(2, 0, 1.0), event(1, 0, 1.0)]), &["event 1", "decrease"]);
    refused(Source::Events, Feed::Impulses(&[event(4, 0, 1.0)]), &["below 4"]);
    refused(Source::Events, Feed::Impulses(&[event(0, 0, f32::NAN)]), &["NaN"]);
    refused(Source::Events, Feed::Impulses(&[event(0, 0, 0.5)]), &["whole counts"]);
    refused(Source::Events, Feed::Impulses(&[event(0, 0, -1.0)]), &["whole counts"]);
    refused(Source::Frames, Feed::Frames(&[f32::INFINITY; 144]), &["finite"]);
    refused(Source::Events, Feed::Frames(&[0.0; 143]), &["143"]);
    refused(Source::Events, Feed::Image(&[0.0; 36]), &["one image"]);
    refused(Source::Constant, Feed::Frames(&[0.0; 144]), &["frames"]);
}

#[test]
fn sessions_check_options_kinds_and_shapes() {
    let backend = zoo_backend_events::Events;
    let artifact = small(Source::Events).to_artifact("step").unwrap();
    let with = |key: &str, value: &str| Options { extra: [(key.to_string(), value.to_string())].into(), ..Options::default() };
    let compile = |artifact: &Artifact, options: &Options| backend.compile(artifact, &Device::Cpu, options);
    let fails = |r: zoo_core::Result<Box<dyn zoo_core::Session>>| r.err().expect("must be refused").to_string();
    assert!(fails(compile(&artifact, &with("events.speed", "9"))).contains("events.speed"));
    assert!(fails(compile(&artifact, &with("events.mode", "fast"))).contains("tick_sync"));
    assert!(fails(backend.compile(&artifact, &Device::Cuda(0), &Options::default())).contains("cuda:0"));
    assert!(fails(compile(&Artifact { kind: ArtifactKind::Onnx, ..artifact.clone() }, &Options::default())).contains("onnx"));
    let mut session = compile(&artifact, &Options { threads: Some(2), ..Options::default() }).unwrap();
    assert_eq!(session.inputs()[0].shape_text(), "[batch, 4, 1, 6, 6]");
    assert!(session.run(&[Tensor::from_vec([1, 4, 1, 6, 5], vec![0.0f32; 120]).unwrap()]).is_err());
    let random = &mut Random(8);
    let data: Vec<f32> = (0..5 * 144).map(|_| f32::from(u8::from(random.chance(0.2)))).collect();
    let batch = Tensor::from_vec([5, 4, 1, 6, 6], data.clone()).unwrap();
    let together = session.run(std::slice::from_ref(&batch)).unwrap();
    assert_eq!(together[0].shape(), [5, 3]);
    let synops = session.stats().synops;
    assert!(synops > Some(0));
    let mut alone = compile(&artifact, &Options { threads: Some(1), ..Options::default() }).unwrap();
    for i in 0..5 {
        let one = alone.run(&[batch.rows(i..i + 1).unwrap()]).unwrap();
        assert_eq!(one[0].as_slice::<f32>().unwrap(), together[0].rows(i..i + 1).unwrap().as_slice::<f32>().unwrap());
        let outcome = run(&small(Source::Events), &[Feed::Frames(&data[i * 144..(i + 1) * 144])], Mode::Clocked);
        assert_eq!(one[0].as_slice::<f32>().unwrap(), outcome.logits);
    }
    assert_eq!(alone.stats().synops, synops);
    assert_eq!(session.run(&[Tensor::from_vec([0, 4, 1, 6, 6], Vec::<f32>::new()).unwrap()]).unwrap()[0].shape(), [0, 3]);
}
