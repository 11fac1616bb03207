//! The bars of the reproduction, re-measured with their controls.

use crate::energy::System;
use crate::general;
use crate::planted;
use crate::settings::Settings;
use crate::stats::{mean, t_test};
use crate::study::{Recording, Setting, Subject, subjects};
use faer::Mat;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::json;
use zoo_core::{ClaimOutcome, Reporter, Result};

/// Everything measured on one cohort under the fixed setting.
pub struct Cohort {
    /// Each subject's energies and surrogates.
    pub subjects: Vec<Subject>,
    /// The kept regions' series, z-scoring left to the study.
    pub series: Vec<Mat<f64>>,
    /// The control set among the kept regions.
    pub control: Vec<usize>,
}

impl Cohort {
    /// Logarithms of one ratio, a subject each.
    fn logs(&self, ratio: impl Fn(&Subject) -> f64) -> Vec<f64> {
        self.subjects.iter().map(|s| ratio(s).ln()).collect()
    }
}

/// Analyses a cohort under the fixed setting.
///
/// # Errors
/// Whatever the study finds in the data.
pub fn cohort(series: Vec<Mat<f64>>, control: Vec<usize>, settings: &Settings, seed: u64) -> Result<Cohort> {
    let subjects = subjects(&series, &settings.setting, &control, settings.surrogates, seed).map_err(crate::model::data_error)?;
    Ok(Cohort { subjects, series, control })
}

/// A1: the eigen form, Van Loan's form and the integral of the input's square agree, and the path ends where it should.
pub fn forms_agree(cohort: &Cohort, settings: &Settings) -> Result<ClaimOutcome> {
    let worst = forms(cohort, &settings.setting).map_err(crate::model::data_error)?;
    let greatest = worst.iter().copied().fold(0.0, f64::max);
    let detail = json!({"relative": {"van_loan": worst[0], "regional_sum": worst[1], "integral": worst[2]}, "endpoint": worst[3]});
    Ok(ClaimOutcome { id: "a1".into(), measured: greatest, holds: greatest <= 1e-6, detail })
}

fn forms(cohort: &Cohort, setting: &Setting) -> crate::error::Result<[f64; 4]> {
    const STEPS: usize = 200;
    let mut worst = [0.0f64; 4];
    for series in &cohort.series {
        let z = crate::connectivity::zscore(series.as_ref())?;
        let matrix = crate::connectivity::coupling(z.as_ref(), 0..z.ncols(), setting.coupling, setting.drop_negative)?;
        let a = crate::energy::normalise(matrix.as_ref(), setting.c)?;
        let mut b = vec![setting.eps; z.nrows()];
        cohort.control.iter().for_each(|&i| b[i] = 1.0);
        let system = System::new(a.as_ref(), &b, setting.horizon)?;
        let (x0, xf) = (z.col(0), z.col(1));
        let energy = system.energy(x0, xf);
        let relative = |other: f64| ((other - energy) / energy).abs();
        worst[0] = worst[0].max(relative(general::energy(a.as_ref(), &b, setting.horizon, x0, xf)?));
        worst[1] = worst[1].max(relative(system.regional(x0, xf).iter().sum()));
        // Without a state cost the optimal path is the least-energy path; Simpson's rule over its input.
        let zero = vec![0.0; z.nrows()];
        let reference = faer::Col::zeros(z.nrows());
        let cost = general::PathCost { state: &zero, rho: 1.0, reference: reference.as_ref() };
        let path = general::optimal_path(a.as_ref(), &b, setting.horizon, x0, xf, &cost, STEPS + 1)?;
        let square = |k: usize| (0..z.nrows()).map(|i| path.inputs[(i, k)].powi(2)).sum::<f64>();
        let weight = |k: usize| {
            if k == 0 || k == STEPS {
                1.0
            } else if k % 2 == 1 {
                4.0
            } else {
                2.0
            }
        };
        let integral = (0..=STEPS).map(|k| weight(k) * square(k)).sum::<f64>() * setting.horizon / (3.0 * STEPS as f64);
        worst[2] = worst[2].max(relative(integral));
        let end = system.state(x0, xf, setting.horizon);
        worst[3] = (0..z.nrows()).fold(worst[3], |w, i| w.max((end[i] - xf[i]).abs()));
    }
    Ok(worst)
}

