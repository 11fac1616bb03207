//! A [`Dataset`] and a [`DatasetFactory`] of the other side.

use super::declared;
use crate::abi::call::Peer;
use crate::abi::raw::*;
use crate::abi::table::Handle;
use crate::abi::wire::{self, DatasetFacts};
use crate::config::Config;
use crate::dataset::{DataFiles, Dataset, DatasetFactory, DatasetInfo};
use crate::error::{Error, Result};
use crate::spec::{Dim, TensorSpec};
use crate::tensor::Tensor;
use std::ops::Range;

/// An opened split across the boundary.
pub(in crate::abi) struct ForeignDataset {
    handle: Handle<ZooDatasetTable>,
    facts: DatasetFacts,
    /// Features with a batch axis in front.
    stacked: Vec<TensorSpec>,
    len: usize,
}

impl ForeignDataset {
    /// # Safety
    /// The handle is valid, and ours if its table can drop it.
    pub(in crate::abi) unsafe fn new(dataset: ZooDataset, peer: &Peer) -> Result<Self> {
        // SAFETY: passed on.
        let handle: Handle<ZooDatasetTable> = unsafe { Handle::new(dataset.self_, dataset.table, peer) }?;
        let (Some(describe), Some(len)) = (handle.table.describe, handle.table.len) else {
            return Err(peer.broke("data set: a function is NULL"));
        };
        // SAFETY: the object with its own function.
        let facts: DatasetFacts = peer.call("facts of a data set", |out| unsafe { describe(handle.self_, out) })?.json()?;
        let _entered = peer.enter();
        // SAFETY: as above.
        let len = unsafe { len(handle.self_) };
        let len = usize::try_from(len).map_err(|_| peer.broke(format!("data set: {len} items do not fit memory")))?;
        let mut stacked = facts.info.features.clone();
        stacked.iter_mut().for_each(|spec| spec.shape.insert(0, Dim::Free("batch".into())));
        Ok(Self { handle, facts, stacked, len })
    }

    /// # Safety
    /// The handle is lent by the caller for the time this object lives.
    pub(in crate::abi) unsafe fn lent(dataset: ZooDataset) -> Result<Self> {
        // SAFETY: passed on.
        unsafe { Self::new(dataset, &Peer::caller()) }
    }
}

impl Dataset for ForeignDataset {
    fn info(&self) -> &DatasetInfo {
        &self.facts.info
    }

    fn split(&self) -> &str {
        &self.facts.split
    }

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let Handle { self_, table, peer } = &self.handle;
        let get = table.get.ok_or_else(|| peer.broke("data set: function `get` is NULL"))?;
        // SAFETY: the object with its own function.
        let item = peer.call("item of a data set", |out| unsafe { get(*self_, index as u64, out) })?.unnamed();
        declared(peer, "item of a data set", &self.facts.info.features, &item)?;
        Ok(item)
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Tensor>> {
        let Handle { self_, table, peer } = &self.handle;
        let Some(batch) = table.batch else {
            if range.start > range.end || range.end > self.len {
                return Err(Error::argument("range of a batch", format!("within 0..{}", self.len), format!("{range:?}")));
            }
            let items = range.map(|i| self.get(i)).collect::<Result<Vec<_>>>()?;
            let column = |f: usize| Tensor::stack(&items.iter().map(|item| item[f].clone()).collect::<Vec<_>>());
            return (0..items.first().map_or(0, Vec::len)).map(column).collect();
        };
        // SAFETY: as above.
        let call = |out: *const ZooReturn| unsafe { batch(*self_, range.start as u64, range.end as u64, out) };
        let fields = peer.call("batch of a data set", call)?.unnamed();
        if !range.is_empty() {
            declared(peer, "batch of a data set", &self.stacked, &fields)?;
        }
        let wrong = fields.iter().find(|field| field.shape().first() != Some(&range.len()));
        match wrong.filter(|_| peer.checked()) {
            Some(field) => Err(peer.broke(format!("batch of a data set: asked for {} items, got shape {:?}", range.len(), field.shape()))),
            None => Ok(fields),
        }
    }
}

/// A factory across the boundary.
pub(super) struct ForeignFactory {
    handle: Handle<ZooDatasetFactoryTable>,
    infos: Vec<DatasetInfo>,
}

impl ForeignFactory {
    /// # Safety
    /// The handle is valid and ours.
    pub(super) unsafe fn new(factory: ZooDatasetFactory, peer: &Peer) -> Result<Self> {
        // SAFETY: passed on.
        let handle: Handle<ZooDatasetFactoryTable> = unsafe { Handle::new(factory.self_, factory.table, peer) }?;
        let infos = handle.table.infos.ok_or_else(|| peer.broke("factory of data sets: function `infos` is NULL"))?;
        // SAFETY: the object with its own function.
        let infos = peer.call("data set cards", |out| unsafe { infos(handle.self_, out) })?.json()?;
        Ok(Self { handle, infos })
    }
}

impl DatasetFactory for ForeignFactory {
    fn infos(&self) -> Vec<DatasetInfo> {
        self.infos.clone()
    }

    fn open(&self, name: &str, split: &str, files: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>> {
        let Handle { self_, table, peer } = &self.handle;
        let open = table.open.ok_or_else(|| peer.broke("factory of data sets: function `open` is NULL"))?;
        let (files, config) = (wire::to_json(files)?, wire::to_json(config)?);
        let mut opened = ZooDataset { self_: std::ptr::null_mut(), table: std::ptr::null() };
        // SAFETY: the object with its own function; texts live through the call.
        let call = |out: *const ZooReturn| unsafe {
            open(*self_, name.into(), split.into(), files.as_str().into(), config.as_str().into(), &raw mut opened, out)
        };
        peer.call("opening a data set", call)?;
        // SAFETY: the plugin said it wrote the handle; a table that is still NULL is refused.
        Ok(Box::new(unsafe { ForeignDataset::new(opened, peer) }?))
    }
}
