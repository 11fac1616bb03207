//! What is said: calls, notes and the facts that answer them, as JSON. Tensors and files travel beside the text, in order.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use zoo_core::abi::json::{WireOutcome, WireRequest};
use zoo_core::model::ActionSpec;
use zoo_core::tensor::Bytes;
use zoo_core::{
    Artifact, ArtifactFile, ArtifactKind, Batch, Config, DType, DataFiles, DatasetInfo, Device, Dialect, Error, Level, ModelCard, Options,
    PluginInfo, Result, Session, Tensor, TensorSpec, Weights,
};

/// A call. Indices of models, factories, backends and trainers are those of the plugin; other objects have numbers.
#[derive(Serialize, Deserialize)]
pub(super) enum Call {
    /// To the plugin's process: sets limits, opens the library and tells what it offers ([`Offer`]).
    Load {
        library: PathBuf,
        sha256: String,
        memory: u64,
        level: Level,
    },
    Variants {
        model: usize,
        kind: ArtifactKind,
    },
    Export {
        model: usize,
        request: WireRequest,
        weights: WeightsHead,
        config: Config,
    },
    Import {
        model: usize,
        file: WeightsHead,
        authors: bool,
        config: Config,
    },
    Preprocess {
        model: usize,
        batch: BatchHead,
        session: Option<SessionFacts>,
    },
    Predict {
        model: usize,
        batch: BatchHead,
        session: Option<SessionFacts>,
    },
    Metrics {
        model: usize,
    },
    Evaluate {
        model: usize,
        session: SessionFacts,
        dataset: DatasetFacts,
        config: Config,
        bench: BenchFacts,
    },
    Claims {
        model: usize,
        name: String,
        config: Config,
        bench: BenchFacts,
    },
    Figures {
        model: usize,
        name: String,
        config: Config,
        outcomes: Vec<WireOutcome>,
    },
    Act {
        model: usize,
        action: String,
        args: Vec<String>,
        name: String,
        config: Config,
        bench: BenchFacts,
    },
    Update {
        metric: u64,
        outputs: Vec<String>,
        batch: BatchHead,
    },
    State {
        metric: u64,
    },
    Merge {
        metric: u64,
        state: serde_json::Value,
    },
    Estimate {
        metric: u64,
    },
    Open {
        factory: usize,
        name: String,
        split: String,
        files: DataFiles,
        config: Config,
    },
    Probe {
        backend: usize,
    },
    Compile {
        backend: usize,
        artifact: ArtifactHead,
        device: Device,
        options: Options,
    },
    Train {
        trainer: usize,
        config: Config,
        seed: u64,
        bench: BenchFacts,
    },
    /// To either side.
    Run {
        session: Which,
    },
    Stats {
        session: Which,
    },
    Reset {
        session: Which,
    },
    Get {
        dataset: Which,
        index: u64,
    },
    Items {
        dataset: Which,
        start: u64,
        end: u64,
    },
    /// To the host's workbench and training sink.
    Cancelled,
    BenchDataset {
        name: String,
        split: String,
    },
    BenchCompile {
        backend: Option<String>,
        artifact: ArtifactHead,
    },
    BenchWeights {
        model: String,
        seed: Option<u64>,
    },
    SinkLog {
        line: serde_json::Value,
    },
    SinkSave {
        checkpoint: WeightsHead,
    },
    SinkResume,
}

/// Something that needs no answer.
#[derive(Serialize, Deserialize)]
pub(super) enum Note {
    Log { bench: bool, level: Level, target: String, message: String },
    Progress { task: String, done: u64, total: Option<u64>, unit: String },
    DropSession(u64),
    DropDataset(u64),
    DropMetric(u64),
}

/// An object of the other side: what was lent with the call that is being served, or one with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Which {
    Lent,
    Own(u64),
}

/// What answers a call: facts and tensors.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) text: Vec<u8>,
    pub(super) tensors: Vec<Tensor>,
}

impl Reply {
    pub(super) fn of(facts: &impl Serialize) -> Result<Self> {
        Self::with(facts, Vec::new())
    }

    pub(super) fn with(facts: &impl Serialize, tensors: Vec<Tensor>) -> Result<Self> {
        let text = serde_json::to_vec(facts);
        let text = text.map_err(|e| Error::argument("facts on their way to another process", "values JSON can hold", e))?;
        Ok(Self { text, tensors })
    }

    pub(super) fn tensors(tensors: Vec<Tensor>) -> Result<Self> {
        Self::with(&(), tensors)
    }
}

/// Facts of an answer.
pub(super) fn facts<T: DeserializeOwned>(text: &[u8], whose: &str) -> Result<T> {
    serde_json::from_slice(text).map_err(|e| Error::Plugin {
        plugin: whose.into(),
        message: format!("answer of its process: not JSON of the documented form: {e}"),
    })
}

/// What a plugin offers.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Offer {
    pub(super) info: PluginInfo,
    pub(super) models: Vec<ModelFacts>,
    pub(super) factories: Vec<Vec<DatasetInfo>>,
    pub(super) backends: Vec<BackendFacts>,
    pub(super) trainers: Vec<String>,
}

