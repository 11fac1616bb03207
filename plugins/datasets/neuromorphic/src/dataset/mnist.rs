//! `saccade-mnist`: MNIST's digits, made into events when asked for.

use super::Recordings;
use super::config::SaccadeConfig;
use crate::events::Events;
use crate::input::bad;
use crate::saccade::{self, CONTRAST, DIGIT};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use zoo_core::{DataFiles, Error, Result};

const PIXELS: usize = DIGIT * DIGIT;
const IMAGES_HEADER: u64 = 16;
const LABELS_HEADER: u64 = 8;

/// A range of MNIST's images and the noise they get.
pub(super) struct Saccades {
    path: PathBuf,
    images: Mutex<File>,
    labels: Vec<u8>,
    /// Index of the first item in MNIST's file.
    first: usize,
    noise: f64,
    /// Keeps the noise of the two MNIST files apart.
    stem: &'static str,
}

impl Saccades {
    pub(super) fn open(split: &str, files: &DataFiles, config: &SaccadeConfig) -> Result<Self> {
        let (stem, first, len) = match split {
            "train" => ("train", 0, config.train),
            "val" => ("train", config.train, config.val),
            _ => ("t10k", 0, config.test),
        };
        let path = files.get(&format!("{stem}-images-idx3-ubyte"))?;
        let labels_path = files.get(&format!("{stem}-labels-idx1-ubyte"))?;
        let (images, count) = idx(path, &[DIGIT as u32, DIGIT as u32])?;
        let (mut labels_file, labels_count) = idx(labels_path, &[])?;
        if labels_count != count {
            return Err(bad(labels_path, "byte 4", format!("{count} labels, one an image"), labels_count.to_string()));
        }
        if first.saturating_add(len) > count {
            let expected = format!("at most {count} items, as {} holds", path.display());
            return Err(Error::Config {
                key: format!("saccade.{split}"),
                expected,
                found: format!("items {first}..{}", first.saturating_add(len)),
            });
        }
        let mut labels = vec![0; len];
        labels_file.seek(SeekFrom::Start(LABELS_HEADER + first as u64)).map_err(Error::io(labels_path))?;
        labels_file.read_exact(&mut labels).map_err(Error::io(labels_path))?;
        if let Some(at) = labels.iter().position(|&l| l > 9) {
            let offset = LABELS_HEADER + (first + at) as u64;
            return Err(bad(labels_path, format!("byte {offset}"), "a digit", labels[at].to_string()));
        }
        Ok(Self { path: path.into(), images: Mutex::new(images), labels, first, noise: config.noise, stem })
    }
}

/// Opens an IDX file of `u8` items of shape `item`, whose size must be what its header says; returns the number of items.
fn idx(path: &Path, item: &[u32]) -> Result<(File, usize)> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut expected = vec![0, 0, 8, 1 + item.len() as u8, 0, 0, 0, 0];
    item.iter().for_each(|d| expected.extend(d.to_be_bytes()));
    let mut header = vec![0; expected.len()];
    file.read_exact(&mut header).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => bad(path, "byte 0", format!("an IDX header of {} bytes", expected.len()), "the end"),
        _ => Error::io(path)(e),
    })?;
    expected[4..8].copy_from_slice(&header[4..8]);
    if let Some(at) = (0..header.len()).find(|&i| header[i] != expected[i]) {
        let found = format!("{:#04x}", header[at]);
        return Err(bad(path, format!("byte {at}"), format!("{:#04x}: plain IDX, u8, items of shape {item:?}", expected[at]), found));
    }
    let count = u64::from(u32::from_be_bytes([header[4], header[5], header[6], header[7]]));
    let size = header.len() as u64 + count * item.iter().map(|&d| u64::from(d)).product::<u64>();
    let len = file.metadata().map_err(Error::io(path))?.len();
    if len != size {
        return Err(bad(
            path,
            format!("byte {}", len.min(size)),
            format!("{size} bytes in all, for {count} items"),
            format!("{len} bytes"),
        ));
    }
    Ok((file, count as usize))
}

impl Recordings for Saccades {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn load(&self, item: usize) -> Result<(Events, Option<u8>)> {
        let index = self.first + item;
        let mut digit = [0; PIXELS];
        {
            let mut file = self.images.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(IMAGES_HEADER + (index * PIXELS) as u64)).map_err(Error::io(&self.path))?;
            file.read_exact(&mut digit).map_err(Error::io(&self.path))?;
        }
        let mut events = saccade::events(&digit, CONTRAST)?;
        if self.noise > 0.0 {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&(index as u64).to_le_bytes());
            seed[8..8 + self.stem.len()].copy_from_slice(self.stem.as_bytes());
            events = saccade::with_noise(&events, self.noise, seed)?;
        }
        Ok((events, Some(self.labels[item])))
    }
}
