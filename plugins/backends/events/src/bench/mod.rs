//! The executor against PyTorch simulators, one thread each, on one network, the same weights and the same events.
//!
//! `cargo xtask bench executor` calls [`executor`] through the crate `zoo-bench`. Timings of ours and of each peer alternate within one run, so that a
//! loaded machine slows both. Ours starts from events sorted by step, the peers from frames already built: neither pays
//! for decoding.

mod bound;
mod crossover;
mod input;
mod net;
mod peers;

pub use crossover::{Crossover, crossover};
pub use input::{Recording, read_nmnist, synthetic};
pub use net::network;

use crate::layers::Events;
use crate::modes::{Clocked, Feed, Impulse, Tick};
use crate::num::Num;
use crate::plan::{Plan, UnitKind, lower};
use crate::settings::Settings;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use zoo_core::Result;
use zoo_formats::event_graph::{EventGraph, SpikesPerStep};

/// Time steps of every case.
pub const STEPS: usize = 100;
/// Timings of each contestant in each case; the median counts.
const ROUNDS: usize = 5;

/// Name, activity and samples of each synthetic case.
const CASES: [(&str, f64, u64); 6] =
    [("b1-1%", 0.01, 1), ("b1-5%", 0.05, 1), ("b1-20%", 0.2, 1), ("b64-1%", 0.01, 64), ("b64-5%", 0.05, 64), ("b64-20%", 0.2, 64)];

/// What to run against.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// A Python interpreter with torch, sinabs and spikingjelly; without one, peers are left out.
    pub python: Option<PathBuf>,
    /// A recording of N-MNIST (5 bytes an event); without one, its case is left out.
    pub recording: Option<PathBuf>,
    /// Cases to run, by name; empty is all.
    pub cases: Vec<String>,
}

/// A row of `zoo.bench/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Always `executor`.
    pub bench: &'static str,
    /// The case.
    pub case: String,
    /// Our value.
    pub ours: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The contestant.
    pub peer: String,
    /// Its value.
    pub peer_value: f64,
    /// Above 1 where ours is better.
    pub ratio: f64,
    /// Whether more or less is better.
    pub better: &'static str,
}

/// What a comparison gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Rows, in the order of the cases.
    pub rows: Vec<Row>,
    /// Cost of a sample as `fixed + per SynOp`: milliseconds, nanoseconds, and the greatest relative error over the cases.
    pub fit: Option<[f64; 3]>,
    /// Versions of the peers' interpreter and packages.
    pub versions: BTreeMap<String, String>,
}

fn lower_is_better(case: &str, ours: f64, peer: &str, peer_value: f64) -> Row {
    Row {
        bench: "executor",
        case: case.into(),
        ours,
        unit: "ms/sample",
        peer: peer.into(),
        peer_value,
        ratio: peer_value / ours,
        better: "lower",
    }
}