/// B1 and B2: dynamic against static, and against the wrong window.
pub fn direction(cohort: &Cohort) -> Vec<ClaimOutcome> {
    let n = cohort.subjects.len();
    let ratios: Vec<f64> = cohort.subjects.iter().map(|s| s.real.ratio()).collect();
    let energies: Vec<[f64; 2]> = cohort.subjects.iter().map(|s| [s.real.fixed, s.real.dynamic]).collect();
    let below = ratios.iter().filter(|&&r| r < 1.0).count();
    let test = t_test(&cohort.logs(|s| s.real.ratio()));
    let wrong = t_test(&cohort.logs(|s| s.real.dynamic / s.real.wrong));
    let holds = |t: &Option<crate::stats::TTest>| t.as_ref().is_some_and(|t| t.mean < 0.0 && t.p < 0.01);
    vec![
        ClaimOutcome {
            id: "b1".into(),
            measured: mean(&ratios),
            holds: below * 7 >= 6 * n && holds(&test),
            detail: json!({"subjects_below_1": below, "subjects": n, "ratios": ratios, "static_and_dynamic": energies, "log_ratio_test": test, "saving_percent": 100.0 * (1.0 - mean(&ratios))}),
        },
        ClaimOutcome {
            id: "b2".into(),
            measured: mean(&cohort.subjects.iter().map(|s| s.real.dynamic / s.real.wrong).collect::<Vec<_>>()),
            holds: holds(&wrong),
            detail: json!({"log_ratio_test": wrong, "wrong_over_static": cohort.subjects.iter().map(|s| s.real.wrong_ratio()).collect::<Vec<_>>()}),
        },
    ]
}

/// B3: does the saving survive the previous window, and exceed that of stationary surrogates?
pub fn beyond_fitting(cohort: &Cohort) -> ClaimOutcome {
    let previous: Vec<f64> = cohort.subjects.iter().map(|s| s.real.previous_ratio()).collect();
    let surrogate: Vec<f64> = cohort.subjects.iter().map(|s| mean(&s.surrogate_ratios)).collect();
    let real: Vec<f64> = cohort.subjects.iter().map(|s| s.real.ratio()).collect();
    let survives = t_test(&previous.iter().map(|r| r.ln()).collect::<Vec<_>>());
    let excess = t_test(&real.iter().zip(&surrogate).map(|(r, s)| (r / s).ln()).collect::<Vec<_>>());
    let holds = |t: &Option<crate::stats::TTest>| t.as_ref().is_some_and(|t| t.mean < 0.0 && t.p < 0.01);
    ClaimOutcome {
        id: "b3".into(),
        measured: mean(&previous),
        holds: holds(&survives) && holds(&excess),
        detail: json!({"previous_over_static": previous, "previous_test": survives, "real_over_static": real, "surrogate_over_static": surrogate, "excess_test": excess}),
    }
}

