//! Calls of the host, made on the plugin.

use super::remote::{Host, HostBench, HostDataset, HostSession, HostSink};
use super::{Log, lock};
use crate::isolation::lane::{Lane, Serve};
use crate::isolation::message::{
    ArtifactHead, BackendFacts, BenchFacts, Call, DatasetFacts, DatasetMade, Loading, ModelFacts, Note, Offer, Reply, SessionFacts,
    SessionMade, WeightsHead, Which,
};
use crate::plugins::{self, Refusal};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use zoo_core::abi::json::{WireEstimate, WireMeasurements, WireOutcome};
use zoo_core::{ClaimOutcome, Dataset, Dialect, Error, ExportRequest, Level, Metric, Model, Plugin, Prediction, Result, Session, Tensor};

/// The plugin and the objects that it made.
#[derive(Default)]
pub(super) struct Plugged {
    plugin: OnceLock<Plugin>,
    next: AtomicU64,
    sessions: Table<Mutex<Box<dyn Session>>>,
    datasets: Table<Box<dyn Dataset>>,
    metrics: Table<Mutex<Box<dyn Metric>>>,
}

/// Objects by number.
struct Table<T: ?Sized>(Mutex<HashMap<u64, Arc<T>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Table<T> {
    fn get(&self, what: &'static str, number: u64) -> Result<Arc<T>> {
        let gone =
            || Error::Unknown { kind: what, name: number.to_string(), hint: "it was dropped, or belongs to an earlier process".into() };
        lock(&self.0).get(&number).cloned().ok_or_else(gone)
    }

    fn remove(&self, number: u64) {
        // Dropped outside the lock: dropping is the plugin's code.
        let object = lock(&self.0).remove(&number);
        drop(object);
    }
}

impl Plugged {
    fn keep<T>(&self, table: &Table<T>, object: T) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&table.0).insert(number, Arc::new(object));
        number
    }

    fn plugin(&self) -> Result<&Plugin> {
        self.plugin.get().ok_or_else(|| Error::argument("call of a plugin", "one after its library was opened", "one before"))
    }

    fn model(&self, index: usize) -> Result<&dyn Model> {
        pick(&self.plugin()?.models, "model", index)
    }

    /// Opens the library within the limits.
    fn load(&self, library: &Path, sha256: &str, memory: u64, level: Level) -> Result<Loading, Refusal> {
        // What this program holds itself is not the plugin's: its allocator reserves more than many plugins need.
        let limit = Some(memory.saturating_add(writable_now()));
        let limit = Rlimit { current: limit, maximum: limit };
        setrlimit(Resource::Data, limit).map_err(|e| Refusal::Unloadable(format!("limiting its memory: {e}")))?;
        plugins::set_reporter(Box::new(Log), level);
        let inspected = plugins::inspect(library)?;
        if inspected.sha256 != sha256 {
            return Err(Refusal::Changed { path: inspected.path, expected: sha256.into(), found: inspected.sha256 });
        }
        let plugin = plugins::open_here(&inspected)?;
        let models =
            plugin.models.iter().map(|m| ModelFacts { card: m.card().clone(), kinds: m.artifact_kinds().to_vec(), actions: m.actions() });
        let backends = plugin.backends.iter().map(|b| BackendFacts {
            name: b.name().into(),
            description: b.description().into(),
            accepts: b.accepts().to_vec(),
        });
        let offer = Offer {
            info: plugin.info.clone(),
            models: models.collect(),
            factories: plugin.datasets.iter().map(|factory| factory.infos()).collect(),
            backends: backends.collect(),
            trainers: plugin.trainers.iter().map(|trainer| trainer.model().into()).collect(),
        };
        self.plugin.get_or_init(|| plugin);
        Ok(Loading::Offers(offer))
    }
}

/// Bytes of memory that this process may write to already.
fn writable_now() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).map_or(0, |kb| kb << 10)
}

fn pick<'a, T: ?Sized>(objects: &'a [Box<T>], what: &'static str, index: usize) -> Result<&'a T> {
    let hint = || format!("the plugin has {}", objects.len());
    objects.get(index).map(|object| &**object).ok_or_else(|| Error::Unknown { kind: what, name: index.to_string(), hint: hint() })
}

/// Serves the host over one lane.
pub(super) struct Server<'a> {
    pub(super) plugged: &'a Arc<Plugged>,
    pub(super) lane: &'a Arc<Lane>,
}

