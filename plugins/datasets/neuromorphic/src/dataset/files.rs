//! Recordings that lie in files: N-MNIST with its lists, and single files.

use super::Recordings;
use crate::events::Events;
use crate::format::Format;
use crate::input::{self, bad};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zoo_core::{DataFiles, Error, Result};

/// Greatest size of a list, in bytes.
const MAX_LIST: u64 = 4 << 20;

/// N-MNIST: a list of `ID LABEL` lines, and a recording `ID.bs2` (or `ID.bin`) for each.
///
/// A recording is the data file of that name, or else a file beside the list.
pub(super) struct Listed {
    items: Vec<(PathBuf, u8)>,
}

impl Listed {
    /// Opens a split; with `sum`, only if the list and its recordings have that SHA-256, in hexadecimal digits.
    pub(super) fn open(split: &str, files: &DataFiles, sum: Option<&str>) -> Result<Self> {
        let path = files.get(if split == "train" { "train1K.txt" } else { "test100.txt" })?;
        let mut text = String::new();
        let file = File::open(path).map_err(Error::io(path))?;
        file.take(MAX_LIST + 1).read_to_string(&mut text).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => bad(path, "its text", "UTF-8", e.to_string()),
            _ => Error::io(path)(e),
        })?;
        if text.len() as u64 > MAX_LIST {
            return Err(bad(path, format!("byte {MAX_LIST}"), format!("a list of at most {MAX_LIST} bytes"), "more"));
        }
        let mut items = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
            let mut fields = line.split_whitespace();
            let pair = fields.next().and_then(|f| f.parse::<u32>().ok()).zip(fields.next().and_then(|f| f.parse::<u8>().ok()));
            let Some((id, label)) = pair.filter(|&(_, label)| label < 10 && fields.next().is_none()) else {
                return Err(bad(path, format!("line {}", number + 1), "a number and a digit", format!("`{line}`")));
            };
            items.push((recording(files, path, id)?, label));
        }
        if let Some(sum) = sum {
            verify(path, &text, &items, sum)?;
        }
        Ok(Self { items })
    }

    /// These recordings and then the others.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.items.extend(others.items);
        self
    }

    /// Every `folds`th recording, beginning with number `fold`.
    pub(super) fn fold(self, fold: usize, folds: usize) -> Self {
        Self { items: self.items.into_iter().skip(fold).step_by(folds).collect() }
    }
}

/// Refuses a split whose files are not those the sum was taken of.
fn verify(list: &Path, text: &str, items: &[(PathBuf, u8)], sum: &str) -> Result<()> {
    let mut hash = Sha256::new_with_prefix(text);
    for (path, _) in items {
        hash.update(input::read(path)?);
    }
    let found = hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    if found.eq_ignore_ascii_case(sum) {
        return Ok(());
    }
    Err(bad(list, "the list and its recordings", format!("SHA-256 {sum}"), found))
}

fn recording(files: &DataFiles, list: &Path, id: u32) -> Result<PathBuf> {
    let names = [format!("{id}.bs2"), format!("{id}.bin")];
    if let Some(path) = names.iter().find_map(|name| files.0.get(name)) {
        return Ok(path.clone());
    }
    let beside = names.iter().map(|name| list.with_file_name(name)).find(|path| path.is_file());
    beside.ok_or_else(|| Error::Unavailable {
        what: format!("recording {} of {}", names[0], list.display()),
        why: "it is neither among the data files nor beside the list".into(),
        mend: "fetch the data set again, or put the recording beside the list".into(),
    })
}

impl Recordings for Listed {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn load(&self, item: usize) -> Result<(Events, Option<u8>)> {
        let (path, label) = &self.items[item];
        Ok((Format::Nmnist.read(path)?, Some(*label)))
    }
}

/// Every data file is a recording, in the format its name's ending stands for.
pub(super) struct Files {
    items: Vec<(PathBuf, Format)>,
}

impl Files {
    pub(super) fn open(files: &DataFiles) -> Result<Self> {
        let items = files.0.iter().map(|(name, path)| Ok((path.clone(), Format::of_name(name)?))).collect::<Result<_>>()?;
        Ok(Self { items })
    }
}

impl Recordings for Files {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn load(&self, item: usize) -> Result<(Events, Option<u8>)> {
        let (path, format) = &self.items[item];
        Ok((format.read(path)?, None))
    }
}
