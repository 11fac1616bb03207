//! The encoder as an ONNX graph.
//!
//! BERT (Devlin et al. 2019), post-norm, exact GELU, as `config.json` of the weights describes; the three projections of
//! attention are one matrix product, which changes no value.

use std::collections::BTreeMap;
use zoo_core::{Artifact, DType, Dim, Error, Result, Tensor, Weights};
use zoo_formats::onnx::{DEFAULT_OPSET, Graph, Node, Value};

/// Sizes of the encoder, read from the weights; heads and layers are those of MiniLM-L6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bert {
    /// Words of the vocabulary.
    pub vocabulary: usize,
    /// Greatest number of tokens.
    pub positions: usize,
    /// Units of a token.
    pub hidden: usize,
    /// Units between the two layers of a block's feed-forward part.
    pub inner: usize,
    /// Attention heads.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
}

/// Units of a head of BERT and all its kin.
const HEAD: usize = 32;
const EPSILON: f32 = 1e-12;
/// What a padded token's score is lowered by: large enough to vanish, small enough to stay finite.
const MASKED: f64 = -1e9;

impl Bert {
    /// Reads the sizes.
    ///
    /// # Errors
    /// [`Error::Keys`] or [`Error::Shape`] if the weights are not those of such an encoder.
    pub fn of(weights: &Weights) -> Result<Self> {
        let matrix = |name: &str| -> Result<[usize; 2]> {
            let shape = weights.get(name)?.shape();
            shape.try_into().map_err(|_| Error::shape(format!("weight `{name}`"), "[rows, columns]", shape))
        };
        let [vocabulary, hidden] = matrix("embeddings.word_embeddings.weight")?;
        let [positions, _] = matrix("embeddings.position_embeddings.weight")?;
        let [inner, _] = matrix("encoder.layer.0.intermediate.dense.weight")?;
        let layers = (0..).take_while(|n| weights.tensors.contains_key(&format!("encoder.layer.{n}.output.dense.weight"))).count();
        if hidden == 0 || !hidden.is_multiple_of(HEAD) {
            return Err(Error::argument("units of a token", format!("a multiple of {HEAD}"), hidden));
        }
        Ok(Self { vocabulary, positions, hidden, inner, heads: hidden / HEAD, layers })
    }

    /// Names and shapes of all tensors, which are those of the published file.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (h, inner) = (self.hidden, self.inner);
        let mut all = vec![
            ("embeddings.word_embeddings.weight".to_owned(), vec![self.vocabulary, h]),
            ("embeddings.position_embeddings.weight".to_owned(), vec![self.positions, h]),
            ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, h]),
        ];
        let norm = |all: &mut Vec<(String, Vec<usize>)>, name: String| {
            all.push((format!("{name}.weight"), vec![h]));
            all.push((format!("{name}.bias"), vec![h]));
        };
        norm(&mut all, "embeddings.LayerNorm".into());
        for n in 0..self.layers {
            let layer = format!("encoder.layer.{n}");
            for (name, rows, columns) in [
                ("attention.self.query", h, h),
                ("attention.self.key", h, h),
                ("attention.self.value", h, h),
                ("attention.output.dense", h, h),
                ("intermediate.dense", inner, h),
                ("output.dense", h, inner),
            ] {
                all.push((format!("{layer}.{name}.weight"), vec![rows, columns]));
                all.push((format!("{layer}.{name}.bias"), vec![rows]));
            }
            norm(&mut all, format!("{layer}.attention.output.LayerNorm"));
            norm(&mut all, format!("{layer}.output.LayerNorm"));
        }
        all
    }

    /// Checks names and shapes, and leaves out what the graph does not use: the pooler of BERT's own head, and position
    /// numbers that older files store.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::DType`] or [`Error::Shape`].
    pub fn select(&self, file: &Weights) -> Result<Weights> {
        const UNUSED: [&str; 3] = ["embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"];
        let mut kept = Weights { tensors: BTreeMap::new(), metadata: file.metadata.clone() };
        for (name, tensor) in file.tensors.iter().filter(|(name, _)| !UNUSED.contains(&name.as_str())) {
            kept.insert(name, tensor.clone());
        }
        let wanted = self.tensors();
        kept.expect_keys("weights of the text encoder", wanted.iter().map(|(name, _)| name.as_str()))?;
        wanted.iter().try_for_each(|(name, shape)| kept.f32(name, shape).map(drop))?;
        Ok(kept)
    }
}

