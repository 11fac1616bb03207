//! Training of all arms side by side: they share batches and nothing else, so one run gives comparable heads.

use crate::config::{ArmConfig, Fusion, NetworkConfig, PaperConfig};
use crate::head::{CREDIBILITY_FEATURES, Head, LAG_DAYS, PRICE_DAYS, PRICE_FEATURES, tensors};
use crate::model::WEIGHTS_LICENCE;
use crate::runs::{labels, logits};
use crate::stats::{Call, Confusion};
use crate::study::{Corpus, Part, Scaler};
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};
use zoo_core::{Config, Error, Result, TrainSink, Trainer, Weights, Workbench};
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::optim::{Adam, Optimiser, Schedule};
use zoo_train::params::{Init, ParamStore};
use zoo_train::run::{Plan, Recipe, Step, StepResult, train};
use zoo_train::seeds::Seeds;

/// Trains family `head`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadTrainer;

/// Prefix of the best tensors so far, kept as buffers so that a resumed run has them.
const BEST: &str = "best.";
/// Validation score of the best tensors of an arm.
const SCORE: &str = "score.";

impl Trainer for HeadTrainer {
    fn model(&self) -> &str {
        "head"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let paper = PaperConfig::read(config)?;
        let mut corpus = Corpus::read(&paper.dataset, "days", bench)?;
        corpus.embed(&paper.encoder, paper.network.embedding, bench)?;
        let labels = labels(&corpus, &paper)?;
        let days = paper.days()?;
        let [items, val] = [Part::Train, Part::Val].map(|part| labelled(&corpus, &labels, days, part));
        if items.is_empty() || val.is_empty() {
            return Err(Error::argument(
                "labelled samples",
                "some for training and some for validation",
                format!("{} and {}", items.len(), val.len()),
            ));
        }
        let scaler = fit(&corpus, &items);
        let mut params = ParamStore::on_cpu(seed);
        for (name, arm) in &paper.arms {
            add(&mut params, &paper.network, name, *arm)?;
        }
        let mut shuffled: Vec<i8> = items.iter().map(|&i| labels[i]).collect();
        shuffled.shuffle(&mut Seeds::new(seed).stream("shuffled labels", 0));
        let mut optimiser = Optimiser::new(Adam { weight_decay: paper.train.weight_decay, ..Adam::default() });
        let plan = Plan {
            epochs: paper.train.epochs,
            batch_size: paper.train.batch,
            drop_last: false,
            schedule: Schedule::constant(paper.train.lr),
            per_step: false,
            clip_norm: Some(5.0 * (paper.arms.len() as f64).sqrt()),
        };
        let counts = (items.len(), val.len());
        let mut lesson = Lesson { paper: &paper, corpus: &corpus, labels, items, val, shuffled, scaler };
        train(&plan, &mut params, &mut optimiser, &mut lesson, sink, bench.reporter())?;
        let mut weights = Weights::new();
        for (name, tensor) in params.weights()?.tensors {
            match (name.strip_prefix(BEST), name.strip_prefix(SCORE)) {
                (Some(own), _) => weights.insert(own, tensor),
                (_, Some(arm)) => {
                    weights.metadata.insert(format!("val_mcc.{arm}"), tensor.to_f32()[0].to_string());
                }
                _ => {}
            }
        }
        weights.tensors.extend(lesson.scaler.tensors()?);
        let (encoder, _) = bench.weights(&paper.encoder, None)?;
        let s = &paper.split;
        for (key, value) in [
            ("paper", "arXiv:2112.13593".to_owned()),
            ("plugin", format!("stock-attention {}", env!("CARGO_PKG_VERSION"))),
            ("config_hash", crate::runs::config_hash(&paper)),
            ("seed", seed.to_string()),
            ("licence", WEIGHTS_LICENCE.to_owned()),
            ("encoder_sha256", zoo_formats::digest::weights_sha256(&encoder)),
            ("split", format!("train < {}, val < {}, test < {}", s.train_until, s.val_until, s.test_until)),
            ("samples", format!("{} for training, {} for validation", counts.0, counts.1)),
        ] {
            weights.metadata.insert(key.into(), value);
        }
        Ok(weights)
    }
}

