//! Patients through a session, and what follows.

use crate::bank::Features;
use crate::concepts::{CONCEPTS, COUNT, bayes};
use crate::config::{MODALITIES, PaperConfig};
use crate::export::export;
use crate::metrics::{accuracy, auroc, confusion, greatest, macro_f1, softmax};
use crate::model::{metadata, standardise};
use crate::phantom::Patient;
use serde::Serialize;
use zoo_core::{Error, Reporter, Result, Session, Tensor, Weights, Workbench};

/// Patients a run of the session.
const BATCH: usize = 8;

/// What the whole graph gave for a patient.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The black box's class scores.
    pub blackbox: Vec<f64>,
    /// Concept scores; 0 where the group is absent.
    pub scores: Vec<f64>,
    /// The bottleneck's class scores.
    pub logits: Vec<f64>,
}

/// Images and mask of a modality of some patients, `[patients, images, channels, side, side]` and `[patients, images]`.
///
/// # Errors
/// [`Error::Argument`] for an image of another size.
pub fn padded(patients: &[Patient], modality: usize, images: usize, paper: &PaperConfig) -> Result<(Tensor, Tensor)> {
    let (channels, side) = (paper.network.channels, paper.network.side);
    let size = channels * side * side;
    let (mut pixels, mut mask) = (vec![0.0f32; patients.len() * images * size], vec![0.0f32; patients.len() * images]);
    for (p, patient) in patients.iter().enumerate() {
        if patient.images[modality].len() > images {
            return Err(Error::argument("images of a bag", format!("at most {images}"), patient.images[modality].len()));
        }
        for (i, image) in patient.images[modality].iter().enumerate() {
            if image.len() != size {
                return Err(Error::shape("image of a bag", [channels, side, side], image.len()));
            }
            let at = p * images + i;
            pixels[at * size..(at + 1) * size].iter_mut().zip(image).for_each(|(to, from)| *to = standardise(*from));
            mask[at] = 1.0;
        }
    }
    Ok((Tensor::from_vec([patients.len(), images, channels, side, side], pixels)?, Tensor::from_vec([patients.len(), images], mask)?))
}

/// Runs the graph `mmcbm_patient`.
///
/// # Errors
/// [`Error::Argument`] for a patient without any image; whatever running finds.
pub fn run(session: &mut dyn Session, patients: &[Patient], paper: &PaperConfig, reporter: &dyn Reporter) -> Result<Vec<Found>> {
    if let Some(empty) = patients.iter().find(|p| p.images.iter().all(Vec::is_empty)) {
        return Err(Error::argument(format!("images of patient {}", empty.index), "at least one of some modality", "none"));
    }
    let mut all = Vec::with_capacity(patients.len());
    for chunk in patients.chunks(BATCH) {
        reporter.check()?;
        reporter.progress("patients", all.len() as u64, Some(patients.len() as u64), "patients");
        let mut parts = Vec::new();
        for m in 0..MODALITIES.len() {
            let (images, mask) = padded(chunk, m, paper.phantom.images, paper)?;
            let name = MODALITIES[m].to_lowercase();
            parts.extend([(name.clone(), images), (format!("mask_{name}"), mask)]);
        }
        let inputs: Vec<Tensor> = session
            .inputs()
            .iter()
            .map(|spec| parts.iter().find(|(name, _)| *name == spec.name).map(|(_, tensor)| tensor.clone()))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::artifact("session", "inputs", "expected those of the graph mmcbm_patient"))?;
        let names: Vec<String> = session.outputs().iter().map(|spec| spec.name.clone()).collect();
        let outputs = session.run(&inputs)?;
        let rows = |name: &str| -> Result<Vec<Vec<f64>>> {
            let tensor = names.iter().position(|n| n == name).and_then(|i| outputs.get(i));
            let tensor = tensor.ok_or_else(|| Error::artifact("session", "outputs", format!("expected `{name}`, found {names:?}")))?;
            let each = tensor.len() / chunk.len();
            Ok(tensor.to_f32().chunks_exact(each.max(1)).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect())
        };
        let (blackbox, scores, logits) = (rows("blackbox_logits")?, rows("concept_scores")?, rows("logits")?);
        all.extend(blackbox.into_iter().zip(scores).zip(logits).map(|((blackbox, scores), logits)| Found { blackbox, scores, logits }));
    }
    Ok(all)
}

