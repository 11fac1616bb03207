//! The configuration files of this plugin, typed.

use crate::network::{Architecture, Network, Neuron};
use crate::sampling::Times;
use crate::ttm::Ttm;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use zoo_core::{Config, Error, Result};

/// Where recordings come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataConfig {
    /// Name in the registry.
    pub name: String,
    /// The first so many items of the training split train.
    pub train: usize,
    /// So many items validate: of the split `val` where the data set has one, else those that follow in `train`.
    pub val: usize,
    /// The data set is so many splits `fold0`, `fold1`, ... One is held out to test, the others together train.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u64>,
}

impl DataConfig {
    /// Splits that a run of this seed trains on, one after the other, and the one it is tested on: with folds, the
    /// remainder of the seed by their number is held out.
    pub fn splits(&self, seed: u64) -> (Vec<String>, String) {
        let Some(folds) = self.folds else { return (vec!["train".into()], "test".into()) };
        let held_out = seed % folds.max(1);
        let name = |fold: u64| format!("fold{fold}");
        ((0..folds).filter(|fold| *fold != held_out).map(name).collect(), name(held_out))
    }
}

/// The network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Which one.
    pub architecture: Architecture,
    /// Channels, rows and columns of a frame.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Neurons of all layers.
    pub neuron: Neuron,
    /// Between stages.
    #[serde(default)]
    pub ttm: Ttm,
    /// Between the frames and the first stage.
    #[serde(default)]
    pub input_ttm: Ttm,
    /// Whether the frames are one image, repeated at every step.
    #[serde(default)]
    pub still: bool,
}

/// Which loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Cross entropy of the mean over time.
    #[default]
    Mean,
    /// Mean over time of the cross entropy of each step (TET, the control).
    EachStep,
}

/// Update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Adam.
    Adam,
    /// AdamW.
    AdamW,
    /// SGD with momentum 0.9.
    SgdMomentum,
    /// SGD.
    Sgd,
}

/// What becomes of the running statistics of batch normalisation after training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BnRecal {
    /// Plain means over ten training batches, all stages at the greatest number of steps.
    #[default]
    TMax,
    /// The same at this number of steps: one file for each number to be run with.
    At(usize),
    /// Those of training stay: a control.
    None,
}

/// How the network is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed where the command line gives none.
    #[serde(default)]
    pub seed: u64,
    /// Passes over the training items.
    pub epochs: u64,
    /// Items an update.
    pub batch: usize,
    /// Update rule.
    pub optimiser: Rule,
    /// Learning rate of the first epoch, taken down by a cosine.
    pub lr: f64,
    /// Where the cosine ends.
    #[serde(default)]
    pub lr_end: f64,
    /// Weight decay.
    #[serde(default)]
    pub weight_decay: f64,
    /// The loss.
    #[serde(default)]
    pub loss: LossKind,
    /// Statistics of batch normalisation.
    #[serde(default)]
    pub bn_recal: BnRecal,
    /// Labels in random order: a control that must learn nothing that holds for the test items.
    #[serde(default)]
    pub random_labels: bool,
}

/// What is measured from all seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// The bars of the specification's section 9.
    Bars,
    /// Clocked and event-driven accuracy on real recordings.
    Recordings,
    /// The same in cross-validation: each seed is tested on the fold it left out, and recordings are counted together.
    Folds,
}

/// What the counted runs use; frozen after the pilot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClaimsConfig {
    /// What is measured.
    pub report: Report,
    /// Seeds of the counted runs.
    pub seeds: Vec<u64>,
    /// Seed of the pilot, whose validation accuracy chooses among the arms of `sdt-eq`. Without one, as in
    /// cross-validation, each run's own validation accuracy does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilot_seed: Option<u64>,
    /// Registered models by the name of their arm.
    pub arms: BTreeMap<String, String>,
    /// Arms of standard training with as many step passes as MTT, which differ in the learning rate.
    pub sdt_eq: Vec<String>,
}

/// How much work training may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// As configured: the scaled reproduction, which made the committed weights.
    #[default]
    Quick,
    /// With the authors' number of epochs.
    Full,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PaperConfig {
    /// Where items come from.
    pub data: DataConfig,
    /// The network.
    pub network: NetworkConfig,
    /// Numbers of steps.
    pub times: Times,
    /// Training.
    pub train: TrainConfig,
    /// Registered model whose weights of the same seed are freed of biases and batch normalisation and then trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// How much work training may be; not part of what is trained.
    #[serde(default)]
    pub budget: Budget,
    /// Counted runs; absent where the configuration makes no claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsConfig>,
}

impl PaperConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn read(config: &Config) -> Result<Self> {
        let read: Self = config.parse()?;
        read.times.check()?;
        let check = |key: &str, good: bool, expected: &str, found: String| {
            if good { Ok(()) } else { Err(Error::Config { key: key.into(), expected: expected.into(), found }) }
        };
        let folds = read.data.folds.unwrap_or(2);
        check("data.folds", (2..=1000).contains(&folds), "2 to 1000", folds.to_string())?;
        check("train.batch", (1..=1 << 16).contains(&read.train.batch), "1 to 65536", read.train.batch.to_string())?;
        let event = read.network.architecture.is_event();
        let fits = event == (read.network.neuron == Neuron::If);
        check("network.neuron", fits, if event { "`if`" } else { "`lif`" }, format!("{:?}", read.network.neuron))?;
        check("start", event || read.start.is_none(), "nothing: only event networks lose their biases", format!("{:?}", read.start))?;
        if let BnRecal::At(t) = read.train.bn_recal {
            check("train.bn-recal.at", (1..=crate::sampling::MAX_STEPS).contains(&t), "1 to 4096", t.to_string())?;
        }
        Ok(read)
    }

    /// The network; without batch normalisation where training starts from a network that lost it.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn network(&self) -> Result<Network> {
        let NetworkConfig { architecture, input, classes, .. } = self.network;
        let network = Network::new(architecture, input, classes, self.times.group)?;
        Ok(if self.start.is_some() { network.without_norms() } else { network })
    }

    /// SHA-256 of what decides the trained weights; budget and counted runs leave it alone.
    pub fn training_hash(&self) -> String {
        let Self { data, network, times, train, start, .. } = self;
        let value = serde_json::json!({"data": data, "network": network, "times": times, "train": train, "start": start});
        hex::encode(Sha256::digest(Config::new(value).canonical().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_holds_one_fold_out() {
        let data = |folds| DataConfig { name: "d".into(), train: 1, val: 0, folds };
        assert_eq!(data(None).splits(7), (vec!["train".to_string()], "test".to_string()));
        let (train, test) = data(Some(3)).splits(5000);
        assert_eq!((train, test), (vec!["fold0".to_string(), "fold1".into()], "fold2".to_string()));
    }
}
