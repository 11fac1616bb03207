//! Reading MATLAB 5 files, good and bad.

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use zoo_data_neuro::read_matrix;

/// `tc` = [[1, 2, 3], [4, 5, 6]], made by SciPy (tests/golden/make.py), plain and compressed.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn message(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    read_matrix(file.path(), "tc").unwrap_err().to_string()
}

#[test]
fn scipys_files_read_row_major() {
    for name in ["plain.mat", "compressed.mat"] {
        let tensor = read_matrix(&golden(name), "tc").unwrap();
        assert_eq!(tensor.shape(), [2, 3], "{name}");
        assert_eq!(tensor.as_slice::<f64>().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "{name}");
    }
}

#[test]
fn a_missing_variable_lists_those_there_are() {
    let error = read_matrix(&golden("plain.mat"), "sc").unwrap_err().to_string();
    assert!(error.contains("a variable `sc`") && error.contains("tc"), "{error}");
}

#[test]
fn values_that_are_not_numbers_are_placed() {
    let error = read_matrix(&golden("nan.mat"), "tc").unwrap_err().to_string();
    assert!(error.contains("row 1, column 0") && error.contains("finite"), "{error}");
}

#[test]
fn other_files_are_named_for_what_they_are() {
    assert!(message(b"<!doctype html>").contains("only 15 bytes"));
    assert!(message(b"\x89HDF\r\n\x1a\n and more").contains("HDF5"));
    assert!(message(&[0; 200]).contains("endian mark"));
}

#[test]
fn truncation_is_an_error_at_every_length() {
    let bytes = std::fs::read(golden("plain.mat")).unwrap();
    for len in 0..bytes.len() {
        message(&bytes[..len]);
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(at in 0usize..400, value: u8) {
        let mut bytes = std::fs::read(golden("plain.mat")).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let _ = read_matrix(file.path(), "tc");
    }
}
