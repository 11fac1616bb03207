//! Family `head`: from posts and prices to the chance of a rise.

use crate::config::PaperConfig;
use crate::head::{self, CREDIBILITY_FEATURES, Head, LAG_DAYS, PRICE_DAYS, PRICE_FEATURES};
use crate::{actions, claims, evaluate};
use serde_json::Value;
use std::collections::BTreeMap;
use zoo_core::model::ActionSpec;
use zoo_core::{
    Artifact, ArtifactKind, ClaimOutcome, Config, DType, Dataset, Dialect, Dim, Error, ExportRequest, Measurements, Model, ModelCard,
    Result, Session, TaskKind, TensorSpec, Weights, Workbench,
};

/// Licence of weights trained by this plugin.
pub const WEIGHTS_LICENCE: &str = "CC0-1.0 (made by this project's own training; the data set's terms apply to the data)";

/// Family `head`.
#[derive(Debug)]
pub struct StockAttention {
    card: ModelCard,
}

impl Default for StockAttention {
    fn default() -> Self {
        Self::new()
    }
}

impl StockAttention {
    /// The family.
    pub fn new() -> Self {
        Self {
            card: ModelCard {
                name: "head".into(),
                title: "Multi-modal attention for stock movement (reconstruction)".into(),
                description: "Says whether a stock will rise or fall on a day, from posts of the five days before, weighed by \
                              attention and by the credibility of their authors, and from ten days of prices."
                    .into(),
                paper: "arXiv:2112.13593".into(),
                upstream: "none: the authors published data and no code".into(),
                code_licence: "MIT OR Apache-2.0".into(),
                weights_licence: WEIGHTS_LICENCE.into(),
                task: TaskKind::Own,
                inputs: inputs(),
                outputs: vec![
                    TensorSpec::new("logit", DType::F32, [Dim::from("batch"), 1.into()]).meaning("logarithm of the odds of a rise"),
                    TensorSpec::new("alpha", DType::F32, [Dim::from("batch"), LAG_DAYS.into(), "posts".into()])
                        .range(0.0, 1.0)
                        .meaning("share of each post in its day"),
                    TensorSpec::new("kappa", DType::F32, [Dim::from("batch"), LAG_DAYS.into(), "posts".into()])
                        .range(0.0, 1.0)
                        .meaning("credibility of each post"),
                    TensorSpec::new("gate", DType::F32, [Dim::from("batch"), 1.into()])
                        .range(0.0, 1.0)
                        .meaning("share of prices in the joint state"),
                ],
                preprocessing: "embeddings by the plugin's text encoder; features are scaled inside the graph".into(),
                limitations: vec![
                    "Research output, not investment advice: on real data it is not shown to beat the majority.".into(),
                    "Its architecture is a reconstruction; the published 61.20 % and 9.13 % are on other data.".into(),
                    "Trained on English tweets of 2014 and 2015.".into(),
                ],
            },
        }
    }
}

/// Inputs of the exported graph.
fn inputs() -> Vec<TensorSpec> {
    let axes = || vec![Dim::from("batch"), LAG_DAYS.into(), "posts".into()];
    let wide = |last: Dim| axes().into_iter().chain([last]).collect::<Vec<_>>();
    vec![
        TensorSpec::new("text", DType::F32, wide("embedding".into()))
            .meaning("sentence embeddings of the posts of the five calendar days before"),
        TensorSpec::new("text_mask", DType::F32, axes()).range(0.0, 1.0).meaning("1 for a post, 0 for an empty place"),
        TensorSpec::new("cred", DType::F32, wide(CREDIBILITY_FEATURES.into()))
            .meaning("ln(1 + x) of followers, friends, statuses, favourites, lists; verified; years of the account; retweet; track record"),
        TensorSpec::new("price", DType::F32, [Dim::from("batch"), PRICE_DAYS.into(), PRICE_FEATURES.into()])
            .meaning("ten trading days before, as the data set describes them"),
    ]
}

