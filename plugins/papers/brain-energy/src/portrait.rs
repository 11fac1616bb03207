//! A cohort's regions, states and Gramians, for the pictures of the report. No bar is judged by them.

use crate::atlas::{Atlas, region};
use crate::claims::Cohort;
use crate::control::controllability;
use crate::energy::System;
use crate::error::Result;
use crate::graph::strength;
use crate::study::{Recording, Setting};
use crate::transitions::kmeans;
use faer::Mat;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Restarts of k-means.
const RESTARTS: usize = 5;

/// What pictures are drawn from. Lists over regions are in the order of the kept regions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Portrait {
    /// Names of the regions.
    pub regions: Vec<String>,
    /// The part of the brain each is counted to.
    pub parts: Vec<String>,
    /// Whether it is of the control set.
    pub control: Vec<bool>,
    /// Energy of its input under the whole recording's connectivity, mean of transitions, windows and subjects.
    pub fixed: Vec<f64>,
    /// The same under the window's own connectivity.
    pub dynamic: Vec<f64>,
    /// Sum of its correlations, negative ones set to zero, mean of subjects.
    pub strength: Vec<f64>,
    /// Average controllability, mean of subjects.
    pub average: Vec<f64>,
    /// Modal controllability, mean of subjects.
    pub modal: Vec<f64>,
    /// Condition numbers of the Gramian of each subject: the whole recording's, then the windows'.
    pub conditions: Vec<Vec<f64>>,
    /// Centroids of the k-means states of all subjects together, z-scored: states of regions.
    pub states: Vec<Vec<f64>>,
    /// Probability of the next sample's state, a row a state.
    pub steps: Vec<Vec<f64>>,
    /// Energy from state to state under the whole recording's connectivity, mean of subjects, a row a start.
    pub energies: Vec<Vec<f64>>,
}

/// One subject's part of the portrait.
struct One {
    regional: [Vec<f64>; 2],
    measures: [Vec<f64>; 3],
    conditions: Vec<f64>,
    whole: System,
}

impl One {
    fn new(recording: &Recording, setting: &Setting, control: &[usize]) -> Result<Self> {
        let (whole, systems) = recording.systems(control)?;
        let coupling = recording.coupling()?;
        let positive = Mat::from_fn(coupling.nrows(), coupling.ncols(), |i, j| coupling[(i, j)].max(0.0));
        let controlled = controllability(coupling.as_ref(), setting.c)?;
        Ok(Self {
            regional: recording.regional(&whole, &systems),
            measures: [strength(positive.as_ref()), controlled.average, controlled.modal],
            conditions: std::iter::once(&whole).chain(&systems).map(System::condition).collect(),
            whole,
        })
    }
}

/// Looks at a cohort whose kept regions have the places `kept` in the atlas.
///
/// # Errors
/// Whatever the study finds in the data.
pub fn portrait(cohort: &Cohort, setting: &Setting, atlas: Option<Atlas>, kept: &[usize], seed: u64) -> Result<Portrait> {
    let recordings = cohort.series.par_iter().map(|s| Recording::new(s.as_ref(), setting)).collect::<Result<Vec<_>>>()?;
    let all = recordings.par_iter().map(|r| One::new(r, setting, &cohort.control)).collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = kept.iter().map(|&place| region(atlas, place)).collect();
    let over = |of: &dyn Fn(&One) -> &[f64]| mean_of_each(&all.iter().map(of).collect::<Vec<_>>());
    let states = states(&recordings, setting.states, seed);
    let energy = |from: usize, to: usize| {
        let columns = (states.centroids.col(from), states.centroids.col(to));
        all.iter().map(|one| one.whole.energy(columns.0, columns.1)).sum::<f64>() / all.len().max(1) as f64
    };
    let count = states.centroids.ncols();
    Ok(Portrait {
        regions: names.iter().map(|(name, _)| name.clone()).collect(),
        parts: names.iter().map(|(_, part)| (*part).to_string()).collect(),
        control: (0..kept.len()).map(|i| cohort.control.contains(&i)).collect(),
        fixed: over(&|one| &one.regional[0]),
        dynamic: over(&|one| &one.regional[1]),
        strength: over(&|one| &one.measures[0]),
        average: over(&|one| &one.measures[1]),
        modal: over(&|one| &one.measures[2]),
        conditions: all.iter().map(|one| one.conditions.clone()).collect(),
        states: (0..count).map(|s| states.centroids.col(s).iter().copied().collect()).collect(),
        steps: states.steps,
        energies: (0..count).map(|from| (0..count).map(|to| energy(from, to)).collect()).collect(),
    })
}

fn mean_of_each(rows: &[&[f64]]) -> Vec<f64> {
    let regions = rows.first().map_or(0, |row| row.len());
    (0..regions).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64).collect()
}

struct States {
    centroids: Mat<f64>,
    steps: Vec<Vec<f64>>,
}

/// States of all recordings together; no step goes from one recording to the next.
fn states(recordings: &[Recording], count: usize, seed: u64) -> States {
    let regions = recordings.first().map_or(0, |r| r.series().nrows());
    let places: Vec<(usize, usize)> =
        recordings.iter().enumerate().flat_map(|(r, recording)| (0..recording.series().ncols()).map(move |t| (r, t))).collect();
    let together = Mat::from_fn(regions, places.len(), |i, p| recordings[places[p].0].series()[(i, places[p].1)]);
    let found = kmeans(together.as_ref(), count, RESTARTS, seed);
    let count = found.centroids.ncols();
    let mut steps = vec![vec![0.0; count]; count];
    for (pair, labels) in places.windows(2).zip(found.labels.windows(2)) {
        if pair[0].0 == pair[1].0 {
            steps[labels[0]][labels[1]] += 1.0;
        }
    }
    for row in &mut steps {
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= total.max(1.0));
    }
    States { centroids: found.centroids, steps }
}