fn labelled(corpus: &Corpus, labels: &[i8], days: [i64; 3], part: Part) -> Vec<usize> {
    corpus.part(days, part, |_| true).into_iter().filter(|&i| labels[i] >= 0).collect()
}

/// Scales are those of training samples and of the posts they use.
fn fit(corpus: &Corpus, items: &[usize]) -> Scaler {
    let price = items.iter().flat_map(|&i| corpus.samples[i].price.chunks_exact(PRICE_FEATURES));
    let mut posts: Vec<u32> = items.iter().flat_map(|&i| corpus.samples[i].posts.iter().copied()).collect();
    posts.sort_unstable();
    posts.dedup();
    Scaler::fit(price, posts.iter().map(|&p| corpus.posts[p as usize].credibility.as_slice()))
}

fn add(params: &mut ParamStore, network: &NetworkConfig, name: &str, arm: ArmConfig) -> Result<()> {
    for (tensor, shape, fan_in) in tensors(network, arm) {
        let init = if fan_in == 0 { Init::Constant(0.0) } else { Init::FanIn { fan_in } };
        params.parameter(format!("{name}.{tensor}"), &shape, init)?;
        params.buffer(format!("{BEST}{name}.{tensor}"), &shape, Init::Constant(0.0))?;
    }
    params.buffer(format!("{SCORE}{name}"), &[1], Init::Constant(f32::MIN))
}

struct Lesson<'a> {
    paper: &'a PaperConfig,
    corpus: &'a Corpus,
    labels: Vec<i8>,
    items: Vec<usize>,
    val: Vec<usize>,
    /// Labels of `items` for arms that are trained on shuffled ones.
    shuffled: Vec<i8>,
    scaler: Scaler,
}

/// One batch, laid out for the engine. Posts of all samples lie one after another.
struct Batch {
    price: Tensor<2>,
    text: Option<Tensor<2>>,
    cred: Option<Tensor<2>>,
    /// `[samples * 5, posts]`: 1 where a post lies in that day of that sample.
    day_of: Tensor<2>,
    /// `[posts, samples]`: 1 where a post belongs to that sample.
    sample_of: Tensor<2>,
    /// `[samples * 5, 1]`: 1 where a day has posts.
    any: Tensor<2>,
    samples: usize,
}

impl Recipe for Lesson<'_> {
    fn items(&self) -> usize {
        self.items.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        let batch = self.batch(params, step.indices)?;
        let mut total: Option<Tensor<1>> = None;
        for (name, arm) in &self.paper.arms {
            let target: Vec<f32> = step.indices.iter().map(|&i| f32::from(self.truth(*arm, i))).collect();
            let leaked = arm.leak.then(|| step.indices.iter().map(|&i| self.labels[self.items[i]]).collect::<Vec<_>>());
            let mut dropout = |x: Tensor<2>, params: &ParamStore| drop_units(x, self.paper.network.dropout, params, &mut step.rng);
            let logit = forward(params, &self.paper.network, name, *arm, &batch, leaked.as_deref(), &mut dropout)?;
            let truth = params.input(target, [batch.samples, 1])?;
            // softplus(x) - y x, the cross entropy of a logit.
            let loss = (activation::softplus(logit.clone(), 1.0) - truth * logit).mean();
            total = Some(match total {
                Some(sum) => sum + loss,
                None => loss,
            });
        }
        let loss = total.ok_or_else(|| Error::argument("arms", "at least one", "none"))?;
        Ok(StepResult { loss, correct: None })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, epoch: u64) -> Result<Map<String, Value>> {
        let mut weights = params.weights()?;
        weights.tensors.extend(self.scaler.tensors()?);
        let mut line = Map::new();
        for (name, arm) in &self.paper.arms {
            let head = Head::new(self.paper.network, *arm, name, &weights)?;
            let calls = logits(&head, self.corpus, &self.val, &self.labels)?;
            let table =
                Confusion::count(self.val.iter().zip(&calls).map(|(&i, &logit)| Call { day: 0, stock: 0, logit, up: self.labels[i] == 1 }));
            let score = format!("{SCORE}{name}");
            #[allow(clippy::cast_possible_truncation, reason = "a score")]
            let mcc = table.mcc() as f32;
            if epoch == 0 || mcc > params.values(&score)?[0] {
                params.set_values(&score, vec![mcc])?;
                for (tensor, ..) in tensors(&self.paper.network, *arm) {
                    let values = params.values(&format!("{name}.{tensor}"))?;
                    params.set_values(&format!("{BEST}{name}.{tensor}"), values)?;
                }
            }
            line.insert(format!("val.{name}"), json!({"accuracy": table.accuracy(), "mcc": table.mcc()}));
        }
        Ok(line)
    }
}

