use super::*;
use crate::error::Error;
use half::{bf16, f16};
use proptest::prelude::*;
use zoo_core::{DType, Tensor, Weights};

fn sample() -> Weights {
    let mut weights = Weights::new();
    weights.insert("conv.weight", Tensor::from_vec([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap());
    weights.insert("conv.bias", Tensor::from_vec([2], vec![f16::ONE, f16::NEG_ONE]).unwrap());
    weights.insert("steps", Tensor::scalar(8i64));
    weights.insert("mask", Tensor::from_bytes(DType::Bool, [3], &[1, 0, 1]).unwrap());
    weights.insert("empty", Tensor::zeros(DType::F64, [0, 4]).unwrap());
    weights.insert("brain", Tensor::from_vec([1], vec![bf16::ONE]).unwrap());
    weights
}

#[test]
fn weights_survive_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let mut weights = sample();
    for key in ["seed", "licence", "config", "paper"] {
        weights.metadata.insert(key.into(), format!("{key} value"));
    }
    write_atomically(&path, &weights).unwrap();
    assert_eq!(read(&path).unwrap(), weights);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(from_bytes("memory", &bytes).unwrap(), weights);
    assert_eq!(to_bytes(&weights).unwrap(), bytes);
    // Nothing but the file is left behind.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn mapped_tensors_outlive_the_file_being_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    write_atomically(&path, &sample()).unwrap();
    let old = read(&path).unwrap();
    write_atomically(&path, &Weights::new()).unwrap();
    assert_eq!(old, sample());
    assert_eq!(read(&path).unwrap(), Weights::new());
}

#[test]
fn bytes_are_those_of_the_safetensors_crate() {
    use safetensors::tensor::TensorView;
    let weights = sample();
    let views = weights.tensors.iter().map(|(name, tensor)| {
        let dtype = super::dtype::to_file(tensor.dtype()).unwrap();
        (name.as_str(), TensorView::new(dtype, tensor.shape().to_vec(), tensor.as_bytes()).unwrap())
    });
    let metadata = std::collections::HashMap::from([("seed".to_string(), "3".to_string())]);
    let theirs = safetensors::serialize(views, Some(metadata)).unwrap();
    let mut ours = weights.clone();
    ours.metadata.insert("seed".into(), "3".into());
    assert_eq!(to_bytes(&ours).unwrap(), theirs);
}

#[test]
fn misaligned_tensors_are_copied() {
    let header = br#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.push(7);
    bytes.extend_from_slice(&1.5f32.to_le_bytes());
    bytes.extend_from_slice(&(-2.0f32).to_le_bytes());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let weights = read(file.path()).unwrap();
    assert_eq!(weights.f32("b", &[2]).unwrap(), [1.5, -2.0]);
}

#[test]
fn broken_files_are_explained() {
    #[track_caller]
    fn check(header: &str, data: usize, parts: &[&str]) {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 2);
        let error = from_bytes("some/w.safetensors", &bytes).unwrap_err();
        assert!(matches!(error, Error::Safetensors { .. }), "{error}");
        let message = error.to_string();
        assert!(message.starts_with("some/w.safetensors: "), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
    let one = |dtype: &str, shape: &str, start: &str, end: &str| {
        format!(r#"{{"t.w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}}}"#)
    };
    check("{", 0, &["the header", "a JSON object"]);
    check("[]", 0, &["the header"]);
    check(&one("F8_E4M3", "[4]", "0", "4"), 4, &["`t.w`", "F8_E4M3", "f32"]);
    check(&one("Q4", "[4]", "0", "4"), 4, &["`t.w`", "Q4"]);
    check(&one("F32", "[1]", "0", "400"), 4, &["`t.w`", "within 4 bytes", "400"]);
    check(&one("F32", "[1]", "8", "4"), 8, &["`t.w`", "8 to 4"]);
    check(&one("F32", "[3]", "0", "8"), 8, &["`t.w`", "F32 [3]", "8 bytes"]);
    check(&one("U8", "[18446744073709551615]", "0", "18446744073709551615"), 8, &["`t.w`"]);
    check(&one("F32", "[4294967296,4294967296]", "0", "0"), 0, &["`t.w`"]);
    check(&one("F32", "[-1]", "0", "4"), 4, &["`t.w`"]);
    check(&one("F32", "[1]", "0", "4"), 12, &["the data", "4 bytes", "12"]);
    check(&one("BOOL", "[2]", "0", "2"), 2, &["`t.w`", "booleans"]);
    check(
        r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#,
        6,
        &["`b`", "from offset 4", "2"],
    );
}

#[test]
fn other_files_are_recognised() {
    #[track_caller]
    fn check(bytes: &[u8], part: &str) {
        let message = from_bytes("w", bytes).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    check(b"", "an empty file");
    check(b"abc", "expected 8 bytes");
    check(b"<!DOCTYPE html><html>not found</html>", "HTML");
    check(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "git-LFS");
    check(b"PK\x03\x04 and so on, a checkpoint", "ZIP");
    check(&[9, 0, 0, 0, 0, 0, 0, 0, b'{'], "at most the 1 bytes");
}

#[test]
fn a_missing_folder_is_an_error_of_input_and_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/w.safetensors");
    assert!(matches!(write_atomically(&path, &sample()), Err(Error::Core(zoo_core::Error::Io { .. }))));
    assert!(matches!(read(&path), Err(Error::Core(zoo_core::Error::Io { .. }))));
    assert!(matches!(read(folder.path()), Err(Error::Core(zoo_core::Error::Io { .. }))));
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(from_bytes("random", &bytes).is_err());
    }

    /// A file with a few bytes changed is read, or refused with an error; never a panic.
    #[test]
    fn mutated_files_do_not_panic(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>(), truncate: bool) {
        let mut bytes = to_bytes(&sample()).unwrap();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if truncate {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = from_bytes("mutated", &bytes);
    }
}
