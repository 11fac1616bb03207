//! `cargo xtask train`: one network by back-propagation through time.

use crate::checkpoint::{Checkpoints, State};
use crate::config::{Kind, PaperConfig};
use crate::learn::{Learner, Look, learn};
use crate::lstm::Lstm;
use crate::model::WEIGHTS_LICENCE;
use crate::net::{Form, HebbNet};
use crate::random::{Purpose, stream};
use crate::weights::Net;
use serde_json::json;
use std::cell::RefCell;
use zoo_core::{Config, Error, Result, TrainSink, Trainer, Weights, Workbench};

/// Iterations between two lines of the kept log.
const LINE_EVERY: u64 = 100;

/// Trains HebbFF and the LSTM.
#[derive(Clone, Copy, Debug)]
pub struct HebbTrainer;

impl Trainer for HebbTrainer {
    fn model(&self) -> &str {
        "hebbff"
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let paper = PaperConfig::read(config)?;
        let mut rng = stream(seed, Purpose::Init, 0);
        let (d, n) = (paper.task.d, paper.network.n);
        let (net, delay) = match paper.network.kind {
            Kind::Plastic => {
                let form = Form { d, n, force: paper.network.force, lam_param: paper.network.lam_param };
                let mut net = HebbNet::new(form, &mut rng);
                let log = |net: &HebbNet| json!({"eta": net.eta().0, "lambda": net.lambda().0});
                let delay = run(&mut net, &paper, seed, bench, sink, log)?;
                (Net::Plastic(net), delay)
            }
            Kind::Lstm => {
                let mut net = Lstm::new(d, n, &mut rng);
                let delay = run(&mut net, &paper, seed, bench, sink, |_| json!({}))?;
                (Net::Lstm(net), delay)
            }
            Kind::DetHebb => {
                let hint = "DetHebb follows from its design".into();
                return Err(Error::NotOffered { who: "hebbff".into(), what: "training of DetHebb".into(), hint });
            }
        };
        let mut weights = net.weights()?;
        weights.metadata = [
            ("paper", "arXiv:2311.05862".to_string()),
            ("plugin", format!("hebbff {}", env!("CARGO_PKG_VERSION"))),
            ("config_hash", zoo_formats::digest::config_sha256(config)),
            ("seed", seed.to_string()),
            ("licence", WEIGHTS_LICENCE.to_string()),
            ("force", json!(paper.network.force).as_str().unwrap_or_default().to_string()),
            ("lam_param", json!(paper.network.lam_param).as_str().unwrap_or_default().to_string()),
            ("R", delay.to_string()),
            ("P", paper.task.repeat.to_string()),
            ("T", paper.task.steps.to_string()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into();
        Ok(weights)
    }
}

fn run<L: Learner>(
    net: &mut L,
    paper: &PaperConfig,
    seed: u64,
    bench: &mut dyn Workbench,
    sink: &mut dyn TrainSink,
    more: impl Fn(&L) -> serde_json::Value,
) -> Result<usize> {
    let plan = paper.plan()?;
    let reporter = bench.reporter();
    // The log and the checkpoints go to one sink, one after the other.
    let sink = RefCell::new(sink);
    let mut kept = Shared { sink: &sink, seed };
    learn(net, &plan, paper.task, seed, reporter, &mut kept, |look: &Look<'_, L>| {
        let (true, Some(loss)) = (look.iteration.is_multiple_of(LINE_EVERY), look.loss) else { return Ok(()) };
        let mut line = json!({"iteration": look.iteration, "delay": look.delay, "loss": loss, "balanced": look.score.balanced()});
        if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more(look.net)) {
            line.extend(more);
        }
        sink.borrow_mut().log(line)
    })
}

/// Checkpoints in a sink that the log uses too.
struct Shared<'a, 'b> {
    sink: &'a RefCell<&'b mut dyn TrainSink>,
    seed: u64,
}

impl Checkpoints for Shared<'_, '_> {
    fn resume(&mut self) -> Result<Option<State>> {
        self.sink.borrow_mut().resume()?.map(|file| State::read(&file, self.seed)).transpose()
    }

    fn keep(&mut self, state: &State) -> Result<()> {
        self.sink.borrow_mut().save(&state.weights(self.seed)?)
    }
}
