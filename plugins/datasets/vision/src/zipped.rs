//! CIFAR-10 as JPEG files in a zip: entries `{train,test}/CLASS/NNNN.jpg`.
//!
//! The order of the official files is lost in these zips. Ours takes the first image of every class, then the second of
//! every class and so on, so that any `limit` is balanced.

use crate::pixels::{Form, decode};
use crate::source::bad;
use crate::window::{locate_one, window};
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use zip::ZipArchive;
use zoo_core::{Config, DataFiles, Dataset, DatasetInfo, Error, Result, Tensor};

/// Greatest size of a compressed 32 x 32 image, in bytes.
const MAX_IMAGE: u64 = 64 * 1024;
/// Greatest number of entries in a zip.
const MAX_ENTRIES: usize = 100_000;

/// One split; images are unpacked and decoded when asked for.
pub(crate) struct Zipped {
    info: DatasetInfo,
    split: &'static str,
    path: PathBuf,
    archive: Mutex<ZipArchive<BufReader<File>>>,
    /// Entry in the zip and label of each item.
    items: Vec<(usize, u8)>,
    window: Range<usize>,
}

impl Zipped {
    pub(crate) fn open(info: DatasetInfo, split: &'static str, files: &DataFiles, config: &Config) -> Result<Self> {
        let path = files.get(if split == "train" { "train-first500-per-class.zip" } else { "test.zip" })?;
        let file = File::open(path).map_err(Error::io(path))?;
        let archive =
            ZipArchive::new(BufReader::new(file)).map_err(|e| bad(path, "its central directory", "a zip archive", e.to_string()))?;
        if archive.len() > MAX_ENTRIES {
            return Err(bad(path, "its central directory", format!("at most {MAX_ENTRIES} entries"), archive.len().to_string()));
        }
        let items = order(path, split, &info.classes, &archive)?;
        let window = window(config, items.len())?;
        Ok(Self { info, split, path: path.into(), archive: Mutex::new(archive), items, window })
    }

    fn read(&self, item: usize) -> Result<Vec<u8>> {
        let (entry, _) = self.items[item];
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let fail = |e: String| bad(&self.path, format!("entry {entry}"), "a readable entry", e);
        let mut file = archive.by_index(entry).map_err(|e| fail(e.to_string()))?;
        let at = format!("entry {entry} (`{}`)", file.name().unwrap_or_default());
        let mut bytes = Vec::new();
        Read::take(&mut file, MAX_IMAGE + 1).read_to_end(&mut bytes).map_err(|e| bad(&self.path, &*at, "a whole entry", e.to_string()))?;
        if bytes.len() as u64 > MAX_IMAGE {
            return Err(bad(&self.path, at, format!("an image of at most {MAX_IMAGE} bytes"), "more"));
        }
        decode(&self.path, &at, &bytes, Form::PHOTO)
    }
}

/// Entries by (position within their class, class).
fn order(path: &Path, split: &str, classes: &[String], archive: &ZipArchive<BufReader<File>>) -> Result<Vec<(usize, u8)>> {
    let mut by_class: Vec<Vec<(String, usize)>> = vec![Vec::new(); classes.len()];
    for entry in 0..archive.len() {
        let name = archive.name_for_index(entry).and_then(|name| name.ok()).unwrap_or_default();
        if name.ends_with('/') {
            continue;
        }
        let class = name.strip_prefix(split).and_then(|rest| rest.strip_prefix('/')).and_then(|rest| rest.split_once('/'));
        let Some((label, file)) = class.and_then(|(class, file)| Some((classes.iter().position(|c| c == class)?, file))) else {
            return Err(bad(
                path,
                format!("entry {entry}"),
                format!("`{split}/CLASS/NNNN.jpg`, CLASS one of {classes:?}"),
                format!("`{name}`"),
            ));
        };
        by_class[label].push((file.into(), entry));
    }
    let mut keyed = Vec::with_capacity(archive.len());
    for (label, files) in by_class.iter_mut().enumerate() {
        files.sort();
        // There are at most ten classes.
        keyed.extend(files.iter().enumerate().map(|(position, (_, entry))| (position, label as u8, *entry)));
    }
    keyed.sort_unstable();
    Ok(keyed.into_iter().map(|(_, label, entry)| (entry, label)).collect())
}

impl Dataset for Zipped {
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
        Ok(vec![Tensor::from_vec([3, 32, 32], self.read(item)?)?, Tensor::scalar(self.items[item].1)])
    }
}