/// Exports the encoder.
///
/// # Shapes
/// `input_ids`, `attention_mask`, `token_type_ids` i64 `[batch, tokens]` to `embedding` f32 `[batch, hidden]` of length 1.
///
/// # Errors
/// As [`Bert::select`], and what the graph builder finds.
pub fn export(weights: &Weights, opset: Option<u32>, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let bert = Bert::of(weights)?;
    let weights = bert.select(weights)?;
    let mut g = Graph::with_opset("minilm", opset.unwrap_or(DEFAULT_OPSET))?;
    let axes = || [Dim::from("batch"), Dim::from("tokens")];
    let ids = g.input("input_ids", DType::I64, axes())?;
    let mask = g.input("attention_mask", DType::I64, axes())?;
    let types = g.input("token_type_ids", DType::I64, axes())?;
    let mut layer = Layer { g, bert, weights: &weights };
    let mut x = layer.embed(ids, types)?;
    let kept = layer.g.cast(mask, DType::F32)?;
    let bias = layer.mask_bias(kept)?;
    for n in 0..bert.layers {
        layer.g.enter(format!("layer{n}"));
        x = layer.block(&format!("encoder.layer.{n}"), x, bias)?;
        layer.g.leave();
    }
    let pooled = layer.pool(x, kept)?;
    let mut g = layer.g;
    g.output("embedding", pooled)?;
    for (key, value) in metadata {
        g.metadata(key, value);
    }
    Ok(g.variant("encoder").finish()?)
}

struct Layer<'a> {
    g: Graph,
    bert: Bert,
    weights: &'a Weights,
}

