//! The plugin's model.

use crate::config::{MODALITIES, PaperConfig};
use crate::evaluate;
use crate::export::{export, variants};
use crate::metrics::mean;
use crate::phantom::{self, Split, Template};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zoo_core::metric::Estimate;
use zoo_core::model::ActionSpec;
use zoo_core::{
    Artifact, ArtifactKind, ClaimOutcome, Config, DType, Dataset, Dialect, Dim, Error, ExportRequest, Measurements, Model, ModelCard,
    Result, Session, TaskKind, TensorSpec, Weights, Workbench,
};

/// Licence of weights trained by this plugin.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0 (made by this project's own training; the template's terms apply to the template)";
/// Mean and deviation by which pixels are standardised: about those of all phantom images.
const PIXELS: [f32; 2] = [0.35, 0.22];

/// A pixel as the encoders take it.
pub fn standardise(value: f32) -> f32 {
    (value - PIXELS[0]) / PIXELS[1]
}

/// The concept bottleneck model.
pub struct Mmcbm {
    card: ModelCard,
}

impl Default for Mmcbm {
    fn default() -> Self {
        let images = |m: &str| {
            let shape = [Dim::from("batch"), "images".into(), "channels".into(), "height".into(), "width".into()];
            TensorSpec::new(m.to_lowercase(), DType::F32, shape).meaning("standardised images of the modality, padded with zeros")
        };
        let mask = |m: &str| {
            TensorSpec::new(format!("mask_{}", m.to_lowercase()), DType::F32, [Dim::from("batch"), "images".into()])
                .range(0.0, 1.0)
                .meaning("1 where an image is")
        };
        let row = |name: &str, axis: &str, what: &str| TensorSpec::new(name, DType::F32, [Dim::from("batch"), axis.into()]).meaning(what);
        Self {
            card: ModelCard {
                name: "mmcbm".into(),
                title: "MMCBM: multimodal concept bottleneck".into(),
                description:
                    "Classifies a patient from images of up to three modalities by way of named concepts, whose votes can be read \
                              and edited."
                        .into(),
                paper: "arXiv:2403.05606".into(),
                upstream: "github.com/ly1998117/MMCBM, read, not copied".into(),
                code_licence: "MIT OR Apache-2.0".into(),
                weights_licence: WEIGHTS_LICENCE.into(),
                task: TaskKind::Own,
                inputs: MODALITIES.iter().flat_map(|m| [images(m), mask(m)]).collect(),
                outputs: vec![
                    row("blackbox_logits", "classes", "class scores of the black box"),
                    row("concept_scores", "concepts", "signed distances from the concepts' planes"),
                    TensorSpec::new("attention", DType::F32, [Dim::from("batch"), "classes".into(), "concepts".into()])
                        .meaning("contribution of each concept to each class"),
                    row("logits", "classes", "class scores of the bottleneck: sums of the contributions"),
                ],
                preprocessing: "pixels from 0 to 1, less 0.35, over 0.22".into(),
                limitations: vec![
                    "Trained on phantom lesions drawn on an averaged brain; it has seen no tumour and no eye.".into(),
                    "The clinical image set may not be redistributed; its loader is not part of this plugin.".into(),
                    "Research output, not a diagnosis.".into(),
                ],
            },
        }
    }
}

pub(crate) fn metadata(paper: &PaperConfig) -> BTreeMap<String, String> {
    [("paper", "arXiv:2403.05606".to_string()), ("licence", WEIGHTS_LICENCE.to_string()), ("config_hash", paper.training_hash())]
        .map(|(k, v)| (k.to_string(), v))
        .into()
}

impl Model for Mmcbm {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        if kind == ArtifactKind::Onnx { variants() } else { vec!["model".into()] }
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let paper = PaperConfig::read(config)?;
        let known = self.variants(request.kind);
        let variant = request.variant.as_ref().unwrap_or(&known[0]);
        if !self.artifact_kinds().contains(&request.kind) || !known.contains(variant) {
            let what = format!("{} graph `{variant}`", request.kind);
            return Err(Error::NotOffered {
                who: "mmcbm".into(),
                what,
                hint: format!("it offers onnx: {}, and safetensors", variants().join(", ")),
            });
        }
        if request.kind == ArtifactKind::Onnx {
            return export(variant, request.opset, &paper, weights, &metadata(&paper));
        }
        crate::network::check(&paper.network, weights)?;
        let mut artifact = Artifact::single(request.kind, "model", "model.safetensors", zoo_formats::safetensors::to_bytes(weights)?);
        artifact.metadata = weights.metadata.clone();
        Ok(artifact)
    }

    fn import(&self, file: &Weights, _: Dialect, config: &Config) -> Result<Weights> {
        crate::network::check(&PaperConfig::read(config)?.network, file)?;
        Ok(file.clone())
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let paper = PaperConfig::read(config)?;
        let template = Template::read(dataset)?;
        let test = phantom::patients(&template, &paper.phantom, &paper.network, Split::Test, bench.limit(), bench.reporter())?;
        let found = evaluate::run(session, &test, &paper, bench.reporter())?;
        let scores = evaluate::measure(&test, &found, paper.network.classes);
        let plain = |value: f64| Estimate { value, ci95: None, unit: "1".into() };
        let metrics = vec![
            ("macro F1".into(), plain(scores.f1)),
            ("accuracy".into(), plain(scores.accuracy)),
            ("macro F1 of the black box".into(), plain(scores.blackbox_f1)),
            ("macro F1 by true concepts".into(), plain(scores.bayes_f1)),
            ("mean AUROC of the concepts".into(), plain(mean(&scores.concept_auroc))),
        ];
        Ok(Some(Measurements { items: test.len() as u64, metrics, figures: Vec::new(), detail: json!({"scores": scores}) }))
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
