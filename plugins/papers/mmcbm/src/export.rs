//! ONNX: encoders, black box, bottleneck, and all of them as one graph over a patient's images (specification section 10).
//!
//! Bags are padded: a mask `[batch, images]` of ones and zeros says which images there are. A group of modalities without
//! images contributes nothing.

use crate::bank::Bank;
use crate::concepts::COUNT;
use crate::config::{MODALITIES, NetworkConfig, PaperConfig};
use crate::head::Head;
use crate::network::{EPSILON, FIRST_GROUP, GATE, LEAK, encoder, group_weight};
use std::collections::BTreeMap;
use zoo_core::{Artifact, DType, Dim, Error, Result, Tensor, Weights};
use zoo_formats::onnx::{Conv, Graph, Pool, Value};

/// Below any score or logit: what an absent image gets.
const NEVER: f64 = -1e9;

/// Names of the graphs; the first is the default.
pub fn variants() -> Vec<String> {
    let mut all = vec!["mmcbm_patient".to_string()];
    all.extend(MODALITIES.map(|m| format!("mmcbm_encoder_{m}")));
    all.extend(["mmcbm_blackbox", "mmcbm_head", "mmcbm_classify"].map(String::from));
    all
}

struct Build<'a> {
    graph: Graph,
    config: &'a NetworkConfig,
    weights: &'a Weights,
}

/// Name of a modality in a graph.
fn lower(modality: usize) -> String {
    MODALITIES[modality].to_lowercase()
}

/// Builds a graph.
///
/// # Shapes
/// `mmcbm_encoder_M`: `image` f32 `[batch, channels, side, side]` to `features [batch, F]` and `maps [batch, F, h, w]`.
/// `mmcbm_blackbox`: `features [batch, images, F]` and `mask [batch, images]` to `logits [batch, classes]`. `mmcbm_head`: `fa`,
/// `icga` and `us` `[batch, images, F]`, each with a mask, to `concept_scores [batch, concepts]`, `attention [batch, classes,
/// concepts]` and `logits`. `mmcbm_classify`: `concept_scores` to `attention` and `logits`. `mmcbm_patient`: as head, from images
/// `[batch, images, channels, side, side]`, with the black box's `blackbox_logits` too.
///
/// # Errors
/// [`Error::NotOffered`] for another name; what checking the weights and building find.
pub fn export(
    name: &str,
    opset: Option<u32>,
    paper: &PaperConfig,
    weights: &Weights,
    metadata: &BTreeMap<String, String>,
) -> Result<Artifact> {
    let config = &paper.network;
    crate::network::check(config, weights)?;
    let graph = match opset {
        Some(opset) => Graph::with_opset(name, opset)?,
        None => Graph::new(name),
    };
    let mut b = Build { graph: graph.variant(name), config, weights };
    match name {
        "mmcbm_patient" => b.patient()?,
        "mmcbm_blackbox" => {
            let images = b.input("features", &[config.features()])?;
            let mask = b.mask("mask", "images")?;
            let logits = b.blackbox(images, mask)?;
            b.graph.output("logits", logits)?;
        }
        "mmcbm_head" => {
            let mut parts = Vec::new();
            for m in 0..MODALITIES.len() {
                let axis = format!("images_{}", lower(m));
                let features =
                    b.graph.input(&lower(m), DType::F32, ["batch".into(), axis.as_str().into(), Dim::Fixed(config.features())])?;
                parts.push((features, b.mask(&format!("mask_{}", lower(m)), &axis)?));
            }
            let scores = b.scores(&parts)?;
            b.classify(scores, true)?;
        }
        "mmcbm_classify" => {
            let scores = b.graph.input("concept_scores", DType::F32, ["batch".into(), Dim::Fixed(COUNT)])?;
            b.classify(scores, false)?;
        }
        _ => {
            let modality = (0..MODALITIES.len()).find(|&m| name == format!("mmcbm_encoder_{}", MODALITIES[m]));
            let Some(modality) = modality else {
                return Err(Error::NotOffered {
                    who: "mmcbm".into(),
                    what: format!("onnx graph `{name}`"),
                    hint: format!("its graphs are {}", variants().join(", ")),
                });
            };
            let side = Dim::Fixed(config.side);
            let image = b.graph.input("image", DType::F32, ["batch".into(), Dim::Fixed(config.channels), side.clone(), side])?;
            let maps = b.encoder(modality, image)?;
            let features = b.pooled(maps)?;
            b.graph.output("features", features)?;
            b.graph.output("maps", maps)?;
        }
    }
    let mut graph = b.graph;
    metadata.iter().for_each(|(key, value)| graph.metadata(key, value));
    graph.finish().map_err(Into::into)
}