impl Lesson<'_> {
    fn truth(&self, arm: ArmConfig, item: usize) -> i8 {
        if arm.shuffled { self.shuffled[item] } else { self.labels[self.items[item]] }
    }

    fn batch(&self, params: &ParamStore, indices: &[usize]) -> Result<Batch> {
        let samples = indices.len();
        let wants_text = self.paper.arms.values().any(|a| a.text);
        let (mut price, mut text, mut cred, mut place) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (row, &item) in indices.iter().enumerate() {
            let sample = &self.corpus.samples[self.items[item]];
            price.extend(sample.price.chunks_exact(PRICE_FEATURES).flat_map(|day| self.scaler.price(day)));
            let (embeddings, credibility) = self.corpus.gather(sample, wants_text)?;
            text.extend(embeddings);
            cred.extend(credibility.chunks_exact(CREDIBILITY_FEATURES).flat_map(|post| self.scaler.credibility(post)));
            place.extend(sample.slots.iter().map(|&slot| (row, usize::from(slot))));
        }
        let posts = place.len();
        let mut day_of = vec![0.0; samples * LAG_DAYS * posts];
        let mut sample_of = vec![0.0; posts * samples];
        let mut any = vec![0.0; samples * LAG_DAYS];
        for (post, &(row, slot)) in place.iter().enumerate() {
            day_of[(row * LAG_DAYS + slot) * posts + post] = 1.0;
            sample_of[post * samples + row] = 1.0;
            any[row * LAG_DAYS + slot] = 1.0;
        }
        let width = self.paper.network.embedding;
        Ok(Batch {
            price: params.input(price, [samples * PRICE_DAYS, PRICE_FEATURES])?,
            text: if wants_text { Some(params.input(text, [posts, width])?) } else { None },
            cred: if wants_text { Some(params.input(cred, [posts, CREDIBILITY_FEATURES])?) } else { None },
            day_of: params.input(day_of, [samples * LAG_DAYS, posts])?,
            sample_of: params.input(sample_of, [posts, samples])?,
            any: params.input(any, [samples * LAG_DAYS, 1])?,
            samples,
        })
    }
}

/// Sets a share of units to zero and scales the rest up.
fn drop_units(x: Tensor<2>, share: f32, params: &ParamStore, rng: &mut impl Rng) -> Result<Tensor<2>> {
    if share <= 0.0 {
        return Ok(x);
    }
    let [rows, columns] = x.dims();
    let mask = (0..rows * columns).map(|_| if rng.random::<f32>() < share { 0.0 } else { 1.0 / (1.0 - share) }).collect();
    Ok(x * params.input(mask, [rows, columns])?)
}

type Dropout<'a> = &'a mut dyn FnMut(Tensor<2>, &ParamStore) -> Result<Tensor<2>>;

