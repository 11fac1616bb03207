//! Snapshots of a network in training, examined as a network over time (specification section 4).

use crate::config::{PaperConfig, StudyConfig};
use crate::learn::{Look, learn};
use crate::multilayer::{Resolution, structure};
use crate::net::{Form, HebbNet};
use crate::null_model::rewired;
use crate::random::{Purpose, stream};
use crate::score::Score;
use crate::task::Stream;
use crate::windows::{Layers, Series};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use zoo_core::{Error, Reporter, Result};

/// Restarts of the community detection where it only serves a control.
const CONTROL_RESTARTS: usize = 5;

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// Iterations before it.
    pub iteration: u64,
    /// Modularity.
    pub q: f64,
    /// Its standard deviation over restarts.
    pub q_spread: f64,
    /// Communities.
    pub communities: usize,
    /// Overlap of communities with themselves from layer to layer.
    pub stationarity: f64,
    /// Share of layer changes at which units change community.
    pub flexibility: f64,
    /// Entropy in nats of a Gaussian with the units' covariance.
    pub entropy: f64,
    /// Accuracy by the authors' formula.
    pub accuracy: f64,
    /// Balanced accuracy.
    pub balanced: f64,
    /// Modularity of a rewired copy with nearly the same strengths.
    pub q_rewired: f64,
    /// Units that were constant in a window.
    pub constant: usize,
    /// Plasticity rate.
    pub eta: f64,
    /// Decay.
    pub lambda: f64,
}

/// Steps of the validation stream whose activity a portrait shows.
const SHOWN: usize = 60;

/// The trained network on its validation stream, for pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Portrait {
    /// Communities: layers of units.
    pub labels: Vec<Vec<u32>>,
    /// Activity `h` of the first steps: units of steps.
    pub activity: Vec<Vec<f64>>,
    /// Whether each of those steps repeats an item.
    pub familiar: Vec<bool>,
}

/// Modularity and flexibility of a snapshot under another resolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Varied {
    /// The resolution.
    pub resolution: Resolution,
    /// Modularity.
    pub q: f64,
    /// Flexibility.
    pub flexibility: f64,
}

/// All that one network's training left.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Course {
    /// Seed of data and initial weights.
    pub seed: u64,
    /// Snapshots in order.
    pub snapshots: Vec<Snapshot>,
    /// Every so many snapshots, the sensitivity check.
    #[serde(skip)]
    pub varied: Vec<Vec<Varied>>,
    /// The last snapshot's network.
    #[serde(skip)]
    pub portrait: Portrait,
}

impl Course {
    /// A column of the snapshots.
    pub fn column(&self, of: impl Fn(&Snapshot) -> f64) -> Vec<f64> {
        self.snapshots.iter().map(of).collect()
    }
}

/// Pre-activations of a network on a stream, units by steps, and its answers.
///
/// # Errors
/// [`Error::Argument`] if a value is not finite.
pub fn record(net: &HebbNet, stream: &Stream) -> Result<(Series, Vec<f64>)> {
    let (n, steps) = (net.form.n, stream.steps());
    let mut values = vec![0.0; n * steps];
    let mut t = 0;
    let answers = net.trace(stream, |a, _| {
        a.iter().enumerate().for_each(|(unit, v)| values[unit * steps + t] = *v);
        t += 1;
    });
    Ok((Series::new(n, values)?, answers))
}

