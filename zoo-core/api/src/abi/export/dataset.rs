//! [`Dataset`] and [`DatasetFactory`] as C functions.

use super::{free, own, shared};
use crate::abi::args;
use crate::abi::call::{guard, guard_plain};
use crate::abi::entry::hand_over;
use crate::abi::raw::*;
use crate::dataset::{DataFiles, Dataset, DatasetFactory};
use crate::error::{Error, Result};
use serde_json::json;
use std::ffi::c_void;

type Dyn = dyn Dataset;
type Factory = dyn DatasetFactory;

static OWNED: ZooDatasetTable = ZooDatasetTable {
    size: size_of::<ZooDatasetTable>(),
    drop: Some(free::<Dyn>),
    describe: Some(describe),
    len: Some(len),
    get: Some(get),
    batch: Some(batch),
};
static LENT: ZooDatasetTable = ZooDatasetTable { drop: None, ..OWNED };
static FACTORY: ZooDatasetFactoryTable =
    ZooDatasetFactoryTable { size: size_of::<ZooDatasetFactoryTable>(), drop: Some(free::<Factory>), infos: Some(infos), open: Some(open) };

/// An opened split for the other side to keep.
pub(in crate::abi) fn dataset(dataset: Box<Dyn>) -> ZooDataset {
    ZooDataset { self_: own(dataset), table: &raw const OWNED }
}

/// Lends an opened split for the time of `body`.
pub(in crate::abi) fn lend_dataset<R>(dataset: &dyn Dataset, body: impl FnOnce(ZooDataset) -> R) -> R {
    let mut cell: *mut (dyn Dataset + '_) = std::ptr::from_ref(dataset).cast_mut();
    body(ZooDataset { self_: (&raw mut cell).cast(), table: &raw const LENT })
}

/// A factory for the other side to keep.
pub(in crate::abi) fn factory(factory: Box<Factory>) -> ZooDatasetFactory {
    ZooDatasetFactory { self_: own(factory), table: &raw const FACTORY }
}

unsafe extern "C" fn describe(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: arguments are valid during the call, by the ABI.
    unsafe {
        guard(out, |out| {
            let dataset = shared::<Dyn>(self_);
            out.json(&json!({"info": dataset.info(), "split": dataset.split()}))
        })
    }
}

unsafe extern "C" fn len(self_: *mut c_void) -> u64 {
    // SAFETY: as above.
    guard_plain(0, || unsafe { shared::<Dyn>(self_) }.len() as u64)
}

unsafe extern "C" fn get(self_: *mut c_void, index: u64, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |out| out.tensors(shared::<Dyn>(self_).get(place(index)?)?)) }
}

unsafe extern "C" fn batch(self_: *mut c_void, start: u64, end: u64, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |out| out.tensors(shared::<Dyn>(self_).batch(place(start)?..place(end)?)?)) }
}

unsafe extern "C" fn infos(self_: *mut c_void, out: *const ZooReturn) -> i32 {
    // SAFETY: as above.
    unsafe { guard(out, |out| out.json(&shared::<Factory>(self_).infos())) }
}

unsafe extern "C" fn open(
    self_: *mut c_void,
    name: ZooStr,
    split: ZooStr,
    files: ZooStr,
    config: ZooStr,
    opened: *mut ZooDataset,
    out: *const ZooReturn,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(out, |_| {
            let files: DataFiles = args::json(files, "data files")?;
            let (name, split) = (args::text(name, "name of a data set")?, args::text(split, "split")?);
            let opened_now = shared::<Factory>(self_).open(name, split, &files, &args::config(config)?)?;
            hand_over(opened, dataset(opened_now))
        })
    }
}

fn place(index: u64) -> Result<usize> {
    usize::try_from(index).map_err(|_| Error::argument("index of an item", "a number that fits memory", index))
}
