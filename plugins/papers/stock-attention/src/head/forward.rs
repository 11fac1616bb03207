//! The head in plain Rust: what training validates with, and what exports are compared with.

use super::params::{CREDIBILITY_FEATURES, LAG_DAYS, PRICE_DAYS, PRICE_FEATURES, tensors};
use crate::config::{ArmConfig, Fusion, NetworkConfig};
use crate::study::{Scaler, View};
use std::collections::BTreeMap;
use zoo_core::{Error, Result, Weights};

/// Least `kappa` whose logarithm is taken.
pub(crate) const LEAST_KAPPA: f32 = 1e-6;

/// One arm, ready to run.
#[derive(Clone, Debug)]
pub struct Head {
    network: NetworkConfig,
    arm: ArmConfig,
    tensors: BTreeMap<&'static str, Vec<f32>>,
    /// How features are scaled.
    pub scaler: Scaler,
}

/// An answer with its reasons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explained {
    /// Logarithm of the odds of a rise.
    pub logit: f32,
    /// Share of each post in its day.
    pub alpha: Vec<f32>,
    /// Credibility of each post.
    pub kappa: Vec<f32>,
    /// Mean share of prices in the joint state; 0.5 where nothing gates.
    pub gate: f32,
}

impl Head {
    /// Takes an arm's tensors, named `ARM.NAME`, and the scaler.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::Shape`] or [`Error::DType`].
    pub fn new(network: NetworkConfig, arm: ArmConfig, name: &str, weights: &Weights) -> Result<Self> {
        let mut own = BTreeMap::new();
        for (tensor, shape, _) in tensors(&network, arm) {
            own.insert(tensor, weights.f32(&format!("{name}.{tensor}"), &shape)?.to_vec());
        }
        Ok(Self { network, arm, tensors: own, scaler: Scaler::from_weights(weights)? })
    }

    /// What the arm sees.
    pub fn arm(&self) -> ArmConfig {
        self.arm
    }

    pub(crate) fn network(&self) -> NetworkConfig {
        self.network
    }

    pub(crate) fn get(&self, name: &str) -> Result<&[f32]> {
        self.tensors.get(name).map(Vec::as_slice).ok_or_else(|| Error::Keys {
            what: "weights of the head".into(),
            missing: vec![name.into()],
            unexpected: Vec::new(),
        })
    }

    /// Logit of one sample.
    ///
    /// # Errors
    /// [`Error::Shape`] if embeddings have another width.
    pub fn logit(&self, view: &View<'_>) -> Result<f32> {
        Ok(self.explain(view, |kappa| kappa)?.logit)
    }

    /// Logit with attention, credibility and gate; `change` may alter the credibilities first.
    ///
    /// # Errors
    /// As [`Head::logit`].
    pub fn explain(&self, view: &View<'_>, change: impl FnOnce(Vec<f32>) -> Vec<f32>) -> Result<Explained> {
        let h = self.network.hidden;
        let mut out = Explained { gate: 0.5, ..Explained::default() };
        let price = self.arm.price.then(|| self.price(view)).transpose()?;
        let text = if self.arm.text {
            out.kappa = change(self.kappa(view)?);
            Some(self.text(view, price.as_ref().map(|(g, _)| g.as_slice()), &mut out)?)
        } else {
            None
        };
        let side = |name: &str, x: &[f32]| -> Result<Vec<f32>> {
            let mut y = affine(self.get(&format!("fuse.{name}.weight"))?, Some(self.get(&format!("fuse.{name}.bias"))?), x);
            y.iter_mut().for_each(|v| *v = v.tanh());
            Ok(y)
        };
        let joint = match (&price, &text) {
            (Some((g, gs)), Some((r, rs))) if self.network.fusion == Fusion::CrossAttention => {
                let price_context = attend(&affine(self.get("fuse.query_text.weight")?, None, r), gs, h);
                let text_context = attend(&affine(self.get("fuse.query_price.weight")?, None, g), rs, h);
                let (a, b) = (side("price", &price_context)?, side("text", &text_context)?);
                a.iter().zip(b).map(|(a, b)| a + b).collect()
            }
            (Some((g, _)), Some((r, _))) => {
                let both = [g.as_slice(), r.as_slice()].concat();
                let gate: Vec<f32> =
                    affine(self.get("fuse.gate.weight")?, Some(self.get("fuse.gate.bias")?), &both).into_iter().map(sigmoid).collect();
                out.gate = gate.iter().sum::<f32>() / h as f32;
                let (a, b) = (side("price", g)?, side("text", r)?);
                (0..h).map(|i| gate[i] * a[i] + (1.0 - gate[i]) * b[i]).collect()
            }
            (Some((g, _)), None) => side("price", g)?,
            (None, Some((r, _))) => side("text", r)?,
            (None, None) => vec![0.0; h],
        };
        out.logit = affine(self.get("head.weight")?, Some(self.get("head.bias")?), &joint)[0];
        Ok(out)
    }

    /// State of the prices: temporal attention over the days, and the days.
    fn price(&self, view: &View<'_>) -> Result<(Vec<f32>, Vec<f32>)> {
        let h = self.network.hidden;
        let scaled: Vec<f32> = view.price.chunks_exact(PRICE_FEATURES).flat_map(|day| self.scaler.price(day)).collect();
        let days = self.recur("price.gru", &scaled, PRICE_FEATURES)?;
        let (w, v) = (self.get("price.attn.W")?, self.get("price.attn.v")?);
        let mut scores: Vec<f32> =
            days.chunks_exact(h).map(|day| affine(w, None, day).iter().zip(v).map(|(x, v)| x.tanh() * v).sum()).collect();
        softmax(&mut scores);
        let mut state = vec![0.0; h];
        for (day, share) in days.chunks_exact(h).zip(&scores) {
            state.iter_mut().zip(day).for_each(|(s, x)| *s += share * x);
        }
        debug_assert_eq!(scores.len(), PRICE_DAYS);
        Ok((state, days))
    }

