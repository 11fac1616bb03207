//! The backend and its sessions.

use crate::modes::{Asynchronous, Clocked, Compiled, Feed, Tick};
use crate::num::Num;
use crate::plan::{Plan, UnitKind};
use crate::settings::{Mode, Settings};
use crate::trace;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use zoo_core::{
    Artifact, ArtifactKind, Availability, Backend, DType, Device, Dim, Error, Options, Result, Session, SessionStats, Tensor, TensorSpec,
    spec,
};
use zoo_formats::event_graph::{EventGraph, Op, Source};

/// The event-driven backend.
pub struct Events;

impl Backend for Events {
    fn name(&self) -> &str {
        "events"
    }

    fn description(&self) -> &str {
        "event-driven execution of spiking networks on the processor"
    }

    fn probe(&self) -> Availability {
        // The variant's name (`V4`, `V3`, `Scalar`) is the instruction set; its fields repeat every feature.
        let arch = format!("{:?}", pulp::Arch::new());
        let version = format!("zoo-backend-events {} ({})", env!("CARGO_PKG_VERSION"), arch.split('(').next().unwrap_or("scalar"));
        Availability::Ready { version, devices: vec!["cpu".into()] }
    }

    fn accepts(&self) -> &[ArtifactKind] {
        &[ArtifactKind::EventGraph, ArtifactKind::Nir]
    }

    fn compile(&self, artifact: &Artifact, device: &Device, options: &Options) -> Result<Box<dyn Session>> {
        if *device != Device::Cpu {
            return Err(Error::Unavailable {
                what: format!("device {device} of backend events"),
                why: "the executor runs on the processor".into(),
                mend: "ask for --device cpu".into(),
            });
        }
        let settings = Settings::for_artifact(options, &artifact.metadata)?;
        let mut metadata = artifact.metadata.clone();
        let graph = match artifact.kind {
            ArtifactKind::EventGraph => EventGraph::from_artifact(artifact)?,
            ArtifactKind::Nir => crate::nir::read(artifact, &settings, &mut metadata)?,
            other => {
                let hint = "export the model as event graph or NIR".into();
                return Err(Error::NotOffered { who: "backend events".into(), what: format!("artifacts of kind {other}"), hint });
            }
        };
        metadata.extend(graph.metadata.clone());
        metadata.insert("steps".into(), graph.steps.to_string());
        Ok(Box::new(EventSession::new(graph, metadata, settings, options.threads)?))
    }
}

/// Runs of one sample, kept between batches.
enum Runner {
    Single(Run<f32>),
    Double(Run<f64>),
    Integer(Run<i16>),
}

impl Runner {
    fn set_lanes(&mut self, lanes: usize) {
        match self {
            Self::Single(Run::Tick(tick)) => tick.set_lanes(lanes),
            Self::Double(Run::Tick(tick)) => tick.set_lanes(lanes),
            Self::Integer(Run::Tick(tick)) => tick.set_lanes(lanes),
            _ => {}
        }
    }
}

enum Run<N: Num> {
    Tick(Box<Tick<N>>),
    Asynchronous(Box<Asynchronous<N>>),
    Clocked(Box<Clocked<N>>),
}

/// One sample's outputs.
struct Sample {
    logits: Vec<f32>,
    per_step: Vec<f32>,
}

/// A compiled event graph.
pub struct EventSession {
    graph: EventGraph,
    settings: Settings,
    compiled: Compiled,
    metadata: BTreeMap<String, String>,
    inputs: Vec<TensorSpec>,
    sources: Vec<Source>,
    outputs: Vec<TensorSpec>,
    runners: Vec<Runner>,
    pool: Option<rayon::ThreadPool>,
    threads: usize,
    stats: SessionStats,
}