/// What answers [`Call::Load`]: an offer, or why the system can't open the library.
#[derive(Serialize, Deserialize)]
pub(super) enum Loading {
    Offers(Offer),
    Unloadable(String),
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ModelFacts {
    pub(super) card: ModelCard,
    pub(super) kinds: Vec<ArtifactKind>,
    pub(super) actions: Vec<ActionSpec>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BackendFacts {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) accepts: Vec<ArtifactKind>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SessionFacts {
    pub(super) inputs: Vec<TensorSpec>,
    pub(super) outputs: Vec<TensorSpec>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl SessionFacts {
    pub(super) fn of(session: &dyn Session) -> Self {
        Self { inputs: session.inputs().to_vec(), outputs: session.outputs().to_vec(), metadata: session.metadata().clone() }
    }

    fn describe(&self, session: &dyn Session) -> bool {
        self.inputs == session.inputs() && self.outputs == session.outputs() && self.metadata == *session.metadata()
    }
}

/// A session that was made.
#[derive(Serialize, Deserialize)]
pub(super) struct SessionMade {
    pub(super) number: u64,
    pub(super) facts: SessionFacts,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct DatasetFacts {
    pub(super) info: DatasetInfo,
    pub(super) split: String,
    pub(super) len: u64,
}

/// A data set that was opened.
#[derive(Serialize, Deserialize)]
pub(super) struct DatasetMade {
    pub(super) number: u64,
    pub(super) facts: DatasetFacts,
}

#[derive(Serialize, Deserialize)]
pub(super) struct BenchFacts {
    pub(super) seed: u64,
    pub(super) limit: Option<u64>,
    pub(super) backend: String,
}

/// Weights without their elements.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct WeightsHead {
    names: Vec<String>,
    metadata: BTreeMap<String, String>,
}

impl WeightsHead {
    pub(super) fn split(weights: &Weights) -> (Self, Vec<Tensor>) {
        let (names, tensors) = weights.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).unzip();
        (Self { names, metadata: weights.metadata.clone() }, tensors)
    }

    pub(super) fn join(self, tensors: Vec<Tensor>) -> Result<Weights> {
        counted("weights", self.names.len(), tensors.len())?;
        Ok(Weights { tensors: self.names.into_iter().zip(tensors).collect(), metadata: self.metadata })
    }
}

/// An artifact without its files' contents.
#[derive(Serialize, Deserialize)]
pub(super) struct ArtifactHead {
    kind: ArtifactKind,
    variant: String,
    files: Vec<String>,
    metadata: BTreeMap<String, String>,
}

/// A file's content as the memory of a tensor.
struct Content(Arc<[u8]>);

impl Bytes for Content {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        None
    }

    fn as_any_mut(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

impl ArtifactHead {
    pub(super) fn split(artifact: &Artifact) -> Result<(Self, Vec<Tensor>)> {
        let content = |file: &ArtifactFile| {
            let len = file.bytes.len();
            Tensor::from_owner(DType::U8, [len], Arc::new(Content(Arc::clone(&file.bytes))), 0..len)
        };
        let tensors = artifact.files.iter().map(content).collect::<Result<_>>()?;
        let files = artifact.files.iter().map(|file| file.name.clone()).collect();
        Ok((Self { kind: artifact.kind, variant: artifact.variant.clone(), files, metadata: artifact.metadata.clone() }, tensors))
    }

    pub(super) fn join(self, tensors: &[Tensor]) -> Result<Artifact> {
        counted("files of an artifact", self.files.len(), tensors.len())?;
        let file = |(name, content): (String, &Tensor)| ArtifactFile { name, bytes: content.as_bytes().into() };
        let files = self.files.into_iter().zip(tensors).map(file).collect();
        Ok(Artifact { kind: self.kind, variant: self.variant, files, metadata: self.metadata })
    }
}

/// A batch without its tensors; without features, they are those of the last batch.
#[derive(Serialize, Deserialize)]
pub(super) struct BatchHead {
    features: Option<Vec<TensorSpec>>,
    start: usize,
}

/// What was said last over a lane, in either direction, so that batches of one data set and runs of one session do not tell
/// the same facts again each time.
#[derive(Default)]
pub(super) struct Known {
    sent_features: Option<Arc<[TensorSpec]>>,
    sent_session: Option<Arc<SessionFacts>>,
    told_features: Option<Arc<[TensorSpec]>>,
    told_session: Option<Arc<SessionFacts>>,
}

impl Known {
    pub(super) fn batch(&mut self, batch: &Batch) -> BatchHead {
        let known = self.sent_features.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, batch.features()) || **sent == **batch.features());
        if !known {
            self.sent_features = Some(Arc::clone(batch.features()));
        }
        BatchHead { features: (!known).then(|| batch.features().to_vec()), start: batch.start() }
    }

    pub(super) fn told_batch(&mut self, head: BatchHead, tensors: Vec<Tensor>) -> Result<Batch> {
        if let Some(features) = head.features {
            self.told_features = Some(features.into());
        }
        let unknown = || Error::argument("features of a batch", "those of an earlier batch", "none yet");
        Batch::new(Arc::clone(self.told_features.as_ref().ok_or_else(unknown)?), tensors, head.start)
    }

    pub(super) fn session(&mut self, session: &dyn Session) -> Option<SessionFacts> {
        if self.sent_session.as_ref().is_some_and(|sent| sent.describe(session)) {
            return None;
        }
        let facts = SessionFacts::of(session);
        self.sent_session = Some(Arc::new(facts.clone()));
        Some(facts)
    }

    pub(super) fn told_session(&mut self, facts: Option<SessionFacts>) -> Result<Arc<SessionFacts>> {
        if let Some(facts) = facts {
            self.told_session = Some(Arc::new(facts));
        }
        self.told_session.clone().ok_or_else(|| Error::argument("facts of a session", "those of an earlier call", "none yet"))
    }
}

/// Whether weights carry the authors' names, as one letter of the alphabet of JSON.
pub(super) fn authors(dialect: Dialect) -> bool {
    dialect == Dialect::Authors
}

pub(super) fn counted(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::argument(what, format!("{expected} tensors"), found)) }
}