    /// Credibility of each post; 1 where the arm has none.
    fn kappa(&self, view: &View<'_>) -> Result<Vec<f32>> {
        if !self.arm.credibility {
            return Ok(vec![1.0; view.slots.len()]);
        }
        let (w0, b0) = (self.get("cred.0.weight")?, self.get("cred.0.bias")?);
        let (w2, b2) = (self.get("cred.2.weight")?, self.get("cred.2.bias")?);
        let of = |features: &[f32]| {
            let mut inner = affine(w0, Some(b0), &self.scaler.credibility(features));
            inner.iter_mut().for_each(|v| *v = v.tanh());
            sigmoid(affine(w2, Some(b2), &inner)[0])
        };
        Ok(view.credibility.chunks_exact(CREDIBILITY_FEATURES).map(of).collect())
    }

    /// State of the posts: the last day's, and the days.
    fn text(&self, view: &View<'_>, query: Option<&[f32]>, out: &mut Explained) -> Result<(Vec<f32>, Vec<f32>)> {
        let NetworkConfig { embedding, projection: p, hidden: h, .. } = self.network;
        let (weight, bias) = (self.get("text.proj.weight")?, self.get("text.proj.bias")?);
        let (w, v) = (self.get("post_attn.W")?, self.get("post_attn.v")?);
        let asked = match query {
            Some(g) => affine(self.get("post_attn.U")?, None, g),
            None => vec![0.0; p],
        };
        if view.embeddings.len() != view.slots.len() * embedding {
            return Err(Error::shape("embeddings of a sample", [view.slots.len(), embedding], [view.embeddings.len()]));
        }
        let mut posts = Vec::with_capacity(view.slots.len());
        let mut scores = Vec::with_capacity(view.slots.len());
        for (post, kappa) in view.embeddings.chunks_exact(embedding).zip(&out.kappa) {
            let mut e = affine(weight, Some(bias), post);
            e.iter_mut().for_each(|x| *x = x.tanh());
            let score: f32 = affine(w, None, &e).iter().zip(&asked).zip(v).map(|((x, q), v)| (x + q).tanh() * v).sum();
            scores.push(score + kappa.max(LEAST_KAPPA).ln());
            posts.push(e);
        }
        let null = self.get("null_day")?;
        let mut days = Vec::with_capacity(LAG_DAYS * (p + 1));
        out.alpha = vec![0.0; view.slots.len()];
        for day in 0..LAG_DAYS {
            let own: Vec<usize> = (0..posts.len()).filter(|&i| usize::from(view.slots[i]) == day).collect();
            let mut shares: Vec<f32> = own.iter().map(|&i| scores[i]).collect();
            softmax(&mut shares);
            let mut z = if own.is_empty() { null.to_vec() } else { vec![0.0; p] };
            for (&i, share) in own.iter().zip(&shares) {
                out.alpha[i] = *share;
                z.iter_mut().zip(&posts[i]).for_each(|(z, e)| *z += share * e);
            }
            days.extend(z);
            days.push(if own.is_empty() { 0.0 } else { 1.0 });
        }
        let states = self.recur("text.gru", &days, p + 1)?;
        Ok((states[states.len() - h..].to_vec(), states))
    }

    /// A GRU (Cho et al. 2014, in PyTorch's form: the reset gate acts after the recurrent product); all states.
    fn recur(&self, name: &str, inputs: &[f32], width: usize) -> Result<Vec<f32>> {
        let h = self.network.hidden;
        let part = |part: &str| self.get(&format!("{name}.{part}_l0"));
        let (wi, wh, bi, bh) = (part("weight_ih")?, part("weight_hh")?, part("bias_ih")?, part("bias_hh")?);
        let mut state = vec![0.0; h];
        let mut states = Vec::new();
        for input in inputs.chunks_exact(width) {
            let (x, y) = (affine(wi, Some(bi), input), affine(wh, Some(bh), &state));
            for i in 0..h {
                let (reset, update) = (sigmoid(x[i] + y[i]), sigmoid(x[h + i] + y[h + i]));
                let new = (x[2 * h + i] + reset * y[2 * h + i]).tanh();
                state[i] = (1.0 - update) * new + update * state[i];
            }
            states.extend_from_slice(&state);
        }
        Ok(states)
    }
}

/// `W x + b`; `W` is row-major `[bias.len(), x.len()]`.
fn affine(weight: &[f32], bias: Option<&[f32]>, x: &[f32]) -> Vec<f32> {
    let product = weight.chunks_exact(x.len().max(1)).map(|row| dot(row, x));
    match bias {
        Some(bias) => product.zip(bias).map(|(y, b)| y + b).collect(),
        None => product.collect(),
    }
}

/// Eight running sums, so that the compiler may use wide registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn softmax(scores: &mut [f32]) {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|s| *s = (*s - top).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|s| *s /= sum);
}

/// Scaled dot-product attention of one query over days that are keys and values at once.
fn attend(query: &[f32], days: &[f32], width: usize) -> Vec<f32> {
    let mut scores: Vec<f32> = days.chunks_exact(width).map(|day| dot(query, day) / (width as f32).sqrt()).collect();
    softmax(&mut scores);
    let mut context = vec![0.0; width];
    for (day, share) in days.chunks_exact(width).zip(scores) {
        context.iter_mut().zip(day).for_each(|(c, x)| *c += share * x);
    }
    context
}
