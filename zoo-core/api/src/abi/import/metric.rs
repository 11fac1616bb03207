//! A [`Metric`] of the other side.

use crate::abi::args::{BatchParcel, Parcel};
use crate::abi::call::Peer;
use crate::abi::raw::*;
use crate::abi::table::Handle;
use crate::abi::wire::{self, WireEstimate};
use crate::dataset::Batch;
use crate::error::Result;
use crate::metric::{Estimate, Metric};
use crate::model::Prediction;
use serde_json::Value;

/// Metrics that came in with a call.
#[derive(Default)]
pub(in crate::abi) struct Metrics(Vec<Handle<ZooMetricTable>>);

impl Metrics {
    /// # Safety
    /// The handle is valid and ours.
    pub(in crate::abi) unsafe fn push(&mut self, metric: ZooMetric, peer: &Peer) -> Result<()> {
        // SAFETY: passed on.
        self.0.push(unsafe { Handle::new(metric.self_, metric.table, peer) }?);
        Ok(())
    }

    pub(in crate::abi) fn len(&self) -> usize {
        self.0.len()
    }

    /// The metrics as trait objects, with the names they give.
    pub(super) fn named(self) -> Result<Vec<Box<dyn Metric>>> {
        self.0.into_iter().map(|handle| Ok(Box::new(ForeignMetric::new(handle)?) as Box<dyn Metric>)).collect()
    }
}

/// A metric across the boundary.
struct ForeignMetric {
    handle: Handle<ZooMetricTable>,
    name: String,
}

impl ForeignMetric {
    fn new(handle: Handle<ZooMetricTable>) -> Result<Self> {
        let Handle { self_, table, peer } = &handle;
        let name = table.name.ok_or_else(|| peer.broke("metric: function `name` is NULL"))?;
        // SAFETY: the object with its own function.
        let name = peer.call("name of a metric", |out| unsafe { name(*self_, out) })?.needed()?.to_string();
        Ok(Self { handle, name })
    }
}

impl Metric for ForeignMetric {
    fn name(&self) -> &str {
        &self.name
    }

    fn update(&mut self, prediction: &Prediction, batch: &Batch) -> Result<()> {
        let Handle { self_, table, peer } = &self.handle;
        let update = table.update.ok_or_else(|| peer.broke("metric: function `update` is NULL"))?;
        let mut outputs = Parcel::new(prediction.outputs.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())))?;
        let mut batch = BatchParcel::new(batch)?;
        let call = |out: *const ZooReturn| {
            let batch = batch.leave();
            // SAFETY: the object with its own function; the batch lives through the call.
            unsafe { update(*self_, outputs.leave(), &raw const batch, out) }
        };
        peer.call("update of a metric", call).map(drop)
    }

    fn state(&self) -> Value {
        let Handle { self_, table, peer } = &self.handle;
        let Some(state) = table.state else { return Value::Null };
        // SAFETY: the object with its own function. A state that can't be had is null, which no metric merges.
        peer.call("state of a metric", |out| unsafe { state(*self_, out) }).and_then(|answer| answer.json()).unwrap_or_default()
    }

    fn merge(&mut self, state: &Value) -> Result<()> {
        let Handle { self_, table, peer } = &self.handle;
        let merge = table.merge.ok_or_else(|| peer.broke("metric: function `merge` is NULL"))?;
        let state = wire::to_json(state)?;
        // SAFETY: the object with its own function; the text lives through the call.
        peer.call("merging a metric", |out| unsafe { merge(*self_, state.as_str().into(), out) }).map(drop)
    }

    fn estimate(&self) -> Option<Estimate> {
        let Handle { self_, table, peer } = &self.handle;
        let estimate = table.estimate?;
        // SAFETY: the object with its own function.
        let answer = peer.call("estimate of a metric", |out| unsafe { estimate(*self_, out) }).ok()?;
        answer.json_if_any::<WireEstimate>().ok()?.map(Estimate::from)
    }
}
