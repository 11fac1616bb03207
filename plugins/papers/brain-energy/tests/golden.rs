//! Against nctpy, bctpy and SciPy: golden/golden.json, made by the script beside it.

use faer::{Col, Mat};
use serde_json::Value;
use zoo_brain_energy::{control, energy, general, graph, stats};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/golden.json")).unwrap()
}

fn vector(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

fn matrix(value: &Value) -> Mat<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

fn column(value: &Value) -> Col<f64> {
    let values = vector(value);
    Col::from_fn(values.len(), |i| values[i])
}

fn close(what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1e-3), "{what}: {ours} against {theirs}");
}

fn all_close(what: &str, ours: &[f64], theirs: &Value, tolerance: f64) {
    let theirs = theirs.as_array().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    ours.iter().zip(theirs).for_each(|(a, b)| close(what, *a, b, tolerance));
}

fn each(check: impl Fn(&Value, &Mat<f64>)) {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    cases.iter().for_each(|case| check(case, &matrix(&case["coupling"])));
}

#[test]
fn energies_agree_with_nctpy() {
    each(|case, coupling| {
        let a = energy::normalise(coupling.as_ref(), 1.0).unwrap();
        let (b, horizon) = (vector(&case["input"]), case["horizon"].as_f64().unwrap());
        let (x0, xf) = (column(&case["x0"]), column(&case["xf"]));
        let system = energy::System::new(a.as_ref(), &b, horizon).unwrap();
        let own = system.energy(x0.as_ref(), xf.as_ref());
        close("Gramian form", own, &case["energy_fast"], 1e-5);
        // nctpy integrates its simulated input with a step of 0.001.
        close("simulated", own, &case["energy_simulated"], 1e-4);
        let van_loan = general::energy(a.as_ref(), &b, horizon, x0.as_ref(), xf.as_ref()).unwrap();
        assert!((van_loan / own - 1.0).abs() < 1e-6, "{van_loan} against {own}");
        let regional: f64 = system.regional(x0.as_ref(), xf.as_ref()).iter().sum();
        assert!((regional / own - 1.0).abs() < 1e-6, "{regional} against {own}");
        assert!((system.state(x0.as_ref(), xf.as_ref(), horizon) - &xf).norm_max() < 1e-6);
        let (phi, r) = system.factors();
        let whitened = &r * (&xf - &phi * &x0);
        assert!((whitened.squared_norm_l2() / own - 1.0).abs() < 1e-9);
    });
}

#[test]
fn optimal_paths_agree_with_nctpy() {
    each(|case, coupling| {
        let a = energy::normalise(coupling.as_ref(), 1.0).unwrap();
        let (x0, xf) = (column(&case["x0"]), column(&case["xf"]));
        let middle = faer::Scale(0.5) * (&x0 + &xf);
        let state = vec![1.0; x0.nrows()];
        let cost = general::PathCost { state: &state, rho: case["optimal"]["rho"].as_f64().unwrap(), reference: middle.as_ref() };
        let path = general::optimal_path(a.as_ref(), &vector(&case["input"]), 1.0, x0.as_ref(), xf.as_ref(), &cost, 1001).unwrap();
        let half: Vec<f64> = path.states.col(500).iter().copied().collect();
        all_close("state at half time", &half, &case["optimal"]["state_middle"], 1e-5);
        assert!((path.states.col(1000) - &xf).norm_max() < 1e-6);
        let square = |k: usize| path.inputs.col(k).squared_norm_l2();
        let weight = |k: usize| {
            if k == 0 || k == 1000 {
                1.0
            } else if k % 2 == 1 {
                4.0
            } else {
                2.0
            }
        };
        let spent = (0..=1000).map(|k| weight(k) * square(k)).sum::<f64>() / 3000.0;
        close("energy of the input", spent, &case["optimal"]["input_energy"], 1e-4);
    });
}

#[test]
fn the_exponential_agrees_with_scipy() {
    each(|case, coupling| {
        let a = energy::normalise(coupling.as_ref(), 1.0).unwrap();
        let ours = general::exponential((&a * faer::Scale(3.0)).as_ref()).unwrap();
        assert!((ours - matrix(&case["exponential"])).norm_max() < 1e-12);
    });
}

#[test]
fn controllability_agrees_with_nctpy() {
    each(|case, coupling| {
        let ours = control::controllability(coupling.as_ref(), 1.0).unwrap();
        all_close("average", &ours.average, &case["average"], 1e-5);
        all_close("modal", &ours.modal, &case["modal"], 1e-5);
    });
}

#[test]
fn graph_measures_agree_with_bctpy() {
    each(|case, coupling| {
        let w = Mat::from_fn(coupling.nrows(), coupling.ncols(), |i, j| coupling[(i, j)].abs());
        let community: Vec<usize> = serde_json::from_value(case["community"].clone()).unwrap();
        all_close("strength", &graph::strength(w.as_ref()), &case["strength"], 1e-9);
        all_close("clustering", &graph::clustering(w.as_ref()), &case["clustering"], 1e-9);
        close("path length", graph::path_length(w.as_ref()), &case["path_length"], 1e-9);
        all_close("participation", &graph::participation(w.as_ref(), &community), &case["participation"], 1e-9);
        close("modularity", graph::modularity(w.as_ref(), &community), &case["modularity"], 1e-9);
    });
}

#[test]
fn the_t_test_agrees_with_scipy() {
    let golden = golden();
    let test = stats::t_test(&vector(&golden["t_test"]["values"])).unwrap();
    close("t", test.t, &golden["t_test"]["t"], 1e-12);
    close("p", test.p, &golden["t_test"]["p"], 1e-9);
    assert!(stats::t_test(&[1.0]).is_none() && stats::t_test(&[2.0, 2.0]).is_none());
}
