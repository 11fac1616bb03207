//! Invariants of the energy, of surrogates and of the study, and what bad series give.

use faer::{Col, Mat};
use proptest::prelude::*;
use zoo_brain_energy::connectivity::{Coupling, coupling, windows, zscore};
use zoo_brain_energy::energy::{System, normalise};
use zoo_brain_energy::error::Error;
use zoo_brain_energy::study::{Recording, Setting};
use zoo_brain_energy::{atlas, claims, figures, planted, portrait, predict, study, surrogate, transitions};

/// A symmetric coupling, input weights and two states of `n` regions.
fn system(n: usize) -> impl Strategy<Value = (Mat<f64>, Vec<f64>, Col<f64>, Col<f64>)> {
    let matrix = prop::collection::vec(-1.0f64..1.0, n * n);
    let states = prop::collection::vec(-2.0f64..2.0, 2 * n);
    (matrix, prop::collection::vec(0.3f64..1.0, n), states).prop_map(move |(m, b, x)| {
        let coupling = Mat::from_fn(n, n, |i, j| if i == j { 0.0 } else { m[i.min(j) * n + i.max(j)] });
        (coupling, b, Col::from_fn(n, |i| x[i]), Col::from_fn(n, |i| x[n + i]))
    })
}

fn energy(coupling: &Mat<f64>, b: &[f64], horizon: f64, x0: &Col<f64>, xf: &Col<f64>) -> f64 {
    let a = normalise(coupling.as_ref(), 1.0).unwrap();
    System::new(a.as_ref(), b, horizon).unwrap().energy(x0.as_ref(), xf.as_ref())
}

proptest! {
    #[test]
    fn energy_is_never_negative_and_more_input_never_costs_more((m, b, x0, xf) in system(6), add in 0.0f64..1.0, region in 0usize..6) {
        let e = energy(&m, &b, 1.0, &x0, &xf);
        prop_assert!(e >= 0.0);
        let mut more = b;
        more[region] += add;
        prop_assert!(energy(&m, &more, 1.0, &x0, &xf) <= e * (1.0 + 1e-9));
    }

    #[test]
    fn more_time_never_costs_more_on_the_way_to_rest((m, b, x0, _) in system(6), more in 0.1f64..2.0) {
        let rest = Col::zeros(6);
        prop_assert!(energy(&m, &b, 1.0 + more, &x0, &rest) <= energy(&m, &b, 1.0, &x0, &rest) * (1.0 + 1e-9));
    }

    #[test]
    fn the_order_of_regions_does_not_matter((m, b, x0, xf) in system(6), shift in 1usize..6) {
        let at = |i: usize| (i + shift) % 6;
        let turned = Mat::from_fn(6, 6, |i, j| m[(at(i), at(j))]);
        let b2: Vec<_> = (0..6).map(|i| b[at(i)]).collect();
        let (y0, yf) = (Col::from_fn(6, |i| x0[at(i)]), Col::from_fn(6, |i| xf[at(i)]));
        let (e, turned) = (energy(&m, &b, 1.0, &x0, &xf), energy(&turned, &b2, 1.0, &y0, &yf));
        prop_assert!((e - turned).abs() <= 1e-8 * e.max(1e-6));
    }

    #[test]
    fn surrogates_keep_every_static_correlation(seed: u64, samples in 40usize..60) {
        let series = zscore(planted::switching(&[planted::coupling(5, 5, 1)], samples, samples, seed).as_ref()).unwrap();
        let other = surrogate::phase_randomised(series.as_ref(), seed ^ 1);
        let fc = |s: &Mat<f64>| coupling(s.as_ref(), 0..samples, Coupling::Correlation, false).unwrap();
        prop_assert!((fc(&series) - fc(&other)).norm_max() < 1e-9);
        prop_assert!((&series - &other).norm_max() > 1e-3);
    }
}

fn setting() -> Setting {
    serde_json::from_value(serde_json::json!({"window": 30, "step": 30, "horizon": 1.0, "eps": 0.1})).unwrap()
}

