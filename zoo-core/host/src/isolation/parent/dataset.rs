//! Data sets in another process.

use super::{Isolated, Object};
use crate::isolation::message::{Call, DatasetFacts, DatasetMade, Note, Which};
use std::ops::Range;
use std::sync::Arc;
use zoo_core::spec::check_all;
use zoo_core::{Config, DataFiles, Dataset, DatasetFactory, DatasetInfo, Error, Result, Tensor};

pub(super) struct RemoteFactory {
    isolated: Arc<Isolated>,
    index: usize,
}

impl RemoteFactory {
    pub(super) fn new(isolated: Arc<Isolated>, index: usize) -> Self {
        Self { isolated, index }
    }
}

impl DatasetFactory for RemoteFactory {
    fn infos(&self) -> Vec<DatasetInfo> {
        self.isolated.offer.factories[self.index].clone()
    }

    fn open(&self, name: &str, split: &str, files: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>> {
        let process = self.isolated.process()?;
        let call = Call::Open { factory: self.index, name: name.into(), split: split.into(), files: files.clone(), config: config.clone() };
        let (DatasetMade { number, facts }, _) = process.ask("opening a data set", &[], call)?;
        let len = usize::try_from(facts.len).map_err(|_| Error::argument("length of a data set", "one that fits memory", facts.len))?;
        Ok(Box::new(RemoteDataset { object: Object { process, number, note: Note::DropDataset }, facts, len }))
    }
}

/// An opened split in another process.
struct RemoteDataset {
    object: Object,
    facts: DatasetFacts,
    len: usize,
}

impl Dataset for RemoteDataset {
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
        let call = Call::Get { dataset: Which::Own(self.object.number), index: index as u64 };
        let ((), item) = self.object.process.ask("item of a data set", &[], call)?;
        check_all("item of a data set", &self.facts.info.features, &item)?;
        Ok(item)
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Tensor>> {
        let call = Call::Items { dataset: Which::Own(self.object.number), start: range.start as u64, end: range.end as u64 };
        let ((), fields) = self.object.process.ask("batch of a data set", &[], call)?;
        match fields.iter().find(|field| field.shape().first() != Some(&range.len())) {
            Some(field) => Err(Error::shape("batch of a data set", [range.len()], field.shape())),
            None => Ok(fields),
        }
    }
}
