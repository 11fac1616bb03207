//! Why, and what if (specification sections 6 and 11).

use crate::bank::Bank;
use crate::concepts::{CLASSES, CONCEPTS, COUNT};
use crate::config::{GROUPS, MODALITIES, PaperConfig, group};
use crate::evaluate::Encoders;
use crate::head::{Head, Scores};
use crate::metrics::{greatest, softmax};
use crate::phantom::Patient;
use serde_json::{Value, json};
use zoo_core::{Error, Result, Tensor};

/// Concepts shown.
const SHOWN: usize = 15;
/// Held-out accuracy below which a concept is not to be relied on.
const DOUBTFUL: f64 = 0.7;
/// Under every report.
const FOOTER: &str = "Research output, not a diagnosis. The patient is a phantom.";

/// Number of a concept by its name or number.
///
/// # Errors
/// [`Error::Unknown`] listing the concepts.
pub fn concept(text: &str) -> Result<usize> {
    let place = CONCEPTS.iter().position(|(name, _)| *name == text);
    place.or_else(|| text.parse().ok().filter(|&n| n < COUNT)).ok_or_else(|| Error::Unknown {
        kind: "concept",
        name: text.into(),
        hint: format!("concepts are {}", CONCEPTS.iter().enumerate().map(|(i, (n, _))| format!("{i}: {n}")).collect::<Vec<_>>().join("; ")),
    })
}

/// Number of a class by its name or number.
///
/// # Errors
/// [`Error::Unknown`] listing the classes.
pub fn class(text: &str) -> Result<usize> {
    let place = CLASSES.iter().position(|name| *name == text);
    place.or_else(|| text.parse().ok().filter(|&n| n < CLASSES.len())).ok_or_else(|| Error::Unknown {
        kind: "class",
        name: text.into(),
        hint: format!("classes are {}", CLASSES.join(", ")),
    })
}

/// The exact map of a concept: the weighted sum of an encoder's last maps. Its mean, with the intercept, is the score.
///
/// # Errors
/// [`Error::Shape`] for maps of another number of features.
pub fn map(bank: &Bank, concept: usize, maps: &Tensor) -> Result<Vec<Vec<f64>>> {
    let plane = &bank.planes[concept];
    let &[_, f, h, w] = maps.shape() else { return Err(Error::shape("last maps", "[1, features, h, w]", maps.shape())) };
    if f != plane.weight.len() {
        return Err(Error::shape("last maps", [1, plane.weight.len(), h, w], maps.shape()));
    }
    let values: &[f32] = maps.as_slice()?;
    let norm = plane.norm().max(f64::MIN_POSITIVE);
    let at = |y: usize, x: usize| (0..f).map(|i| plane.weight[i] * f64::from(values[(i * h + y) * w + x])).sum::<f64>() / norm;
    Ok((0..h).map(|y| (0..w).map(|x| at(y, x)).collect()).collect())
}

