//! The plugin's model.

use crate::config::{Arm, PaperConfig};
use crate::evaluate::{Measures, Prediction, mean_of, measure, predict};
use crate::export::{DEFAULT, FULL, INPAINT, MASK, VELOCITY, export};
use crate::field::warp;
use crate::figure;
use crate::full_scale::fresh_weights;
use crate::import::import;
use crate::network::tensors;
use crate::phantom::{self, Patient, Split, Template};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zoo_core::metric::{Estimate, mean_ci};
use zoo_core::model::{ActionSpec, Figure};
use zoo_core::{
    Artifact, ArtifactKind, ClaimOutcome, Config, DType, Dataset, Dialect, Dim, Error, ExportRequest, Measurements, Model, ModelCard,
    Result, Session, TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Licence of weights trained by this plugin.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0 (made by this project's own training; the template's terms apply to the template)";
/// Metadata key of an export without trained weights.
const UNTRAINED: &str = "untrained";
/// Cases in the report.
const SHOWN: usize = 4;

/// Which of the three networks a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// All three.
    Girnet,
    /// Inpainter and registration.
    Filled,
    /// Registration alone.
    Registration,
}

impl Family {
    /// Its name in the registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Girnet => "girnet",
            Self::Filled => "filled",
            Self::Registration => "registration",
        }
    }

    /// The family of an arm.
    pub fn of(arm: Arm) -> Self {
        match (arm.generates(), arm.inpaints()) {
            (true, _) => Self::Girnet,
            (false, true) => Self::Filled,
            (false, false) => Self::Registration,
        }
    }

    fn graphs(self) -> Vec<&'static str> {
        match self {
            Self::Girnet => vec![DEFAULT, MASK, INPAINT, VELOCITY, FULL],
            Self::Filled => vec![DEFAULT, INPAINT, FULL],
            Self::Registration => vec![DEFAULT, FULL],
        }
    }
}

/// The networks of an arm as one model.
pub struct Girnet {
    family: Family,
    card: ModelCard,
}

impl Girnet {
    /// The family's model.
    #[allow(clippy::too_many_lines, reason = "a card")]
    pub fn new(family: Family) -> Self {
        let image = |name: &str, what: &str| {
            TensorSpec::new(name, DType::F32, [Dim::from("batch"), Dim::Fixed(1), "height".into(), "width".into()])
                .range(0.0, 1.0)
                .meaning(what)
        };
        let velocity = |name: &str, what: &str| {
            TensorSpec::new(name, DType::F32, [Dim::from("batch"), Dim::Fixed(2), "height".into(), "width".into()])
                .range(-1.0, 1.0)
                .meaning(what)
        };
        let title = match family {
            Family::Girnet => "GIRNet: registration of images with lesions",
            Family::Filled => "GIRNet's inpainter and registration, with masks from elsewhere",
            Family::Registration => "GIRNet's registration network alone",
        };
        let mut outputs = vec![
            velocity("v_xy", "velocity from patient to atlas; x before y, 1 is the configured range in pixels"),
            velocity("v_yx", "velocity from atlas to patient"),
        ];
        if family == Family::Girnet {
            outputs.insert(0, image("mask", "probability of the lesion"));
        }
        Self {
            family,
            card: ModelCard {
                name: family.name().into(),
                title: title.into(),
                description:
                    "Finds a lesion, fills it after a healthy atlas, and registers patient and atlas; three networks that teach one \
                              another without labels."
                        .into(),
                paper: "arXiv:2310.11040".into(),
                upstream: "github.com/ly1998117/GIRNet, read, not copied".into(),
                code_licence: "MIT OR Apache-2.0".into(),
                weights_licence: WEIGHTS_LICENCE.into(),
                task: TaskKind::Own,
                inputs: vec![image("moving", "the patient; sides in multiples of 16, 0 outside the brain"), image("fixed", "the atlas")],
                outputs,
                preprocessing: "intensities from 0 to 1, brain alone, 2 mm a pixel".into(),
                limitations: vec![
                    "Trained on phantom lesions in warped slices of an averaged head; it has seen no tumour of any patient.".into(),
                    "In two dimensions; the volumes of the paper are configurations that are built and run with random weights.".into(),
                    "Research output, not a diagnosis.".into(),
                ],
            },
        }
    }
}