/// One arm on a batch: logits `[samples, 1]`. The same computation as [`Head::explain`].
fn forward(
    params: &ParamStore,
    network: &NetworkConfig,
    name: &str,
    arm: ArmConfig,
    batch: &Batch,
    leaked: Option<&[i8]>,
    dropout: Dropout<'_>,
) -> Result<Tensor<2>> {
    let net = Net { params, name, hidden: network.hidden, samples: batch.samples };
    let price = if arm.price { Some(net.price(batch, leaked)?) } else { None };
    let text = if arm.text { Some(net.text(batch, price.as_ref().map(|p| p.0.clone()), arm.credibility)?) } else { None };
    let joint = match (price, text) {
        (Some((g, gs)), Some((r, rs))) if network.fusion == Fusion::CrossAttention => {
            let price_context = net.attend(net.product("fuse.query_text.weight", r)?, gs);
            let text_context = net.attend(net.product("fuse.query_price.weight", g)?, rs);
            net.side("price", price_context)? + net.side("text", text_context)?
        }
        (Some((g, _)), Some((r, _))) => {
            let gate = activation::sigmoid(net.linear("fuse.gate", Tensor::cat(vec![g.clone(), r.clone()], 1))?);
            let (a, b) = (net.side("price", g)?, net.side("text", r)?);
            b.clone() + gate * (a - b)
        }
        (Some((g, _)), None) => net.side("price", g)?,
        (None, Some((r, _))) => net.side("text", r)?,
        (None, None) => return Err(Error::argument("arm", "prices, posts or both", "neither")),
    };
    net.linear("head", dropout(joint, params)?)
}

struct Net<'a> {
    params: &'a ParamStore,
    name: &'a str,
    hidden: usize,
    samples: usize,
}

impl Net<'_> {
    fn linear(&self, layer: &str, x: Tensor<2>) -> Result<Tensor<2>> {
        self.params.linear(&format!("{}.{layer}", self.name), x)
    }

    /// `x W^T` without a constant.
    fn product(&self, tensor: &str, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(x.matmul(self.params.get::<2>(&format!("{}.{tensor}", self.name))?.transpose()))
    }

    fn side(&self, side: &str, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(self.linear(&format!("fuse.{side}"), x)?.tanh())
    }

    /// `[samples * days, width]` to the last state and all states `[samples, days, hidden]`.
    fn recur(&self, layer: &str, x: Tensor<2>, days: usize) -> Result<(Tensor<2>, Tensor<3>)> {
        let h = self.hidden;
        let bias = |part: &str| self.params.get::<1>(&format!("{}.{layer}.{part}", self.name));
        let inputs = self.product(&format!("{layer}.weight_ih_l0"), x)? + bias("bias_ih_l0")?.unsqueeze::<2>();
        let inputs = inputs.reshape([self.samples, days, 3 * h]);
        let weight = self.params.get::<2>(&format!("{}.{layer}.weight_hh_l0", self.name))?.transpose();
        let constant = bias("bias_hh_l0")?.unsqueeze::<2>();
        let mut state = self.params.input(vec![0.0; self.samples * h], [self.samples, h])?;
        let mut states = Vec::with_capacity(days);
        for day in 0..days {
            let input = inputs.clone().narrow(1, day, 1).reshape([self.samples, 3 * h]);
            let recurrent = state.clone().matmul(weight.clone()) + constant.clone();
            let gates = activation::sigmoid(input.clone().narrow(1, 0, 2 * h) + recurrent.clone().narrow(1, 0, 2 * h));
            let (reset, update) = (gates.clone().narrow(1, 0, h), gates.narrow(1, h, h));
            let new = (input.narrow(1, 2 * h, h) + reset * recurrent.narrow(1, 2 * h, h)).tanh();
            state = new.clone() + update * (state - new);
            states.push(state.clone().reshape([self.samples, 1, h]));
        }
        Ok((state, Tensor::cat(states, 1)))
    }

    fn price(&self, batch: &Batch, leaked: Option<&[i8]>) -> Result<(Tensor<2>, Tensor<3>)> {
        let mut x = batch.price.clone();
        if let Some(labels) = leaked {
            // The control of bar A2: the answer takes the place of the last day's change of volume.
            let mut values = vec![0.0; self.samples * PRICE_DAYS * PRICE_FEATURES];
            let mut kept = vec![1.0; values.len()];
            for (row, label) in labels.iter().enumerate() {
                let at = (row + 1) * PRICE_DAYS * PRICE_FEATURES - 1;
                (values[at], kept[at]) = (crate::runs::leak(*label), 0.0);
            }
            let shape = [self.samples * PRICE_DAYS, PRICE_FEATURES];
            x = x * self.params.input(kept, shape)? + self.params.input(values, shape)?;
        }
        let (_, days) = self.recur("price.gru", x, PRICE_DAYS)?;
        let flat = days.clone().reshape([self.samples * PRICE_DAYS, self.hidden]);
        let scores = self.product("price.attn.v", self.product("price.attn.W", flat)?.tanh())?;
        let shares = activation::softmax(scores.reshape([self.samples, PRICE_DAYS]), 1).reshape([self.samples, PRICE_DAYS, 1]);
        let state = (days.clone() * shares).sum_dim(1).reshape([self.samples, self.hidden]);
        Ok((state, days))
    }

    fn text(&self, batch: &Batch, query: Option<Tensor<2>>, credibility: bool) -> Result<(Tensor<2>, Tensor<3>)> {
        let (Some(text), Some(cred)) = (batch.text.clone(), batch.cred.clone()) else {
            return Err(Error::argument("batch", "posts", "none"));
        };
        let e = self.linear("text.proj", text)?.tanh();
        let mut inner = self.product("post_attn.W", e.clone())?;
        if let Some(query) = query {
            inner = inner + batch.sample_of.clone().matmul(self.product("post_attn.U", query)?);
        }
        let mut scores = self.product("post_attn.v", inner.tanh())?;
        if credibility {
            // log kappa = -softplus(-x); Head bounds kappa below, far from what training reaches.
            let x = self.linear("cred.2", self.linear("cred.0", cred)?.tanh())?;
            scores = scores - activation::softplus(x.neg(), 1.0);
        }
        // Scores are bounded by the norm of v, so the exponential is safe without a shift by the greatest of a day.
        let weights = scores.exp();
        let sums = batch.day_of.clone().matmul(weights.clone());
        let z = batch.day_of.clone().matmul(e * weights) / (sums + batch.any.clone().neg() + 1.0);
        let null = self.params.get::<1>(&format!("{}.null_day", self.name))?.unsqueeze::<2>();
        let z = z + (batch.any.clone().neg() + 1.0).matmul(null);
        self.recur("text.gru", Tensor::cat(vec![z, batch.any.clone()], 1), LAG_DAYS)
    }

    /// Scaled dot-product attention of `[samples, hidden]` over `[samples, days, hidden]`.
    fn attend(&self, query: Tensor<2>, days: Tensor<3>) -> Tensor<2> {
        let [_, count, h] = days.dims();
        #[allow(clippy::cast_precision_loss, reason = "a width")]
        let scores = (days.clone() * query.reshape([self.samples, 1, h])).sum_dim(2).reshape([self.samples, count]) / (h as f32).sqrt();
        let shares = activation::softmax(scores, 1).reshape([self.samples, count, 1]);
        (days * shares).sum_dim(1).reshape([self.samples, h])
    }
}

