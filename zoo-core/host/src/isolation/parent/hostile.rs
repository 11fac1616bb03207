//! A host whose plugin answers with bytes somebody made up: what the fuzz target of the protocol calls.

use super::lent::{Lent, bench_facts, dataset_facts};
use super::process::Process;
use crate::isolation::limits::Limits;
use crate::isolation::message::{ArtifactHead, Call, DatasetMade, Loading, SessionFacts, WeightsHead};
use crate::plugins::{Patterns, Stopped};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zoo_core::abi::json::WireMeasurements;
use zoo_core::{Config, DType, Result, Session, SessionStats, Tensor, TensorSpec};

/// A session that returns what it is given.
struct Echo(Vec<TensorSpec>, BTreeMap<String, String>);

impl Session for Echo {
    fn inputs(&self) -> &[TensorSpec] {
        &self.0
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.0
    }

    fn metadata(&self) -> &BTreeMap<String, String> {
        &self.1
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(inputs.to_vec())
    }

    fn stats(&self) -> SessionStats {
        SessionStats::default()
    }

    fn reset(&mut self) {}
}

/// Lets `bytes` answer a host that evaluates a model and asks for whatever else a plugin gives. Nothing comes of it but an
/// end: no panic, no wait, no more memory than the bytes justify.
pub fn answered_by(bytes: &[u8]) {
    let Ok((ours, mut theirs)) = UnixStream::pair() else { return };
    // What does not fit the socket's buffer would wait for a reader.
    let said = theirs.set_nonblocking(true).and_then(|()| theirs.write_all(bytes)).and_then(|()| theirs.shutdown(Shutdown::Write));
    if said.is_err() {
        return;
    }
    let process = Process::of_lane(ours, Limits { silence: Duration::from_secs(1), ..Limits::default() });
    let (mut session, data) = (Echo(vec![TensorSpec::new("x", DType::F32, [2usize])], BTreeMap::new()), Patterns::new(&[]));
    let mut bench = Stopped;
    while !process.ended() {
        let call = Call::Evaluate {
            model: 0,
            session: SessionFacts::of(&session),
            dataset: dataset_facts(&data),
            config: Config::default(),
            bench: bench_facts(&bench),
        };
        let lent = Lent { session: Some(&mut session), dataset: Some(&data), bench: Some(&mut bench), ..Lent::default() };
        drop(process.call::<Option<WireMeasurements>>("evaluation", &[], lent, |_, _| call));
        asked::<Loading>(&process);
        asked::<DatasetMade>(&process);
        if let Ok((head, tensors)) = process.ask::<WeightsHead>("import of weights", &[], Call::Metrics { model: 0 }) {
            drop(head.join(tensors));
        }
        if let Ok((head, tensors)) = process.ask::<ArtifactHead>("export of a model", &[], Call::Metrics { model: 0 }) {
            drop(head.join(&tensors));
        }
    }
}

fn asked<T: DeserializeOwned>(process: &Process) {
    drop(process.ask::<T>("a fact", &[], Call::Metrics { model: 0 }));
}
