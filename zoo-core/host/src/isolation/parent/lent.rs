//! What the host serves while a plugin works: what it lent with the call, and what the plugin asked its workbench for.

use super::process::Process;
use crate::isolation::lane::{Lane, Serve, lock};
use crate::isolation::message::{BenchFacts, Call, DatasetFacts, DatasetMade, Note, Reply, SessionFacts, SessionMade, WeightsHead, Which};
use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use zoo_core::{Dataset, Error, Result, Session, Tensor, TrainSink, Workbench};

/// Most sessions and data sets of the host that one plugin may hold at once.
const MOST_OBJECTS: usize = 4096;

/// What is lent for the time of one call.
#[derive(Default)]
pub(super) struct Lent<'a> {
    /// A session to run.
    pub(super) session: Option<&'a mut (dyn Session + 'a)>,
    /// A session to look at.
    pub(super) view: Option<&'a (dyn Session + 'a)>,
    pub(super) dataset: Option<&'a (dyn Dataset + 'a)>,
    pub(super) bench: Option<&'a mut (dyn Workbench + 'a)>,
    pub(super) sink: Option<&'a mut (dyn TrainSink + 'a)>,
}

/// What a plugin got from its workbenches and has not given back.
#[derive(Default)]
pub(super) struct Objects {
    next: u64,
    /// `None` while it runs.
    sessions: HashMap<u64, Option<Box<dyn Session>>>,
    datasets: HashMap<u64, Arc<dyn Dataset>>,
}

impl Objects {
    fn number(&mut self) -> Result<u64> {
        if self.sessions.len() + self.datasets.len() >= MOST_OBJECTS {
            return Err(Error::argument("sessions and data sets held at once", format!("at most {MOST_OBJECTS}"), "one more"));
        }
        self.next += 1;
        Ok(self.next)
    }
}

/// Facts of a workbench.
pub(super) fn bench_facts(bench: &dyn Workbench) -> BenchFacts {
    BenchFacts { seed: bench.seed(), limit: bench.limit().map(|limit| limit as u64), backend: bench.backend().into() }
}

/// Facts of a data set.
pub(super) fn dataset_facts(dataset: &dyn Dataset) -> DatasetFacts {
    DatasetFacts { info: dataset.info().clone(), split: dataset.split().into(), len: dataset.len() as u64 }
}

/// Serves one call's callbacks.
pub(super) struct Server<'p, 'a> {
    pub(super) process: &'p Process,
    pub(super) lent: Lent<'a>,
}

impl Server<'_, '_> {
    fn absent(&self, what: &str) -> Error {
        Error::Plugin { plugin: self.process.name().into(), message: format!("asked for a {what} that was not lent to it") }
    }

    fn with_session<T>(&mut self, which: Which, body: impl FnOnce(&mut dyn Session) -> T) -> Result<T> {
        match which {
            Which::Lent => match &mut self.lent.session {
                Some(session) => Ok(body(&mut **session)),
                None => Err(self.absent("session")),
            },
            Which::Own(number) => {
                // Out of the table while it runs, since it may call back.
                let taken = lock(&self.process.objects).sessions.get_mut(&number).and_then(Option::take);
                let mut session = taken.ok_or_else(|| self.absent("session"))?;
                let result = body(&mut *session);
                if let Some(place) = lock(&self.process.objects).sessions.get_mut(&number) {
                    *place = Some(session);
                }
                Ok(result)
            }
        }
    }

    fn dataset<T>(&self, which: Which, body: impl FnOnce(&dyn Dataset) -> T) -> Result<T> {
        match which {
            Which::Lent => self.lent.dataset.map(body).ok_or_else(|| self.absent("data set")),
            Which::Own(number) => {
                let dataset = lock(&self.process.objects).datasets.get(&number).cloned();
                dataset.map(|dataset| body(&*dataset)).ok_or_else(|| self.absent("data set"))
            }
        }
    }

    fn bench(&mut self) -> Result<&mut (dyn Workbench + '_)> {
        let absent = self.absent("workbench");
        match &mut self.lent.bench {
            Some(bench) => Ok(&mut **bench),
            None => Err(absent),
        }
    }

    fn sink(&mut self) -> Result<&mut (dyn TrainSink + '_)> {
        let absent = self.absent("training sink");
        match &mut self.lent.sink {
            Some(sink) => Ok(&mut **sink),
            None => Err(absent),
        }
    }

