//! Elements that are kept outside the model file.

use super::proto::TensorProto;
use super::tensor;
use crate::error::{Error, Result};
use crate::mmap::Map;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use zoo_core::tensor::Bytes;
use zoo_core::{ArtifactFile, DType, Tensor};

/// Where external data may be.
#[derive(Clone, Debug)]
pub(super) enum External {
    /// Nowhere.
    None,
    /// In this folder.
    Folder(PathBuf),
    /// Among these files.
    Files(Vec<ArtifactFile>),
}

impl External {
    /// Reads a tensor whose elements are elsewhere.
    pub(super) fn read(&self, source_name: &str, proto: &TensorProto) -> Result<Tensor> {
        let place = format!("tensor `{}`", proto.name());
        let fail = |why: String| Error::malformed(source_name, place.clone(), why);
        let (dtype, shape) = tensor::declared(source_name, proto)?;
        let entry = |key: &str| proto.external_data.iter().find(|entry| entry.key() == key).map(|entry| entry.value().to_string());
        let number = |key: &str| {
            let text = entry(key);
            text.map(|text| text.parse::<usize>().map_err(|_| fail(format!("external {key}: expected a number, found `{text}`"))))
                .transpose()
        };
        let location = entry("location").ok_or_else(|| fail("expected the location of external data, found none".into()))?;
        let offset = number("offset")?.unwrap_or(0);
        let length = number("length")?;
        let range = |whole: usize| -> Result<Range<usize>> {
            let end = length.map_or(Some(whole), |length| offset.checked_add(length));
            let range = end.filter(|&end| offset <= end && end <= whole).map(|end| offset..end);
            range.ok_or_else(|| {
                fail(format!("expected external data within the {whole} bytes of `{location}`, found offset {offset}, length {length:?}"))
            })
        };
        match self {
            Self::None => {
                Err(fail(format!("its elements are in `{location}`, which can't be reached from memory; read the model from its file")))
            }
            Self::Files(files) => {
                let file = files.iter().find(|file| file.name == location);
                let file = file.ok_or_else(|| fail(format!("expected a file `{location}` in the artifact, found none")))?;
                let range = range(file.bytes.len())?;
                tensor::checked(source_name, &place, dtype, shape, &file.bytes[range])
            }
            Self::Folder(folder) => {
                let path = inside(folder, &location).map_err(fail)?;
                let map = Map::open(&path).map_err(Error::io(path))?;
                let range = range(map.as_bytes().len())?;
                mapped(source_name, &place, dtype, shape, &map, range)
            }
        }
    }
}

/// A tensor on the map if its elements are aligned, else a copy.
fn mapped(source_name: &str, place: &str, dtype: DType, shape: Vec<usize>, map: &Arc<Map>, range: Range<usize>) -> Result<Tensor> {
    // Booleans need a look at every element, and are copied by the way.
    if dtype != DType::Bool {
        let owner: Arc<dyn Bytes> = Arc::clone(map) as _;
        if let Ok(tensor) = Tensor::from_owner(dtype, shape.clone(), owner, range.clone()) {
            return Ok(tensor);
        }
    }
    tensor::checked(source_name, place, dtype, shape, &map.as_bytes()[range])
}

/// The path of external data, if it stays inside the folder, by name and after following links.
fn inside(folder: &Path, location: &str) -> std::result::Result<PathBuf, String> {
    let relative = Path::new(location);
    let plain = !location.is_empty()
        && !location.contains(['\\', ':', '\0'])
        && relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain {
        return Err(format!("expected external data inside the model's folder, found `{location}`"));
    }
    let path = folder.join(relative);
    let resolve = |path: &Path| path.canonicalize().map_err(|error| format!("external data `{}`: {error}", path.display()));
    if resolve(&path)?.starts_with(resolve(folder)?) {
        return Ok(path);
    }
    Err(format!("expected external data inside the model's folder, found a link `{location}` that leads out of it"))
}