/// Trains one network on its stream and examines it every so many iterations.
///
/// # Errors
/// Whatever training and the analysis find.
pub fn course(paper: &PaperConfig, study: &StudyConfig, seed: u64, reporter: &dyn Reporter) -> Result<Course> {
    let form = Form { d: paper.task.d, n: paper.network.n, force: paper.network.force, lam_param: paper.network.lam_param };
    let mut net = HebbNet::new(form, &mut stream(seed, Purpose::Init, 0));
    let validation = paper.task.stream(&mut stream(seed, Purpose::Validation, 0));
    let mut course = Course { seed, snapshots: Vec::new(), varied: Vec::new(), portrait: Portrait::default() };
    let mut last = None;
    learn(&mut net, &study.train, paper.task, seed, reporter, &mut (), |look: &Look<'_, HebbNet>| {
        if look.iteration.is_multiple_of(study.every) {
            let (series, answers) = record(look.net, &validation)?;
            let layers = series.correlations(study.window, study.zero_diagonal)?;
            let (snapshot, labels) = snapshot(look, &series, &layers, &answers, &validation, study, seed)?;
            course.snapshots.push(snapshot);
            last = Some((look.net.clone(), labels));
            if (course.snapshots.len() - 1).is_multiple_of(study.check_stride) {
                course.varied.push(varied(&layers, study, seed)?);
            }
        }
        Ok(())
    })?;
    if let Some((net, labels)) = last {
        course.portrait = portrait(&net, &validation, &labels);
    }
    Ok(course)
}

fn portrait(net: &HebbNet, stream: &Stream, labels: &[u32]) -> Portrait {
    let shown = stream.steps().min(SHOWN);
    let mut activity = vec![Vec::with_capacity(shown); net.form.n];
    net.trace(stream, |_, h| {
        if activity.first().is_some_and(|unit| unit.len() < shown) {
            activity.iter_mut().zip(h).for_each(|(unit, h)| unit.push(*h));
        }
    });
    let labels = labels.chunks_exact(net.form.n.max(1)).map(<[u32]>::to_vec).collect();
    Portrait { labels, activity, familiar: stream.familiar[..shown].to_vec() }
}

fn snapshot(
    look: &Look<'_, HebbNet>,
    series: &Series,
    layers: &Layers,
    answers: &[f64],
    validation: &Stream,
    study: &StudyConfig,
    seed: u64,
) -> Result<(Snapshot, Vec<u32>)> {
    let found = structure(layers, study.resolution, study.restarts, seed)?;
    let mut rng = stream(seed, Purpose::Controls, look.iteration);
    let matrices = layers.matrices.iter().map(|m| rewired(m, layers.units, &mut rng)).collect();
    let control = structure(&Layers { matrices, ..layers.clone() }, study.resolution, CONTROL_RESTARTS, seed)?;
    let score = Score::default().add(answers, &validation.familiar);
    let snapshot = Snapshot {
        iteration: look.iteration,
        q: found.q,
        q_spread: found.q_spread,
        communities: found.communities,
        stationarity: found.stationarity,
        flexibility: found.flexibility,
        entropy: series.gaussian_entropy()?.0,
        accuracy: score.authors(),
        balanced: score.balanced(),
        q_rewired: control.q,
        constant: layers.constant,
        eta: look.net.eta().0,
        lambda: look.net.lambda().0,
    };
    Ok((snapshot, found.labels))
}

fn varied(layers: &Layers, study: &StudyConfig, seed: u64) -> Result<Vec<Varied>> {
    let mut rows = Vec::new();
    for &omega in &study.omegas {
        for &gamma_plus in &study.gammas {
            let resolution = Resolution { omega, gamma_plus, ..study.resolution };
            let found = structure(layers, resolution, CONTROL_RESTARTS, seed)?;
            rows.push(Varied { resolution, q: found.q, flexibility: found.flexibility });
        }
    }
    Ok(rows)
}

/// The courses of all networks of the study, side by side.
///
/// # Errors
/// [`Error::Config`] without a study; as [`course`].
pub fn courses(paper: &PaperConfig, reporter: &dyn Reporter) -> Result<Vec<Course>> {
    let study = paper.study.as_ref().ok_or_else(|| Error::Config {
        key: "study".into(),
        expected: "a table with the study of snapshots".into(),
        found: "nothing".into(),
    })?;
    (0..study.nets).into_par_iter().map(|seed| course(paper, study, seed, reporter)).collect()
}