    fn keep_session(&self, session: Box<dyn Session>) -> Result<Reply> {
        let facts = SessionFacts::of(&*session);
        let mut objects = lock(&self.process.objects);
        let number = objects.number()?;
        objects.sessions.insert(number, Some(session));
        Reply::of(&SessionMade { number, facts })
    }

    fn keep_dataset(&self, dataset: Box<dyn Dataset>) -> Result<Reply> {
        let facts = dataset_facts(&*dataset);
        let mut objects = lock(&self.process.objects);
        let number = objects.number()?;
        objects.datasets.insert(number, Arc::from(dataset));
        Reply::of(&DatasetMade { number, facts })
    }
}

fn range(start: u64, end: u64) -> Range<usize> {
    usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX)
}

impl Server<'_, '_> {
    fn answer(&mut self, call: Call, tensors: Vec<Tensor>) -> Result<Reply> {
        match call {
            Call::Run { session } => Reply::tensors(self.with_session(session, |session| session.run(&tensors))??),
            Call::Stats { session: Which::Lent } if self.lent.view.is_some() => {
                Reply::of(&self.lent.view.map(|session| session.stats()).unwrap_or_default())
            }
            Call::Stats { session } => Reply::of(&self.with_session(session, |session| session.stats())?),
            Call::Reset { session } => Reply::of(&self.with_session(session, |session| session.reset())?),
            Call::Get { dataset, index } => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                Reply::tensors(self.dataset(dataset, |dataset| dataset.get(index))??)
            }
            Call::Items { dataset, start, end } => Reply::tensors(self.dataset(dataset, |dataset| dataset.batch(range(start, end)))??),
            Call::Cancelled => Reply::of(&self.bench()?.cancelled()),
            Call::BenchDataset { name, split } => {
                let dataset = self.bench()?.dataset(&name, &split)?;
                self.keep_dataset(dataset)
            }
            Call::BenchCompile { backend, artifact } => {
                let artifact = artifact.join(&tensors)?;
                let bench = self.bench()?;
                let session = match backend {
                    Some(backend) => bench.compile_on(&backend, &artifact),
                    None => bench.compile(&artifact),
                }?;
                self.keep_session(session)
            }
            Call::BenchWeights { model, seed } => {
                let (weights, config) = self.bench()?.weights(&model, seed)?;
                let (head, tensors) = WeightsHead::split(&weights);
                Reply::with(&(head, config), tensors)
            }
            Call::SinkLog { line } => Reply::of(&self.sink()?.log(line)?),
            Call::SinkSave { checkpoint } => {
                let checkpoint = checkpoint.join(tensors)?;
                Reply::of(&self.sink()?.save(&checkpoint)?)
            }
            Call::SinkResume => match self.sink()?.resume()? {
                Some(checkpoint) => {
                    let (head, tensors) = WeightsHead::split(&checkpoint);
                    Reply::with(&Some(head), tensors)
                }
                None => Reply::of(&None::<WeightsHead>),
            },
            _ => Err(self.absent("call of its own kind")),
        }
    }
}

impl Serve for Server<'_, '_> {
    fn serve(&mut self, _: &Lane, call: Call, tensors: Vec<Tensor>) -> Result<Reply> {
        // A panic here is an error in the plugin, as across the ABI: the plugin waits for an answer.
        catch_unwind(AssertUnwindSafe(|| self.answer(call, tensors)))
            .unwrap_or_else(|_| Err(Error::Plugin { plugin: "(host)".into(), message: "a call of the host panicked".into() }))
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Log { bench, level, target, message } => match &self.lent.bench {
                Some(own) if bench => own.log(level, &target, &message),
                _ => crate::plugins::reporter().log(level, &target, &message),
            },
            Note::Progress { task, done, total, unit } => match &self.lent.bench {
                Some(own) => own.progress(&task, done, total, &unit),
                None => crate::plugins::reporter().progress(&task, done, total, &unit),
            },
            // Dropped outside the lock: it may be an object of this very plugin.
            Note::DropSession(number) => {
                let session = lock(&self.process.objects).sessions.remove(&number);
                drop(session);
            }
            Note::DropDataset(number) => {
                let dataset = lock(&self.process.objects).datasets.remove(&number);
                drop(dataset);
            }
            Note::DropMetric(_) => {}
        }
    }
}
