//! The two model families: the pretext network and the segmentation network.

use crate::config::{PaperConfig, config_hash};
use crate::evaluate;
use crate::export::export;
use crate::figure;
use crate::full_scale::fresh_weights;
use crate::heat::fit_line;
use crate::import::import;
use crate::sim::{self, Patient, Split, Template};
use crate::unet::{Head, Unet};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use zoo_core::metric::{Estimate, mean_ci};
use zoo_core::model::{ActionSpec, Figure};
use zoo_core::{
    Artifact, ArtifactKind, Batch, ClaimOutcome, Config, DType, Dataset, Dialect, Dim, Error, ExportRequest, Measurements, Model,
    ModelCard, Result, Session, TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Licence of weights trained by this plugin.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0 (made by this project's own training; the data set's terms apply to the data)";

/// Metadata key of an export without trained weights.
const UNTRAINED: &str = "untrained";
/// Slices shown in the report.
const SHOWN: usize = 3;

/// A model family of this plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Heat maps of the other views, and slice location.
    Pretext,
    /// Class scores of every pixel.
    Seg,
}

impl Family {
    /// The head of its network.
    pub fn head(self) -> Head {
        match self {
            Self::Pretext => Head::Pretext,
            Self::Seg => Head::Segmentation,
        }
    }
}

/// A model family.
#[derive(Debug)]
pub struct Planes {
    family: Family,
    card: ModelCard,
}

impl Planes {
    /// The family of that name.
    pub fn new(family: Family) -> Self {
        let spatial =
            |name: &str, channels: Dim| TensorSpec::new(name, DType::F32, [Dim::from("batch"), channels, "height".into(), "width".into()]);
        let (name, title, what, outputs) = match family {
            Family::Pretext => (
                "pretext",
                "Imaging planes: pretext network",
                "Draws the lines along which the 2- and 4-chamber views cut a short-axis slice, and tells where in its stack the slice lies.",
                vec![
                    spatial("heatmaps", Dim::Fixed(2)).meaning("heat of the line of the 2-chamber view, then of the 4-chamber view"),
                    TensorSpec::new("slice_location", DType::F32, [Dim::from("batch"), Dim::Fixed(1)])
                        .meaning("0 at one end of the stack, 1 at the other"),
                ],
            ),
            Family::Seg => (
                "seg",
                "Imaging planes: segmentation network",
                "Labels every pixel; encoder and decoder start from the pretext network or, as a control, from random weights.",
                vec![spatial("logits", "classes".into()).meaning("class scores")],
            ),
        };
        let card = ModelCard {
            name: name.into(),
            title: title.into(),
            description: format!(
                "{what} The labels of the pretext come from image headers alone: positions and orientations of the standard views of \
                 one study determine the lines and the order of the slices."
            ),
            paper: "arXiv:2403.16499".into(),
            upstream: "github.com/Forteee/Anatomy-Oriented-SSL (MIT), read, not copied".into(),
            code_licence: "MIT OR Apache-2.0".into(),
            weights_licence: WEIGHTS_LICENCE.into(),
            task: TaskKind::Own,
            inputs: vec![
                spatial("image", Dim::Fixed(1))
                    .meaning("prepared slice: resampled, cropped, zero mean and unit deviation; sides are multiples of 16"),
            ],
            outputs,
            preprocessing:
                "in-plane resampling to the configured pixel size, zero padding, centre crop, zero mean and unit deviation per image".into(),
            limitations: vec![
                "The committed weights were trained on simulated patients: warped and resliced copies of one averaged brain template. They \
                 know no heart, no knee and no scanner."
                    .into(),
                "Only the U-Net preset is built; ResNet-50, AlexNet and DeepLabV3 are named in the configuration and refused.".into(),
                "Not for diagnosis or planning of scans.".into(),
            ],
        };
        Self { family, card }
    }

    fn not_offered(&self, what: impl Into<String>, hint: &str) -> Error {
        Error::NotOffered { who: format!("imaging-planes, family `{}`", self.card.name), what: what.into(), hint: hint.into() }
    }

