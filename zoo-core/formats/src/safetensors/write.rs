//! Writing.

use super::dtype;
use super::read::LENGTH_BYTES;
use crate::error::{Error, Result};
use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value};
use std::io::Write;
use std::path::Path;
use zoo_core::{Tensor, Weights};

/// The bytes of a safetensors file.
///
/// Tensors come in the order of the `safetensors` crate: widest element type first, then by name. The header is written
/// here, since the crate keeps metadata in a hash map, whose order differs from run to run.
///
/// # Errors
/// [`Error::Safetensors`] if an element type has no counterpart in the format.
pub fn to_bytes(weights: &Weights) -> Result<Vec<u8>> {
    let (header, tensors) = prepare(weights)?;
    let data: usize = tensors.iter().map(|t| t.as_bytes().len()).sum();
    let mut bytes = Vec::with_capacity(header.len() + data);
    bytes.extend_from_slice(&header);
    for tensor in tensors {
        bytes.extend_from_slice(tensor.as_bytes());
    }
    Ok(bytes)
}

/// Writes a file so that a reader sees the old content or the new, never half of one: into a temporary file in the same
/// folder, to disk, then renamed.
///
/// # Errors
/// As [`to_bytes`], and [`zoo_core::Error::Io`] if the folder is not there or can't be written.
pub fn write_atomically(path: impl AsRef<Path>, weights: &Weights) -> Result<()> {
    let path = path.as_ref();
    let (header, tensors) = prepare(weights)?;
    let fill = |file: &mut std::fs::File| {
        file.write_all(&header)?;
        tensors.iter().try_for_each(|tensor| file.write_all(tensor.as_bytes()))
    };
    crate::files::write_atomically(path, fill).map_err(Error::io(path))
}

/// Length and header, and the tensors in the order of the data.
fn prepare(weights: &Weights) -> Result<(Vec<u8>, Vec<&Tensor>)> {
    let mut entries = Vec::with_capacity(weights.tensors.len());
    for (name, tensor) in &weights.tensors {
        let dtype = dtype::to_file(tensor.dtype()).ok_or_else(|| invalid(name, "an element type of the format", tensor.dtype().name()))?;
        if name == "__metadata__" {
            return Err(invalid(name, "a name that the format does not use itself", name));
        }
        entries.push((name, dtype, tensor));
    }
    entries.sort_by(|(a_name, a, _), (b_name, b, _)| b.cmp(a).then(a_name.cmp(b_name)));
    let mut header = Map::new();
    if !weights.metadata.is_empty() {
        header.insert("__metadata__".into(), weights.metadata.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect());
    }
    let mut offset = 0;
    for (name, dtype, tensor) in &entries {
        let end = offset + tensor.as_bytes().len();
        let info = TensorInfo { dtype: *dtype, shape: tensor.shape().to_vec(), data_offsets: (offset, end) };
        header.insert((*name).clone(), serde_json::to_value(info).map_err(|e| invalid(name, "a header entry", &e.to_string()))?);
        offset = end;
    }
    let mut json = Value::Object(header).to_string().into_bytes();
    // Spaces align the data, as the format recommends.
    json.resize(json.len().next_multiple_of(LENGTH_BYTES), b' ');
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut json);
    Ok((bytes, entries.into_iter().map(|(_, _, tensor)| tensor).collect()))
}

fn invalid(name: &str, expected: &str, found: &str) -> Error {
    Error::Safetensors {
        path: "(new file)".into(),
        at: format!("tensor `{name}`"),
        expected: expected.into(),
        found: found.into(),
        mend: "rename or convert the tensor".into(),
    }
}