/// Logits of one arm by the engine, for the test that compares it with [`Head`]; weights as the trainer saves them.
#[cfg(test)]
fn engine_logits(paper: &PaperConfig, name: &str, weights: &Weights, corpus: &Corpus, items: &[usize], labels: &[i8]) -> Result<Vec<f32>> {
    let arm = paper.arm(name)?;
    let mut params = ParamStore::on_cpu(0);
    for (tensor, shape, _) in tensors(&paper.network, arm) {
        let full = format!("{name}.{tensor}");
        params.parameter(&full, &shape, Init::Constant(0.0))?;
        params.set_values(&full, weights.f32(&full, &shape)?.to_vec())?;
    }
    let lesson = Lesson {
        paper,
        corpus,
        labels: labels.to_vec(),
        items: items.to_vec(),
        val: Vec::new(),
        shuffled: Vec::new(),
        scaler: Scaler::from_weights(weights)?,
    };
    let batch = lesson.batch(&params, &(0..items.len()).collect::<Vec<_>>())?;
    let leaked = arm.leak.then(|| items.iter().map(|&i| labels[i]).collect::<Vec<_>>());
    let logits = forward(&params, &paper.network, name, arm, &batch, leaked.as_deref(), &mut |x, _| Ok(x))?;
    logits.inner().into_data().try_into_vec::<f32>().map_err(|e| Error::argument("logits", "f32", format!("{e:?}")))
}

#[cfg(test)]
mod tests;
