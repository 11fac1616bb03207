//! Test images, and what a trained network gives for them.

use crate::config::PaperConfig;
use crate::export::Form;
use crate::model::{SdConv, scaled};
use crate::network::TinySd;
use serde_json::json;
use zoo_core::metric::labels;
use zoo_core::{
    Artifact, ArtifactKind, ClaimOutcome, Config, Error, ExportRequest, Level, Model, Result, Session, Tensor, Weights, Workbench,
};

/// Images a run of the session.
const BATCH: usize = 100;
/// Greatest difference of logits between two paths.
const AGREED: f64 = 1e-4;

/// The test split, ready for a session.
pub struct Exam {
    images: Vec<Tensor>,
    labels: Vec<usize>,
}

/// What a network gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Class of each image.
    pub labels: Vec<usize>,
    /// Greatest logit of each image.
    pub answers: Vec<usize>,
    /// For each dynamic convolution, the kernel with the greatest share, by image.
    pub chosen: Vec<Vec<usize>>,
    /// For each dynamic convolution, the mean entropy of the shares, in nats.
    pub entropy: Vec<f64>,
}

impl Scored {
    /// Accuracy in per cent.
    pub fn accuracy(&self) -> f64 {
        let right = self.answers.iter().zip(&self.labels).filter(|(a, l)| a == l).count();
        100.0 * right as f64 / self.labels.len().max(1) as f64
    }
}

fn greatest(values: &[f32]) -> usize {
    values.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best }).0
}

impl Exam {
    /// Reads the test split, or its first images if the workbench limits them.
    ///
    /// # Errors
    /// Whatever reading finds.
    pub fn read(paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Self> {
        let dataset = bench.dataset(&paper.dataset, "test")?;
        let count = bench.limit().unwrap_or(usize::MAX).min(dataset.len());
        let mut exam = Self { images: Vec::new(), labels: Vec::new() };
        for index in 0..count {
            let item = dataset.get(index)?;
            let [image, label] = item.as_slice() else { return Err(Error::shape("fields of an item", "image, label", item.len())) };
            let shape = [&[1], image.shape()].concat();
            exam.images.push(scaled(&image.reshape(shape)?, paper.white)?);
            for label in labels(label)? {
                let label = usize::try_from(label).map_err(|_| Error::argument(format!("label of item {index}"), "a class", label))?;
                exam.labels.push(label);
            }
        }
        Ok(exam)
    }

    /// Runs a trained network on the chosen backend.
    ///
    /// # Errors
    /// Whatever exporting, compiling and running find.
    pub fn run(&self, family: &SdConv, weights: &Weights, config: &Config, task: &str, bench: &mut dyn Workbench) -> Result<Scored> {
        let mut session = bench.compile(&export(family, Form::B, weights, config)?)?;
        let mut scored = Scored { labels: self.labels.clone(), answers: Vec::new(), chosen: Vec::new(), entropy: Vec::new() };
        for (index, images) in self.images.chunks(BATCH).enumerate() {
            bench.reporter().check()?;
            bench.reporter().progress(task, (index * BATCH) as u64, Some(self.images.len() as u64), "images");
            let outputs = session.run(&[Tensor::concat(images)?])?;
            let (logits, shares) =
                outputs.split_first().ok_or_else(|| Error::artifact("session", "outputs", "expected logits, found none"))?;
            let rows = |t: &Tensor| -> Result<Vec<Vec<f32>>> {
                let each = t.len() / images.len();
                Ok(t.as_slice::<f32>()?.chunks_exact(each.max(1)).map(<[f32]>::to_vec).collect())
            };
            scored.answers.extend(rows(logits)?.iter().map(|row| greatest(row)));
            scored.chosen.resize(shares.len(), Vec::new());
            scored.entropy.resize(shares.len(), 0.0);
            for (layer, shares) in shares.iter().enumerate() {
                for row in rows(shares)? {
                    scored.chosen[layer].push(greatest(&row));
                    let entropy: f64 = row.iter().map(|&p| f64::from(p)).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
                    scored.entropy[layer] += entropy / self.images.len() as f64;
                }
            }
        }
        Ok(scored)
    }
}

fn export(family: &SdConv, form: Form, weights: &Weights, config: &Config) -> Result<Artifact> {
    family.export(&ExportRequest::new(ArtifactKind::Onnx).variant(form.name()), weights, config)
}

/// Logits of all images, in batches of a form's size.
fn logits(session: &mut dyn Session, images: &[Tensor], batch: usize) -> Result<Vec<f32>> {
    let mut all = Vec::new();
    for images in images.chunks_exact(batch) {
        all.extend(session.run(&[Tensor::concat(images)?])?.first().map(Tensor::to_f32).unwrap_or_default());
    }
    Ok(all)
}

/// All three graphs and the network here give the same logits and answers on the test split. A form that the backend
/// does not take is said so and left out.
pub(super) fn parity(family: &SdConv, paper: &PaperConfig, bench: &mut dyn Workbench) -> Result<Option<ClaimOutcome>> {
    let Some(claims) = &paper.claims else { return Ok(None) };
    let (Some(model), Some(&seed)) = (claims.arms.get(super::bars::arm::MAIN), claims.seeds.first()) else { return Ok(None) };
    let (weights, config) = match bench.weights(model, Some(seed)) {
        Err(Error::Unknown { .. }) => return Ok(None),
        found => found?,
    };
    let exam = Exam::read(paper, bench)?;
    let net = TinySd::read(paper.network.clone(), &weights)?;
    let mut own = Vec::new();
    for image in &exam.images {
        own.extend(net.forward(image.as_slice::<f32>()?)?.0);
    }
    let classes = paper.network.classes;
    let (mut worst, mut same, mut forms) = (0.0f64, true, Vec::new());
    for (form, batch) in [(Form::B, 1), (Form::A, 1), (Form::C, crate::export::GROUPS)] {
        let session = bench.compile(&export(family, form, &weights, &config)?).and_then(|mut s| logits(s.as_mut(), &exam.images, batch));
        let found = match session {
            Ok(found) => found,
            Err(error) if form != Form::B => {
                bench.log(Level::Warn, "sd-conv", &format!("{} is not taken: {error}", form.name()));
                forms.push(json!({"form": form.name(), "refused": error.to_string()}));
                continue;
            }
            Err(error) => return Err(error),
        };
        let difference = found.iter().zip(&own).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        let answers = |all: &[f32]| all.chunks_exact(classes).map(greatest).collect::<Vec<_>>();
        let equal = answers(&found) == answers(&own[..found.len()]);
        worst = worst.max(difference);
        same &= equal;
        forms.push(json!({"form": form.name(), "images": found.len() / classes, "greatest_difference": difference, "same_answers": equal}));
    }
    let detail = json!({"backend": bench.backend(), "forms": forms});
    Ok(Some(ClaimOutcome { id: "parity".into(), measured: worst, holds: same && worst <= AGREED, detail }))
}