fn higher_is_better(case: &str, ours: f64, unit: &'static str, peer: &str, peer_value: f64) -> Row {
    Row { bench: "executor", case: case.into(), ours, unit, peer: peer.into(), peer_value, ratio: ours / peer_value, better: "higher" }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One case: a network at one activity, and its samples.
struct Case {
    name: &'static str,
    graph: EventGraph,
    samples: Vec<Vec<Impulse>>,
}

fn sorted<N: Num>(plan: &Plan<N>, sample: &[Impulse]) -> Vec<Events> {
    let extent = plan.units[plan.inputs[0]].extent;
    let mut steps = vec![Events::default(); STEPS];
    for list in sample.chunk_by(|a, b| a.step == b.step) {
        crate::modes::merge(extent, list, &mut steps[list[0].step as usize]);
    }
    steps
}

/// Milliseconds a sample for one pass over all samples.
fn time<N: Num>(tick: &mut Tick<N>, samples: &[Vec<Events>]) -> f64 {
    let start = Instant::now();
    for sample in samples {
        tick.run_sorted(sample);
    }
    start.elapsed().as_secs_f64() * 1e3 / samples.len() as f64
}

fn prepare<N: Num>(graph: &EventGraph, samples: &[Vec<Impulse>]) -> Result<(Tick<N>, Vec<Vec<Events>>)> {
    let plan: Arc<Plan<N>> = Arc::new(lower(graph)?);
    let samples = samples.iter().map(|s| sorted(&plan, s)).collect();
    Ok((Tick::new(plan, &Settings::default()), samples))
}

/// Additions by unit, and spikes of all neurons, so far.
fn operations<N: Num>(tick: &Tick<N>) -> (Vec<f64>, u64) {
    let neurons = tick.plan().units.iter().zip(tick.states()).filter(|(u, _)| matches!(u.kind, UnitKind::Cells(_)));
    (tick.states().iter().map(|s| s.counters.additions as f64).collect(), neurons.map(|(_, s)| s.counters.spikes).sum())
}

/// Runs all cases. `tell` receives one line of progress a case.
///
/// # Errors
/// Reading the recording or running the Python peers; [`zoo_core::Error::Runtime`] if a peer's spikes differ from ours.
pub fn executor(config: &Config, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut report = Report::default();
    let mut points = Vec::new();
    let wanted = |name: &str| config.cases.is_empty() || config.cases.iter().any(|c| c == name);
    for (name, rate, batch) in CASES {
        if wanted(name) {
            let samples: Vec<_> = (0..batch).map(|i| synthetic(rate, 1000 + i)).collect();
            let case = Case { name, graph: network(rate, &samples[0])?, samples };
            run_case(&case, config, &mut report, &mut points, tell)?;
        }
    }
    if let Some(path) = config.recording.as_ref().filter(|_| wanted("b1-nmnist")) {
        let sample = read_nmnist(path)?.impulses(STEPS);
        let case = Case { name: "b1-nmnist", graph: network(0.03, &sample)?, samples: vec![sample] };
        run_case(&case, config, &mut report, &mut points, tell)?;
    }
    if points.len() > 2 {
        let (fixed, per_synop, error) = fit(&points);
        tell(&format!("cost = {fixed:.3} ms + {:.4} ns per SynOp, greatest relative error {:.1} %", per_synop * 1e6, error * 100.0));
        report.fit = Some([fixed, per_synop * 1e6, error]);
    }
    Ok(report)
}

fn run_case(case: &Case, config: &Config, report: &mut Report, points: &mut Vec<(f64, f64)>, tell: &mut dyn FnMut(&str)) -> Result<()> {
    let single = case.samples.len() == 1;
    // One sample is repeated so that a timing lasts long enough to mean something.
    let repeats = if single { 8 } else { 1 };
    let repeated: Vec<_> = (0..repeats).flat_map(|_| case.samples.clone()).collect();
    let (mut tick, events) = prepare::<f32>(&case.graph, &repeated)?;
    let (mut integer, events8) = prepare::<i16>(&case.graph, &repeated)?;
    time(&mut tick, &events);
    let (additions, spikes) = operations(&tick);
    let additions: Vec<_> = additions.iter().map(|a| a / repeated.len() as f64).collect();
    let per_sample = additions.iter().sum::<f64>();
    let multi = net::with_spikes(&case.graph, SpikesPerStep::Trunc);
    let (mut multi, _) = prepare::<f32>(&multi, &[])?;
    time(&mut multi, &events);
    let multi_spikes = operations(&multi).1;
    let mut peers = match &config.python {
        Some(python) => Some(peers::Peers::start(python, &case.graph, &case.samples, 1)?),
        None => None,
    };
    if let Some(peers) = &peers {
        report.versions.clone_from(&peers.versions);
    }
    let (mut ours, mut eight, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
    let mut theirs = vec![Vec::new(); peers::NAMES.len()];
    for _ in 0..ROUNDS {
        ours.push(time(&mut tick, &events));
        eight.push(time(&mut integer, &events8));
        bounds.push(bound::milliseconds(&tick, &additions));
        for (name, times) in peers::NAMES.iter().zip(&mut theirs) {
            let Some(peers) = &mut peers else { continue };
            let (milliseconds, total) = peers.time(name)?;
            let expected = if *name == "sinabs" { multi_spikes } else { spikes } / repeats as u64;
            peers::check(case.name, name, expected, total)?;
            times.push(milliseconds);
        }
    }
    let (value, eight) = (median(ours), median(eight));
    points.push((per_sample, value));
    tell(&format!("{}: {value:.3} ms a sample, {per_sample:.0} SynOps, {:.2} GSynOps/s", case.name, per_sample / value / 1e6));
    for (name, times) in peers::NAMES.iter().zip(theirs) {
        if !times.is_empty() {
            report.rows.push(lower_is_better(case.name, value, name, median(times)));
        }
    }
    let start = Instant::now();
    Clocked::<f32>::new(&case.graph)?.run(&[Feed::Impulses(&case.samples[0])])?;
    report.rows.push(lower_is_better(case.name, value, "clocked", start.elapsed().as_secs_f64() * 1e3));
    let giga = per_sample / value / 1e6;
    report.rows.push(higher_is_better(case.name, giga, "GSynOps/s", "row-add-bound", per_sample / median(bounds) / 1e6));
    report.rows.push(Row { case: format!("{}-int8", case.name), ..lower_is_better(case.name, eight, "f32", value) });
    if !single {
        two_threads(case, config, &mut report.rows)?;
    }
    Ok(())
}

/// Samples on two threads against one, alternating; then against the peers on two threads.
fn two_threads(case: &Case, config: &Config, rows: &mut Vec<Row>) -> Result<()> {
    let half = case.samples.len() / 2;
    let (mut a, first) = prepare::<f32>(&case.graph, &case.samples[..half])?;
    let (mut b, second) = prepare::<f32>(&case.graph, &case.samples[half..])?;
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        time(&mut a, &first);
        time(&mut b, &second);
        one.push(start.elapsed().as_secs_f64() * 1e3 / case.samples.len() as f64);
        let start = Instant::now();
        rayon::join(|| time(&mut a, &first), || time(&mut b, &second));
        two.push(start.elapsed().as_secs_f64() * 1e3 / case.samples.len() as f64);
    }
    let name = format!("{}-2threads", case.name);
    let two = median(two);
    rows.push(lower_is_better(&name, two, "1 thread", median(one)));
    if let Some(python) = &config.python {
        let mut peers = peers::Peers::start(python, &case.graph, &case.samples, 2)?;
        for peer in peers::NAMES {
            let times = (0..3).map(|_| Ok(peers.time(peer)?.0)).collect::<Result<Vec<_>>>()?;
            rows.push(lower_is_better(&name, two, peer, median(times)));
        }
    }
    Ok(())
}

/// Least squares of relative error for `ms = fixed + slope * synops`; also the greatest relative error.
pub fn fit(points: &[(f64, f64)]) -> (f64, f64, f64) {
    let (mut a, mut b, mut c, mut d, mut e) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(x, y) in points {
        let w = 1.0 / (y * y);
        (a, b, c, d, e) = (a + w, b + w * x, c + w * x * x, d + w * y, e + w * x * y);
    }
    let det = a * c - b * b;
    let (fixed, slope) = ((c * d - b * e) / det, (a * e - b * d) / det);
    let error = points.iter().map(|&(x, y)| ((fixed + slope * x) / y - 1.0).abs()).fold(0.0, f64::max);
    (fixed, slope, error)
}