/// Refuses formats and graphs that a family of this plugin lacks.
pub(crate) fn expect_variant(model: &dyn Model, request: &ExportRequest) -> Result<()> {
    let who = || format!("stock-attention, family `{}`", model.card().name);
    if !model.artifact_kinds().contains(&request.kind) {
        let kinds = model.artifact_kinds().iter().map(|k| k.name()).collect::<Vec<_>>().join(", ");
        return Err(Error::NotOffered { who: who(), what: format!("format {}", request.kind), hint: format!("its formats are {kinds}") });
    }
    let known = model.variants(request.kind);
    match &request.variant {
        Some(asked) if !known.contains(asked) => {
            let what = format!("{} graph `{asked}`", request.kind);
            Err(Error::NotOffered { who: who(), what, hint: format!("its graphs are {}", known.join(", ")) })
        }
        _ => Ok(()),
    }
}

/// Exports the main arm of a configuration with these weights.
///
/// # Errors
/// As [`Head::new`] and [`head::export`].
pub fn export_arm(paper: &PaperConfig, name: &str, weights: &Weights, opset: Option<u32>) -> Result<Artifact> {
    let head = Head::new(paper.network, paper.arm(name)?, name, weights)?;
    let mut metadata: BTreeMap<String, String> = [
        ("paper", "arXiv:2112.13593".to_owned()),
        ("licence", WEIGHTS_LICENCE.to_owned()),
        ("arm", name.to_owned()),
        ("config_hash", crate::runs::config_hash(paper)),
        ("weights_hash", zoo_formats::digest::weights_sha256(weights)),
        ("notice", "research output, not investment advice".to_owned()),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .into();
    for key in ["encoder_sha256", "split"] {
        if let Some(value) = weights.metadata.get(key) {
            metadata.insert(key.into(), value.clone());
        }
    }
    let mut artifact = head::export(&head, "head", opset, metadata.clone())?;
    artifact.metadata.extend(metadata);
    Ok(artifact)
}

impl Model for StockAttention {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        vec![if kind == ArtifactKind::Onnx { "head" } else { "model" }.into()]
    }

    fn export(&self, request: &ExportRequest, weights: &Weights, config: &Config) -> Result<Artifact> {
        expect_variant(self, request)?;
        let paper = PaperConfig::read(config)?;
        if request.kind == ArtifactKind::Onnx {
            return export_arm(&paper, &paper.main, weights, request.opset);
        }
        let kept = self.import(weights, Dialect::Zoo, config)?;
        let bytes = zoo_formats::safetensors::to_bytes(&kept)?;
        let mut artifact = Artifact::single(request.kind, "model", "model.safetensors", bytes);
        artifact.metadata = kept.metadata;
        Ok(artifact)
    }

    fn import(&self, file: &Weights, dialect: Dialect, config: &Config) -> Result<Weights> {
        if dialect == Dialect::Authors {
            return Err(Error::NotOffered {
                who: "stock-attention".into(),
                what: "import of the authors' weights".into(),
                hint: "the authors published none; import files with the zoo's own names".into(),
            });
        }
        let paper = PaperConfig::read(config)?;
        let mut wanted: Vec<String> = ["price.mean", "price.std", "cred.mean", "cred.std"].map(|n| format!("scale.{n}")).into();
        for (name, arm) in &paper.arms {
            wanted.extend(head::tensors(&paper.network, *arm).iter().map(|(tensor, ..)| format!("{name}.{tensor}")));
        }
        file.expect_keys("weights of the head", wanted.iter().map(String::as_str))?;
        for (name, arm) in &paper.arms {
            Head::new(paper.network, *arm, name, file)?;
        }
        Ok(file.clone())
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        evaluate::evaluate(session, dataset, &PaperConfig::read(config)?, bench).map(Some)
    }

    fn claims(&self, model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        claims::claims(model, &PaperConfig::read(config)?, bench)
    }

    fn actions(&self) -> Vec<ActionSpec> {
        actions::head_specs()
    }

    fn act(&self, action: &str, args: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        actions::act_head(action, args, model, config, bench)
    }
}