/// A patient's class probabilities, the concepts behind the answer, the strongest concept and its map of every image, and warnings.
///
/// # Errors
/// Whatever running the encoders finds.
pub fn explain(patient: &Patient, paper: &PaperConfig, bank: &Bank, head: &Head, encoders: &mut Encoders) -> Result<Value> {
    let mut features = crate::bank::Features::default();
    let mut images = Vec::new();
    for (m, all) in patient.images.iter().enumerate() {
        for (i, image) in all.iter().enumerate() {
            let (feature, maps) = encoders.image(m, image, paper)?;
            let own: Vec<usize> = (0..COUNT).filter(|&c| group(CONCEPTS[c].1) == group(m)).collect();
            let scores: Vec<f64> = own.iter().map(|&c| bank.score(c, &feature)).collect();
            let strongest = own[greatest(&scores)];
            images.push(json!({"modality": MODALITIES[m], "image": i, "strongest": CONCEPTS[strongest].0,
                "score": bank.score(strongest, &feature), "map": map(bank, strongest, &maps)?}));
            features[m].push(feature);
        }
    }
    let scores = bank.scores(&features);
    let logits = head.logits(&scores);
    let answer = greatest(&logits);
    let attention = head.attention(&scores);
    let mut order: Vec<usize> = (0..COUNT).filter(|&c| scores[c].is_some()).collect();
    order.sort_by(|&a, &b| attention[answer][b].total_cmp(&attention[answer][a]));
    let line = |&c: &usize| {
        json!({"concept": CONCEPTS[c].0, "group": GROUPS[group(CONCEPTS[c].1)], "score": scores[c], "weight": head.weight(answer, c),
            "contribution": attention[answer][c], "stated": patient.stated[c], "true": patient.truth[c]})
    };
    let mut warnings: Vec<String> = Vec::new();
    for (c, (name, _)) in CONCEPTS.iter().enumerate() {
        if bank.held_out.get(c).is_some_and(|right| *right < DOUBTFUL) {
            warnings.push(format!("concept `{name}` was right on {:.0} % of held-out images only", 100.0 * bank.held_out[c]));
        }
    }
    warnings.extend((0..3).filter(|&m| patient.images[m].is_empty()).map(|m| format!("modality {} is absent", MODALITIES[m])));
    Ok(json!({
        "patient": patient.index, "answer": CLASSES[answer], "true_class": CLASSES[patient.class],
        "probabilities": CLASSES.iter().zip(softmax(&logits)).map(|(name, p)| json!({"class": name, "probability": p})).collect::<Vec<_>>(),
        "concepts": order.iter().take(SHOWN).map(line).collect::<Vec<_>>(), "images": images, "warnings": warnings, "footer": FOOTER,
    }))
}

/// An edit at test time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// A concept's score.
    Score {
        /// Concept.
        concept: usize,
        /// New score.
        value: f64,
    },
    /// A concept's contribution to a class; its score follows.
    Contribution {
        /// Class.
        class: usize,
        /// Concept.
        concept: usize,
        /// New contribution.
        value: f64,
    },
}

impl Change {
    /// Reads `CONCEPT=SCORE` or `CLASS:CONCEPT=CONTRIBUTION`; names or numbers.
    ///
    /// # Errors
    /// [`Error::Argument`] for other text, [`Error::Unknown`] for a concept or class there is not.
    pub fn read(text: &str) -> Result<Self> {
        let form = "CONCEPT=SCORE or CLASS:CONCEPT=CONTRIBUTION";
        let (place, value) = text.rsplit_once('=').ok_or_else(|| Error::argument("edit", form, text))?;
        let value =
            value.trim().parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(|| Error::argument("edit", "a finite number", value))?;
        match place.split_once(':') {
            Some((k, c)) => Ok(Self::Contribution { class: class(k.trim())?, concept: concept(c.trim())?, value }),
            None => Ok(Self::Score { concept: concept(place.trim())?, value }),
        }
    }
}

/// Applies edits one after another; gives the new scores and a log of what each did.
///
/// # Errors
/// As [`Head::score_for`].
pub fn intervene(head: &Head, scores: &Scores, changes: &[Change]) -> Result<(Scores, Vec<Value>)> {
    let mut now = scores.clone();
    let mut log = Vec::new();
    for change in changes {
        let before = head.logits(&now);
        let (concept, score, clamped) = match *change {
            Change::Score { concept, value } => (concept, value, false),
            Change::Contribution { class, concept, value } => {
                let edit = head.score_for(class, concept, value)?;
                (concept, edit.score, edit.clamped)
            }
        };
        let old = now[concept].replace(score);
        let after = head.logits(&now);
        log.push(json!({"concept": CONCEPTS[concept].0, "old": old, "new": score, "weight_was_too_small": clamped,
            "answer_before": CLASSES[greatest(&before)], "answer_after": CLASSES[greatest(&after)]}));
    }
    Ok((now, log))
}