#[test]
fn bad_series_are_named() {
    let good = planted::switching(&[planted::coupling(4, 4, 1)], 90, 90, 3);
    let spoil = |f: &dyn Fn(&mut Mat<f64>)| {
        let mut series = good.clone();
        f(&mut series);
        Recording::new(series.as_ref(), &setting()).err().unwrap()
    };
    assert_eq!(spoil(&|s| s[(2, 5)] = f64::NAN), Error::NotFinite { region: 2, sample: 5 });
    assert_eq!(spoil(&|s| (0..90).for_each(|t| s[(1, t)] = 4.0)), Error::Constant { region: 1 });
    assert_eq!(spoil(&|s| (30..60).for_each(|t| s[(3, t)] = 0.5)), Error::Constant { region: 3 });
    assert_eq!(spoil(&|s| *s = s.subcols(0, 20).to_owned()), Error::TooShort { need: 30, have: 20 });
    assert!(matches!(spoil(&|s| *s = s.subcols(0, 40).to_owned()), Error::TooShort { need: 60, have: 40 }));
}

#[test]
fn bad_matrices_are_named() {
    let skew = Mat::from_fn(3, 3, |i, j| if i < j { 1.0 } else { 0.0 });
    assert!(matches!(normalise(skew.as_ref(), 1.0), Err(Error::Asymmetric { .. })));
    assert!(matches!(normalise(Mat::<f64>::zeros(2, 3).as_ref(), 1.0), Err(Error::Size { .. })));
    let a = normalise(planted::coupling(4, 4, 1).as_ref(), 1.0).unwrap();
    assert!(matches!(System::new(a.as_ref(), &[0.0; 4], 1.0), Err(Error::Singular { .. })));
    assert!(matches!(System::new(a.as_ref(), &[1.0; 3], 1.0), Err(Error::Size { .. })));
    let recording = Recording::new(planted::switching(&[planted::coupling(4, 4, 1)], 90, 90, 3).as_ref(), &setting()).unwrap();
    assert!(matches!(recording.energies(&[9]), Err(Error::Size { .. })));
}

#[test]
fn windows_fit_and_do_not_run_over() {
    assert_eq!(windows(10, 4, 3).unwrap(), [0..4, 3..7, 6..10]);
    assert!(windows(3, 4, 1).is_err());
}

#[test]
fn every_reading_of_transition_gives_an_energy() {
    let series = planted::switching(&[planted::coupling(6, 3, 1), planted::coupling(6, 3, 2)], 30, 180, 5);
    for kind in [transitions::Transitions::Samples, transitions::Transitions::WindowMeans, transitions::Transitions::States] {
        let setting = Setting { transitions: kind, states: 3, ..setting() };
        let found = Recording::new(series.as_ref(), &setting).unwrap().energies(&[0, 1]).unwrap();
        assert!(found.dynamic > 0.0 && found.fixed > 0.0, "{kind:?}: {found:?}");
    }
}

#[test]
fn names_are_those_of_the_atlas() {
    let name = |place| atlas::region(Some(atlas::Atlas::Aal2), place);
    assert_eq!(name(0), ("Precentral L".into(), "central"));
    // The posterior cingulate and the precuneus of the default-mode proxy.
    assert_eq!([name(38).0, name(71).0], ["Cingulate Post L", "Precuneus R"]);
    assert_eq!(name(93), ("Temporal Inf R".into(), "temporal"));
    assert_eq!((name(94).0, atlas::region(None, 3).1), ("region 94".into(), "all"));
}

#[test]
fn regions_share_the_whole_energy() {
    let series = planted::switching(&[planted::coupling(6, 3, 1), planted::coupling(6, 3, 2)], 30, 180, 5);
    for kind in [transitions::Transitions::Samples, transitions::Transitions::WindowMeans, transitions::Transitions::States] {
        let setting = Setting { transitions: kind, states: 3, ..setting() };
        let recording = Recording::new(series.as_ref(), &setting).unwrap();
        let whole = recording.energies(&[0, 1]).unwrap();
        let (system, windows) = recording.systems(&[0, 1]).unwrap();
        let sums = recording.regional(&system, &windows).map(|regions| regions.iter().sum::<f64>());
        for (sum, energy) in sums.into_iter().zip([whole.fixed, whole.dynamic]) {
            assert!((sum / energy - 1.0).abs() < 1e-9, "{kind:?}: {sum} of {energy}");
        }
    }
}

