//! CIFAR-10 in its official binary layout: records of one label byte and 3 x 1024 pixel bytes (red, green, blue planes).

use crate::source::{Source, bad};
use crate::window::{locate, locate_one, window};
use std::ops::Range;
use zoo_core::{Config, DataFiles, Dataset, DatasetInfo, Result, Tensor};

const PIXELS: usize = 3 * 32 * 32;
const RECORD: usize = 1 + PIXELS;

/// One split; records are read when asked for.
pub(crate) struct Cifar {
    info: DatasetInfo,
    split: &'static str,
    /// Files, each with the index of its first item.
    parts: Vec<(usize, Source)>,
    window: Range<usize>,
}

impl Cifar {
    pub(crate) fn open(info: DatasetInfo, split: &'static str, files: &DataFiles, config: &Config) -> Result<Self> {
        let names: &[&str] = match split {
            "train" => &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
            _ => &["test_batch.bin"],
        };
        let mut parts = Vec::with_capacity(names.len());
        let mut count = 0;
        for name in names {
            let source = Source::file(files.get(name)?)?;
            let rest = source.len() % RECORD as u64;
            if source.len() == 0 || rest != 0 {
                let found = format!("{} bytes, {rest} beyond the last whole record", source.len());
                return Err(bad(source.path(), format!("byte {}", source.len() - rest), format!("records of {RECORD} bytes"), found));
            }
            let records = usize::try_from(source.len() / RECORD as u64).unwrap_or(usize::MAX);
            parts.push((count, source));
            count += records;
        }
        Ok(Self { window: window(config, count)?, info, split, parts })
    }

    /// Pixels and labels of items, which may span several files.
    fn read(&self, items: Range<usize>) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut pixels = Vec::with_capacity(items.len() * PIXELS);
        let mut labels = Vec::with_capacity(items.len());
        let mut records = Vec::new();
        for (first, source) in &self.parts {
            let end = first + (source.len() / RECORD as u64) as usize;
            let (from, to) = (items.start.max(*first), items.end.min(end));
            if from >= to {
                continue;
            }
            records.resize((to - from) * RECORD, 0);
            let offset = (from - first) as u64 * RECORD as u64;
            source.read_at(offset, &mut records)?;
            for (i, record) in records.chunks_exact(RECORD).enumerate() {
                if usize::from(record[0]) >= self.info.classes.len() {
                    let at = format!("byte {}", offset + (i * RECORD) as u64);
                    return Err(bad(source.path(), at, format!("a label below {}", self.info.classes.len()), record[0].to_string()));
                }
                labels.push(record[0]);
                pixels.extend_from_slice(&record[1..]);
            }
        }
        Ok((pixels, labels))
    }
}

impl Dataset for Cifar {
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
        let (pixels, labels) = self.read(item..item + 1)?;
        Ok(vec![Tensor::from_vec([3, 32, 32], pixels)?, Tensor::from_vec([], labels)?])
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Tensor>> {
        let items = locate(&self.window, &range)?;
        let count = items.len();
        let (pixels, labels) = self.read(items)?;
        Ok(vec![Tensor::from_vec([count, 3, 32, 32], pixels)?, Tensor::from_vec([count], labels)?])
    }
}
