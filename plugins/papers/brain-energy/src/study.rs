//! The comparison of the paper: energy of the same transitions under dynamic and under static connectivity, with the
//! controls that tell fitting a window from following real change.

use crate::connectivity::{Coupling, coupling, windows, zscore};
use crate::energy::{Modes, System};
use crate::error::{Error, Result};
use crate::surrogate::phase_randomised;
use crate::transitions::{self, Pairs, Transitions};
use faer::{Mat, MatRef};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// One setting of the analysis. Which one the paper used could not be read; each is our choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Samples a window (TR).
    pub window: usize,
    /// Samples between window starts; windows do not overlap where it equals `window`.
    pub step: usize,
    /// Control horizon `T`, in the time unit of the normalised system.
    pub horizon: f64,
    /// Input weight outside the control set.
    pub eps: f64,
    /// Constant `c` of the normalisation.
    #[serde(default = "one")]
    pub c: f64,
    /// Samples between transitions inside a window.
    #[serde(default = "six")]
    pub stride: usize,
    /// What becomes the coupling matrix.
    #[serde(default)]
    pub coupling: Coupling,
    /// Whether negative couplings are set to zero.
    #[serde(default)]
    pub drop_negative: bool,
    /// What counts as a transition.
    #[serde(default)]
    pub transitions: Transitions,
    /// Number of k-means states, for [`Transitions::States`].
    #[serde(default = "five")]
    pub states: usize,
}

fn one() -> f64 {
    1.0
}
fn five() -> usize {
    5
}
fn six() -> usize {
    6
}

/// Mean energies of one subject's transitions under each connectivity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Energies {
    /// Connectivity of the transition's own window.
    pub dynamic: f64,
    /// Connectivity of the whole recording.
    pub fixed: f64,
    /// Connectivity of a window half a recording away.
    pub wrong: f64,
    /// Connectivity of the window before (first window left out).
    pub previous: f64,
    /// Connectivity of the whole recording, without the first window: the partner of `previous`.
    pub fixed_without_first: f64,
    /// Greatest condition number of a Gramian met.
    pub worst_condition: f64,
}

impl Energies {
    /// Dynamic over static.
    pub fn ratio(&self) -> f64 {
        self.dynamic / self.fixed
    }

    /// Wrong window over static.
    pub fn wrong_ratio(&self) -> f64 {
        self.wrong / self.fixed
    }

    /// Previous window over static.
    pub fn previous_ratio(&self) -> f64 {
        self.previous / self.fixed_without_first
    }
}

/// A recording, prepared once and analysed under many control sets.
pub struct Recording {
    series: Mat<f64>,
    whole: Modes,
    windows: Vec<(Range<usize>, Modes)>,
    pairs: Vec<Pairs>,
    setting: Setting,
}