/// What the answers on a split are worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worth {
    /// Macro F1 of the bottleneck.
    pub f1: f64,
    /// Its share of right answers.
    pub accuracy: f64,
    /// Macro F1 of the black box.
    pub blackbox_f1: f64,
    /// Macro F1 of the best possible answer from the true concepts of the modalities there are.
    pub bayes_f1: f64,
    /// One-versus-rest area under the curve of each class.
    pub class_auroc: Vec<f64>,
    /// Area under the curve of each concept, over patients that have its modality's group.
    pub concept_auroc: Vec<f64>,
    /// `[true][answered]` patients.
    pub confusion: Vec<Vec<u64>>,
}

/// Measures answers.
pub fn measure(patients: &[Patient], found: &[Found], classes: usize) -> Worth {
    let labels: Vec<usize> = patients.iter().map(|p| p.class).collect();
    let answers: Vec<usize> = found.iter().map(|f| greatest(&f.logits)).collect();
    let blackbox: Vec<usize> = found.iter().map(|f| greatest(&f.blackbox)).collect();
    let best: Vec<usize> = patients.iter().map(|p| greatest(&bayes(&p.visible()))).collect();
    let class_auroc = (0..classes)
        .map(|k| {
            let scores: Vec<f64> = found.iter().map(|f| softmax(&f.logits)[k]).collect();
            auroc(&scores, &labels.iter().map(|&l| l == k).collect::<Vec<_>>()).unwrap_or(f64::NAN)
        })
        .collect();
    let scores: Vec<Vec<Option<f64>>> = found.iter().map(|f| f.scores.iter().map(|s| Some(*s)).collect()).collect();
    Worth {
        f1: macro_f1(&labels, &answers, classes),
        accuracy: accuracy(&labels, &answers),
        blackbox_f1: macro_f1(&labels, &blackbox, classes),
        bayes_f1: macro_f1(&labels, &best, classes),
        class_auroc,
        concept_auroc: concept_auroc(patients, &scores),
        confusion: confusion(&labels, &answers, classes),
    }
}

/// Area under the curve of each concept, over the patients that have images of its own modality.
pub fn concept_auroc(patients: &[Patient], scores: &[Vec<Option<f64>>]) -> Vec<f64> {
    (0..COUNT)
        .map(|c| {
            let there: Vec<usize> = (0..patients.len()).filter(|&i| !patients[i].images[CONCEPTS[c].1].is_empty()).collect();
            let values: Vec<f64> = there.iter().map(|&i| scores[i][c].unwrap_or(0.0)).collect();
            auroc(&values, &there.iter().map(|&i| patients[i].truth[c]).collect::<Vec<_>>()).unwrap_or(f64::NAN)
        })
        .collect()
}

/// The three encoders, compiled.
pub struct Encoders(Vec<Box<dyn Session>>);

impl Encoders {
    /// Compiles them on the chosen backend.
    ///
    /// # Errors
    /// Whatever exporting and compiling find.
    pub fn new(paper: &PaperConfig, weights: &Weights, bench: &mut dyn Workbench) -> Result<Self> {
        let compile = |m: &&str| bench.compile(&export(&format!("mmcbm_encoder_{m}"), None, paper, weights, &metadata(paper))?);
        Ok(Self(MODALITIES.iter().map(compile).collect::<Result<_>>()?))
    }

    /// Features and last maps `[F, h, w]` of an image.
    ///
    /// # Errors
    /// Whatever running finds.
    pub fn image(&mut self, modality: usize, image: &[f32], paper: &PaperConfig) -> Result<(Vec<f32>, Tensor)> {
        let (channels, side) = (paper.network.channels, paper.network.side);
        let pixels = image.iter().map(|v| standardise(*v)).collect::<Vec<f32>>();
        let mut outputs = self.0[modality].run(&[Tensor::from_vec([1, channels, side, side], pixels)?])?;
        if outputs.len() != 2 {
            return Err(Error::artifact("session", "outputs", "expected features and maps"));
        }
        let maps = outputs.remove(1);
        Ok((outputs.remove(0).to_f32(), maps))
    }

    /// Features of all images of the patients.
    ///
    /// # Errors
    /// Whatever running finds; [`Error::Cancelled`].
    pub fn features(&mut self, patients: &[Patient], paper: &PaperConfig, reporter: &dyn Reporter) -> Result<Vec<Features>> {
        let mut all = Vec::with_capacity(patients.len());
        for patient in patients {
            reporter.check()?;
            reporter.progress("encoding", all.len() as u64, Some(patients.len() as u64), "patients");
            let mut own = Features::default();
            for (m, images) in patient.images.iter().enumerate() {
                for image in images {
                    own[m].push(self.image(m, image, paper)?.0);
                }
            }
            all.push(own);
        }
        Ok(all)
    }
}
