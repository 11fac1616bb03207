//! [`Model`] as C functions.

use super::{free, own, shared, trainer};
use crate::abi::args;
use crate::abi::call::guard;
use crate::abi::import::{ForeignDataset, ForeignSession, ForeignWorkbench};
use crate::abi::raw::*;
use crate::abi::wire::{ArtifactFacts, ModelFacts, WireMeasurements, WireOutcome, WireRequest, kind_names};
use crate::artifact::ExportRequest;
use crate::error::Error;
use crate::model::{ClaimOutcome, Model};
use crate::weights::Dialect;
use std::ffi::c_void;

type Dyn = dyn Model;

static OWNED: ZooModelTable = ZooModelTable {
    size: size_of::<ZooModelTable>(),
    drop: Some(free::<Dyn>),
    describe: Some(describe),
    variants: Some(variants),
    export_artifact: Some(export),
    import_weights: Some(import),
    preprocess: Some(preprocess),
    predict: Some(predict),
    metrics: Some(metrics),
    evaluate: Some(evaluate),
    claims: Some(claims),
    act: Some(act),
    figures: Some(figures),
};

/// A model for the other side to keep.
pub(in crate::abi) fn model(model: Box<Dyn>) -> ZooModel {
    ZooModel { self_: own(model), table: &raw const OWNED }
}

unsafe extern "C" fn describe(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: arguments are valid during the call, by the ABI.
    unsafe {
        guard(out, |out| {
            let model = shared::<Dyn>(self_);
            let (artifact_kinds, actions) = (kind_names(model.artifact_kinds()), model.actions());
            out.json(&ModelFacts { card: model.card().clone(), artifact_kinds, actions })
        })
    }
}

unsafe extern "C" fn variants(self_: *mut c_void, kind: ZooStr, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |out| out.json(&shared::<Dyn>(self_).variants(args::text(kind, "artifact kind")?.parse()?))) }
}

unsafe extern "C" fn export(self_: *mut c_void, request: ZooStr, weights: ZooWeights, config: ZooStr, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let weights = args::weights(weights)?;
            let request: ExportRequest = args::json::<WireRequest>(request, "export request")?.try_into()?;
            let artifact = shared::<Dyn>(self_).export(&request, &weights, &args::config(config)?)?;
            let kind = artifact.kind.name().into();
            out.json(&ArtifactFacts { kind, variant: artifact.variant, metadata: artifact.metadata })?;
            artifact.files.iter().try_for_each(|file| out.file(file))
        })
    }
}

unsafe extern "C" fn import(self_: *mut c_void, file: ZooWeights, dialect: ZooStr, config: ZooStr, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let file = args::weights(file)?;
            let dialect = match args::text(dialect, "dialect")? {
                "zoo" => Dialect::Zoo,
                "authors" => Dialect::Authors,
                other => return Err(Error::argument("dialect", "zoo or authors", other)),
            };
            trainer::weights(out, shared::<Dyn>(self_).import(&file, dialect, &args::config(config)?)?)
        })
    }
}

unsafe extern "C" fn preprocess(self_: *mut c_void, batch: *const ZooBatch, session: ZooSession, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let batch = args::batch(batch)?;
            out.tensors(shared::<Dyn>(self_).preprocess(&batch, &ForeignSession::lent(session)?)?)
        })
    }
}

unsafe extern "C" fn predict(self_: *mut c_void, session: ZooSession, batch: *const ZooBatch, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let batch = args::batch(batch)?;
            let prediction = shared::<Dyn>(self_).predict(&mut ForeignSession::lent(session)?, &batch)?;
            prediction.outputs.into_iter().try_for_each(|(name, tensor)| out.tensor(&name, tensor))
        })
    }
}

unsafe extern "C" fn metrics(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |out| shared::<Dyn>(self_).metrics().into_iter().try_for_each(|metric| out.metric(metric))) }
}

unsafe extern "C" fn evaluate(
    self_: *mut c_void,
    session: ZooSession,
    dataset: ZooDataset,
    config: ZooStr,
    bench: ZooWorkbench,
    out: *const ZooReturn,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let (mut session, dataset) = (ForeignSession::lent(session)?, ForeignDataset::lent(dataset)?);
            let mut bench = ForeignWorkbench::lent(bench)?;
            match shared::<Dyn>(self_).evaluate(&mut session, &dataset, &args::config(config)?, &mut bench)? {
                Some(measurements) => out.json(&WireMeasurements::from(measurements)),
                None => Ok(()),
            }
        })
    }
}

unsafe extern "C" fn claims(self_: *mut c_void, model: ZooStr, config: ZooStr, bench: ZooWorkbench, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let mut bench = ForeignWorkbench::lent(bench)?;
            let outcomes = shared::<Dyn>(self_).claims(args::text(model, "name of a model")?, &args::config(config)?, &mut bench)?;
            out.json(&outcomes.into_iter().map(WireOutcome::from).collect::<Vec<_>>())
        })
    }
}

unsafe extern "C" fn act(
    self_: *mut c_void,
    action: ZooStr,
    arguments: ZooStr,
    model: ZooStr,
    config: ZooStr,
    bench: ZooWorkbench,
    out: *const ZooReturn,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let mut bench = ForeignWorkbench::lent(bench)?;
            let arguments: Vec<String> = args::json(arguments, "arguments of a command")?;
            let (action, model) = (args::text(action, "command")?, args::text(model, "name of a model")?);
            out.json(&shared::<Dyn>(self_).act(action, &arguments, model, &args::config(config)?, &mut bench)?)
        })
    }
}

unsafe extern "C" fn figures(self_: *mut c_void, model: ZooStr, config: ZooStr, outcomes: ZooStr, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| {
            let outcomes: Vec<WireOutcome> = args::json(outcomes, "outcomes of claims")?;
            let outcomes: Vec<_> = outcomes.into_iter().map(ClaimOutcome::from).collect();
            out.json(&shared::<Dyn>(self_).figures(args::text(model, "name of a model")?, &args::config(config)?, &outcomes)?)
        })
    }
}
