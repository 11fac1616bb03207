//! Finds out which tensor makes a header invalid, for the error message.

use super::read::unsupported;
use crate::error::Error;
use safetensors::Dtype;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

/// An error that names the first tensor that is wrong; `reason` is used where none can be singled out.
pub(super) fn explain(path: &Path, header: &[u8], data: usize, reason: &str) -> Error {
    let fail = |at: String, expected: String, found: String| Error::Safetensors {
        path: path.into(),
        at,
        expected,
        found,
        mend: "the file is damaged; fetch or write it again".into(),
    };
    let entries = match serde_json::from_slice::<Map<String, Value>>(header) {
        Ok(entries) => entries,
        Err(error) => return fail("the header".into(), "a JSON object".into(), error.to_string()),
    };
    let mut ranges: Vec<(u64, u64, &str)> = Vec::new();
    for (name, value) in entries.iter().filter(|(name, _)| *name != "__metadata__") {
        let at = format!("tensor `{name}`");
        let entry = match Entry::deserialize(value) {
            Ok(entry) => entry,
            Err(error) => return fail(at, "dtype, shape and data_offsets".into(), error.to_string()),
        };
        let Ok(dtype) = Dtype::deserialize(&Value::String(entry.dtype.clone())) else {
            return unsupported(path, name, &entry.dtype);
        };
        let [start, end] = entry.data_offsets;
        if start > end || end > data as u64 {
            return fail(at, format!("offsets within {data} bytes of data"), format!("{start} to {end}"));
        }
        let bits = entry.shape.iter().try_fold(dtype.bitsize() as u64, |n, &d| n.checked_mul(d));
        if bits.map(|bits| bits / 8) != Some(end - start) {
            return fail(at, format!("offsets that hold {} {:?}", entry.dtype, entry.shape), format!("{} bytes", end - start));
        }
        ranges.push((start, end, name));
    }
    ranges.sort_unstable();
    let mut reached = 0;
    for (start, end, name) in ranges {
        if start != reached {
            return fail(format!("tensor `{name}`"), format!("data from offset {reached}, behind the tensor before"), format!("{start}"));
        }
        reached = end;
    }
    if reached != data as u64 {
        return fail("the data".into(), format!("{reached} bytes, as the tensors take"), data.to_string());
    }
    fail("the header".into(), "a valid header".into(), reason.into())
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}
