//! The bars of the reproduction (specification section 6), re-measured over all seeds with their controls.

mod audit;
mod real;
mod trade;

pub use audit::{Audit, audit};
pub use real::{Table, arm_calls, table};
pub use trade::{quotes, trade};

use crate::baselines::{Logistic, majority, momentum};
use crate::config::{ClaimsConfig, PaperConfig, end_of_month};
use crate::head::Head;
use crate::runs::{calls, labels};
use crate::stats::{Call, Confusion, permutation_band, score};
use crate::study::{Corpus, Part, Sample};
use serde_json::{Value, json};
use zoo_core::{ClaimOutcome, Config, Error, Level, Result, Weights, Workbench};

/// What stands beside every result of this plugin.
pub const NOTICE: &str = "research output, not investment advice";

/// A trained run: its seed, its weights, its configuration.
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// All arms.
    pub weights: Weights,
    /// Configuration it is registered with.
    pub paper: PaperConfig,
}

impl Run {
    /// Opens a registered run.
    ///
    /// # Errors
    /// Whatever fetching and reading find.
    pub fn open(model: &str, seed: u64, bench: &mut dyn Workbench) -> Result<Self> {
        let (weights, config) = bench.weights(model, Some(seed))?;
        Ok(Self { seed, weights, paper: PaperConfig::read(&config)? })
    }

    /// One arm.
    ///
    /// # Errors
    /// As [`Head::new`].
    pub fn head(&self, arm: &str) -> Result<Head> {
        Head::new(self.paper.network, self.paper.arm(arm)?, arm, &self.weights)
    }
}

/// Measures all bars. A part that can't be measured leaves its claims unmeasured, with a warning, and does not take the
/// others with it.
///
/// # Errors
/// [`Error::NotOffered`] for a configuration without counted runs, [`Error::Cancelled`]; whatever reading the data finds.
pub fn claims(model: &str, paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let Some(counted) = paper.claims.clone().filter(|c| !c.seeds.is_empty()) else {
        return Err(Error::NotOffered { who: model.into(), what: "claims".into(), hint: "its configuration counts no runs".into() });
    };
    let mut corpus = Corpus::read(&paper.dataset, "days", bench)?;
    corpus.embed(&paper.encoder, paper.network.embedding, bench)?;
    let mut outcomes = Vec::new();
    let mut keep = |what: &str, found: Result<Vec<ClaimOutcome>>, bench: &mut dyn Workbench| match found {
        Ok(found) => {
            outcomes.extend(found);
            Ok(())
        }
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => {
            bench.log(Level::Warn, "stock-attention", &format!("{what} was not measured: {error}"));
            Ok(())
        }
    };
    let found = audit(&counted.cut, bench).map(|a| vec![a.outcome()]);
    keep("the audit (a1)", found, bench)?;
    let found = open_all(model, &counted.seeds, bench).and_then(|runs| on_real_data(&runs, &corpus, paper));
    keep("real data (a2, b2, b4, b5)", found, bench)?;
    let found = planted(&counted, bench).map(|c| vec![c]);
    keep("the planted rule (b1)", found, bench)?;
    let found = walk(model, &counted, &corpus, bench).map(|c| vec![c]);
    keep("the walk forward (b3)", found, bench)?;
    Ok(outcomes)
}

fn open_all(model: &str, seeds: &[u64], bench: &mut dyn Workbench) -> Result<Vec<Run>> {
    seeds.iter().map(|&seed| Run::open(model, seed, bench)).collect()
}