impl EventSession {
    /// Compiles a graph.
    ///
    /// # Errors
    /// As [`Compiled::new`]; [`Error::Runtime`] if threads can't be started.
    pub fn new(graph: EventGraph, metadata: BTreeMap<String, String>, settings: Settings, threads: Option<usize>) -> Result<Self> {
        let compiled = Compiled::new(&graph, &settings)?;
        let names = input_names(&graph)?;
        let mut inputs = Vec::new();
        let mut sources = Vec::new();
        for (name, shape, source) in names {
            let mut dims = vec![Dim::from("batch")];
            if source != Source::Constant {
                dims.push(Dim::from(graph.steps));
            }
            dims.extend(shape.iter().map(|&d| Dim::from(d)));
            let meaning = match source {
                Source::Events => "event counts by step",
                Source::GradedEvents => "values of events by step",
                Source::Constant => "current applied at every step",
                Source::Frames => "current by step",
            };
            inputs.push(TensorSpec::new(name, DType::F32, dims).meaning(meaning));
            sources.push(source);
        }
        let classes = match &compiled {
            Compiled::Single(plan) => plan.classes(),
            Compiled::Double(plan) => plan.classes(),
            Compiled::Integer(plan) => plan.classes(),
        };
        let mut outputs = vec![TensorSpec::new("logits", DType::F32, [Dim::from("batch"), classes.into()])];
        if graph.readout.per_step {
            outputs.push(TensorSpec::new("logits_t", DType::F32, [Dim::from("batch"), graph.steps.into(), classes.into()]));
        }
        let pool = match threads {
            None | Some(0 | 1) => None,
            Some(n) => Some(rayon::ThreadPoolBuilder::new().num_threads(n).build().map_err(|e| Error::Runtime {
                backend: "events".into(),
                stage: format!("starting {n} threads"),
                message: e.to_string(),
            })?),
        };
        let threads = threads.map_or_else(rayon::current_num_threads, |n| n.max(1));
        let stats = SessionStats { synops: Some(0), spikes: Some(0), ..SessionStats::default() };
        Ok(Self { graph, settings, compiled, metadata, inputs, sources, outputs, runners: Vec::new(), pool, threads, stats })
    }

    fn sample(runner: &mut Runner, feeds: &[Feed<'_>]) -> Result<Sample> {
        fn with<N: Num>(run: &mut Run<N>, feeds: &[Feed<'_>]) -> Result<Sample> {
            Ok(match run {
                Run::Tick(tick) => {
                    tick.run(feeds)?;
                    Sample { logits: tick.logits(), per_step: tick.per_step().to_vec() }
                }
                Run::Asynchronous(run) => {
                    run.run(feeds)?;
                    Sample { logits: run.logits(), per_step: run.per_step().to_vec() }
                }
                Run::Clocked(run) => {
                    let outcome = run.run(feeds)?;
                    Sample { logits: outcome.logits, per_step: outcome.per_step }
                }
            })
        }
        match runner {
            Runner::Single(run) => with(run, feeds),
            Runner::Double(run) => with(run, feeds),
            Runner::Integer(run) => with(run, feeds),
        }
    }

    fn runner(&self) -> Result<Runner> {
        fn with<N: Num>(graph: &EventGraph, plan: &Arc<Plan<N>>, settings: &Settings) -> Result<Run<N>> {
            Ok(match settings.mode {
                Mode::Clocked => Run::Clocked(Box::new(Clocked::new(graph)?)),
                Mode::TickSync => Run::Tick(Box::new(Tick::new(plan.clone(), settings))),
                Mode::AsyncBfs | Mode::AsyncDfs => Run::Asynchronous(Box::new(Asynchronous::new(plan.clone(), settings))),
            })
        }
        Ok(match &self.compiled {
            Compiled::Single(plan) => Runner::Single(with(&self.graph, plan, &self.settings)?),
            Compiled::Double(plan) => Runner::Double(with(&self.graph, plan, &self.settings)?),
            Compiled::Integer(plan) => Runner::Integer(with(&self.graph, plan, &self.settings)?),
        })
    }

    fn count(&mut self) {
        let (mut synops, mut spikes, mut bytes) = (0, 0, 0);
        for runner in &self.runners {
            let [a, b, c] = match runner {
                Runner::Single(run) => totals(run),
                Runner::Double(run) => totals(run),
                Runner::Integer(run) => totals(run),
            };
            (synops, spikes, bytes) = (synops + a, spikes + b, bytes + c);
        }
        // The dense reference does not count.
        let counted = self.settings.mode != Mode::Clocked;
        self.stats.synops = counted.then_some(synops);
        self.stats.spikes = counted.then_some(spikes);
        self.stats.peak_bytes = counted.then_some(self.stats.peak_bytes.unwrap_or(0).max(bytes));
    }
}

fn totals<N: Num>(run: &Run<N>) -> [u64; 3] {
    let (plan, states) = match run {
        Run::Tick(tick) => (Some(tick.plan()), tick.states()),
        Run::Asynchronous(run) => (Some(run.plan()), run.states()),
        Run::Clocked(_) => (None, &[][..]),
    };
    let mut sums = [0; 3];
    for (u, state) in states.iter().enumerate() {
        sums[0] += state.counters.additions + state.counters.products;
        if plan.is_some_and(|p| matches!(&p.units[u].kind, UnitKind::Cells(cell) if cell.fires)) {
            sums[1] += state.counters.spikes;
        }
        sums[2] += state.bytes() as u64;
    }
    sums
}

/// Sample `i` of every input.
fn feeds_of<'a>(inputs: &[&'a [f32]], sizes: &[usize], sources: &[Source], i: usize) -> Vec<Feed<'a>> {
    let mut feeds = Vec::with_capacity(inputs.len());
    for ((values, &n), source) in inputs.iter().zip(sizes).zip(sources) {
        let values = &values[i * n..(i + 1) * n];
        feeds.push(if *source == Source::Constant { Feed::Image(values) } else { Feed::Frames(values) });
    }
    feeds
}

