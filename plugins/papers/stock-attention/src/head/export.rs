//! The head as an ONNX graph. The recurrent networks are unrolled: both lengths are fixed and short, and every runtime
//! has the plain operators.

use super::forward::{Head, LEAST_KAPPA};
use super::params::{CREDIBILITY_FEATURES, LAG_DAYS, PRICE_DAYS, PRICE_FEATURES};
use crate::config::{Fusion, NetworkConfig};
use std::collections::BTreeMap;
use zoo_core::{Artifact, DType, Dim, Result, Tensor};
use zoo_formats::onnx::{DEFAULT_OPSET, Graph, Value};

/// Added to scores of empty places: they vanish, and stay finite where a day has nothing else.
const MASKED: f64 = 1e9;

/// Exports one arm.
///
/// # Shapes
/// `text` f32 `[batch, 5, posts, embedding]`, `text_mask` f32 `[batch, 5, posts]` (1 for a post, 0 for none), `cred` f32
/// `[batch, 5, posts, 9]`, `price` f32 `[batch, 10, 5]`, all unscaled, to `logit` `[batch, 1]`, `alpha` and `kappa`
/// `[batch, 5, posts]` (0 where there is no post) and `gate` `[batch, 1]`. Inputs and outputs that an arm does not have
/// are left out.
///
/// # Errors
/// What the graph builder finds.
pub fn export(head: &Head, name: &str, opset: Option<u32>, metadata: BTreeMap<String, String>) -> Result<Artifact> {
    let g = Graph::with_opset(format!("stock-attention-{name}"), opset.unwrap_or(DEFAULT_OPSET))?;
    let mut b = Builder { g, head, network: head.network() };
    let arm = head.arm();
    let text = if arm.text { Some(b.text_inputs()?) } else { None };
    let price = if arm.price { Some(b.price()?) } else { None };
    let mut outputs = Vec::new();
    let text = match text {
        Some(inputs) => Some(b.text(inputs, price.as_ref().map(|p| p.0), &mut outputs)?),
        None => None,
    };
    let joint = b.fuse(price, text, &mut outputs)?;
    let logit = b.linear("head", joint)?;
    b.g.output("logit", logit)?;
    for (name, value) in outputs {
        b.g.output(name, value)?;
    }
    for (key, value) in metadata {
        b.g.metadata(key, value);
    }
    Ok(b.g.variant(name).finish()?)
}

/// A state at the end, and the states of all days `[batch, days, hidden]`.
type States = (Value, Value);

#[derive(Clone, Copy)]
struct TextInputs {
    text: Value,
    mask: Value,
    cred: Option<Value>,
}

struct Builder<'a> {
    g: Graph,
    head: &'a Head,
    network: NetworkConfig,
}

