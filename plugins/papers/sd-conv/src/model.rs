//! The plugin's model: exports and names. It is not registered, since nothing is trained yet.

use crate::config::NetworkConfig;
use crate::export::{Form, graph};
use crate::network::TinySd;
use zoo_core::{
    Artifact, ArtifactKind, Config, DType, Dialect, Dim, Error, ExportRequest, Model, ModelCard, Result, TaskKind, TensorSpec, Weights,
};

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
                weights_licence: "CC0-1.0".into(),
                task: TaskKind::Classification { logits: "logits".into(), label: "label".into() },
                inputs: vec![TensorSpec::new(
                    "input",
                    DType::F32,
                    [Dim::from("batch"), "channels".into(), "rows".into(), "columns".into()],
                )],
                outputs: vec![TensorSpec::new("logits", DType::F32, [Dim::from("batch"), "classes".into()])],
                preprocessing: String::new(),
                limitations: vec![
                    "The mask rule and the loss are inferred from the abstract; no repository of the paper was found.".into(),
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
        graph(&TinySd::read(NetworkConfig::read(config)?, weights)?, form, request.opset, config)
    }

    fn import(&self, file: &Weights, _: Dialect, config: &Config) -> Result<Weights> {
        TinySd::read(NetworkConfig::read(config)?, file)?;
        Ok(file.clone())
    }
}