impl Server<'_> {
    fn host(&self) -> Host {
        Host { plugged: Arc::clone(self.plugged), lane: Arc::clone(self.lane) }
    }

    fn bench(&self, facts: BenchFacts) -> HostBench {
        HostBench { host: self.host(), facts }
    }

    fn session(&self, facts: Arc<SessionFacts>) -> HostSession {
        HostSession::new(self.host(), Which::Lent, facts)
    }

    fn data(&self, facts: DatasetFacts) -> HostDataset {
        HostDataset { host: self.host(), which: Which::Lent, facts }
    }

    fn own<T>(&self, which: Which, body: impl FnOnce(&mut dyn Session) -> T) -> Result<T> {
        let session = self.plugged.sessions.get("session", number(which)?)?;
        Ok(body(&mut **lock(&session)))
    }

    fn metric<T>(&self, number: u64, body: impl FnOnce(&mut dyn Metric) -> T) -> Result<T> {
        let metric = self.plugged.metrics.get("metric", number)?;
        Ok(body(&mut **lock(&metric)))
    }

    fn keep_session(&self, session: Box<dyn Session>) -> Result<Reply> {
        let facts = SessionFacts::of(&*session);
        let number = self.plugged.keep(&self.plugged.sessions, Mutex::new(session));
        Reply::of(&SessionMade { number, facts })
    }

    fn keep_dataset(&self, dataset: Box<dyn Dataset>) -> Result<Reply> {
        let facts = DatasetFacts { info: dataset.info().clone(), split: dataset.split().into(), len: dataset.len() as u64 };
        let number = self.plugged.keep(&self.plugged.datasets, dataset);
        Reply::of(&DatasetMade { number, facts })
    }

    /// Calls on models, trainers and metrics.
    fn on_model(&self, call: Call, mut tensors: Vec<Tensor>) -> Result<Reply> {
        let plugged = self.plugged;
        match call {
            Call::Variants { model, kind } => Reply::of(&plugged.model(model)?.variants(kind)),
            Call::Export { model, request, weights, config } => {
                let request = ExportRequest::try_from(request)?;
                let artifact = plugged.model(model)?.export(&request, &weights.join(tensors)?, &config)?;
                let (head, files) = ArtifactHead::split(&artifact)?;
                Reply::with(&head, files)
            }
            Call::Import { model, file, authors, config } => {
                let dialect = if authors { Dialect::Authors } else { Dialect::Zoo };
                let weights = plugged.model(model)?.import(&file.join(tensors)?, dialect, &config)?;
                let (head, tensors) = WeightsHead::split(&weights);
                Reply::with(&head, tensors)
            }
            Call::Preprocess { model, batch, session } => {
                let (batch, facts) = self.told(batch, tensors, session)?;
                Reply::tensors(plugged.model(model)?.preprocess(&batch, &self.session(facts))?)
            }
            Call::Predict { model, batch, session } => {
                let (batch, facts) = self.told(batch, tensors, session)?;
                let prediction = plugged.model(model)?.predict(&mut self.session(facts), &batch)?;
                let (names, tensors): (Vec<_>, Vec<_>) = prediction.outputs.into_iter().unzip();
                Reply::with(&names, tensors)
            }
            Call::Metrics { model } => {
                let keep = |metric: Box<dyn Metric>| {
                    let name = metric.name().to_string();
                    (plugged.keep(&plugged.metrics, Mutex::new(metric)), name)
                };
                Reply::of(&plugged.model(model)?.metrics().into_iter().map(keep).collect::<Vec<_>>())
            }
            Call::Evaluate { model, session, dataset, config, bench } => {
                let (mut session, dataset, mut bench) = (self.session(Arc::new(session)), self.data(dataset), self.bench(bench));
                let measured = plugged.model(model)?.evaluate(&mut session, &dataset, &config, &mut bench)?;
                Reply::of(&measured.map(WireMeasurements::from))
            }
            Call::Claims { model, name, config, bench } => {
                let outcomes = plugged.model(model)?.claims(&name, &config, &mut self.bench(bench))?;
                Reply::of(&outcomes.into_iter().map(WireOutcome::from).collect::<Vec<_>>())
            }
            Call::Figures { model, name, config, outcomes } => {
                let outcomes: Vec<_> = outcomes.into_iter().map(ClaimOutcome::from).collect();
                Reply::of(&plugged.model(model)?.figures(&name, &config, &outcomes)?)
            }
            Call::Act { model, action, args, name, config, bench } => {
                Reply::of(&plugged.model(model)?.act(&action, &args, &name, &config, &mut self.bench(bench))?)
            }
            Call::Train { trainer, config, seed, bench } => {
                let trainer = pick(&plugged.plugin()?.trainers, "trainer", trainer)?;
                let weights = trainer.train(&config, seed, &mut self.bench(bench), &mut HostSink { host: self.host() })?;
                let (head, tensors) = WeightsHead::split(&weights);
                Reply::with(&head, tensors)
            }
            Call::Update { metric, outputs, batch } => {
                let fields = tensors.split_off(outputs.len().min(tensors.len()));
                let prediction = Prediction { outputs: outputs.into_iter().zip(tensors).collect() };
                let batch = lock(&self.lane.known).told_batch(batch, fields)?;
                Reply::of(&self.metric(metric, |metric| metric.update(&prediction, &batch))??)
            }
            Call::State { metric } => Reply::of(&self.metric(metric, |metric| metric.state())?),
            Call::Merge { metric, state } => Reply::of(&self.metric(metric, |metric| metric.merge(&state))??),
            Call::Estimate { metric } => Reply::of(&self.metric(metric, |metric| metric.estimate())?.as_ref().map(WireEstimate::from)),
            _ => Err(Error::argument("call of a plugin", "one of the host's calls", "another")),
        }
    }

    fn told(
        &self,
        batch: crate::isolation::message::BatchHead,
        tensors: Vec<Tensor>,
        session: Option<SessionFacts>,
    ) -> Result<(zoo_core::Batch, Arc<SessionFacts>)> {
        let mut known = lock(&self.lane.known);
        let facts = known.told_session(session)?;
        Ok((known.told_batch(batch, tensors)?, facts))
    }
}

