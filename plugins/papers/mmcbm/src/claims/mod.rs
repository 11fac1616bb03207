//! The bars of specification section 8, over all counted seeds, with their controls.

mod bars;
mod controls;
mod table;

pub use table::{Mlp, TableResult, cross_validate};

use crate::bank::{Bank, Features};
use crate::config::PaperConfig;
use crate::evaluate::{self, Encoders, Worth};
use crate::export::{export, head_of};
use crate::head::{Head, Scores};
use crate::model::metadata;
use crate::phantom::{self, Patient, Split, Template};
use zoo_core::{ClaimOutcome, Config, Error, Level, Result, Workbench};

/// Everything about one seed.
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) bank: Bank,
    pub(crate) head: Head,
    pub(crate) train: Vec<Features>,
    pub(crate) test: Vec<Features>,
    pub(crate) train_scores: Vec<Scores>,
    pub(crate) test_scores: Vec<Scores>,
    pub(crate) worth: Worth,
    /// Greatest difference of the graph's logits from those computed here.
    pub(crate) parity: f64,
}

/// Patients and runs.
pub(crate) struct Study {
    pub(crate) paper: PaperConfig,
    pub(crate) train: Vec<Patient>,
    pub(crate) test: Vec<Patient>,
    pub(crate) runs: Vec<Run>,
}

impl Study {
    pub(crate) fn labels(patients: &[Patient]) -> Vec<usize> {
        patients.iter().map(|p| p.class).collect()
    }
}

fn run(paper: &PaperConfig, seed: u64, model: &str, train: &[Patient], test: &[Patient], bench: &mut dyn Workbench) -> Result<Run> {
    let (weights, _) = bench.weights(model, Some(seed))?;
    let (bank, head) = (Bank::read(&weights, paper.network.features())?, head_of(&paper.network, &weights)?);
    let mut encoders = Encoders::new(paper, &weights, bench)?;
    let train = encoders.features(train, paper, bench.reporter())?;
    let test_features = encoders.features(test, paper, bench.reporter())?;
    let scores = |features: &[Features]| features.iter().map(|f| bank.scores(f)).collect::<Vec<_>>();
    let (train_scores, test_scores) = (scores(&train), scores(&test_features));
    let mut session = bench.compile(&export("mmcbm_patient", None, paper, &weights, &metadata(paper))?)?;
    let found = evaluate::run(session.as_mut(), test, paper, bench.reporter())?;
    let own = test_scores.iter().map(|s| head.logits(s));
    let parity = found.iter().zip(own).flat_map(|(f, own)| f.logits.iter().zip(own).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>());
    let parity = parity.fold(0.0, f64::max);
    let worth = evaluate::measure(test, &found, paper.network.classes);
    Ok(Run { seed, bank, head, train, test: test_features, train_scores, test_scores, worth, parity })
}

/// Measures all bars.
///
/// # Errors
/// [`Error::NotOffered`] for a configuration without counted runs; whatever loading and measuring find.
pub fn claims(model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let paper = PaperConfig::read(config)?;
    let Some(counted) = paper.claims.clone() else {
        return Err(Error::NotOffered { who: model.into(), what: "claims".into(), hint: "its configuration counts no runs".into() });
    };
    let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
    let draw = |split, bench: &dyn Workbench| phantom::patients(&template, &paper.phantom, &paper.network, split, None, bench.reporter());
    let (train, test) = (draw(Split::Train, bench)?, draw(Split::Test, bench)?);
    let mut runs = Vec::new();
    for seed in counted.seeds {
        match run(&paper, seed, model, &train, &test, bench) {
            Ok(run) => runs.push(run),
            Err(error @ Error::Unknown { .. }) => {
                bench.log(Level::Warn, "mmcbm", &format!("seed {seed}: {error}; bars over all seeds stay unmeasured"));
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        }
    }
    let study = Study { paper, train, test, runs };
    let mut outcomes = bars::outcomes(&study)?;
    match bench.dataset("wdbc", "all") {
        Ok(data) => outcomes.push(table::bar(data.as_ref(), &study.paper.head)?),
        Err(error) => bench.log(Level::Warn, "mmcbm", &format!("bar 6 is not measured: {error}")),
    }
    Ok(outcomes)
}