pub(crate) fn outcome(id: &str, measured: f64, holds: bool, detail: Value) -> ClaimOutcome {
    ClaimOutcome { id: id.into(), measured, holds, detail }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn on_real_data(runs: &[Run], corpus: &Corpus, paper: &PaperConfig) -> Result<Vec<ClaimOutcome>> {
    let days = paper.days()?;
    let labels = labels(corpus, paper)?;
    let table = table(runs, corpus, &labels, days)?;
    let mut outcomes = vec![canary(runs, corpus, &labels, days)?, table.outcome(), credibility(runs, corpus, &labels, days)?];
    outcomes.push(trade::outcome_of(runs, corpus, days)?);
    Ok(outcomes)
}

/// A2: a leaked label is found, shuffled labels teach nothing.
fn canary(runs: &[Run], corpus: &Corpus, labels: &[i8], days: [i64; 3]) -> Result<ClaimOutcome> {
    let mut rows = Vec::new();
    let (mut least, mut inside) = (1.0f64, true);
    for run in runs {
        let leaked = Confusion::count(calls(&run.head("canary")?, corpus, labels, days, Part::Test)?).accuracy();
        let shuffled = calls(&run.head("shuffled")?, corpus, labels, days, Part::Test)?;
        let (accuracy, band) = (Confusion::count(shuffled.iter().copied()).accuracy(), permutation_band(&shuffled, run.seed));
        least = least.min(leaked);
        inside &= band[0] <= accuracy && accuracy <= band[1];
        rows.push(json!({"seed": run.seed, "leaked_label": leaked, "shuffled_labels": accuracy, "band95": band}));
    }
    Ok(outcome("a2", least, least > 0.95 && inside, json!({"by_seed": rows, "shuffled_inside_band": inside})))
}

/// B4: whether it matters which post has which credibility, on validation days.
fn credibility(runs: &[Run], corpus: &Corpus, labels: &[i8], days: [i64; 3]) -> Result<ClaimOutcome> {
    const DRAWS: usize = 99;
    let mut rows = Vec::new();
    let mut drops = Vec::new();
    for run in runs {
        let head = run.head(&run.paper.main)?;
        let plain = Confusion::count(calls(&head, corpus, labels, days, Part::Val)?).mcc();
        let permuted: Vec<f64> = (0..DRAWS as u64)
            .map(|draw| Ok(Confusion::count(real::permuted_calls(&head, corpus, labels, days, run.seed ^ (draw << 32))?).mcc()))
            .collect::<Result<_>>()?;
        let at_least = permuted.iter().filter(|m| **m >= plain).count();
        let p = (1 + at_least) as f64 / (1 + DRAWS) as f64;
        drops.push(plain - mean(&permuted));
        rows.push(json!({"seed": run.seed, "val_mcc": plain, "permuted_mean": mean(&permuted), "p": p}));
    }
    let drop = mean(&drops);
    let clear = rows.iter().all(|row| row["p"].as_f64().is_some_and(|p| p <= 0.05));
    Ok(outcome("b4", drop, drop > 0.0 && clear, json!({"by_seed": rows, "permutations": DRAWS})))
}

/// B1: the planted rule.
fn planted(counted: &ClaimsConfig, bench: &mut dyn Workbench) -> Result<ClaimOutcome> {
    let runs = open_all(&counted.planted, &counted.seeds, bench)?;
    let first = runs.first().ok_or_else(|| Error::argument("seeds of the planted rule", "at least one", "none"))?;
    let mut corpus = Corpus::read(&first.paper.dataset, "days", bench)?;
    corpus.embed(&first.paper.encoder, first.paper.network.embedding, bench)?;
    let corpus = &corpus;
    let mut rows = Vec::new();
    let mut mains = Vec::new();
    let mut holds = true;
    for run in &runs {
        let days = run.paper.days()?;
        let labels = labels(corpus, &run.paper)?;
        let of = |arm: &str| Ok::<_, Error>(score(&calls(&run.head(arm)?, corpus, &labels, days, Part::Test)?, run.seed));
        let (all, price, text, blind) = (of("multimodal")?, of("price")?, of("text-credibility")?, of("multimodal-blind")?);
        let value = |s: &crate::stats::Score| s.accuracy.value;
        holds &= value(&all) >= 0.80 && value(&price) <= 0.60 && value(&text) <= 0.60 && value(&all) - value(&blind) >= 0.05;
        mains.push(value(&all));
        rows.push(
            json!({"seed": run.seed, "multimodal": all, "price": price, "text_credibility": text, "multimodal_without_credibility": blind}),
        );
    }
    Ok(outcome("b1", mean(&mains), holds, json!({"by_seed": rows, "best_possible": 0.9})))
}

/// B3: each month predicted by heads that were trained on what came before.
fn walk(model: &str, counted: &ClaimsConfig, corpus: &Corpus, bench: &mut dyn Workbench) -> Result<ClaimOutcome> {
    let mut months = Vec::new();
    let mut ahead = 0usize;
    let mut rows = 0usize;
    for name in std::iter::once(model).chain(counted.walk.iter().map(String::as_str)) {
        for run in open_all(name, &counted.seeds[..1], bench)? {
            let [train, val, test] = run.paper.days()?;
            let labels = labels(corpus, &run.paper)?;
            // The month that begins where validation ends.
            let days = [train, val, end_of_month(&run.paper.split.val_until).unwrap_or(test).min(test)];
            let of = |arm: &str| Ok::<_, Error>(Confusion::count(calls(&run.head(arm)?, corpus, &labels, days, Part::Test)?).mcc());
            let (all, price, text) = (of("multimodal")?, of("price")?, of("text-credibility")?);
            let difference = all - price.max(text);
            ahead += usize::from(difference > 0.0);
            rows += 1;
            months.push(json!({"model": name, "seed": run.seed, "from": run.paper.split.val_until, "multimodal": all, "price": price, "text_credibility": text, "difference": difference}));
        }
    }
    Ok(outcome("b3", ahead as f64, ahead == rows, json!({"months": months, "months_ahead": ahead, "of": rows})))
}

/// Calls of the rules that learn little or nothing, by name.
pub(crate) fn baseline_calls(corpus: &Corpus, labels: &[i8], days: [i64; 3]) -> Vec<(&'static str, Vec<Call>)> {
    let items = |part: Part| corpus.part(days, part, |_| true).into_iter().filter(|&i| labels[i] >= 0).collect::<Vec<_>>();
    let (train, val, test) = (items(Part::Train), items(Part::Val), items(Part::Test));
    let truths = |items: &[usize]| items.iter().map(|&i| labels[i] == 1).collect::<Vec<bool>>();
    let rows = |items: &[usize]| items.iter().map(|&i| corpus.samples[i].price.clone()).collect::<Vec<_>>();
    let call = |logit: &dyn Fn(&Sample) -> f32, items: &[usize]| {
        let one = |&i: &usize| {
            let s = &corpus.samples[i];
            Call { day: s.day, stock: s.stock, logit: logit(s), up: labels[i] == 1 }
        };
        items.iter().map(one).collect::<Vec<Call>>()
    };
    let usual = majority(&truths(&train));
    // The penalty is chosen on validation days.
    let fits = [1.0, 10.0, 100.0, 1000.0].map(|penalty| Logistic::fit(&rows(&train), &truths(&train), penalty));
    let quality = |fit: &Logistic| Confusion::count(call(&|s| fit.logit(&s.price), &val)).mcc();
    let best = fits.iter().max_by(|a, b| quality(a).total_cmp(&quality(b)));
    let mut all = vec![("majority", call(&|_| usual, &test)), ("momentum", call(&|s| momentum(&s.price), &test))];
    if let Some(best) = best {
        all.push(("logistic-price", call(&|s| best.logit(&s.price), &test)));
    }
    all
}

/// The configuration of a registered model, with its own weights; for commands.
///
/// # Errors
/// Whatever reading finds.
pub fn first_run(model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Run> {
    let paper = PaperConfig::read(config)?;
    let (weights, _) = bench.weights(model, None)?;
    Ok(Run { seed: bench.seed(), weights, paper })
}
