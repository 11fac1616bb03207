//! Evaluation of the exported graph: every answer comes out of the session.

use crate::config::PaperConfig;
use crate::head::{CREDIBILITY_FEATURES, LAG_DAYS, PRICE_DAYS, PRICE_FEATURES};
use crate::runs::labels;
use crate::stats::{Call, score};
use crate::study::{Corpus, Part};
use serde_json::json;
use zoo_core::metric::Estimate;
use zoo_core::{Dataset, Error, Measurements, Result, Session, Tensor, Workbench};

/// Samples a run of the session.
const BATCH: usize = 32;

/// Measures accuracy and correlation on the labelled samples of the test part, in the order of days. The samples come
/// from the data set's every trading day, so `dataset` only says which data set it is.
///
/// # Errors
/// Whatever reading, encoding and running find.
pub fn evaluate(session: &mut dyn Session, dataset: &dyn Dataset, paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Measurements> {
    let mut corpus = Corpus::read(&dataset.info().name.clone(), "days", bench)?;
    corpus.embed(&paper.encoder, paper.network.embedding, bench)?;
    let labels = labels(&corpus, paper)?;
    let mut items = corpus.part(paper.days()?, Part::Test, |_| true);
    items.retain(|&i| labels[i] >= 0);
    items.truncate(bench.limit().unwrap_or(usize::MAX));
    let mut calls = Vec::with_capacity(items.len());
    for (done, chunk) in items.chunks(BATCH).enumerate() {
        bench.check()?;
        bench.progress("evaluating", (done * BATCH) as u64, Some(items.len() as u64), "samples");
        let inputs = inputs(&corpus, chunk, paper.network.embedding, session)?;
        let outputs = session.run(&inputs)?;
        let at = session.outputs().iter().position(|o| o.name == "logit").unwrap_or(0);
        let logits = outputs.get(at).ok_or_else(|| Error::artifact("session", "outputs", "expected `logit`, found none"))?;
        for (&i, &logit) in chunk.iter().zip(logits.as_slice::<f32>()?) {
            let s = &corpus.samples[i];
            calls.push(Call { day: s.day, stock: s.stock, logit, up: labels[i] == 1 });
        }
    }
    let score = score(&calls, bench.seed());
    let ups = calls.iter().filter(|c| c.up).count().max(calls.len() - calls.iter().filter(|c| c.up).count());
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    let majority = 100.0 * ups as f64 / calls.len().max(1) as f64;
    let scaled = |i: crate::stats::Interval, by: f64, unit: &str| Estimate {
        value: by * i.value,
        ci95: Some(i.ci95.map(|v| by * v)),
        unit: unit.into(),
    };
    Ok(Measurements {
        items: calls.len() as u64,
        metrics: vec![
            ("accuracy".into(), scaled(score.accuracy, 100.0, "%")),
            ("mcc".into(), scaled(score.mcc, 1.0, "1")),
            ("majority".into(), Estimate { value: majority, ci95: None, unit: "%".into() }),
        ],
        figures: Vec::new(),
        detail: json!({"confusion": score.confusion, "days": score.days, "interval": "95 %, bootstrap over days", "notice": crate::claims::NOTICE}),
    })
}

/// The graph's inputs for some samples: posts in rows of their day, padded to the fullest day.
///
/// # Errors
/// [`Error::Unknown`] if the session asks for an input that there is not.
pub fn inputs(corpus: &Corpus, items: &[usize], width: usize, session: &dyn Session) -> Result<Vec<Tensor>> {
    let n = items.len();
    let most =
        items.iter().flat_map(|&i| (0..LAG_DAYS as u8).map(move |d| corpus.samples[i].slots.iter().filter(|s| **s == d).count())).max();
    let m = most.unwrap_or(0).max(1);
    let mut text = vec![0.0; n * LAG_DAYS * m * width];
    let mut mask = vec![0.0f32; n * LAG_DAYS * m];
    let mut cred = vec![0.0; n * LAG_DAYS * m * CREDIBILITY_FEATURES];
    let mut price = Vec::with_capacity(n * PRICE_DAYS * PRICE_FEATURES);
    for (row, &item) in items.iter().enumerate() {
        let sample = &corpus.samples[item];
        let (embeddings, credibility) = corpus.gather(sample, true)?;
        let mut next = [0; LAG_DAYS];
        for (i, &slot) in sample.slots.iter().enumerate() {
            let slot = usize::from(slot);
            let at = (row * LAG_DAYS + slot) * m + next[slot];
            next[slot] += 1;
            mask[at] = 1.0;
            text[at * width..][..width].copy_from_slice(&embeddings[i * width..][..width]);
            cred[at * CREDIBILITY_FEATURES..][..CREDIBILITY_FEATURES]
                .copy_from_slice(&credibility[i * CREDIBILITY_FEATURES..][..CREDIBILITY_FEATURES]);
        }
        price.extend_from_slice(&sample.price);
    }
    let days = [n, LAG_DAYS, m];
    let mut made = [
        ("text", Tensor::from_vec([n, LAG_DAYS, m, width], text)?),
        ("text_mask", Tensor::from_vec(days, mask)?),
        ("cred", Tensor::from_vec([n, LAG_DAYS, m, CREDIBILITY_FEATURES], cred)?),
        ("price", Tensor::from_vec([n, PRICE_DAYS, PRICE_FEATURES], price)?),
    ]
    .into_iter()
    .collect::<std::collections::BTreeMap<_, _>>();
    let take = |spec: &zoo_core::TensorSpec| {
        made.remove(spec.name.as_str()).ok_or_else(|| Error::Unknown {
            kind: "input",
            name: spec.name.clone(),
            hint: "inputs are text, text_mask, cred and price".into(),
        })
    };
    session.inputs().iter().map(take).collect()
}
