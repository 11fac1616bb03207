//! Reads the tensors of a file that `torch.save` wrote, without running anything that it says.
//!
//! The authors' networks are published as pickles (`publish/*.pkl` of `dtyulman/hebbff`: a `state_dict` with the history of
//! the training beside it). A pickle is a program; this reader knows the few instructions and names that build dictionaries,
//! lists, numbers and tensors, and refuses every other name. Both layouts are read: the archive of PyTorch 1.6 and later
//! and the one before it.

mod archive;
mod pickle;

use pickle::{Item, Pickle, Storage};
use std::collections::BTreeMap;
use std::path::Path;
use zoo_core::{DType, Error, Result, Tensor, Weights};

/// Largest file, in bytes; the authors' largest has a few hundred thousand.
const MAX_BYTES: u64 = 256 << 20;

/// Bytes of the storages of a file by key.
type Storages = BTreeMap<String, Vec<u8>>;

/// Reads a file: its tensors by name, and of everything else what is a number or a text as metadata (`hist.iter`).
///
/// # Errors
/// [`Error::Io`]; [`Error::Artifact`] saying at which byte the file is not what it should be, or which name it asks for that
/// is none of a tensor's.
pub fn read(path: &Path) -> Result<Weights> {
    let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if size > MAX_BYTES {
        return Err(bad(path, "its size", format!("expected at most {MAX_BYTES} bytes, found {size}")));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    parse(&bytes).map_err(|Fault { at, why }| bad(path, at, why))
}

fn bad(path: &Path, at: impl Into<String>, why: impl Into<String>) -> Error {
    Error::artifact(format!("{}: a file of torch.save", path.display()), at, why)
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    at: String,
    why: String,
}

impl Fault {
    fn new(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self { at: at.into(), why: why.into() }
    }
}

/// Reads the bytes of a file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Weights, Fault> {
    let (pickle, storages) = archive::open(bytes)?;
    let mut weights = Weights::new();
    let Item::Dict(entries) = pickle.root() else {
        return Err(Fault::new("the outermost object", "expected a dictionary of tensors, found something else"));
    };
    for (key, value) in entries {
        let Item::Text(name) = pickle.item(*key) else {
            return Err(Fault::new("a key of the dictionary", "expected a text, found something else"));
        };
        match pickle.item(*value) {
            Item::Tensor { storage, offset, shape, strides } => {
                weights.insert(name.clone(), tensor(name, storage, *offset, shape, strides, &storages)?);
            }
            Item::Dict(inner) => {
                for (key, value) in inner {
                    if let (Item::Text(key), Some(text)) = (pickle.item(*key), plain(&pickle, *value)) {
                        weights.metadata.insert(format!("{name}.{key}"), text);
                    }
                }
            }
            _ => {
                if let Some(text) = plain(&pickle, *value) {
                    weights.metadata.insert(name.clone(), text);
                }
            }
        }
    }
    Ok(weights)
}

fn plain(pickle: &Pickle, id: usize) -> Option<String> {
    match pickle.item(id) {
        Item::Int(value) => Some(value.to_string()),
        Item::Float(value) => Some(value.to_string()),
        Item::Bool(value) => Some(value.to_string()),
        Item::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// Gathers a tensor from its storage; every place is checked.
fn tensor(name: &str, storage: &Storage, offset: usize, shape: &[usize], strides: &[usize], storages: &Storages) -> Result<Tensor, Fault> {
    let fault = |why: String| Fault::new(format!("tensor `{name}`"), why);
    let bytes = storages.get(&storage.key).ok_or_else(|| fault(format!("expected a storage `{}`, found none", storage.key)))?;
    let size = storage.dtype.size();
    let held = bytes.len() / size;
    let count = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= held || shape.contains(&0));
    let count = count.ok_or_else(|| fault(format!("expected at most the {held} values of its storage, found shape {shape:?}")))?;
    if shape.len() != strides.len() {
        return Err(fault(format!("expected {} strides, found {}", shape.len(), strides.len())));
    }
    let mut out = Vec::with_capacity(count * size);
    for index in 0..count {
        let (mut rest, mut at) = (index, Some(offset));
        for (dim, stride) in shape.iter().zip(strides).rev() {
            at = at.and_then(|at| at.checked_add((rest % dim).checked_mul(*stride)?));
            rest /= dim;
        }
        let at = at.filter(|at| *at < held).ok_or_else(|| fault(format!("expected places below {held}, found one outside")))?;
        out.extend_from_slice(&bytes[at * size..(at + 1) * size]);
    }
    Tensor::from_bytes(storage.dtype, shape, &out).map_err(|e| fault(e.to_string()))
}

/// The kinds of storage there are.
fn storage_dtype(name: &str) -> Option<DType> {
    Some(match name {
        "DoubleStorage" => DType::F64,
        "FloatStorage" => DType::F32,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::Bool,
        _ => return None,
    })
}