impl Girnet {
    /// A configuration of this family.
    fn read(&self, config: &Config) -> Result<PaperConfig> {
        let paper = PaperConfig::read(config)?;
        if Family::of(paper.arm) != self.family {
            let expected = format!("an arm of the family `{}`", self.family.name());
            return Err(Error::Config { key: "arm".into(), expected, found: format!("{:?}", paper.arm) });
        }
        Ok(paper)
    }
}

/// What every exported file says of itself.
pub(crate) fn metadata(paper: &PaperConfig, weights: &Weights) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = [
        ("paper", "arXiv:2310.11040".to_string()),
        ("licence", WEIGHTS_LICENCE.to_string()),
        ("config_hash", paper.training_hash()),
        ("range_pixels", paper.network.range.to_string()),
        ("squarings", paper.network.squarings.to_string()),
    ]
    .map(|(k, v)| (k.to_string(), v))
    .into();
    if let Some(seed) = weights.metadata.get("seed") {
        all.insert("seed".into(), seed.clone());
    }
    all
}

/// Weights as a graph takes them.
pub(crate) fn loaded(paper: &PaperConfig, file: &Weights) -> Result<Weights> {
    import(&tensors(&paper.network, paper.arm), file, Dialect::Zoo)
}

/// The inpainter's filling of the masks of patients.
pub(crate) fn fill(
    paper: &PaperConfig,
    weights: &Weights,
    patients: &[Patient],
    predictions: &[Prediction],
    bench: &mut dyn Workbench,
) -> Result<Vec<Vec<f32>>> {
    let grid = paper.network.grid.as_slice();
    let mut session = bench.compile(&export(INPAINT, None, &paper.network, weights, &BTreeMap::new())?)?;
    let mut all = Vec::new();
    for (patient, prediction) in patients.iter().zip(predictions) {
        let hole: Vec<f32> = match prediction.hard(patient) {
            Some(hard) => hard.iter().map(|h| f32::from(u8::from(*h))).collect(),
            None => vec![0.0; patient.x.len()],
        };
        let masked = patient.x.iter().zip(&hole).map(|(v, h)| v * (1.0 - h)).collect();
        let reference = warp(&patient.y, 1, &prediction.fields(&paper.network)?.yx, grid)?;
        let image = |values: Vec<f32>| Tensor::from_vec([vec![1, 1], grid.to_vec()].concat(), values);
        let outputs = session.run(&[image(masked)?, image(hole.clone())?, image(reference)?])?;
        let filled = outputs.first().ok_or_else(|| Error::artifact("session", "outputs", "expected `inpainted`, found none"))?;
        // Normal tissue stays as it is.
        let filled = filled.as_slice::<f32>()?.iter().zip(&hole).zip(&patient.x).map(|((f, h), x)| f * h + x * (1.0 - h));
        all.push(filled.collect());
    }
    Ok(all)
}

fn figures(
    paper: &PaperConfig,
    session: &dyn Session,
    patients: &[Patient],
    predictions: &[Prediction],
    measures: &[Measures],
    bench: &mut dyn Workbench,
) -> Result<Vec<Figure>> {
    let shown = patients.len().min(SHOWN);
    let seed = session.metadata().get("seed").and_then(|s| s.parse().ok());
    let fillings = if paper.arm.generates() {
        let (file, _) = bench.weights(&paper.model, seed)?;
        fill(paper, &loaded(paper, &file)?, &patients[..shown], &predictions[..shown], bench)?
    } else {
        Vec::new()
    };
    let number = |v: Option<f64>| v.map_or("none".to_string(), |v| format!("{v:.2}"));
    (0..shown)
        .map(|i| {
            let m = &measures[i];
            let title = format!(
                "Test patient {}: Dice {}, error within 10 mm {} mm, beyond {} mm, folds {:.2} %",
                patients[i].index,
                number(m.dice),
                number(m.near),
                number(m.bands[2]),
                m.folds
            );
            figure::case(&title, &patients[i], &predictions[i], fillings.get(i).map(Vec::as_slice), &paper.network)
        })
        .collect()
}