impl Layer<'_> {
    fn initial(&mut self, name: &str) -> Result<Value> {
        Ok(self.g.initializer(name, self.weights.get(name)?)?)
    }

    fn norm(&mut self, name: &str, x: Value) -> Result<Value> {
        let (scale, bias) = (self.initial(&format!("{name}.weight"))?, self.initial(&format!("{name}.bias"))?);
        Ok(self.g.layer_norm(x, scale, bias, EPSILON)?)
    }

    /// `x W^T + b` with the weight stored turned, so that a runtime need not turn it.
    fn dense(&mut self, names: &[String], x: Value) -> Result<Value> {
        let columns = self.weights.get(&format!("{}.weight", names[0]))?.shape()[1];
        let (mut rows, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            let (weight, b) = (self.weights.get(&format!("{name}.weight"))?, self.weights.get(&format!("{name}.bias"))?);
            rows.extend(weight.as_slice::<f32>()?.chunks_exact(columns));
            bias.extend_from_slice(b.as_slice::<f32>()?);
        }
        let turned = (0..columns).flat_map(|c| rows.iter().map(move |row| row[c])).collect();
        let stem = if names.len() == 1 { names[0].clone() } else { format!("{}_key_value", names[0]) };
        let weight = self.g.initializer(&format!("{stem}.weight_t"), &Tensor::from_vec([columns, rows.len()], turned)?)?;
        let bias = self.g.initializer(&format!("{stem}.bias"), &Tensor::from_vec([bias.len()], bias)?)?;
        let product = self.g.matmul(x, weight)?;
        Ok(self.g.add(product, bias)?)
    }

    /// Words, positions and types, normalised.
    fn embed(&mut self, ids: Value, types: Value) -> Result<Value> {
        let words = self.initial("embeddings.word_embeddings.weight")?;
        let positions = self.initial("embeddings.position_embeddings.weight")?;
        let kinds = self.initial("embeddings.token_type_embeddings.weight")?;
        let words = self.g.gather(words, ids, 0)?;
        let kinds = self.g.gather(kinds, types, 0)?;
        let shape = self.g.shape_of(ids)?;
        let one = self.g.ints(&[1])?;
        let tokens = self.g.gather(shape, one, 0)?;
        let (zero, axis) = (self.g.ints(&[0])?, self.g.ints(&[0])?);
        let positions = self.g.insert_one(Node::new("Slice").input(positions).input(zero).input(tokens).input(axis))?;
        let positions = {
            let hidden = self.bert.hidden;
            self.g.refine(positions, [Dim::from("tokens"), hidden.into()])?;
            positions
        };
        let sum = self.g.add(words, kinds)?;
        let sum = self.g.add(sum, positions)?;
        self.norm("embeddings.LayerNorm", sum)
    }

    /// `[batch, 1, 1, tokens]`: 0 for a token, a great negative number for padding.
    fn mask_bias(&mut self, kept: Value) -> Result<Value> {
        let wide = self.g.unsqueeze(kept, &[1, 2])?;
        let padded = self.g.add_scalar(wide, -1.0)?;
        Ok(self.g.mul_scalar(padded, -MASKED)?)
    }

    fn block(&mut self, name: &str, x: Value, bias: Value) -> Result<Value> {
        let (heads, hidden) = (self.bert.heads as i64, self.bert.hidden as i64);
        let parts = ["query", "key", "value"].map(|part| format!("{name}.attention.self.{part}"));
        let joint = self.dense(&parts, x)?;
        let mut split = self.g.split(joint, &[hidden; 3], -1)?.into_iter();
        let mut head = |order: &[i64]| -> Result<Value> {
            let part = split.next().ok_or_else(|| Error::artifact("text encoder", "attention", "expected three parts"))?;
            let part = self.g.reshape(part, &[0, 0, heads, HEAD as i64])?;
            Ok(self.g.transpose(part, order)?)
        };
        let (query, key, value) = (head(&[0, 2, 1, 3])?, head(&[0, 2, 3, 1])?, head(&[0, 2, 1, 3])?);
        let scores = self.g.matmul(query, key)?;
        let scores = self.g.mul_scalar(scores, 1.0 / (HEAD as f64).sqrt())?;
        let scores = self.g.add(scores, bias)?;
        let shares = self.g.softmax(scores, -1)?;
        let mixed = self.g.matmul(shares, value)?;
        let mixed = self.g.transpose(mixed, &[0, 2, 1, 3])?;
        let mixed = self.g.reshape(mixed, &[0, 0, hidden])?;
        let mixed = self.dense(&[format!("{name}.attention.output.dense")], mixed)?;
        let x = self.g.add(mixed, x)?;
        let x = self.norm(&format!("{name}.attention.output.LayerNorm"), x)?;
        let inner = self.dense(&[format!("{name}.intermediate.dense")], x)?;
        let inner = self.g.gelu(inner)?;
        let outer = self.dense(&[format!("{name}.output.dense")], inner)?;
        let x = self.g.add(outer, x)?;
        self.norm(&format!("{name}.output.LayerNorm"), x)
    }

    /// Mean over the tokens that are none of padding, scaled to length 1. Lower bounds are those of
    /// sentence-transformers, so that an empty row is zero.
    fn pool(&mut self, x: Value, kept: Value) -> Result<Value> {
        let kept = self.g.unsqueeze(kept, &[2])?;
        let masked = self.g.mul(x, kept)?;
        let sum = self.g.reduce_sum(masked, &[1], false)?;
        let count = self.g.reduce_sum(kept, &[1], false)?;
        let count = self.g.clip(count, Some(1e-9), None)?;
        let mean = self.g.div(sum, count)?;
        let square = self.g.mul(mean, mean)?;
        let square = self.g.reduce_sum(square, &[1], true)?;
        let length = self.g.sqrt(square)?;
        let length = self.g.clip(length, Some(1e-12), None)?;
        Ok(self.g.div(mean, length)?)
    }
}
