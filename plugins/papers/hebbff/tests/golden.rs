//! Against `golden/golden.json`, made by `golden/make.py` with PyTorch, bctpy and SciPy.

use serde_json::Value;
use zoo_hebbff::bptt;
use zoo_hebbff::det_hebb::{Design, DetHebb};
use zoo_hebbff::louvain::{Operator, best_of};
use zoo_hebbff::lstm::Lstm;
use zoo_hebbff::multilayer::{Resolution, operator};
use zoo_hebbff::net::{Force, Form, HebbNet, LamParam};
use zoo_hebbff::random::{Purpose, stream};
use zoo_hebbff::stats::{mann_whitney_greater, pearson, spearman};
use zoo_hebbff::task::Stream;
use zoo_hebbff::windows::{Layers, Series};

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/golden.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn sequence(case: &Value, d: usize) -> Stream {
    let familiar = case["familiar"].as_array().unwrap().iter().map(|f| f.as_bool().unwrap()).collect();
    Stream { d, items: numbers(&case["items"]), familiar }
}

/// The script's row-major `w1` by columns, then the rest.
fn flat(values: &Value, d: usize, n: usize) -> Vec<f64> {
    let w1 = numbers(&values["w1"]);
    let mut theta: Vec<f64> = (0..d).flat_map(|j| w1.iter().skip(j).step_by(d).copied().collect::<Vec<_>>()).collect();
    for name in ["b1", "w2", "b2", "_eta", "_lam"] {
        theta.extend(numbers(&values[name]));
    }
    assert_eq!(theta.len(), d * n + 2 * n + 3);
    theta
}

#[track_caller]
fn close(what: &str, a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance * scale, "{what}: differs by {worst} at a scale of {scale}");
}

#[test]
fn hebbff_answers_and_gradients_are_those_of_pytorch() {
    for case in golden()["hebb"].as_array().unwrap() {
        let (d, n) = (count(&case["d"]), count(&case["n"]));
        let force = serde_json::from_value::<Force>(case["force"].clone()).unwrap();
        let net = HebbNet { form: Form { d, n, force, lam_param: LamParam::Raw }, theta: flat(&case["values"], d, n) };
        let stream = sequence(case, d);
        let mut last = Vec::new();
        let answers = net.trace(&stream, |a, _| last = a.to_vec());
        close("answers", &answers, &numbers(&case["answers"]), 1e-12);
        close("pre-activation", &last, &numbers(&case["last_pre_activation"]), 1e-12);
        let mut gradient = vec![0.0; net.theta.len()];
        let loss = bptt::loss_and_gradient(&net, &stream, &mut gradient);
        close("loss", &[loss], &[case["loss"].as_f64().unwrap()], 1e-12);
        close("gradient", &gradient, &flat(&case["gradients"], d, n), 1e-10);
    }
}

#[test]
fn lstm_answers_and_gradients_are_those_of_pytorch() {
    let case = &golden()["lstm"];
    let (d, n) = (count(&case["d"]), count(&case["n"]));
    let net = Lstm { d, n, theta: numbers(&case["values"]) };
    let stream = sequence(case, d);
    close("answers", &net.answers(&stream), &numbers(&case["answers"]), 1e-12);
    let mut gradient = vec![0.0; net.theta.len()];
    let loss = net.loss_and_gradient(&stream, &mut gradient);
    close("loss", &[loss], &[case["loss"].as_f64().unwrap()], 1e-12);
    close("gradient", &gradient, &numbers(&case["gradients"]), 1e-10);
}

#[test]
fn det_hebb_answers_are_those_of_numpy() {
    let case = &golden()["det_hebb"];
    let (address, plastic) = (count(&case["address"]), count(&case["plastic"]));
    let design = Design { address, plastic, repeats: 0.5, false_positive: 0.01, true_positive: 0.99 };
    let det = DetHebb::new(design).unwrap();
    close("decay", &[det.gamma], &[case["gamma"].as_f64().unwrap()], 1e-12);
    close("bias", &[det.bias], &[case["bias"].as_f64().unwrap()], 1e-9);
    let (answers, spikes) = det.answers(&sequence(case, address + plastic)).unwrap();
    assert_eq!(answers, numbers(&case["answers"]));
    assert!(spikes > 0);
}