impl Model for Girnet {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        let graphs = if kind == ArtifactKind::Onnx { self.family.graphs() } else { vec!["model"] };
        graphs.into_iter().map(String::from).collect()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let paper = self.read(config)?;
        let known = self.variants(request.kind);
        let variant = request.variant.as_ref().unwrap_or(&known[0]);
        if !self.artifact_kinds().contains(&request.kind) || !known.contains(variant) {
            let what = format!("{} graph `{variant}`", request.kind);
            return Err(Error::NotOffered {
                who: "girnet".into(),
                what,
                hint: format!("it offers onnx: {}, and safetensors", known.join(", ")),
            });
        }
        let untrained = weights.tensors.is_empty();
        let own = if untrained { fresh_weights(&tensors(&paper.network, paper.arm), 0)? } else { loaded(&paper, weights)? };
        let mut metadata = metadata(&paper, weights);
        if untrained {
            metadata.insert(UNTRAINED.into(), "true".into());
        }
        if request.kind == ArtifactKind::Onnx {
            return export(variant, request.opset, &paper.network, &own, &metadata);
        }
        let mut own = own;
        own.metadata.extend(metadata);
        let mut artifact = Artifact::single(request.kind, "model", "model.safetensors", zoo_formats::safetensors::to_bytes(&own)?);
        artifact.metadata = own.metadata;
        Ok(artifact)
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        let paper = self.read(config)?;
        import(&tensors(&paper.network, paper.arm), file, dialect)
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let paper = self.read(config)?;
        if session.metadata().contains_key(UNTRAINED) {
            return Err(Error::Unavailable {
                what: "an evaluation of this model".into(),
                why: "no trained weights of it are registered".into(),
                mend: "train it with `cargo xtask train MODEL --seed N` and enter the weights in registry.toml".into(),
            });
        }
        let clean = paper.arm == Arm::Pretrain;
        let template = Template::read(dataset)?;
        let test = phantom::patients(&template, &paper.phantom, &paper.network, Split::Test, bench.limit(), bench.reporter())?;
        let predictions = predict(session, &test, &paper.network, clean, bench.reporter())?;
        let measures: Vec<Measures> =
            test.iter().zip(&predictions).map(|(t, p)| measure(t, p, &paper.network, clean)).collect::<Result<_>>()?;
        let mut metrics = Vec::new();
        let mut add = |name: &str, unit: &str, of: &dyn Fn(&Measures) -> Option<f64>| {
            let values: Vec<f64> = measures.iter().filter_map(of).collect();
            if !values.is_empty() {
                let (value, ci95) = mean_ci(&values);
                metrics.push((name.to_string(), Estimate { value, ci95, unit: unit.into() }));
            }
        };
        add("displacement error within 10 mm of the lesion", "mm", &|m| m.near);
        add("displacement error beyond 10 mm", "mm", &|m| m.bands[2]);
        add("folds", "%", &|m| Some(m.folds));
        add("inverse consistency", "mm", &|m| Some(m.inverse));
        add("Dice of the lesion", "1", &|m| m.dice);
        add("HD95 of the lesion", "mm", &|m| m.hd95);
        add("area of the mask / of the lesion", "1", &|m| m.area_ratio);
        let figures = figures(&paper, session, &test, &predictions, &measures, bench)?;
        let detail = json!({
            "arm": paper.arm, "patients": measures, "mean_5_mm": mean_of(&measures, |m| m.bands[0]),
            "mean_5_to_10_mm": mean_of(&measures, |m| m.bands[1]),
        });
        Ok(Some(Measurements { items: test.len() as u64, metrics, figures, detail }))
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        crate::claims::claims(model, config, bench)
    }

    fn actions(&self) -> Vec<ActionSpec> {
        crate::actions::specs()
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        crate::actions::act(action, args, model, config, bench)
    }
}