#[test]
fn pictures_are_drawn_from_what_was_recorded_alone() {
    let series = [7, 8].map(|seed| planted::switching(&[planted::coupling(6, 3, 1), planted::coupling(6, 3, 2)], 30, 180, seed));
    let setting = Setting { states: 3, ..setting() };
    let subjects = study::subjects(&series, &setting, &[0, 1], 1, 3).unwrap();
    let cohort = claims::Cohort { subjects, series: series.to_vec(), control: vec![0, 1] };
    let seen = portrait::portrait(&cohort, &setting, Some(atlas::Atlas::Aal2), &[0, 1, 2, 3, 8, 93], 3).unwrap();
    assert_eq!(seen.regions[5], "Temporal Inf R");
    assert_eq!(seen.conditions.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7]);
    // Every state is left for some state.
    assert!(seen.steps.iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12), "{:?}", seen.steps);
    let mut outcomes = claims::direction(&cohort);
    outcomes.push(claims::beyond_fitting(&cohort));
    assert_eq!(figures::all(&outcomes).unwrap().len(), 2);
    let row = |window: usize, eps: f64| serde_json::json!({"window": window, "T": 1.0, "eps": eps, "dynamic_over_static": 0.75});
    outcomes[0].detail["grid"] = serde_json::json!([row(30, 0.1), row(60, 0.1), row(30, 0.01)]);
    outcomes[0].detail["portrait"] = serde_json::to_value(&seen).unwrap();
    let drawn = figures::all(&outcomes).unwrap();
    assert_eq!(drawn.len(), 2 + 1 + 8);
    let text = |title: &str| {
        let figure = drawn.iter().find(|f| f.title.starts_with(title)).unwrap_or_else(|| panic!("{title}"));
        String::from_utf8(figure.bytes.clone()).unwrap()
    };
    assert!(text("Saving").contains("60 samples") && text("Saving").contains("25"));
    assert!(text("Where the energy").contains("control set (2)") && text("The regions").contains("Precentral L *"));
    // Lists that do not fit are no portrait.
    outcomes[0].detail["portrait"]["modal"] = serde_json::json!([1.0]);
    assert_eq!(figures::all(&outcomes).unwrap().len(), 3);
}

#[test]
fn kmeans_finds_planted_centres() {
    let centre = |t: usize| if t.is_multiple_of(3) { 5.0 } else { -5.0 };
    let series = Mat::from_fn(2, 60, |i, t| centre(t) + 0.01 * ((t * 7 + i) % 5) as f64);
    let states = transitions::kmeans(series.as_ref(), 2, 4, 1);
    let first = states.labels[0];
    assert!((0..60).all(|t| (states.labels[t] == first) == (t % 3 == 0)));
}

/// A planted signal is found, and none is found where there is none.
#[test]
fn prediction_finds_what_was_planted_and_nothing_else() {
    let states = planted::switching(&[planted::coupling(12, 4, 1)], 10, 2_000, 9);
    let features = Mat::from_fn(200, 12, |i, j| states[(j, i * 10)]);
    let family: Vec<usize> = (0..200).map(|i| i / 2).collect();
    let signal: Vec<f64> = (0..200).map(|i| 2.0 * features[(i, 3)] - features[(i, 7)]).collect();
    let noise: Vec<f64> = (0..200).map(|i| ((i * 7919) % 101) as f64).collect();
    let penalties = [1.0, 10.0, 100.0];
    let r = |scores: &[f64]| predict::pearson(&predict::nested_ridge(features.as_ref(), scores, &family, 10, &penalties), scores);
    assert!(r(&signal) > 0.95, "{}", r(&signal));
    assert!(r(&noise).abs() < 0.3, "{}", r(&noise));
}
