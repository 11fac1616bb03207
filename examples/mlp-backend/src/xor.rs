//! Exclusive or by two hidden units: `y = relu(a + b) - 2 relu(a + b - 1)`.

use safetensors::tensor::{Dtype, TensorView};
use zoo_core::{Artifact, ArtifactKind, Config, DType, Dialect, Dim, Error, ExportRequest, Model, ModelCard, Result, TaskKind, TensorSpec, Weights};

pub(crate) struct Xor {
    card: ModelCard,
}

pub(crate) fn xor() -> Xor {
    let rows = |name: &str, length: usize| vec![TensorSpec::new(name, DType::F32, [Dim::Free("batch".into()), length.into()])];
    Xor {
        card: ModelCard {
            name: "xor".into(),
            title: "Exclusive or".into(),
            description: "The smallest problem a single layer can't solve.".into(),
            paper: String::new(),
            upstream: String::new(),
            code_licence: "MIT OR Apache-2.0".into(),
            weights_licence: "CC0-1.0".into(),
            task: TaskKind::Own,
            inputs: rows("x", 2),
            outputs: rows("y", 1),
            preprocessing: String::new(),
            limitations: vec!["Exact for 0 and 1 only.".into()],
        },
    }
}

/// Names, shapes and elements of the four tensors.
const TENSORS: [(&str, &[usize], &[f32]); 4] = [
    ("layers.0.weight", &[2, 2], &[1.0, 1.0, 1.0, 1.0]),
    ("layers.0.bias", &[2], &[0.0, -1.0]),
    ("layers.1.weight", &[1, 2], &[1.0, -2.0]),
    ("layers.1.bias", &[1], &[0.0]),
];

impl Model for Xor {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Safetensors]
    }

    fn export(&self, request: &ExportRequest, _: &Weights, _: &Config) -> Result<Artifact> {
        let variant = request.variant.as_deref().unwrap_or("model");
        if request.kind != ArtifactKind::Safetensors || variant != "model" {
            let what = format!("{} graph `{variant}`", request.kind);
            return Err(Error::NotOffered { who: "xor".into(), what, hint: "it exports safetensors `model`".into() });
        }
        let broken = |e: safetensors::SafeTensorError| Error::artifact("xor", "safetensors", e.to_string());
        let bytes = TENSORS.map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        let views = TENSORS.iter().zip(&bytes).map(|(&(name, shape, _), bytes)| Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)));
        let views = views.collect::<Result<Vec<_>, _>>().map_err(broken)?;
        let file = safetensors::serialize(views, None).map_err(broken)?;
        Ok(Artifact::single(ArtifactKind::Safetensors, "model", "xor.safetensors", file))
    }

    fn import(&self, file: &Weights, _: Dialect, _: &Config) -> Result<Weights> {
        file.expect_keys("weights of xor", [])?;
        Ok(Weights::new())
    }
}