#[test]
fn correlations_modularity_and_entropy_are_those_of_numpy() {
    for case in golden()["graphs"].as_array().unwrap() {
        let units = count(&case["units"]);
        let series = Series::new(units, numbers(&case["series"])).unwrap();
        let layers = series.correlations(count(&case["window"]), false).unwrap();
        close("layers", &layers.matrices.concat(), &numbers(&case["layers"]), 1e-12);
        let (b, total) = operator(&layers, Resolution::default()).unwrap();
        close("total", &[total], &[case["total"].as_f64().unwrap()], 1e-12);
        let labels: Vec<u32> = numbers(&case["some_labels"]).iter().map(|l| *l as u32).collect();
        close("modularity", &[b.score(&labels) / total], &[case["some_q"].as_f64().unwrap()], 1e-9);
        close("entropy", &[series.gaussian_entropy().unwrap().0], &[case["entropy"].as_f64().unwrap()], 1e-9);
    }
}

#[test]
fn louvain_does_as_well_as_bctpy_on_the_same_matrices() {
    for case in golden()["graphs"].as_array().unwrap() {
        let layers = Layers { units: count(&case["units"]), matrices: vec![], constant: 0 };
        let matrices = case["layers"].as_array().unwrap().iter().map(numbers).collect();
        let (b, total) = operator(&Layers { matrices, ..layers }, Resolution::default()).unwrap();
        let labels: Vec<u32> = numbers(&case["louvain"]["labels"]).iter().map(|l| *l as u32 - 1).collect();
        let theirs = case["louvain"]["q"].as_f64().unwrap();
        // Their partition scores the same under our matrix.
        close("their partition", &[b.score(&labels) / total], &[theirs], 1e-9);
        let (best, _) = best_of(&b, 20, |run| stream(3, Purpose::Louvain, run));
        assert!(best.score / total >= theirs - 0.002, "{} against {theirs}", best.score / total);
    }
}

#[test]
fn louvain_finds_the_best_partition_of_the_karate_club() {
    let matrix: Value = serde_json::from_str(include_str!("../golden/karate.json")).unwrap();
    let layers = Layers { units: 34, matrices: vec![numbers(&matrix)], constant: 0 };
    let (b, total) = operator(&layers, Resolution { gamma_plus: 1.0, gamma_minus: 1.0, omega: 0.0 }).unwrap();
    let (best, _) = best_of(&b, 20, |run| stream(4, Purpose::Louvain, run));
    let theirs = golden()["karate"]["q"].as_f64().unwrap();
    assert!((best.score / total - theirs).abs() < 1e-9, "{} against {theirs}", best.score / total);
}

#[test]
fn signed_modularity_is_that_of_bctpy() {
    // bctpy's "gja" weighs positive and negative part by their own share of the total, as the multilayer matrix does.
    let case = &golden()["signed"];
    let layers = Layers { units: count(&case["units"]), matrices: vec![numbers(&case["layer"])], constant: 0 };
    let (b, total) = operator(&layers, Resolution { gamma_plus: 1.0, gamma_minus: 1.0, omega: 0.0 }).unwrap();
    let labels: Vec<u32> = numbers(&case["labels"]).iter().map(|l| *l as u32).collect();
    close("signed modularity", &[b.score(&labels) / total], &[case["q"].as_f64().unwrap()], 1e-9);
}

#[test]
fn statistics_are_those_of_scipy() {
    let case = &golden()["stats"];
    let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
    close("pearson", &[pearson(&a, &b).unwrap()], &[case["pearson"].as_f64().unwrap()], 1e-12);
    close("spearman", &[spearman(&a, &b).unwrap()], &[case["spearman"].as_f64().unwrap()], 1e-12);
    let p = mann_whitney_greater(&numbers(&case["x"]), &numbers(&case["y"])).unwrap();
    close("Mann-Whitney", &[p], &[case["mann_whitney"].as_f64().unwrap()], 1e-12);
}

#[test]
fn an_operator_that_is_no_symmetric_matrix_is_refused() {
    assert!(Operator::from_dense(&[0.0, 1.0, 2.0, 0.0], 2).unwrap_err().to_string().contains("symmetric"));
    assert!(Operator::from_dense(&[0.0, f64::NAN, f64::NAN, 0.0], 2).unwrap_err().to_string().contains("finite"));
    assert!(Operator::from_dense(&[0.0; 3], 2).is_err());
    assert!(Operator::from_rows(&[vec![(5, 1.0)]]).is_err());
}