impl Build<'_> {
    fn input(&mut self, name: &str, rest: &[usize]) -> Result<Value> {
        let fixed = rest.iter().map(|&n| Dim::Fixed(n));
        self.graph.input(name, DType::F32, ["batch".into(), Dim::from("images")].into_iter().chain(fixed)).map_err(Into::into)
    }

    fn mask(&mut self, name: &str, axis: &str) -> Result<Value> {
        self.graph.input(name, DType::F32, [Dim::from("batch"), axis.into()]).map_err(Into::into)
    }

    fn weight(&mut self, name: &str) -> Result<Value> {
        self.graph.initializer(name, self.weights.get(name)?).map_err(Into::into)
    }

    /// `x W' + b` over the last axis.
    fn linear(&mut self, name: &str, x: Value, bias: bool) -> Result<Value> {
        let weight = self.weights.get(&format!("{name}.weight"))?;
        let &[outputs, inputs] = weight.shape() else { return Err(Error::shape(name, "[out, in]", weight.shape())) };
        let values: &[f32] = weight.as_slice()?;
        let turned = (0..inputs).flat_map(|i| (0..outputs).map(move |o| values[o * inputs + i])).collect();
        let weight = self.graph.initializer(&format!("{name}.weight_t"), &Tensor::from_vec([inputs, outputs], turned)?)?;
        let y = self.graph.matmul(x, weight)?;
        if !bias {
            return Ok(y);
        }
        let bias = self.weight(&format!("{name}.bias"))?;
        self.graph.add(y, bias).map_err(Into::into)
    }

    fn encoder(&mut self, modality: usize, image: Value) -> Result<Value> {
        let mut x = image;
        for block in 0..self.config.widths.len() {
            let weight = self.weight(&format!("{}.weight", encoder(modality, "conv", block)))?;
            x = self.graph.conv(x, weight, None, &Conv::square(1, 1))?;
            let norm = encoder(modality, "bn", block);
            let [scale, bias, mean, variance] =
                ["weight", "bias", "running_mean", "running_var"].map(|part| self.weight(&format!("{norm}.{part}")));
            x = self.graph.batch_norm(x, scale?, bias?, mean?, variance?, EPSILON)?;
            x = self.graph.relu(x)?;
            x = self.graph.max_pool(x, &Pool::square(2, 2))?;
        }
        Ok(x)
    }

    fn pooled(&mut self, maps: Value) -> Result<Value> {
        let pooled = self.graph.global_average_pool(maps)?;
        self.graph.flatten(pooled, 1).map_err(Into::into)
    }

    /// 0 where an image is, far below everything where none is: `[batch, images, 1]`.
    fn penalty(&mut self, mask: Value) -> Result<Value> {
        let absent = self.graph.add_scalar(mask, -1.0)?;
        let penalty = self.graph.mul_scalar(absent, -NEVER)?;
        self.graph.unsqueeze(penalty, &[2]).map_err(Into::into)
    }

    fn blackbox(&mut self, features: Value, mask: Value) -> Result<Value> {
        let inner = self.linear("classifier.pool.weight.mlp.0", features, true)?;
        let inner = self.graph.leaky_relu(inner, LEAK)?;
        let z = self.linear("classifier.pool.weight.mlp.2", inner, true)?;
        let penalty = self.penalty(mask)?;
        let z = self.graph.add(z, penalty)?;
        let shares = self.graph.softmax(z, 1)?;
        let shared = self.graph.mul(shares, features)?;
        let bag = self.graph.reduce_sum(shared, &[1], false)?;
        let [q, k, v] = GATE.map(|part| self.linear(&format!("classifier.attn.{part}"), bag, false));
        let product = self.graph.mul(q?, k?)?;
        let gate = self.graph.sigmoid(product)?;
        let gated = self.graph.mul(gate, v?)?;
        let gated = self.graph.leaky_relu(gated, LEAK)?;
        let inner = self.linear("classifier.classifier.classifier.0", gated, true)?;
        self.linear("classifier.classifier.classifier.2", inner, true)
    }

    /// Concept scores `[batch, concepts]` of features and masks by modality.
    fn scores(&mut self, parts: &[(Value, Value)]) -> Result<Value> {
        let bank = Bank::read(self.weights, self.config.features())?;
        let mut groups = Vec::new();
        for (group, (modalities, concepts)) in [(0..2, 0..FIRST_GROUP), (2..3, FIRST_GROUP..COUNT)].into_iter().enumerate() {
            let (f, count) = (self.config.features(), concepts.len());
            let unit = |c: usize| bank.planes[c].norm().max(f64::MIN_POSITIVE);
            let vectors =
                (0..f).flat_map(|i| concepts.clone().map(move |c| (c, i))).map(|(c, i)| (bank.planes[c].weight[i] / unit(c)) as f32);
            let vectors = self.graph.initializer(&format!("bank.vectors.{group}"), &Tensor::from_vec([f, count], vectors.collect())?)?;
            let shifts = concepts.map(|c| (bank.planes[c].intercept / unit(c)) as f32).collect();
            let shifts = self.graph.initializer(&format!("bank.shifts.{group}"), &Tensor::from_vec([count], shifts)?)?;
            let own = &parts[modalities];
            let (features, mask) = if let [only] = own {
                *only
            } else {
                let all = own.iter().map(|p| p.0).collect::<Vec<_>>();
                let masks = own.iter().map(|p| p.1).collect::<Vec<_>>();
                (self.graph.concat(&all, 1)?, self.graph.concat(&masks, 1)?)
            };
            let scores = self.graph.matmul(features, vectors)?;
            let scores = self.graph.add(scores, shifts)?;
            let penalty = self.penalty(mask)?;
            let scores = self.graph.add(scores, penalty)?;
            let best = self.graph.reduce_max(scores, &[1], false)?;
            let present = self.graph.reduce_max(mask, &[1], true)?;
            groups.push(self.graph.mul(best, present)?);
        }
        self.graph.concat(&groups, 1).map_err(Into::into)
    }

    fn classify(&mut self, scores: Value, with_scores: bool) -> Result<()> {
        let head = head_of(self.config, self.weights)?;
        let votes =
            (0..head.classes).flat_map(|k| (0..head.concepts).map(move |c| (k, c))).map(|(k, c)| head.weight(k, c) as f32).collect();
        let votes = self.graph.initializer("votes", &Tensor::from_vec([1, head.classes, head.concepts], votes)?)?;
        let rows = self.graph.unsqueeze(scores, &[1])?;
        let attention = self.graph.mul(rows, votes)?;
        let logits = self.graph.reduce_sum(attention, &[2], false)?;
        if with_scores {
            self.graph.output("concept_scores", scores)?;
        }
        self.graph.output("attention", attention)?;
        self.graph.output("logits", logits).map_err(Into::into)
    }

    fn patient(&mut self) -> Result<()> {
        let (f, side) = (self.config.features() as i64, self.config.side);
        let mut parts = Vec::new();
        for m in 0..MODALITIES.len() {
            let images = self.input(&lower(m), &[self.config.channels, side, side])?;
            let flat = self.graph.reshape(images, &[-1, self.config.channels as i64, side as i64, side as i64])?;
            let maps = self.encoder(m, flat)?;
            let features = self.pooled(maps)?;
            let mask = self.mask(&format!("mask_{}", lower(m)), "images")?;
            // Rows back into bags: the mask's own shape, with the features behind it.
            let shape = self.graph.shape_of(mask)?;
            let last = self.graph.ints(&[f])?;
            let shape = self.graph.concat(&[shape, last], 0)?;
            let bags = self.graph.node("Reshape", &[features, shape], [])?;
            self.graph.refine(bags, ["batch".into(), Dim::from("images"), Dim::Fixed(self.config.features())])?;
            parts.push((bags, mask));
        }
        let all = parts.iter().map(|p| p.0).collect::<Vec<_>>();
        let masks = parts.iter().map(|p| p.1).collect::<Vec<_>>();
        let (all, masks) = (self.graph.concat(&all, 1)?, self.graph.concat(&masks, 1)?);
        let blackbox = self.blackbox(all, masks)?;
        self.graph.output("blackbox_logits", blackbox)?;
        let scores = self.scores(&parts)?;
        self.classify(scores, true)
    }
}

/// The bottleneck classifier of a file.
///
/// # Errors
/// [`Error::Keys`], [`Error::Shape`], [`Error::DType`].
pub fn head_of(config: &NetworkConfig, weights: &Weights) -> Result<Head> {
    let first = weights.f32(&group_weight(0), &[config.classes, FIRST_GROUP])?;
    let second = weights.f32(&group_weight(1), &[config.classes, COUNT - FIRST_GROUP])?;
    let mut head = Head::new(config.classes, COUNT);
    let rows = first.chunks_exact(FIRST_GROUP).zip(second.chunks_exact(COUNT - FIRST_GROUP));
    head.free = rows.flat_map(|(a, b)| a.iter().chain(b)).map(|v| f64::from(*v)).collect();
    Ok(head)
}
