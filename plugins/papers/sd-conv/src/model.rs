//! The plugin's model.

use crate::config::PaperConfig;
use crate::export::{Form, graph};
use crate::network::TinySd;
use serde_json::Value;
use zoo_core::model::{ActionSpec, Figure};
use zoo_core::{
    Artifact, ArtifactKind, Batch, ClaimOutcome, Config, DType, Dialect, Dim, Error, ExportRequest, Model, ModelCard, Result, Session,
    TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Licence of weights trained by this plugin.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0 (made by this project's own training; the data set's terms apply to the data)";
/// Metadata key of a graph: the greatest value of a raw pixel.
pub(crate) const WHITE: &str = "input.white";

/// Sparse dynamic convolutions.
pub struct SdConv {
    card: ModelCard,
}

impl Default for SdConv {
    fn default() -> Self {
        Self {
            card: ModelCard {
                name: "sd-conv".into(),
                title: "SD-Conv: sparse dynamic convolution".into(),
                description: "A small image classifier whose kernels are mixed anew for each image and pruned by a learnable threshold."
                    .into(),
                paper: "arXiv:2204.02227".into(),
                upstream: "Shwai-He/PAD-Net (MIT), the first author's later work; no repository of the paper itself was found".into(),
                code_licence: "MIT OR Apache-2.0".into(),
                weights_licence: WEIGHTS_LICENCE.into(),
                task: TaskKind::Classification { logits: "logits".into(), label: "label".into() },
                inputs: vec![TensorSpec::new(
                    "input",
                    DType::F32,
                    [Dim::from("batch"), "channels".into(), "rows".into(), "columns".into()],
                )],
                outputs: vec![TensorSpec::new("logits", DType::F32, [Dim::from("batch"), "classes".into()])],
                preprocessing: "pixels divided by the greatest value they can have".into(),
                limitations: vec![
                    "The mask rule and the loss are inferred from the abstract; no repository of the paper was found.".into(),
                    "A small network on images of 8 x 8; nothing here was measured on ImageNet.".into(),
                    "Runtimes compute pruned weights like all others: only this plugin's own sparse path gains time from the zeros.".into(),
                ],
            },
        }
    }
}

impl Model for SdConv {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx]
    }

    fn variants(&self, _: ArtifactKind) -> Vec<String> {
        Form::ALL.map(|form| form.name().to_string()).to_vec()
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        let variant = request.variant.as_deref().unwrap_or(Form::B.name());
        let form = Form::ALL.into_iter().find(|form| form.name() == variant && request.kind == ArtifactKind::Onnx);
        let form = form.ok_or_else(|| Error::NotOffered {
            who: "sd-conv".into(),
            what: format!("graph `{variant}` as {}", request.kind),
            hint: "its graphs are form-b, form-a and form-c as onnx".into(),
        })?;
        let paper = PaperConfig::read(config)?;
        graph(&TinySd::read(paper.network.clone(), weights)?, form, request.opset, &paper)
    }

    fn import(&self, file: &Weights, _: Dialect, config: &Config) -> Result<Weights> {
        TinySd::read(PaperConfig::read(config)?.network, file)?;
        Ok(file.clone())
    }

    fn preprocess(&self, batch: &Batch, session: &dyn Session) -> Result<Vec<Tensor>> {
        let image = batch.field("image")?;
        image.expect("field `image`", DType::U8, &[None, None, None, None])?;
        let white = session.metadata().get(WHITE).and_then(|text| text.parse::<f32>().ok());
        let white = white.ok_or_else(|| Error::artifact("session", WHITE, "expected the greatest value of a pixel, found none"))?;
        Ok(vec![scaled(image, white)?])
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        crate::claims::claims(self, model, config, bench)
    }

    fn figures(&self, _: &str, _: &Config, outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
        crate::figures::all(outcomes)
    }

    fn actions(&self) -> Vec<ActionSpec> {
        crate::actions::specs()
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        crate::actions::act(action, args, model, config, bench)
    }
}

/// Images as the network takes them: values from 0 to 1.
pub(crate) fn scaled(image: &Tensor, white: f32) -> Result<Tensor> {
    Tensor::from_vec(image.shape(), image.to_f32().into_iter().map(|v| v / white).collect::<Vec<f32>>())
}
