//! One real matrix out of a MATLAB 5 file.

use matfile::{MatFile, NumericData};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use zoo_core::{Error, Result, Tensor};

/// Length of the descriptive text, the version and the endian mark at the start of a MATLAB 5 file.
const HEADER: usize = 128;
/// Files beyond this are refused: a session of whole-brain regional series stays far below it.
const LARGEST: u64 = 256 << 20;

/// Reads variable `name` of a MATLAB 5 file as a row-major `f64 [rows, columns]` tensor.
///
/// # Errors
/// [`Error::Data`] if the file is not MATLAB 5 (MATLAB 7.3 files are HDF5), is truncated, lacks the variable, or the
/// variable is not a real matrix of finite numbers; [`Error::Io`] if it can't be read.
pub fn read_matrix(path: &Path, name: &str) -> Result<Tensor> {
    let fail = |at: &str, expected: &str, found: String| Error::Data {
        path: path.into(),
        at: at.into(),
        expected: expected.into(),
        found,
        mend: "save it with MATLAB's `save -v6` or SciPy's `savemat`, or fetch it again".into(),
    };
    let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if size > LARGEST {
        return Err(fail("its size", &format!("at most {LARGEST} bytes"), size.to_string()));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    check_header(&bytes).map_err(|found| fail("byte 0", "the header of a MATLAB 5 file", found))?;
    // The parser is not ours: whatever it does on hostile bytes must not take the process down.
    let parsed = catch_unwind(AssertUnwindSafe(|| MatFile::parse(bytes.as_slice())));
    let file = match parsed {
        Ok(Ok(file)) => file,
        Ok(Err(error)) => return Err(fail("its elements", "well-formed data elements", format!("{error:?}"))),
        Err(_) => return Err(fail("its elements", "well-formed data elements", "elements that break the parser".into())),
    };
    let array = file.find_by_name(name).ok_or_else(|| {
        let names: Vec<_> = file.arrays().iter().map(matfile::Array::name).collect();
        fail("its variables", &format!("a variable `{name}`"), if names.is_empty() { "none".into() } else { names.join(", ") })
    })?;
    let NumericData::Double { real, imag: None } = array.data() else {
        return Err(fail(&format!("variable `{name}`"), "real double precision", "another numeric type".into()));
    };
    let &[rows, columns] = array.size().as_slice() else {
        return Err(fail(&format!("variable `{name}`"), "a matrix", format!("{:?}", array.size())));
    };
    if rows.checked_mul(columns) != Some(real.len()) {
        return Err(fail(&format!("variable `{name}`"), &format!("{rows} x {columns} values"), real.len().to_string()));
    }
    if let Some(bad) = real.iter().position(|v| !v.is_finite()) {
        let at = format!("variable `{name}`, row {}, column {}", bad % rows, bad / rows);
        return Err(fail(&at, "a finite number", real[bad].to_string()));
    }
    // MATLAB stores columns one after the other.
    let straight = (0..rows * columns).map(|i| real[i / columns + (i % columns) * rows]).collect();
    Tensor::from_vec([rows, columns], straight)
}

fn check_header(bytes: &[u8]) -> Result<(), String> {
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") || bytes.starts_with(b"MATLAB 7.3") {
        return Err("a MATLAB 7.3 (HDF5) file".into());
    }
    let Some(header) = bytes.get(..HEADER) else {
        return Err(format!("only {} bytes", bytes.len()));
    };
    match (&header[124..126], &header[126..128]) {
        ([0, 1], b"IM") | ([1, 0], b"MI") => Ok(()),
        (version, mark) => Err(format!("version bytes {version:?} and endian mark {mark:?}")),
    }
}