impl Builder<'_> {
    fn initial(&mut self, name: &str, shape: &[usize]) -> Result<Value> {
        let tensor = Tensor::from_vec(shape, self.head.get(name)?.to_vec())?;
        Ok(self.g.initializer(name, &tensor)?)
    }

    /// A matrix `[rows, columns]` stored turned.
    fn turned(&mut self, name: &str, columns: usize) -> Result<Value> {
        let values = self.head.get(name)?;
        let rows = values.len() / columns.max(1);
        let turned = (0..columns).flat_map(|c| (0..rows).map(move |r| values[r * columns + c])).collect();
        let tensor = Tensor::from_vec([columns, rows], turned)?;
        Ok(self.g.initializer(&format!("{name}_t"), &tensor)?)
    }

    /// `x W^T + b` over the last axis.
    fn affine(&mut self, weight: &str, bias: Option<&str>, x: Value) -> Result<Value> {
        let columns = self.g.value_type(x)?.shape.last().and_then(Dim::fixed).unwrap_or(0);
        let weight = self.turned(weight, columns)?;
        let product = self.g.matmul(x, weight)?;
        let Some(bias) = bias else { return Ok(product) };
        let length = self.head.get(bias)?.len();
        let bias = self.initial(bias, &[length])?;
        Ok(self.g.add(product, bias)?)
    }

    fn linear(&mut self, name: &str, x: Value) -> Result<Value> {
        self.affine(&format!("{name}.weight"), Some(&format!("{name}.bias")), x)
    }

    /// `(x - mean) / std` over the last axis.
    fn scale(&mut self, name: &str, [mean, std]: [&[f32]; 2], x: Value) -> Result<Value> {
        let mean = self.g.initializer(&format!("scale.{name}.mean"), &Tensor::from_vec([mean.len()], mean.to_vec())?)?;
        let std = self.g.initializer(&format!("scale.{name}.std"), &Tensor::from_vec([std.len()], std.to_vec())?)?;
        let centred = self.g.sub(x, mean)?;
        Ok(self.g.div(centred, std)?)
    }

    /// Unrolls a GRU over axis 1 of `[batch, days, width]`.
    fn recur(&mut self, name: &str, x: Value, days: usize) -> Result<States> {
        let h = self.network.hidden as i64;
        self.g.enter(name);
        let projected = self.affine(&format!("{name}.weight_ih_l0"), Some(&format!("{name}.bias_ih_l0")), x)?;
        let weight = self.turned(&format!("{name}.weight_hh_l0"), self.network.hidden)?;
        let bias = self.initial(&format!("{name}.bias_hh_l0"), &[3 * self.network.hidden])?;
        let mut state: Option<Value> = None;
        let mut states = Vec::new();
        for day in 0..days as i64 {
            let input = self.g.slice(projected, 1, day, day + 1)?;
            let input = self.g.squeeze(input, &[1])?;
            let recurrent = match state {
                Some(state) => {
                    let product = self.g.matmul(state, weight)?;
                    self.g.add(product, bias)?
                }
                None => bias,
            };
            let axis = if state.is_some() { 1 } else { 0 };
            let gates = |g: &mut Graph, from: i64, to: i64| -> Result<Value> {
                let (a, b) = (g.slice(input, 1, from, to)?, g.slice(recurrent, axis, from, to)?);
                let sum = g.add(a, b)?;
                Ok(g.sigmoid(sum)?)
            };
            let (reset, update) = (gates(&mut self.g, 0, h)?, gates(&mut self.g, h, 2 * h)?);
            let g = &mut self.g;
            let (a, b) = (g.slice(input, 1, 2 * h, 3 * h)?, g.slice(recurrent, axis, 2 * h, 3 * h)?);
            let b = g.mul(reset, b)?;
            let sum = g.add(a, b)?;
            let new = g.tanh(sum)?;
            let next = match state {
                // new + update * (state - new)
                Some(state) => {
                    let change = g.sub(state, new)?;
                    let change = g.mul(update, change)?;
                    g.add(new, change)?
                }
                None => {
                    let kept = g.mul(update, new)?;
                    g.sub(new, kept)?
                }
            };
            states.push(g.unsqueeze(next, &[1])?);
            state = Some(next);
        }
        let all = self.g.concat(&states, 1)?;
        self.g.leave();
        let last = state.unwrap_or(all);
        Ok((last, all))
    }

    fn price(&mut self) -> Result<States> {
        let x = self.g.input("price", DType::F32, ["batch".into(), PRICE_DAYS.into(), PRICE_FEATURES.into()])?;
        let scaler = &self.head.scaler;
        let x = self.scale("price", [&scaler.price_mean, &scaler.price_std], x)?;
        let (_, days) = self.recur("price.gru", x, PRICE_DAYS)?;
        let inner = self.affine("price.attn.W", None, days)?;
        let inner = self.g.tanh(inner)?;
        let scores = self.affine("price.attn.v", None, inner)?;
        let shares = self.g.softmax(scores, 1)?;
        let weighted = self.g.mul(days, shares)?;
        Ok((self.g.reduce_sum(weighted, &[1], false)?, days))
    }

    fn text_inputs(&mut self) -> Result<TextInputs> {
        let axes = || [Dim::from("batch"), LAG_DAYS.into(), Dim::from("posts")];
        let wide = |last: usize| axes().into_iter().chain([last.into()]).collect::<Vec<Dim>>();
        let text = self.g.input("text", DType::F32, wide(self.network.embedding))?;
        let mask = self.g.input("text_mask", DType::F32, axes())?;
        let cred = if self.head.arm().credibility { Some(self.g.input("cred", DType::F32, wide(CREDIBILITY_FEATURES))?) } else { None };
        Ok(TextInputs { text, mask, cred })
    }

    fn text(&mut self, inputs: TextInputs, query: Option<Value>, outputs: &mut Vec<(&'static str, Value)>) -> Result<States> {
        let TextInputs { text, mask, cred } = inputs;
        let e = self.linear("text.proj", text)?;
        let e = self.g.tanh(e)?;
        let mut inner = self.affine("post_attn.W", None, e)?;
        if let Some(query) = query {
            let asked = self.affine("post_attn.U", None, query)?;
            let asked = self.g.unsqueeze(asked, &[1, 2])?;
            inner = self.g.add(inner, asked)?;
        }
        let inner = self.g.tanh(inner)?;
        let scores = self.affine("post_attn.v", None, inner)?;
        let mut scores = self.g.squeeze(scores, &[3])?;
        if let Some(cred) = cred {
            let scaler = &self.head.scaler;
            let x = self.scale("cred", [&scaler.credibility_mean, &scaler.credibility_std], cred)?;
            let x = self.linear("cred.0", x)?;
            let x = self.g.tanh(x)?;
            let x = self.linear("cred.2", x)?;
            let x = self.g.sigmoid(x)?;
            let kappa = self.g.squeeze(x, &[3])?;
            let bounded = self.g.clip(kappa, Some(f64::from(LEAST_KAPPA)), None)?;
            let log = self.g.log(bounded)?;
            scores = self.g.add(scores, log)?;
            outputs.push(("kappa", self.g.mul(kappa, mask)?));
        }
        let g = &mut self.g;
        let empty = g.add_scalar(mask, -1.0)?;
        let lowered = g.mul_scalar(empty, MASKED)?;
        let scores = g.add(scores, lowered)?;
        let shares = g.softmax(scores, 2)?;
        // A day without posts has equal shares of nothing: the mask takes them away.
        let shares = g.mul(shares, mask)?;
        outputs.push(("alpha", shares));
        let wide = g.unsqueeze(shares, &[3])?;
        let weighted = g.mul(e, wide)?;
        let z = g.reduce_sum(weighted, &[2], false)?;
        let any = g.reduce_max(mask, &[2], true)?;
        let null = self.initial("null_day", &[self.network.projection])?;
        let g = &mut self.g;
        let none = g.neg(any)?;
        let none = g.add_scalar(none, 1.0)?;
        let filled = g.mul(none, null)?;
        let z = g.add(z, filled)?;
        let days = g.concat(&[z, any], 2)?;
        self.recur("text.gru", days, LAG_DAYS)
    }

    fn side(&mut self, name: &str, x: Value) -> Result<Value> {
        let y = self.linear(&format!("fuse.{name}"), x)?;
        Ok(self.g.tanh(y)?)
    }

    fn fuse(&mut self, price: Option<States>, text: Option<States>, outputs: &mut Vec<(&'static str, Value)>) -> Result<Value> {
        match (price, text) {
            (Some((g, gs)), Some((r, rs))) if self.network.fusion == Fusion::CrossAttention => {
                let from_text = self.affine("fuse.query_text.weight", None, r)?;
                let price_context = self.attend(from_text, gs)?;
                let from_price = self.affine("fuse.query_price.weight", None, g)?;
                let text_context = self.attend(from_price, rs)?;
                let (a, b) = (self.side("price", price_context)?, self.side("text", text_context)?);
                Ok(self.g.add(a, b)?)
            }
            (Some((g, _)), Some((r, _))) => {
                let both = self.g.concat(&[g, r], 1)?;
                let gate = self.linear("fuse.gate", both)?;
                let gate = self.g.sigmoid(gate)?;
                outputs.push(("gate", self.g.reduce_mean(gate, &[1], true)?));
                let (a, b) = (self.side("price", g)?, self.side("text", r)?);
                let difference = self.g.sub(a, b)?;
                let share = self.g.mul(gate, difference)?;
                Ok(self.g.add(b, share)?)
            }
            (Some((g, _)), None) => self.side("price", g),
            (None, Some((r, _))) => self.side("text", r),
            (None, None) => Err(zoo_core::Error::argument("arm", "prices, posts or both", "neither")),
        }
    }

    /// Scaled dot-product attention of `[batch, hidden]` over `[batch, days, hidden]`.
    fn attend(&mut self, query: Value, days: Value) -> Result<Value> {
        let g = &mut self.g;
        let column = g.unsqueeze(query, &[2])?;
        let scores = g.matmul(days, column)?;
        let scores = g.mul_scalar(scores, 1.0 / (self.network.hidden as f64).sqrt())?;
        let shares = g.softmax(scores, 1)?;
        let weighted = g.mul(days, shares)?;
        Ok(g.reduce_sum(weighted, &[1], false)?)
    }
}
