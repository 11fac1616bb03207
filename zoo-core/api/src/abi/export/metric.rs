//! [`Metric`] as C functions.

use super::{exclusive, free, own, shared};
use crate::abi::args;
use crate::abi::call::guard;
use crate::abi::raw::*;
use crate::abi::wire::WireEstimate;
use crate::metric::Metric;
use crate::model::Prediction;
use std::ffi::c_void;

type Dyn = dyn Metric;

static OWNED: ZooMetricTable = ZooMetricTable {
    size: size_of::<ZooMetricTable>(),
    drop: Some(free::<Dyn>),
    name: Some(name),
    update: Some(update),
    state: Some(state),
    merge: Some(merge),
    estimate: Some(estimate),
};

/// A metric for the other side to keep.
pub(in crate::abi) fn metric(metric: Box<Dyn>) -> ZooMetric {
    ZooMetric { self_: own(metric), table: &raw const OWNED }
}

unsafe extern "C" fn name(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: arguments are valid during the call, by the ABI.
    unsafe { guard(out, |out| out.text(shared::<Dyn>(self_).name())) }
}

unsafe extern "C" fn update(self_: *mut c_void, prediction: ZooTensors, batch: *const ZooBatch, out: *const ZooReturn) -> i32 {
    // SAFETY: as above; the metric is used by one thread at a time.
    unsafe {
        guard(out, |_| {
            let (outputs, batch) = (args::tensors(prediction, "output"), args::batch(batch));
            exclusive::<Dyn>(self_).update(&Prediction { outputs: outputs? }, &batch?)
        })
    }
}

unsafe extern "C" fn state(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |out| out.json(&shared::<Dyn>(self_).state())) }
}

unsafe extern "C" fn merge(self_: *mut c_void, state: ZooStr, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |_| exclusive::<Dyn>(self_).merge(&args::json(state, "state of a metric")?)) }
}

unsafe extern "C" fn estimate(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |out| match shared::<Dyn>(self_).estimate() {
            Some(estimate) => out.json(&WireEstimate::from(&estimate)),
            None => Ok(()),
        })
    }
}