/// B4: is the saving greater for the default-mode network than for random sets of its size?
///
/// # Errors
/// Whatever the study finds; [`zoo_core::Error::Cancelled`].
pub fn random_sets(cohort: &Cohort, settings: &Settings, seed: u64, reporter: &dyn Reporter) -> Result<ClaimOutcome> {
    let recordings = cohort.series.iter().map(|s| Recording::new(s.as_ref(), &settings.setting)).collect::<Result<Vec<_>, _>>();
    let recordings = recordings.map_err(crate::model::data_error)?;
    let regions = cohort.series.first().map_or(0, Mat::nrows);
    let ratio = |set: &[usize]| -> Result<f64, crate::error::Error> {
        Ok(mean(&recordings.iter().map(|r| r.ratio(set)).collect::<Result<Vec<_>, _>>()?))
    };
    let own = ratio(&cohort.control).map_err(crate::model::data_error)?;
    const CHUNK: usize = 20;
    let mut ratios = Vec::with_capacity(settings.random_sets);
    while ratios.len() < settings.random_sets {
        reporter.check()?;
        let from = ratios.len();
        let to = (from + CHUNK).min(settings.random_sets);
        let drawn = (from..to).into_par_iter().map(|k| ratio(&random_set(regions, cohort.control.len(), seed.wrapping_add(k as u64))));
        ratios.extend(drawn.collect::<Result<Vec<_>, _>>().map_err(crate::model::data_error)?);
        reporter.progress("random control sets", to as u64, Some(settings.random_sets as u64), "sets");
    }
    let greater = ratios.iter().filter(|&&r| r <= own).count();
    let percentile = 100.0 * (1.0 - greater as f64 / ratios.len().max(1) as f64);
    Ok(ClaimOutcome {
        id: "b4".into(),
        measured: percentile,
        holds: percentile >= 95.0,
        detail: json!({"control_ratio": own, "random_mean": mean(&ratios), "random_sets": ratios.len()}),
    })
}

fn random_set(regions: usize, size: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut all: Vec<usize> = (0..regions).collect();
    for i in 0..size.min(regions) {
        all.swap(i, rng.random_range(i..regions));
    }
    all.truncate(size);
    all
}

/// C: on planted data the comparison against surrogates has power (C1) and raises few false alarms (C2).
///
/// # Errors
/// Whatever the study finds; [`zoo_core::Error::Cancelled`].
pub fn planted_checks(settings: &Settings, seed: u64, reporter: &dyn Reporter) -> Result<Vec<ClaimOutcome>> {
    let plan = &settings.planted;
    let couplings: Vec<_> = (0..plan.regimes).map(|k| planted::coupling(plan.regions, plan.group, k as u64)).collect();
    let control: Vec<usize> = (0..plan.regions / 5).collect();
    let excess = |couplings: &[Mat<f64>], run: u64| {
        let base = seed.wrapping_add(1_000_003 * run);
        let series: Vec<_> =
            (0..plan.recordings).map(|k| planted::switching(couplings, plan.dwell, plan.samples, base.wrapping_add(k as u64))).collect();
        let found = subjects(&series, &plan.setting, &control, 1, base).map_err(crate::model::data_error)?;
        let logs: Vec<f64> = found.iter().map(|s| (s.real.ratio() / s.surrogate_ratios[0]).ln()).collect();
        let below = found.iter().filter(|s| s.real.ratio() < 1.0).count();
        Ok::<_, zoo_core::Error>((t_test(&logs), below))
    };
    let (power, below) = excess(&couplings, 0)?;
    let mut alarms = 0usize;
    for run in 0..plan.null_runs {
        reporter.check()?;
        let (test, _) = excess(&couplings[..1], 1 + run as u64)?;
        alarms += usize::from(test.is_some_and(|t| t.mean < 0.0 && t.p < 0.1));
        reporter.progress("stationary planted data", run as u64 + 1, Some(plan.null_runs as u64), "runs");
    }
    let rate = 100.0 * alarms as f64 / plan.null_runs.max(1) as f64;
    Ok(vec![
        ClaimOutcome {
            id: "c1".into(),
            measured: power.as_ref().map_or(f64::NAN, |t| t.mean.exp()),
            holds: below == plan.recordings && power.as_ref().is_some_and(|t| t.mean < 0.0 && t.p < 0.01),
            detail: json!({"excess_test": power, "recordings_below_1": below, "recordings": plan.recordings}),
        },
        ClaimOutcome {
            id: "c2".into(),
            measured: rate,
            holds: rate <= 7.0,
            detail: json!({"alarms": alarms, "runs": plan.null_runs, "alarm": "one-sided p < 0.05"}),
        },
    ])
}
