//! Cost reports and traces.

use crate::nets::{Family, Grid, Recipe, feed, network, run, tensor};
use zoo_backend_events::cost::{EnergyModel, cost};
use zoo_backend_events::modes::{Feed, Impulse};
use zoo_backend_events::settings::Mode;
use zoo_backend_events::trace::{Picture, write, write_npz, write_picture};
use zoo_formats::event_graph::{EventGraph, Neuron, ReadoutRule, Source};

#[test]
fn a_report_by_hand() {
    // 1 x 1 x 3, kernel (1, 0, 2), padding 1: events at 0 and 1. In-bounds taps: 2 for column 0, 3 for column 1.
    let graph = EventGraph::builder(2)
        .input("x", [1, 1, 3], Source::Events)
        .conv2d("c", "x", tensor(&[1, 1, 1, 3], &[1.0, 0.0, 2.0]), None)
        .padding([0, 1])
        .neuron("n", "c", Neuron::integrate_and_fire(1.0))
        .flatten("f", "n")
        .linear("out", "f", tensor(&[2, 3], &[1.0; 6]), None)
        .readout("out", ReadoutRule::Sum)
        .build()
        .unwrap();
    let one = |index| Impulse { step: 0, index, value: 1.0 };
    let outcome = run(&graph, &[Feed::Impulses(&[one(0), one(1)])], Mode::TickSync);
    let report = cost(&graph, &[outcome]).unwrap();
    let layer = |name: &str| report.layers.iter().find(|l| l.layer == name).unwrap().clone();
    // Output o sums taps (1, 0, 2) on inputs o-1, o, o+1: o0 = 2 (from 1), o1 = 1 (from 0), o2 = 1 (from 1).
    // o0 keeps 1 and fires again: four spikes, each meeting two weights of the linear layer.
    assert_eq!(layer("n").spikes, 4);
    assert_eq!((layer("n").synops, layer("n").effective_acs), (5, 3));
    assert_eq!(layer("n").dense, 2 * 7);
    assert_eq!((layer("out").synops, layer("out").dense), (8, 12));
    assert_eq!(report.effective_acs, 3 + 8);
    assert_eq!((report.dense_acs, report.dense_macs), (26, 0));
    assert_eq!(layer("n").activation_sparsity, Some(1.0 - 4.0 / 6.0));
    assert_eq!(report.footprint_bytes, (3 + 6 + 3) * 4);
    let energy = report.energy(&EnergyModel { ac_pj: 1.0, mac_pj: 5.0, update_pj: 0.0, ..EnergyModel::horowitz_45nm_f32() });
    assert_eq!((energy.events_nj, energy.dense_nj), (0.011, 0.13));
}

#[test]
fn analog_input_costs_products() {
    let recipe = Recipe { source: Source::Frames, ..Recipe::plain(Family::If, Grid::Any) };
    let mut macs = 0;
    for seed in 0..10 {
        let (graph, data) = network(seed, recipe);
        let report = cost(&graph, &[run(&graph, &feed(recipe, &data), Mode::TickSync)]).unwrap();
        assert!(report.dense_macs >= report.effective_macs, "seed {seed}");
        macs += report.effective_macs;
    }
    assert!(macs > 0);
}

#[test]
fn a_trace_is_a_numpy_archive() {
    let recipe = Recipe::plain(Family::If, Grid::Dyadic);
    let (graph, data) = network(2, recipe);
    let outcome = run(&graph, &feed(recipe, &data), Mode::TickSync);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spikes.npz");
    write_npz(&path, &outcome).unwrap();
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
    let last = outcome.layer("last").unwrap();
    let entry = archive.by_name("last/index.npy").unwrap();
    let index: Vec<u32> = npyz::NpyFile::new(entry).unwrap().into_vec().unwrap();
    assert_eq!(index, last.raster.index);
    assert!(write_npz(&folder.path().join("no/such/folder.npz"), &outcome).is_err());
}

#[test]
fn a_raster_has_a_dot_where_a_neuron_fired() {
    // Two neurons, four steps: neuron 1 fires at step 2 only.
    let graph = EventGraph::builder(4)
        .input("x", [2, 1, 1], Source::Events)
        .flatten("f", "x")
        .linear("l", "f", tensor(&[2, 2], &[1.0, 0.0, 0.0, 1.0]), None)
        .neuron("n", "l", Neuron::integrate_and_fire(1.0))
        .linear("out", "n", tensor(&[1, 2], &[1.0; 2]), None)
        .readout("out", ReadoutRule::Sum)
        .build()
        .unwrap();
    let outcome = run(&graph, &[Feed::Impulses(&[Impulse { step: 2, index: 1, value: 1.0 }])], Mode::TickSync);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raster.png");
    write_picture(&path, &outcome, 4, Picture { width: 40, height: 24 }).unwrap();
    let picture = image::open(&path).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (40, 24));
    // A step is 10 pixels wide; one band of 24 pixels less 2 at each side gives neuron 1 of 2 the row 2 + 20 / 2 = 12.
    let white = image::Rgb([255; 3]);
    let dots: Vec<(u32, u32)> = picture.enumerate_pixels().filter(|(.., p)| **p != white).map(|(x, y, _)| (x, y)).collect();
    assert!(dots.contains(&(20, 12)), "{dots:?}");
    assert!(dots.iter().all(|&(x, y)| (20..=23).contains(&x) && (12..=13).contains(&y)), "{dots:?}");
    let drawn = folder.path().join("raster.svg");
    write(&drawn, &outcome, 4).unwrap();
    assert!(std::fs::read_to_string(&drawn).unwrap().starts_with("<svg"));
    assert!(write_picture(&path, &outcome, 4, Picture { width: 4, height: 24 }).is_err());
}
