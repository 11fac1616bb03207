//! E1: `tick_sync` equals the dense reference in every spike, membrane and output, bit for bit, for arbitrary `f32`
//! weights; so do scalar code, vector code, the dense kernel and `f64`.

use crate::nets::{Family, Grid, Recipe, feed, network, same, settings};
use zoo_backend_events::modes::execute;
use zoo_backend_events::settings::{DenseThreshold, Mode, Precision, Settings};
use zoo_formats::event_graph::Source;

const SEEDS: u64 = 120;

fn all(recipe: Recipe) {
    let mut spikes = 0;
    for seed in 0..SEEDS {
        let (graph, data) = network(seed, recipe);
        let feeds = feed(recipe, &data);
        let reference = execute(&graph, &feeds, &settings(Mode::Clocked)).unwrap();
        spikes += reference.layers.iter().filter(|l| l.spiking).map(|l| l.raster.step.len()).sum::<usize>();
        let tick = settings(Mode::TickSync);
        for (what, with) in [
            ("vector", tick.clone()),
            ("scalar", Settings { scalar: true, ..tick.clone() }),
            ("dense", Settings { dense_threshold: DenseThreshold::Above(0.0), ..tick.clone() }),
            ("events only", Settings { dense_threshold: DenseThreshold::Off, ..tick.clone() }),
        ] {
            same(&execute(&graph, &feeds, &with).unwrap(), &reference, &format!("seed {seed}, {what}"));
        }
        let double = |mode| execute(&graph, &feeds, &Settings { mode, precision: Precision::F64, ..Settings::default() }).unwrap();
        same(&double(Mode::TickSync), &double(Mode::Clocked), &format!("seed {seed}, f64"));
    }
    assert!(spikes > 1000, "the networks must fire to test anything, found {spikes} spikes");
}

#[test]
fn integrate_and_fire() {
    all(Recipe::plain(Family::If, Grid::Any));
}

#[test]
fn leaky() {
    all(Recipe::plain(Family::Lif, Grid::Any));
}

#[test]
fn current_based() {
    all(Recipe::plain(Family::Cuba, Grid::Any));
}

#[test]
fn with_bias_and_residual_additions() {
    all(Recipe { bias: true, skips: true, ..Recipe::plain(Family::If, Grid::Any) });
    all(Recipe { bias: true, skips: true, average: true, ..Recipe::plain(Family::Lif, Grid::Any) });
}

#[test]
fn with_constant_and_framed_currents() {
    all(Recipe { bias: true, source: Source::Constant, average: true, ..Recipe::plain(Family::If, Grid::Any) });
    all(Recipe { skips: true, source: Source::Frames, ..Recipe::plain(Family::Lif, Grid::Any) });
    all(Recipe { source: Source::GradedEvents, ..Recipe::plain(Family::If, Grid::Dyadic) });
}