    fn metadata(&self, paper: &PaperConfig, config: &Config, weights: &Weights) -> BTreeMap<String, String> {
        let mut hash = Sha256::new();
        for (name, tensor) in &weights.tensors {
            hash.update(name);
            hash.update(tensor.as_bytes());
        }
        [
            ("paper", "arXiv:2403.16499".to_string()),
            ("licence", WEIGHTS_LICENCE.to_string()),
            ("config_hash", config_hash(config)),
            ("weights_hash", hex::encode(hash.finalize())),
            ("input.size", paper.network.size.to_string()),
            ("input.spacing_mm", paper.network.spacing.to_string()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into()
    }

    /// Weights of the network, or fresh ones where a registered model has none yet.
    fn weights(&self, network: &Unet, weights: &Weights) -> Result<(Weights, bool)> {
        if weights.tensors.is_empty() {
            return Ok((fresh_weights(network, 0)?, true));
        }
        Ok((import(network, weights, Dialect::Zoo)?, false))
    }

    fn figures(&self, session: &mut dyn Session, patients: &[Patient], paper: &PaperConfig) -> Result<Vec<Figure>> {
        let size = paper.network.size;
        let mut figures = Vec::new();
        for patient in patients.iter().take(SHOWN) {
            let (heats, locations) = evaluate::predict_pretext(session, patient, size)?;
            let index = patient.slices.len() / 2;
            let slice = &patient.slices[index];
            let truth: Vec<_> = patient.views.iter().filter_map(|view| slice.plane.line_of(view)).collect();
            let maps = &heats[index * 2 * size * size..][..2 * size * size];
            let found: Vec<_> = maps.chunks_exact(size * size).filter_map(|map| fit_line(map, size)).collect();
            let middle = (size as f64 - 1.0) / 2.0;
            let pairs = truth
                .iter()
                .zip(&found)
                .map(|(t, f)| format!("{:.1} degrees and {:.1} mm", t.angle_to(f), t.offset_to(f, middle, middle) * paper.network.spacing));
            let errors = pairs.collect::<Vec<_>>().join(", ");
            let place = f64::from(locations[index]);
            let title = format!(
                "Test patient {}, slice {index}: true lines green, predicted red; errors {errors}; location {:.2}, predicted {place:.2}",
                patient.index, slice.location
            );
            let alt = format!("Grey slice of a simulated head with two green and two red lines; line errors {errors}.");
            figures.push(figure::slice(&title, &alt, &slice.image, size, &truth, &found, [slice.location, place])?);
        }
        Ok(figures)
    }
}

fn estimate((value, ci95): (f64, Option<[f64; 2]>), unit: &str) -> Estimate {
    Estimate { value, ci95, unit: unit.into() }
}

impl Model for Planes {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        let names: &[&str] = match (kind, self.family) {
            (ArtifactKind::Onnx, Family::Pretext) => &["imaging_planes_pretext", "imaging_planes_pretext_center"],
            (ArtifactKind::Onnx, Family::Seg) => &["imaging_planes_seg"],
            _ => &["model"],
        };
        names.iter().map(ToString::to_string).collect()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let paper = PaperConfig::read(config)?;
        let kinds = self.artifact_kinds();
        if !kinds.contains(&request.kind) {
            let names = kinds.iter().map(|k| k.name()).collect::<Vec<_>>().join(", ");
            return Err(self.not_offered(format!("format {}", request.kind), &format!("its formats are {names}")));
        }
        let known = self.variants(request.kind);
        let variant = request.variant.clone().unwrap_or_else(|| known[0].clone());
        if !known.contains(&variant) {
            return Err(self.not_offered(format!("{} graph `{variant}`", request.kind), &format!("its graphs are {}", known.join(", "))));
        }
        let network = paper.network(self.family.head())?;
        let (weights, untrained) = self.weights(&network, weights)?;
        let mut metadata = self.metadata(&paper, config, &weights);
        if untrained {
            metadata.insert(UNTRAINED.into(), "true".into());
        }
        if request.kind == ArtifactKind::Onnx {
            return export(&variant, request.opset, &network, &weights, variant.ends_with("_center"), metadata);
        }
        let mut out = weights;
        out.metadata.extend(metadata);
        let mut artifact =
            Artifact::single(ArtifactKind::Safetensors, "model", "model.safetensors", zoo_formats::safetensors::to_bytes(&out)?);
        artifact.metadata = out.metadata;
        Ok(artifact)
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        let paper = PaperConfig::read(config)?;
        import(&paper.network(self.family.head())?, file, dialect)
    }

    fn preprocess(&self, batch: &Batch, _: &dyn Session) -> Result<Vec<Tensor>> {
        let image = batch.field("image")?;
        image.expect("field `image`", DType::F32, &[None, Some(1), None, None])?;
        Ok(vec![image.clone()])
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let paper = PaperConfig::read(config)?;
        if session.metadata().contains_key(UNTRAINED) {
            return Err(Error::Unavailable {
                what: "an evaluation of this model".into(),
                why: "no trained weights of it are registered".into(),
                mend: "train it with `cargo xtask train MODEL --seed N` and enter the weights in registry.toml".into(),
            });
        }
        let template = Template::read(dataset)?;
        let sim = paper.sim()?;
        let test = sim::patients(&template, sim, &paper.network, Split::Test, bench.limit(), bench.reporter())?;
        let items = test.len() as u64;
        if self.family == Family::Seg {
            let scores = evaluate::segmentation(session, &test, &paper.network, sim.gap, true)?;
            let class = |c: usize| mean_ci(&scores.dice.iter().map(|d| d[c]).collect::<Vec<_>>());
            let both = scores.dice.iter().map(|[gm, wm]| (gm + wm) / 2.0).collect::<Vec<_>>();
            let metrics = vec![
                ("mean Dice".into(), estimate(mean_ci(&both), "1")),
                ("Dice of grey matter".into(), estimate(class(0), "1")),
                ("Dice of white matter".into(), estimate(class(1), "1")),
                ("HD95".into(), estimate(mean_ci(&scores.distances()), "mm")),
            ];
            let undefined = 2 * scores.hd95.len() - scores.distances().len();
            let detail = json!({"scores": scores, "hd95_undefined": undefined, "labelled_patients": paper.labelled});
            return Ok(Some(Measurements { items, metrics, figures: Vec::new(), detail }));
        }
        let train = sim::patients(&template, sim, &paper.network, Split::Train, None, bench.reporter())?;
        let scores = evaluate::pretext(session, &train, &test, &paper.network)?;
        let plain = |value: f64, unit: &str| estimate((value, None), unit);
        let metrics = vec![
            ("heat MSE / that of the mean map".into(), plain(scores.heat_mse / scores.constant_mse, "1")),
            ("slice location MAE".into(), plain(scores.location_mae, "1")),
            ("line angle error".into(), plain(scores.angle, "degrees")),
            ("line offset error".into(), plain(scores.offset, "mm")),
        ];
        let figures = self.figures(session, &test, &paper)?;
        Ok(Some(Measurements { items, metrics, figures, detail: json!({"scores": scores}) }))
    }

    fn claims(&self, _: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        match self.family {
            Family::Pretext => crate::claims::claims(config, bench),
            Family::Seg => Err(self.not_offered("claims", "all bars are measured with imaging-planes/pretext-t1t2")),
        }
    }

    fn actions(&self) -> Vec<ActionSpec> {
        crate::actions::specs(self.family)
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        if self.actions().iter().any(|a| a.name == action) {
            return crate::actions::act(action, args, model, config, bench);
        }
        let known = self.actions().into_iter().map(|a| a.name).collect::<Vec<_>>().join(", ");
        Err(self.not_offered(format!("command `{action}`"), &format!("its commands are: {known}")))
    }
}
