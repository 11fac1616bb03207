//! Shared by the tests of this crate.

use std::path::{Path, PathBuf};
use zoo_core::{Config, DataFiles, Dataset, DatasetFactory, Result, Tensor};
use zoo_data_vision::VisionFactory;

pub(crate) fn config(limit: usize, offset: usize) -> Config {
    Config::default().with("limit", limit).with("offset", offset)
}

pub(crate) fn open(name: &str, split: &str, files: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>> {
    VisionFactory::new().open(name, split, files, config)
}

/// The error of an `open` that must fail.
pub(crate) fn refused(name: &str, split: &str, files: &DataFiles) -> String {
    match open(name, split, files, &Config::default()) {
        Ok(_) => panic!("{name}/{split} opened"),
        Err(e) => e.to_string(),
    }
}

pub(crate) fn files<const N: usize>(entries: [(&str, PathBuf); N]) -> DataFiles {
    DataFiles(entries.into_iter().map(|(name, path)| (name.into(), path)).collect())
}

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Files of a data set below `ZOO_DATA`, or `None` with a line that says what was skipped.
pub(crate) fn real<const N: usize>(dataset: &str, names: [&str; N]) -> Option<DataFiles> {
    let Some(root) = std::env::var_os("ZOO_DATA").map(PathBuf::from) else {
        println!("skipped: ZOO_DATA is not set, real {dataset} files not read");
        return None;
    };
    let files = files(names.map(|name| (name, root.join(dataset).join(name))));
    if let Some(missing) = files.0.values().find(|p| !p.exists()) {
        println!("skipped: {} is not there", missing.display());
        return None;
    }
    Some(files)
}

/// Whether a batch holds exactly what `get` gives for each of its items.
pub(crate) fn batch_is_items(dataset: &dyn Dataset, range: std::ops::Range<usize>) {
    let batch = dataset.batch(range.clone()).unwrap();
    let items: Vec<_> = range.map(|i| dataset.get(i).unwrap()).collect();
    for (field, tensor) in batch.iter().enumerate() {
        let stacked = Tensor::stack(&items.iter().map(|item| item[field].clone()).collect::<Vec<_>>()).unwrap();
        assert_eq!(&stacked, tensor, "field {field}");
        dataset.info().features[field].check(&items[0][field]).unwrap();
    }
}

pub(crate) fn histogram(labels: &[u8]) -> [usize; 10] {
    let mut counts = [0; 10];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    counts
}
