//! The losses on plain numbers: PyTorch's values and gradients, and what the paper says of them.

use crate::common::{furthest, golden, values};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use zoo_tet::loss::{Loss, Sizes, sdt, tet};

fn as_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

#[test]
fn values_and_gradients_are_pytorchs() {
    let golden = golden();
    let sizes = Sizes { steps: 3, batch: 4, classes: 5 };
    let logits: Vec<f64> = values(&golden, "loss.logits").into_iter().map(f64::from).collect();
    let labels: Vec<usize> = golden.get("loss.labels").unwrap().as_slice::<i64>().unwrap().iter().map(|&l| l as usize).collect();
    let check = |name: &str, loss: Loss| {
        let value = values(&golden, &format!("loss.{name}.value"))[0];
        assert!((loss.value - f64::from(value)).abs() < 1e-5, "{name}: {} {value}", loss.value);
        let gradient = values(&golden, &format!("loss.{name}.grad"));
        assert!(furthest(&as_f32(&loss.gradient), &gradient) < 1e-5, "{name}");
    };
    check("sdt", sdt(&logits, &labels, sizes).unwrap());
    for (lambda, phi, name) in
        [(0.0, 1.0, "0.0:1.0"), (0.001, 1.0, "0.001:1.0"), (0.05, 1.0, "0.05:1.0"), (0.3, 0.5, "0.3:0.5"), (1.0, 1.0, "1.0:1.0")]
    {
        check(&format!("tet:{name}"), tet(&logits, &labels, sizes, lambda, phi).unwrap());
    }
}

#[test]
fn sdt_is_never_above_tet() {
    // The lemma of the paper: cross entropy is convex in the logits.
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    for _ in 0..10_000 {
        let sizes = Sizes { steps: rng.random_range(1..6), batch: rng.random_range(1..4), classes: rng.random_range(2..6) };
        let scale = rng.random_range(0.1..20.0);
        let logits: Vec<f64> = (0..sizes.steps * sizes.batch * sizes.classes).map(|_| scale * rng.random_range(-1.0..1.0)).collect();
        let labels: Vec<usize> = (0..sizes.batch).map(|_| rng.random_range(0..sizes.classes)).collect();
        let (low, high) = (sdt(&logits, &labels, sizes).unwrap().value, tet(&logits, &labels, sizes, 0.0, 1.0).unwrap().value);
        assert!(low <= high + 1e-9, "{sizes:?}: {low} > {high}");
        let each = sizes.batch * sizes.classes;
        let still = logits[..each].repeat(sizes.steps);
        let (low, high) = (sdt(&still, &labels, sizes).unwrap().value, tet(&still, &labels, sizes, 0.0, 1.0).unwrap().value);
        assert!((low - high).abs() < 1e-9 * (1.0 + low.abs()), "constant in time: {low} {high}");
    }
}

#[test]
fn wrong_sizes_and_labels_are_refused() {
    let sizes = Sizes { steps: 1, batch: 1, classes: 2 };
    assert!(sdt(&[0.0], &[0], sizes).is_err());
    assert!(sdt(&[0.0, 1.0], &[2], sizes).is_err());
    assert!(tet(&[], &[], Sizes { steps: 0, ..sizes }, 0.0, 1.0).is_err());
}

proptest! {
    #[test]
    fn gradients_are_those_of_finite_differences(
        logits in prop::collection::vec(-3.0..3.0f64, 12),
        labels in prop::collection::vec(0usize..3, 2),
        lambda in 0.0..1.0f64,
    ) {
        let sizes = Sizes { steps: 2, batch: 2, classes: 3 };
        type Objective<'a> = Box<dyn Fn(&[f64]) -> Loss + 'a>;
        let of_sdt: Objective<'_> = Box::new(|o| sdt(o, &labels, sizes).unwrap());
        let of_tet: Objective<'_> = Box::new(|o| tet(o, &labels, sizes, lambda, 1.0).unwrap());
        for loss in [of_sdt, of_tet] {
            let gradient = loss(&logits).gradient;
            for i in 0..logits.len() {
                let at = |h: f64| { let mut moved = logits.clone(); moved[i] += h; loss(&moved).value };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                prop_assert!((slope - gradient[i]).abs() < 1e-7, "{} {}", slope, gradient[i]);
            }
        }
    }

    #[test]
    fn lambda_mixes_the_two_ends(logits in prop::collection::vec(-3.0..3.0f64, 12), lambda in 0.0..1.0f64) {
        let sizes = Sizes { steps: 2, batch: 2, classes: 3 };
        let of = |lambda| tet(&logits, &[0, 2], sizes, lambda, 1.0).unwrap().value;
        let squares: f64 = logits.iter().map(|o| (o - 1.0).powi(2)).sum::<f64>() / 12.0;
        prop_assert!((of(1.0) - squares).abs() < 1e-12);
        prop_assert!((of(lambda) - ((1.0 - lambda) * of(0.0) + lambda * of(1.0))).abs() < 1e-12);
    }

    #[test]
    fn at_one_step_both_losses_are_one(logits in prop::collection::vec(-3.0..3.0f64, 6)) {
        let sizes = Sizes { steps: 1, batch: 2, classes: 3 };
        prop_assert_eq!(sdt(&logits, &[1, 0], sizes).unwrap().gradient, tet(&logits, &[1, 0], sizes, 0.0, 1.0).unwrap().gradient);
    }
}