/// Names, shapes and sources of the inputs, in evaluation order. A single input is called `x`.
fn input_names(graph: &EventGraph) -> Result<Vec<(String, Vec<usize>, Source)>> {
    let mut inputs = Vec::new();
    for i in graph.order()? {
        if let Op::Input { shape, source } = &graph.nodes[i].op {
            inputs.push((graph.nodes[i].name.clone(), shape.clone(), *source));
        }
    }
    if let [only] = inputs.as_mut_slice() {
        only.0 = "x".into();
    }
    Ok(inputs)
}

impl Session for EventSession {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        spec::check_all("inputs of an event graph", &self.inputs, inputs)?;
        let batch = inputs.first().map_or(0, |t| t.shape()[0]);
        for (tensor, spec) in inputs.iter().zip(&self.inputs) {
            if tensor.shape()[0] != batch {
                return Err(Error::shape(format!("batch of tensor `{}`", spec.name), [batch], [tensor.shape()[0]]));
            }
        }
        let slices = inputs.iter().map(Tensor::as_slice::<f32>).collect::<Result<Vec<_>>>()?;
        let sizes: Vec<_> = inputs.iter().map(|t| t.shape()[1..].iter().product::<usize>()).collect();
        let sources = &self.sources;
        let feeds = |i: usize| feeds_of(&slices, &sizes, sources, i);
        let workers = self.threads.min(batch).max(1);
        while self.runners.len() < workers {
            let runner = self.runner()?;
            self.runners.push(runner);
        }
        // Threads that have no sample of their own help with large layers.
        let lanes = self.threads / workers;
        for runner in &mut self.runners[..workers] {
            runner.set_lanes(lanes);
        }
        let mut samples: Vec<Option<Result<Sample>>> = (0..batch).map(|_| None).collect();
        if workers == 1 && lanes == 1 {
            for (i, slot) in samples.iter_mut().enumerate() {
                *slot = Some(Self::sample(&mut self.runners[0], &feeds(i)));
            }
        } else {
            let next = std::sync::Mutex::new(samples.iter_mut().enumerate());
            let runners = &mut self.runners[..workers];
            let mut work = || {
                runners.par_iter_mut().for_each(|runner| {
                    loop {
                        let Some((i, slot)) = next.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next() else { break };
                        *slot = Some(Self::sample(runner, &feeds(i)));
                    }
                });
            };
            match &self.pool {
                Some(pool) => pool.install(work),
                None => work(),
            }
        }
        let classes = self.outputs[0].shape[1].fixed().unwrap_or(0);
        let mut logits = Vec::with_capacity(batch * classes);
        let mut per_step = Vec::new();
        for sample in samples.into_iter().flatten() {
            let sample = sample?;
            logits.extend(sample.logits);
            if self.graph.readout.per_step {
                per_step.extend(sample.per_step);
            }
        }
        if let (Some(path), true) = (&self.settings.trace, batch > 0) {
            let outcome = crate::modes::execute(&self.graph, &feeds(0), &self.settings)?;
            trace::write(path, &outcome, self.graph.steps)?;
        }
        self.stats.runs += 1;
        self.count();
        let mut outputs = vec![Tensor::from_vec([batch, classes], logits)?];
        if self.graph.readout.per_step {
            outputs.push(Tensor::from_vec([batch, self.graph.steps, classes], per_step)?);
        }
        Ok(outputs)
    }

    fn stats(&self) -> SessionStats {
        self.stats.clone()
    }

    fn reset(&mut self) {
        // Every sample starts from the initial state, so nothing is kept between runs but memory.
        self.runners.clear();
        self.stats = SessionStats { synops: Some(0), spikes: Some(0), ..SessionStats::default() };
    }
}
