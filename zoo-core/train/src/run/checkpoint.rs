//! Everything a run needs to go on.

use crate::optim::Optimiser;
use crate::params::ParamStore;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;
use zoo_core::{Error, Result, Weights};

/// Position of a random stream: key, stream number and words drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RngState {
    seed: [u8; 32],
    stream: u64,
    position: u128,
}

impl RngState {
    /// Where `rng` stands.
    pub fn of(rng: &ChaCha12Rng) -> Self {
        Self { seed: rng.get_seed(), stream: rng.get_stream(), position: rng.get_word_pos() }
    }

    /// A generator that goes on from here.
    pub fn rng(&self) -> ChaCha12Rng {
        let mut rng = ChaCha12Rng::from_seed(self.seed);
        rng.set_stream(self.stream);
        rng.set_word_pos(self.position);
        rng
    }

    fn encode(&self) -> String {
        let seed: String = self.seed.iter().map(|b| format!("{b:02x}")).collect();
        format!("{seed}:{}:{}", self.stream, self.position)
    }

    fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let hex = parts.next().filter(|hex| hex.len() == 64 && hex.is_ascii())?;
        let mut seed = [0; 32];
        for (byte, pair) in seed.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        let (stream, position) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(Self { seed, stream, position })
    }
}

/// A run between two epochs: parameters, optimiser state, random streams, and the seed they belong to.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Epochs done.
    pub epoch: u64,
    /// Seed of the run.
    pub seed: u64,
    /// The model's tensors.
    pub model: Weights,
    /// The optimiser's state.
    pub optimiser: Weights,
    /// Random streams that live longer than an epoch, by name. [`super::train`] has none: its streams are derived.
    pub streams: BTreeMap<String, RngState>,
}

const MODEL: &str = "model/";
const OPTIMISER: &str = "optimiser/";
const STREAM: &str = "stream/";

impl Checkpoint {
    /// The state after `epoch` epochs.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor's size overflows.
    pub fn new(epoch: u64, params: &ParamStore, optimiser: &Optimiser) -> Result<Self> {
        let seed = params.seeds().seed();
        Ok(Self { epoch, seed, model: params.weights()?, optimiser: optimiser.state()?, streams: BTreeMap::new() })
    }

    /// Puts the state back and returns the number of epochs done.
    ///
    /// # Errors
    /// [`Error::Argument`] if the checkpoint is of a run with another seed, or as [`ParamStore::load`] and
    /// [`Optimiser::restore`].
    pub fn restore(&self, params: &mut ParamStore, optimiser: &mut Optimiser) -> Result<u64> {
        if self.seed != params.seeds().seed() {
            return Err(Error::argument("seed of the run that is resumed", self.seed.to_string(), params.seeds().seed()));
        }
        let mut restored = optimiser.clone();
        restored.restore(&self.optimiser)?;
        params.load(&self.model)?;
        *optimiser = restored;
        Ok(self.epoch)
    }

    /// As one set of named tensors: `model/NAME`, `optimiser/...`, the rest in the metadata.
    pub fn into_weights(self) -> Weights {
        let mut all = Weights::new();
        for (prefix, part) in [(MODEL, self.model), (OPTIMISER, self.optimiser)] {
            all.tensors.extend(part.tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
            all.metadata.extend(part.metadata.into_iter().map(|(name, value)| (format!("{prefix}{name}"), value)));
        }
        all.metadata.insert("epoch".into(), self.epoch.to_string());
        all.metadata.insert("seed".into(), self.seed.to_string());
        all.metadata.extend(self.streams.iter().map(|(name, state)| (format!("{STREAM}{name}"), state.encode())));
        all
    }

    /// Reads what [`Self::into_weights`] made.
    ///
    /// # Errors
    /// [`Error::Artifact`] naming the entry that is missing or malformed.
    pub fn from_weights(weights: &Weights) -> Result<Self> {
        let bad = |key: &str, why: &str| Error::artifact("training checkpoint", key, why);
        let number = |key: &str| {
            let text = weights.metadata.get(key).ok_or_else(|| bad(key, "expected a number, found nothing"))?;
            text.parse().map_err(|_| bad(key, &format!("expected a number, found `{text}`")))
        };
        let part = |prefix: &str| Weights { tensors: strip(&weights.tensors, prefix), metadata: strip(&weights.metadata, prefix) };
        let mut streams = BTreeMap::new();
        for (name, text) in strip(&weights.metadata, STREAM) {
            let state = RngState::decode(&text).ok_or_else(|| bad(&name, "expected `KEY:STREAM:POSITION` of a random stream"))?;
            streams.insert(name, state);
        }
        Ok(Self { epoch: number("epoch")?, seed: number("seed")?, model: part(MODEL), optimiser: part(OPTIMISER), streams })
    }
}

/// The entries whose names start with `prefix`, without it.
fn strip<V: Clone>(map: &BTreeMap<String, V>, prefix: &str) -> BTreeMap<String, V> {
    map.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone()))).collect()
}