fn number(which: Which) -> Result<u64> {
    match which {
        Which::Own(number) => Ok(number),
        Which::Lent => Err(Error::argument("object of a plugin", "one with a number", "one that is lent")),
    }
}

impl Serve for Server<'_> {
    fn serve(&mut self, _: &Lane, call: Call, tensors: Vec<Tensor>) -> Result<Reply> {
        let plugged = self.plugged;
        match call {
            Call::Load { library, sha256, memory, level } => match plugged.load(&library, &sha256, memory, level) {
                Ok(loading) => Reply::of(&loading),
                Err(Refusal::Plugin(error)) => Err(error),
                Err(Refusal::Unloadable(why)) => Reply::of(&Loading::Unloadable(why)),
                Err(other) => Reply::of(&Loading::Unloadable(other.to_string())),
            },
            Call::Open { factory, name, split, files, config } => {
                let factory = pick(&plugged.plugin()?.datasets, "data set", factory)?;
                self.keep_dataset(factory.open(&name, &split, &files, &config)?)
            }
            Call::Probe { backend } => Reply::of(&pick(&plugged.plugin()?.backends, "backend", backend)?.probe()),
            Call::Compile { backend, artifact, device, options } => {
                let backend = pick(&plugged.plugin()?.backends, "backend", backend)?;
                self.keep_session(backend.compile(&artifact.join(&tensors)?, &device, &options)?)
            }
            Call::Run { session } => Reply::tensors(self.own(session, |session| session.run(&tensors))??),
            Call::Stats { session } => Reply::of(&self.own(session, |session| session.stats())?),
            Call::Reset { session } => Reply::of(&self.own(session, |session| session.reset())?),
            Call::Get { dataset, index } => {
                let dataset = plugged.datasets.get("data set", number(dataset)?)?;
                Reply::tensors(dataset.get(usize::try_from(index).unwrap_or(usize::MAX))?)
            }
            Call::Items { dataset, start, end } => {
                let dataset = plugged.datasets.get("data set", number(dataset)?)?;
                let place = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
                Reply::tensors(dataset.batch(place(start)..place(end))?)
            }
            other => self.on_model(other, tensors),
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::DropSession(number) => self.plugged.sessions.remove(number),
            Note::DropDataset(number) => self.plugged.datasets.remove(number),
            Note::DropMetric(number) => self.plugged.metrics.remove(number),
            Note::Log { .. } | Note::Progress { .. } => {}
        }
    }
}
