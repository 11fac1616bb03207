//! Checks of a backend.

use super::repeat::{leaks, threads};
use super::report::Recorder;
use super::stand_in::{BATCH, pattern, shape_of};
use super::{kebab, plain};
use zoo_core::spec::check_all;
use zoo_core::{Artifact, ArtifactKind, Availability, Backend, DType, Device, Error, Session, Tensor};

const KINDS: [ArtifactKind; 4] = [ArtifactKind::Onnx, ArtifactKind::EventGraph, ArtifactKind::Nir, ArtifactKind::Safetensors];

pub(super) fn verify(record: &mut Recorder, backend: &dyn Backend, artifacts: &[Artifact]) {
    let subject = &format!("backend {}", backend.name());
    record.check(subject, "name is in kebab case", || kebab(backend.name()));
    record.check(subject, "says what it is and accepts", || {
        if backend.description().is_empty() || backend.accepts().is_empty() {
            Err("no description, or accepts nothing".into())
        } else {
            Ok(())
        }
    });
    match backend.probe() {
        Availability::Unavailable { why, mend } => return record.skipped(subject, "can be used here", format!("{why}; {mend}")),
        Availability::Ready { devices, .. } => record.check(subject, "can be used here, on some device", || {
            if devices.is_empty() { Err("ready, but on no device".into()) } else { Ok(()) }
        }),
    }
    let (device, options) = plain();
    for kind in KINDS {
        let junk = Artifact::single(kind, "junk", "junk.bin", &b"this is no model"[..]);
        let rule = if backend.accepts().contains(&kind) { "malformed" } else { "unaccepted" };
        record.refuses(subject, &format!("refuses {rule} {kind}"), backend.compile(&junk, &device, &options));
        let none = Artifact { files: Vec::new(), ..junk };
        record.refuses(subject, &format!("refuses {kind} without files"), backend.compile(&none, &device, &options));
    }
    leaks(record, subject, "refusing an artifact", || {
        let junk = Artifact::single(KINDS[0], "junk", "junk.bin", &b"this is no model"[..]);
        backend.compile(&junk, &device, &options).map(drop)
    });
    let usable: Vec<_> = artifacts.iter().filter(|artifact| backend.accepts().contains(&artifact.kind)).collect();
    if usable.is_empty() {
        record.skipped(
            subject,
            "compiles and runs",
            "the suite has an ONNX model only; add a model to the plugin that exports what the backend accepts",
        );
    }
    for artifact in usable {
        let what = format!("{} `{}`", artifact.kind, artifact.variant);
        let Some(mut session) = record.attempt(subject, &format!("compiles {what}"), backend.compile(artifact, &device, &options)) else {
            continue;
        };
        record.passed(subject, &format!("compiles {what}"));
        record.refuses(subject, "refuses a device there is not", backend.compile(artifact, &Device::Cuda(99), &options));
        let mut odd = options.clone();
        odd.extra.insert(format!("{}.no-such-option", backend.name()), "1".into());
        record.refuses(subject, "refuses an option it does not have", backend.compile(artifact, &device, &odd));
        runs(record, subject, &what, session.as_mut());
        let fresh = || backend.compile(artifact, &device, &options).and_then(|mut session| run(session.as_mut()));
        threads(record, subject, "compiling and running", fresh);
    }
}

fn inputs(session: &dyn Session) -> Result<Vec<Tensor>, Error> {
    session.inputs().iter().map(|spec| pattern(spec.dtype, &shape_of(spec, BATCH))).collect()
}

fn run(session: &mut dyn Session) -> Result<Vec<Tensor>, Error> {
    let inputs = inputs(session)?;
    session.run(&inputs)
}

fn runs(record: &mut Recorder, subject: &str, what: &str, session: &mut dyn Session) {
    let rule = format!("runs {what} with the declared outputs");
    let Some(first) = record.attempt(subject, &rule, run(session)) else { return };
    record.check(subject, &rule, || check_all("outputs", session.outputs(), &first).map_err(|e| e.to_string()));
    record.check(subject, "gives the same after a reset", || {
        session.reset();
        if run(session).map_err(|e| e.to_string())? == first { Ok(()) } else { Err("outputs differ".into()) }
    });
    record.refuses(subject, "refuses too few inputs", session.run(&[]));
    if let Ok(good) = inputs(session) {
        let mut odd = good.clone();
        odd[0] = Tensor::zeros(if odd[0].dtype() == DType::U16 { DType::F32 } else { DType::U16 }, odd[0].shape())
            .unwrap_or_else(|_| odd[0].clone());
        record.refuses(subject, "refuses an input of another type", session.run(&odd));
        let mut odd = good;
        let mut shape = odd[0].shape().to_vec();
        shape.push(3);
        odd[0] = Tensor::zeros(odd[0].dtype(), shape).unwrap_or_else(|_| odd[0].clone());
        record.refuses(subject, "refuses an input with an axis too many", session.run(&odd));
    }
    record.check(subject, "still runs after refusals", || {
        session.reset();
        if run(session).map_err(|e| e.to_string())? == first { Ok(()) } else { Err("outputs differ".into()) }
    });
    let before = session.stats().runs;
    leaks(record, subject, "a run", || run(session).map(drop));
    record.check(subject, "counts its runs", || {
        let counted = session.stats().runs - before;
        if counted >= 10_000 { Ok(()) } else { Err(format!("10,000 runs or more, counted {counted}")) }
    });
}