impl Recording {
    /// Prepares `series` `[regions, samples]`: z-scores, connectivities, modes and transitions.
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::Constant`], [`Error::TooShort`] and whatever the decompositions find.
    pub fn new(series: MatRef<'_, f64>, setting: &Setting) -> Result<Self> {
        let series = zscore(series)?;
        let all = windows(series.ncols(), setting.window, setting.step)?;
        if all.len() < 2 {
            return Err(Error::TooShort { need: setting.window + setting.step, have: series.ncols() });
        }
        let modes = |range: Range<usize>| {
            let matrix = coupling(series.as_ref(), range, setting.coupling, setting.drop_negative)?;
            Modes::normalised(matrix.as_ref(), setting.c)
        };
        let whole = modes(0..series.ncols())?;
        let windows = all.iter().map(|range| Ok((range.clone(), modes(range.clone())?))).collect::<Result<Vec<_>>>()?;
        let pairs = pairs(series.as_ref(), &all, setting);
        Ok(Self { series, whole, windows, pairs, setting: setting.clone() })
    }

    /// The z-scored series.
    pub fn series(&self) -> MatRef<'_, f64> {
        self.series.as_ref()
    }

    /// Number of windows.
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Energies of all transitions with full input on `control` and `eps` elsewhere.
    ///
    /// # Errors
    /// [`Error::Size`] for a control region there is not, [`Error::Singular`] if a Gramian can't be inverted,
    /// [`Error::TooShort`] if no window holds a transition.
    pub fn energies(&self, control: &[usize]) -> Result<Energies> {
        let (whole, systems) = self.systems(control)?;
        let count = systems.len();
        let mut sums = [0.0; 5];
        let (mut all, mut later) = (0usize, 0usize);
        for (k, pairs) in self.pairs.iter().enumerate() {
            let mean = |s: &System| pairs.mean(&s.energies(pairs.from.as_ref(), pairs.to.as_ref()));
            let Some(fixed) = mean(&whole) else { continue };
            let energy = |i: usize| mean(&systems[i]).unwrap_or(fixed);
            sums[0] += energy(k);
            sums[1] += fixed;
            sums[2] += energy((k + count / 2) % count);
            all += 1;
            if k > 0 {
                sums[3] += energy(k - 1);
                sums[4] += fixed;
                later += 1;
            }
        }
        if later == 0 {
            return Err(Error::TooShort { need: 2, have: all });
        }
        let worst_condition = systems.iter().map(System::condition).fold(whole.condition(), f64::max);
        let (all, later) = (all as f64, later as f64);
        Ok(Energies {
            dynamic: sums[0] / all,
            fixed: sums[1] / all,
            wrong: sums[2] / all,
            previous: sums[3] / later,
            fixed_without_first: sums[4] / later,
            worst_condition,
        })
    }

    /// The system of the whole recording and those of the windows, with full input on `control` and `eps` elsewhere.
    ///
    /// # Errors
    /// As [`Recording::energies`].
    pub fn systems(&self, control: &[usize]) -> Result<(System, Vec<System>)> {
        let b = self.input(control)?;
        let system = |modes: &Modes| System::of_modes(modes, &b, self.setting.horizon);
        Ok((system(&self.whole)?, self.windows.iter().map(|(_, modes)| system(modes)).collect::<Result<_>>()?))
    }

    /// Coupling of the whole recording, `[regions, regions]`.
    ///
    /// # Errors
    /// None that [`Recording::new`] has not met.
    pub fn coupling(&self) -> Result<Mat<f64>> {
        coupling(self.series(), 0..self.series.ncols(), self.setting.coupling, self.setting.drop_negative)
    }

    /// Energy of each region's input under the system of the whole recording and under those of the windows, as
    /// [`Recording::systems`] gives them: means of transitions and windows, which sum to [`Energies`]' `fixed` and `dynamic`.
    pub fn regional(&self, whole: &System, systems: &[System]) -> [Vec<f64>; 2] {
        let mut sums = [0, 1].map(|_| vec![0.0; self.series.nrows()]);
        let mut counted = 0.0;
        for (pairs, own) in self.pairs.iter().zip(systems) {
            let total: f64 = pairs.weight.iter().sum();
            if total <= 0.0 {
                continue;
            }
            counted += 1.0;
            for (k, weight) in pairs.weight.iter().enumerate() {
                for (sum, system) in sums.iter_mut().zip([whole, own]) {
                    let regional = system.regional(pairs.from.col(k), pairs.to.col(k));
                    sum.iter_mut().zip(regional).for_each(|(sum, energy)| *sum += energy * weight / total);
                }
            }
        }
        sums.map(|sum| sum.into_iter().map(|energy| energy / f64::max(counted, 1.0)).collect())
    }

    /// Dynamic over static for a control set, without the controls; what the random-set comparison needs many times.
    ///
    /// # Errors
    /// As [`Recording::energies`].
    pub fn ratio(&self, control: &[usize]) -> Result<f64> {
        let b = self.input(control)?;
        let whole = System::of_modes(&self.whole, &b, self.setting.horizon)?;
        let (mut dynamic, mut fixed) = (0.0, 0.0);
        for ((_, modes), pairs) in self.windows.iter().zip(&self.pairs) {
            let system = System::of_modes(modes, &b, self.setting.horizon)?;
            let mean = |s: &System| pairs.mean(&s.energies(pairs.from.as_ref(), pairs.to.as_ref()));
            if let (Some(d), Some(f)) = (mean(&system), mean(&whole)) {
                dynamic += d;
                fixed += f;
            }
        }
        Ok(dynamic / fixed)
    }

    fn input(&self, control: &[usize]) -> Result<Vec<f64>> {
        let regions = self.series.nrows();
        let mut b = vec![self.setting.eps; regions];
        for &region in control {
            let slot = b.get_mut(region).ok_or_else(|| Error::Size {
                what: "control set",
                expected: format!("regions below {regions}"),
                found: region.to_string(),
            })?;
            *slot = 1.0;
        }
        Ok(b)
    }
}

fn pairs(series: MatRef<'_, f64>, windows: &[Range<usize>], setting: &Setting) -> Vec<Pairs> {
    match setting.transitions {
        Transitions::Samples => windows.iter().map(|w| transitions::samples(series, w, setting.stride)).collect(),
        Transitions::WindowMeans => {
            // The last window has no next one.
            let next = windows.iter().skip(1).zip(windows).map(|(next, w)| transitions::window_means(series, w, next));
            next.collect()
        }
        Transitions::States => {
            let states = transitions::kmeans(series, setting.states, 5, 0);
            windows.iter().map(|w| states.pairs(w)).collect()
        }
    }
}

/// One subject under one setting: real data and surrogates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// Energies of the real recording.
    pub real: Energies,
    /// Dynamic over static of each phase-randomised surrogate.
    pub surrogate_ratios: Vec<f64>,
}

/// Analyses subjects in parallel, each with `surrogates` surrogates drawn from `seed`.
///
/// # Errors
/// The first error of any subject.
pub fn subjects(series: &[Mat<f64>], setting: &Setting, control: &[usize], surrogates: usize, seed: u64) -> Result<Vec<Subject>> {
    let one = |(index, series): (usize, &Mat<f64>)| {
        let real = Recording::new(series.as_ref(), setting)?.energies(control)?;
        let ratio = |k: usize| {
            let seed = seed.wrapping_add((index * surrogates + k) as u64);
            Recording::new(phase_randomised(series.as_ref(), seed).as_ref(), setting)?.ratio(control)
        };
        Ok(Subject { real, surrogate_ratios: (0..surrogates).map(ratio).collect::<Result<_>>()? })
    };
    series.par_iter().enumerate().map(one).collect()
}
