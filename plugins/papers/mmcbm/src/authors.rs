//! Checkpoints of the authors' code (specification section 10), as safetensors: names are matched, and what does not match is told.

use crate::config::GROUPS;
use crate::full_scale::{self, FullScale, tensors};
use crate::network::{GATE, group_weight};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use zoo_core::{Error, Result, Tensor, Weights};
use zoo_formats::safetensors;

/// Keys of the metadata of an authors' concept bank.
const NAMES: &str = "concept_names";

/// The networks of one checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// EfficientNet encoders by modality, under the names of [`tensors`].
    pub encoders: BTreeMap<String, Weights>,
    /// Pooling, gate and classifier of the black box, and the bottleneck's free weights where they are there.
    pub classifier: Weights,
}

/// Names and shapes of what is behind the encoders.
fn classifier(config: &FullScale) -> Vec<(String, Vec<usize>)> {
    let (f, hidden) = (config.features, config.features / config.reduction);
    let mut all = vec![];
    for (name, outputs, inputs) in [
        ("classifier.pool.weight.mlp.0", hidden, f),
        ("classifier.pool.weight.mlp.2", f, hidden),
        ("classifier.classifier.classifier.0", hidden, f),
        ("classifier.classifier.classifier.2", config.classes, hidden),
    ] {
        all.push((format!("{name}.weight"), vec![outputs, inputs]));
        all.push((format!("{name}.bias"), vec![outputs]));
    }
    all.extend(GATE.map(|part| (format!("classifier.attn.{part}.weight"), vec![f, f])));
    all
}

/// Takes a checkpoint apart. `module.` (data-parallel training) is dropped, counters of batch normalisation are left out.
///
/// # Errors
/// [`Error::Keys`] listing every missing and unexpected name; [`Error::Shape`], [`Error::DType`].
pub fn checkpoint(config: &FullScale, file: &Weights) -> Result<Checkpoint> {
    let mut own = Weights { metadata: file.metadata.clone(), ..Weights::new() };
    for (name, tensor) in file.in_single_precision()?.tensors {
        let name = name.strip_prefix("module.").unwrap_or(&name).to_string();
        if !name.ends_with(".num_batches_tracked") {
            own.insert(name, tensor);
        }
    }
    let mut wanted = classifier(config);
    // A black box has no free weights yet; a bottleneck has both groups, whose columns are the bank's concepts.
    let groups: Vec<String> = (0..GROUPS.len()).map(group_weight).collect();
    for name in groups.iter().filter(|name| own.tensors.contains_key(*name)) {
        let &[classes, concepts] = own.get(name)?.shape() else {
            return Err(Error::shape(format!("weight `{name}`"), "[classes, concepts]", own.get(name)?.shape()));
        };
        if classes != config.classes {
            return Err(Error::shape(format!("weight `{name}`"), [config.classes, concepts], [classes, concepts]));
        }
        wanted.push((name.clone(), vec![classes, concepts]));
    }
    let encoder = tensors(config.features);
    for modality in &config.modalities {
        wanted.extend(encoder.iter().map(|(name, shape)| (format!("encoder.encoder.{modality}.{name}"), shape.clone())));
    }
    own.expect_keys("authors' checkpoint of mmcbm", wanted.iter().map(|(name, _)| name.as_str()))?;
    wanted.iter().try_for_each(|(name, shape)| own.f32(name, shape).map(|_| ()))?;
    let mut out = Checkpoint::default();
    for (name, tensor) in own.tensors {
        let rest = name.strip_prefix("encoder.encoder.").and_then(|rest| rest.split_once('.'));
        match rest {
            Some((modality, rest)) => out.encoders.entry(modality.to_string()).or_default().insert(rest, tensor),
            None => out.classifier.insert(name, tensor),
        }
    }
    Ok(out)
}

/// Turns an authors' concept bank (the tensors of their pickle: `vectors`, `intercepts`, `norms`; `concept_names` as a JSON list in
/// the metadata) into the tensors of [`crate::bank::Bank::read`].
///
/// # Errors
/// [`Error::Argument`] if the names are not sorted, or fewer or more than the vectors; [`Error::Keys`], [`Error::Shape`],
/// [`Error::DType`].
pub fn bank(file: &Weights, features: usize) -> Result<Weights> {
    let text = file.metadata.get(NAMES).map(String::as_str).unwrap_or_default();
    let names: Vec<String> = serde_json::from_str(text)
        .map_err(|_| Error::argument(format!("metadata `{NAMES}` of the concept bank"), "a JSON list of names", format!("`{text}`")))?;
    if !names.is_sorted() {
        return Err(Error::argument("concepts of the bank", "sorted names: columns of weights are in that order", format!("{names:?}")));
    }
    let file = file.in_single_precision()?;
    let mut out = Weights::new();
    out.insert("bank.vectors", Tensor::from_vec([names.len(), features], file.f32("vectors", &[names.len(), features])?.to_vec())?);
    for part in ["intercepts", "norms"] {
        // Stored as a column or flat.
        let tensor = file.get(part)?;
        if tensor.len() != names.len() {
            return Err(Error::shape(format!("`{part}` of the concept bank"), [names.len()], tensor.shape()));
        }
        out.insert(format!("bank.{part}"), Tensor::from_vec([names.len()], tensor.to_f32())?);
    }
    out.metadata.insert("concepts".into(), serde_json::to_string(&names).unwrap_or_default());
    Ok(out)
}

/// Reads an authors' concept bank for the full-scale configuration `name` and writes it as [`bank`] turns it, at `out`: whole or not
/// at all.
///
/// # Errors
/// As [`full_scale::read`] and [`bank`]; whatever reading and writing the files find.
pub fn import_bank(name: &str, file: &Path, out: &Path) -> Result<Value> {
    let features = full_scale::read(name)?.features;
    let own = bank(&safetensors::read(file)?, features)?;
    safetensors::write_atomically(out, &own)?;
    Ok(json!({"written": out, "concepts": own.get("bank.vectors")?.shape().first(), "features": features}))
}
