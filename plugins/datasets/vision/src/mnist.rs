//! MNIST and Fashion-MNIST from IDX files.

use crate::idx::Idx;
use crate::source::bad;
use crate::window::{locate, locate_one, window};
use std::ops::Range;
use std::path::Path;
use zoo_core::{Config, DataFiles, Dataset, DatasetInfo, Result, Tensor};

const SIDE: u32 = 28;

/// One split: images are read when asked for, labels are held (one byte an item).
pub(crate) struct Mnist {
    info: DatasetInfo,
    split: &'static str,
    images: Idx,
    labels: Vec<u8>,
    window: Range<usize>,
}

impl Mnist {
    pub(crate) fn open(info: DatasetInfo, split: &'static str, files: &DataFiles, config: &Config) -> Result<Self> {
        let stem = if split == "train" { "train" } else { "t10k" };
        let images = Idx::open(named(files, &format!("{stem}-images-idx3-ubyte"))?)?;
        let labels = Idx::open(named(files, &format!("{stem}-labels-idx1-ubyte"))?)?;
        match images.header.shape[..] {
            [_, SIDE, SIDE] => {}
            ref other => return Err(bad(images.path(), "byte 3", format!("axes [N, {SIDE}, {SIDE}]"), format!("{other:?}"))),
        }
        if labels.header.shape.len() != 1 {
            return Err(bad(labels.path(), "byte 3", "1 axis", labels.header.shape.len().to_string()));
        }
        let count = images.count();
        if labels.count() != count {
            let expected = format!("{count} labels, one for each image of {}", images.path().display());
            return Err(bad(labels.path(), "byte 4", expected, labels.count().to_string()));
        }
        let path = labels.path();
        let values = labels.items(0, count)?;
        if let Some(at) = values.iter().position(|&v| usize::from(v) >= info.classes.len()) {
            let expected = format!("a label below {}", info.classes.len());
            return Err(bad(path, format!("byte {}", labels.offset(at)), expected, values[at].to_string()));
        }
        Ok(Self { window: window(config, count)?, info, split, images, labels: values })
    }
}

/// A file under its name, or under its name with `.gz`.
fn named<'a>(files: &'a DataFiles, name: &str) -> Result<&'a Path> {
    files.get(name).or_else(|e| files.get(&format!("{name}.gz")).map_err(|_| e))
}

impl Dataset for Mnist {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        self.split
    }

    fn len(&self) -> usize {
        self.window.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let item = locate_one(&self.window, index)?;
        let image = Tensor::from_vec([1, SIDE as usize, SIDE as usize], self.images.items(item, 1)?)?;
        Ok(vec![image, Tensor::scalar(self.labels[item])])
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Tensor>> {
        let items = locate(&self.window, &range)?;
        let images = self.images.items(items.start, items.len())?;
        let images = Tensor::from_vec([items.len(), 1, SIDE as usize, SIDE as usize], images)?;
        Ok(vec![images, Tensor::from_vec([items.len()], self.labels[items].to_vec())?])
    }
}
