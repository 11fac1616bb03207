//! What must hold for any input, and what bad input is told.

use proptest::prelude::*;
use serde_json::json;
use zoo_core::{Config, DataFiles, DatasetFactory, Silent};
use zoo_hebbff::bptt::loss_and_gradient;
use zoo_hebbff::checkpoint::{Checkpoints, State};
use zoo_hebbff::config::{Mode, PaperConfig, TrainConfig};
use zoo_hebbff::dataset::FamiliarityFactory;
use zoo_hebbff::learn::{learn, test as score};
use zoo_hebbff::louvain::{Operator, louvain};
use zoo_hebbff::modes::learning_modes;
use zoo_hebbff::multilayer::{Resolution, allegiance, consensus, flexibility, operator, stationarity, structure};
use zoo_hebbff::net::{Force, Form, HebbNet, LamParam};
use zoo_hebbff::null_model::rewired;
use zoo_hebbff::random::{Purpose, normal, stream};
use zoo_hebbff::stats::{bootstrap, normalised_mutual_information, partial_spearman, ranks};
use zoo_hebbff::task::Task;
use zoo_hebbff::windows::{Layers, Series};

const TASK: Task = Task { d: 6, steps: 40, delay: 3, repeat: 0.5 };

fn config(name: &str) -> Config {
    let text = std::fs::read_to_string(format!("{}/config/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    Config::new(toml::from_str::<serde_json::Value>(&text).unwrap())
}

fn symmetric(units: usize, seed: u64) -> Vec<f64> {
    let mut rng = stream(seed, Purpose::Test, 0);
    let mut matrix = vec![0.0; units * units];
    for i in 0..units {
        for j in 0..=i {
            let value = if i == j { 1.0 } else { normal(&mut rng) };
            matrix[i * units + j] = value;
            matrix[j * units + i] = value;
        }
    }
    matrix
}

#[test]
fn gradients_are_finite_differences_for_every_parametrisation() {
    for (force, lam_param) in
        [(Force::None, LamParam::Raw), (Force::Anti, LamParam::Sigmoid), (Force::Hebb, LamParam::Tau), (Force::Off, LamParam::Raw)]
    {
        let form = Form { d: TASK.d, n: 5, force, lam_param };
        let mut net = HebbNet::new(form, &mut stream(1, Purpose::Init, 0));
        if lam_param == LamParam::Tau {
            *net.theta.last_mut().unwrap() = 8.0;
        }
        let sequence = TASK.stream(&mut stream(1, Purpose::Training, 0));
        let mut gradient = vec![0.0; form.len()];
        loss_and_gradient(&net, &sequence, &mut gradient);
        let mut scratch = vec![0.0; form.len()];
        for k in 0..form.len() {
            let step = 1e-6 * net.theta[k].abs().max(1.0);
            let mut at = |by: f64| {
                let mut moved = net.clone();
                moved.theta[k] += by;
                loss_and_gradient(&moved, &sequence, &mut scratch)
            };
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            let error = (gradient[k] - numeric).abs() / numeric.abs().max(1e-4);
            assert!(error < 1e-3, "{force:?} {lam_param:?} parameter {k}: {} against {numeric}", gradient[k]);
        }
    }
}

#[test]
fn the_state_is_its_closed_form() {
    let form = Form { d: TASK.d, n: 4, force: Force::Anti, lam_param: LamParam::Raw };
    let net = HebbNet::new(form, &mut stream(2, Purpose::Init, 0));
    let sequence = TASK.stream(&mut stream(2, Purpose::Training, 0));
    let (mut state, mut a, mut h) = (vec![0.0; 24], vec![0.0; 4], vec![0.0; 4]);
    let mut activity = Vec::new();
    for t in 0..sequence.steps() {
        net.step(sequence.item(t), &mut state, &mut a, &mut h);
        activity.push(h.clone());
    }
    let ((eta, _), (lambda, _)) = (net.eta(), net.lambda());
    let steps = sequence.steps() as i32;
    for j in 0..6 {
        for i in 0..4 {
            let sum: f64 =
                (0..steps).map(|k| eta * lambda.powi(steps - 1 - k) * activity[k as usize][i] * sequence.item(k as usize)[j]).sum();
            assert!((sum - state[j * 4 + i]).abs() < 1e-12);
        }
    }
}

#[test]
fn training_learns_and_repeats_itself() {
    let task = Task { d: 12, steps: 60, delay: 1, repeat: 0.5 };
    let plan = TrainConfig { mode: Mode::Inf, iterations: 600, lr: 5e-3, patience: 1 };
    let form = Form { d: 12, n: 12, force: Force::Anti, lam_param: LamParam::Raw };
    let run = || {
        let mut net = HebbNet::new(form, &mut stream(3, Purpose::Init, 0));
        learn(&mut net, &plan, task, 3, &Silent, &mut (), |_| Ok(())).unwrap();
        net
    };
    let net = run();
    assert_eq!(net, run());
    let before = score(&HebbNet::new(form, &mut stream(3, Purpose::Init, 0)), task, 5, 9).balanced();
    let after = score(&net, task, 5, 9).balanced();
    assert!(after > 0.8 && after > before, "{before} then {after}");
}

#[test]
fn the_curriculum_moves_on_when_a_delay_is_mastered() {
    let task = Task { d: 12, steps: 40, delay: 1, repeat: 0.0 };
    // Without repeats every answer "new" is right, so each window of logs masters its delay.
    let plan = TrainConfig { mode: Mode::Cur, iterations: 1500, lr: 1e-2, patience: 10_000 };
    let form = Form { d: 12, n: 4, force: Force::Anti, lam_param: LamParam::Raw };
    let mut net = HebbNet::new(form, &mut stream(4, Purpose::Init, 0));
    let reached = learn(&mut net, &plan, task, 4, &Silent, &mut (), |_| Ok(())).unwrap();
    assert!(reached > 5, "{reached}");
    let stuck = TrainConfig { patience: 20, ..plan };
    let hard = Task { repeat: 0.5, ..task };
    let mut net = HebbNet::new(form, &mut stream(5, Purpose::Init, 0));
    assert_eq!(learn(&mut net, &stuck, hard, 5, &Silent, &mut (), |_| Ok(())).unwrap(), 1);
}

#[test]
fn bad_series_are_told_what_is_wrong() {
    let told = |series: Result<Layers, zoo_hebbff::error::Error>| series.unwrap_err().to_string();
    assert!(Series::new(2, vec![0.0, 1.0, f64::NAN, 3.0]).unwrap_err().to_string().contains("row 1, column 0"));
    assert!(Series::new(3, vec![0.0; 4]).is_err());
    assert!(Series::new(0, vec![]).is_err());
    let short = Series::new(2, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
    assert!(told(short.correlations(50, false)).contains("found 3 steps"));
    assert!(told(short.correlations(1, false)).contains("at least 3 steps"));
    let constant = Series::new(2, vec![0.1; 12]).unwrap();
    let layers = constant.correlations(3, false).unwrap();
    assert_eq!(layers.constant, 4);
    assert!(layers.matrices.iter().flatten().all(|v| *v == 0.0));
    assert!(constant.gaussian_entropy().unwrap_err().to_string().contains("positive definite"));
    assert!(operator(&layers, Resolution::default()).is_err());
    let lopsided = Layers { units: 2, matrices: vec![vec![1.0, 0.5, 0.2, 1.0]], constant: 0 };
    assert!(operator(&lopsided, Resolution::default()).unwrap_err().to_string().contains("symmetric"));
    let broken = Layers { units: 2, matrices: vec![vec![1.0, f64::INFINITY, f64::INFINITY, 1.0]], constant: 0 };
    assert!(operator(&broken, Resolution::default()).unwrap_err().to_string().contains("finite"));
}

#[test]
fn configurations_are_read_and_nonsense_is_refused() {
    for name in ["anti-r5", "hebb-r5", "static-r5", "lstm-r5", "det-hebb", "full-scale/n120", "full-scale/capacity"] {
        PaperConfig::read(&config(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for (key, value) in [
        ("task", json!({"d": 25, "steps": 250, "delay": 0, "repeat": 0.5})),
        ("task", json!({"d": 25, "steps": 250, "delay": 250, "repeat": 0.5})),
        ("task", json!({"d": 25, "steps": 250, "delay": 5, "repeat": 1.5})),
        ("task", json!({"d": 1u64 << 40, "steps": 1u64 << 40, "delay": 5, "repeat": 0.5})),
        ("network", json!({"kind": "plastic", "n": 0})),
        ("network", json!({"kind": "det-hebb"})),
        ("train", json!({"mode": "inf", "iterations": 10, "lr": -1.0})),
        ("nonsense", json!(1)),
    ] {
        assert!(PaperConfig::read(&config("anti-r5").with(key, value.clone())).is_err(), "{key} = {value}");
    }
    let design = json!({"address": 60, "plastic": 20, "repeats": 0.5, "false-positive": 0.01, "true-positive": 0.99});
    let read = PaperConfig::read(&config("det-hebb").with("det-hebb", design));
    assert!(read.is_err());
}

#[test]
fn full_scale_sizes_take_a_step() {
    let told = zoo_hebbff::model::dry_run(&config("full-scale/n120")).unwrap();
    assert_eq!(told["parameters"], 120 * 100 + 2 * 120 + 3);
    assert!(told["gradient_norm"].as_f64().unwrap() > 0.0);
    let sizes = zoo_hebbff::model::dry_run(&config("full-scale/capacity")).unwrap();
    assert_eq!(sizes["sizes"].as_array().unwrap().len(), 45);
}

#[test]
fn streams_of_a_split_have_its_delay() {
    let open = |split: &str, config: Config| FamiliarityFactory.open("familiarity", split, &DataFiles::default(), &config);
    let split = open("r3", Config::default()).unwrap();
    let item = split.get(1).unwrap();
    let (bits, familiar) = (item[0].as_slice::<f32>().unwrap(), item[1].as_slice::<u8>().unwrap());
    let mut repeats = 0;
    for t in 0..familiar.len() {
        let same = t >= 3 && bits[t * 25..(t + 1) * 25] == bits[(t - 3) * 25..(t - 2) * 25];
        assert_eq!(same, familiar[t] == 1);
        repeats += usize::from(same);
    }
    assert!((60..110).contains(&repeats), "{repeats}");
    assert!(split.get(20).is_err());
    assert!(open("r0", Config::default()).is_err() && open("test", Config::default()).is_err());
    assert!(open("r3", Config::new(json!({"steps": 2}))).is_err());
    assert!(open("r3", Config::new(json!({"wide": 2}))).is_err());
}

#[test]
fn partitions_say_what_they_say() {
    // Two units stay together for two layers, then one leaves.
    let labels = [0, 0, 1, 0, 0, 1, 0, 2, 1];
    assert!((flexibility(&labels, 3) - 1.0 / 6.0).abs() < 1e-15);
    // Community 0: overlaps 1 and 1/2; community 1: 1 and 1; community 2 lives a layer.
    assert!((stationarity(&labels, 3) - (0.75 + 1.0) / 2.0).abs() < 1e-15);
    assert!((allegiance(&labels, 3)[1] - 2.0 / 3.0).abs() < 1e-15);
    assert_eq!(flexibility(&[0, 1], 2), 0.0);
    let agreed = consensus(&[vec![0, 0, 1, 1], vec![1, 1, 0, 0], vec![0, 0, 1, 0]], 4, 5, 0).unwrap();
    assert!(normalised_mutual_information(&agreed, &[0, 0, 1, 1]) > 0.999);
    assert!(consensus(&[vec![0]], 4, 5, 0).is_err());
}

#[test]
fn curves_of_two_shapes_are_two_modes() {
    let curves: Vec<Vec<f64>> =
        (0..8).map(|c| (0..50).map(|t| if c % 2 == 0 { t as f64 / 50.0 } else { 1.0 } + 0.01 * (c as f64)).collect()).collect();
    let modes = learning_modes(&curves, &mut stream(0, Purpose::Controls, 0)).unwrap();
    assert_eq!(modes.k, 2);
    assert!((0..8).all(|c| (modes.assignment[c] == modes.assignment[0]) == (c % 2 == 0)));
}

#[test]
fn small_statistics() {
    assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
    let time: Vec<f64> = (0..60).map(f64::from).collect();
    let noisy = |seed| {
        let mut rng = stream(seed, Purpose::Test, 0);
        time.iter().map(|t| t + 3.0 * normal(&mut rng)).collect::<Vec<f64>>()
    };
    // Two series that share only their drift.
    assert!(partial_spearman(&noisy(1), &noisy(2), &time).unwrap().abs() < 0.35);
    let [low, high] = bootstrap(&[0.3, 0.4, 0.5, 0.35, 0.45], 500, &mut stream(0, Purpose::Test, 1)).unwrap();
    assert!((0.3..0.4).contains(&low) && (0.4..=0.5).contains(&high));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn null_models_keep_degrees_and_weights(units in 4usize..16, seed in 0u64..1000) {
        let matrix = symmetric(units, seed);
        let copy = rewired(&matrix, units, &mut stream(seed, Purpose::Controls, 0));
        let degrees = |m: &[f64], sign: f64| m.chunks(units).map(|r| r.iter().filter(|v| **v * sign > 0.0).count()).collect::<Vec<_>>();
        let sorted = |m: &[f64]| { let mut m = m.to_vec(); m.sort_by(f64::total_cmp); m };
        prop_assert_eq!(degrees(&matrix, 1.0), degrees(&copy, 1.0));
        prop_assert_eq!(degrees(&matrix, -1.0), degrees(&copy, -1.0));
        prop_assert_eq!(sorted(&matrix), sorted(&copy));
        prop_assert!((0..units).all(|i| (0..units).all(|j| copy[i * units + j] == copy[j * units + i])));
    }

    #[test]
    fn louvain_is_a_local_optimum_no_worse_than_singletons(units in 2usize..14, seed in 0u64..1000) {
        let matrix = symmetric(units, seed);
        let operator = Operator::from_dense(&matrix, units).unwrap();
        let partition = louvain(&operator, &mut stream(seed, Purpose::Louvain, 0));
        prop_assert!((operator.score(&partition.labels) - partition.score).abs() < 1e-9);
        let alone: Vec<u32> = (0..units as u32).collect();
        prop_assert!(partition.score >= operator.score(&alone) - 1e-9);
        // Joining any two communities does not help: the last level would have found it.
        let count = partition.labels.iter().max().unwrap() + 1;
        for a in 0..count {
            for b in 0..a {
                let joined: Vec<u32> = partition.labels.iter().map(|l| if *l == a { b } else { *l }).collect();
                prop_assert!(operator.score(&joined) <= partition.score + 1e-9);
            }
        }
    }

    #[test]
    fn modularity_lies_between_minus_one_and_one(units in 3usize..10, layers in 1usize..4, seed in 0u64..1000) {
        let matrices = (0..layers as u64).map(|s| symmetric(units, seed * 10 + s)).collect();
        let layers = Layers { units, matrices, constant: 0 };
        let found = structure(&layers, Resolution::default(), 3, seed).unwrap();
        prop_assert!((-1.0..=1.0).contains(&found.q));
        prop_assert!((0.0..=1.0).contains(&found.flexibility));
        prop_assert!((0.0..=1.0).contains(&found.stationarity));
    }
}

/// Keeps the first checkpoint, and gives it back.
#[derive(Default)]
struct Stopped(Option<State>);

impl Checkpoints for Stopped {
    fn resume(&mut self) -> zoo_core::Result<Option<State>> {
        Ok(self.0.clone())
    }

    fn keep(&mut self, state: &State) -> zoo_core::Result<()> {
        // Through the file's form and back, as a killed run would.
        let file = state.weights(7)?;
        assert!(State::read(&file, 8).is_err(), "another seed");
        self.0.get_or_insert(State::read(&file, 7)?);
        Ok(())
    }
}

#[test]
fn a_resumed_run_ends_as_it_would_have() {
    let task = Task { steps: 12, d: 4, delay: 1, repeat: 0.5 };
    let plan = TrainConfig { mode: Mode::Cur, iterations: 1200, lr: 1e-2, patience: 10_000 };
    let form = Form { d: 4, n: 6, force: Force::Anti, lam_param: LamParam::Sigmoid };
    let fresh = HebbNet::new(form, &mut stream(7, Purpose::Init, 0));
    let (mut whole, mut kept) = (fresh.clone(), Stopped::default());
    let reached = learn(&mut whole, &plan, task, 7, &Silent, &mut kept, |_| Ok(())).unwrap();
    assert_eq!(kept.0.as_ref().unwrap().iteration, 500);
    let mut resumed = fresh;
    let again = learn(&mut resumed, &plan, task, 7, &Silent, &mut kept, |look| {
        assert!(look.iteration > 500);
        Ok(())
    });
    assert_eq!((again.unwrap(), &resumed.theta), (reached, &whole.theta));
}
