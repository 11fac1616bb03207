//! MedMNIST's npz files: `{train,val,test}_{images,labels}`, `u8`, in a zip.

use crate::problem::{FETCH_AGAIN, bad, within};
use npyz::NpyFile;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;
use zoo_core::{DataFiles, Dataset, DatasetInfo, Error, Result, Tensor};

/// Greatest number of bytes of one array.
const MAX_ARRAY: u64 = 512 << 20;
const SIDE: usize = 28;

/// Reads one `u8` array of an npz file: shape and elements in row-major order.
///
/// # Errors
/// [`Error::Data`] if the file is not a zip, lacks the array (the arrays there are, are listed), or the array is not
/// plain `u8` in row-major order, is cut short, or has more than 512 MiB.
pub fn read_npz(path: &Path, array: &str) -> Result<(Vec<usize>, Vec<u8>)> {
    let at = format!("array `{array}`");
    let fail = |expected: &str, found: String| bad(path, at.as_str(), expected, found, FETCH_AGAIN);
    let file = File::open(path).map_err(Error::io(path))?;
    let mut zip =
        ZipArchive::new(BufReader::new(file)).map_err(|e| bad(path, "its directory", "a zip archive", e.to_string(), FETCH_AGAIN))?;
    let name = format!("{array}.npy");
    let entry = (0..zip.len()).find(|&i| zip.name_for_index(i).is_some_and(|n| n.is_ok_and(|n| n == name)));
    let Some(entry) = entry else {
        let names: Vec<_> = (0..zip.len().min(16)).filter_map(|i| zip.name_for_index(i)?.ok().map(|n| n.to_string())).collect();
        return Err(fail("an array of that name", names.join(", ")));
    };
    let entry = zip.by_index(entry).map_err(|e| fail("a readable entry", e.to_string()))?;
    // Whatever the zip declares, no more than this is unpacked.
    let npy = NpyFile::new(entry.take(MAX_ARRAY)).map_err(|e| fail("an npy header", e.to_string()))?;
    let shape: Option<Vec<usize>> = npy.shape().iter().map(|&d| usize::try_from(d).ok()).collect();
    let count = shape.as_deref().and_then(|s| s.iter().try_fold(1usize, |n, &d| n.checked_mul(d)));
    let (Some(shape), Some(count)) = (shape, count.filter(|&n| n as u64 <= MAX_ARRAY)) else {
        return Err(fail("at most 512 MiB", format!("{:?}", npy.shape())));
    };
    let kind = npy.dtype().descr();
    if kind.trim_matches('\'') != "|u1" || npy.order() != npyz::Order::C {
        return Err(fail("`|u1` in row-major order", format!("{kind}, {:?}", npy.order())));
    }
    let mut values = Vec::new();
    npy.into_inner().read_to_end(&mut values).map_err(|e| fail("data that unpack", e.to_string()))?;
    if values.len() != count {
        return Err(fail(&format!("{count} bytes"), values.len().to_string()));
    }
    Ok((shape, values))
}

/// One split, held in memory.
pub(crate) struct MedMnist {
    info: DatasetInfo,
    split: String,
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl MedMnist {
    pub(crate) fn open(info: DatasetInfo, split: &str, files: &DataFiles) -> Result<Self> {
        let path = files.get(&format!("{}.npz", info.name))?;
        let (shape, images) = read_npz(path, &format!("{split}_images"))?;
        let (label_shape, labels) = read_npz(path, &format!("{split}_labels"))?;
        let &[count, SIDE, SIDE] = shape.as_slice() else {
            return Err(bad(path, format!("`{split}_images`"), format!("axes [N, {SIDE}, {SIDE}]"), format!("{shape:?}"), FETCH_AGAIN));
        };
        if !matches!(label_shape[..], [n] | [n, 1] if n == count) {
            return Err(bad(
                path,
                format!("`{split}_labels`"),
                format!("[{count}] or [{count}, 1]"),
                format!("{label_shape:?}"),
                FETCH_AGAIN,
            ));
        }
        if let Some(at) = labels.iter().position(|&l| usize::from(l) >= info.classes.len()) {
            let expected = format!("labels below {}", info.classes.len());
            return Err(bad(path, format!("`{split}_labels`, item {at}"), expected, labels[at].to_string(), FETCH_AGAIN));
        }
        Ok(Self { info, split: split.into(), images, labels })
    }
}

impl Dataset for MedMnist {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        &self.split
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let i = within(index, self.len())?;
        let image = self.images[i * SIDE * SIDE..][..SIDE * SIDE].to_vec();
        Ok(vec![Tensor::from_vec([1, SIDE, SIDE], image)?, Tensor::scalar(self.labels[i])])
    }
}
