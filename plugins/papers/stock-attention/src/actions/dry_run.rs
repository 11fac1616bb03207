//! Full-scale configurations: built, exported and run with random weights and empty posts. Shows that the description is
//! complete, nothing about accuracy.

use crate::full_scale;
use crate::head::{CREDIBILITY_FEATURES, Head, LAG_DAYS, PRICE_DAYS, PRICE_FEATURES, tensors};
use crate::study::{Scaler, View};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use zoo_core::{Result, Tensor, Weights, Workbench};

/// Builds every arm, exports the main one and runs it where a backend is given.
///
/// # Errors
/// [`zoo_core::Error::Unknown`] for a name there is not, and whatever building finds.
pub fn dry_run(name: &str, bench: &mut dyn Workbench) -> Result<Value> {
    let paper = full_scale::read(name)?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut weights = Weights::new();
    let mut parameters = serde_json::Map::new();
    for (arm, config) in &paper.arms {
        let mut count = 0;
        for (tensor, shape, fan_in) in tensors(&paper.network, *config) {
            let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
            let n: usize = shape.iter().product();
            count += n;
            weights.insert(format!("{arm}.{tensor}"), Tensor::from_vec(shape, (0..n).map(|_| rng.random_range(-bound..bound)).collect())?);
        }
        parameters.insert(arm.clone(), json!(count));
    }
    let rows = [[0.5f32; PRICE_FEATURES], [-0.5; PRICE_FEATURES]];
    let posts = [[1.0f32; CREDIBILITY_FEATURES], [0.0; CREDIBILITY_FEATURES]];
    let scaler = Scaler::fit(rows.iter().map(|r| r.as_slice()), posts.iter().map(|r| r.as_slice()));
    weights.tensors.extend(scaler.tensors()?);
    let head = Head::new(paper.network, paper.arm(&paper.main)?, &paper.main, &weights)?;
    let artifact = crate::model::export_arm(&paper, &paper.main, &weights, None)?;
    let mut session = bench.compile(&artifact)?;
    let posts = 100;
    let shape = |last: usize| vec![1, LAG_DAYS, posts, last];
    let inputs: Vec<Tensor> = session
        .inputs()
        .iter()
        .map(|spec| match spec.name.as_str() {
            "text" => Tensor::zeros(spec.dtype, shape(paper.network.embedding)),
            "cred" => Tensor::zeros(spec.dtype, shape(CREDIBILITY_FEATURES)),
            "price" => Tensor::zeros(spec.dtype, vec![1, PRICE_DAYS, PRICE_FEATURES]),
            _ => Tensor::zeros(spec.dtype, vec![1, LAG_DAYS, posts]),
        })
        .collect::<Result<_>>()?;
    let outputs = session.run(&inputs)?;
    let logit =
        session.outputs().iter().position(|o| o.name == "logit").and_then(|at| outputs.get(at)).map(Tensor::to_f32).unwrap_or_default();
    let native = head.logit(&View { price: &[0.0; PRICE_DAYS * PRICE_FEATURES], slots: &[], embeddings: &[], credibility: &[] })?;
    Ok(json!({
        "config": name, "parameters": parameters, "export_bytes": artifact.files.iter().map(|f| f.bytes.len()).sum::<usize>(),
        "finite": logit.iter().all(|v| v.is_finite()) && logit.len() == 1, "logit": logit, "native": native,
    }))
}
