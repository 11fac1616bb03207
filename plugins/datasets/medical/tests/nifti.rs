//! NIfTI volumes, good (made by nibabel) and bad.

use proptest::prelude::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use zoo_data_medical::read_nifti;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value {
        serde_json::Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

#[test]
fn values_and_transforms_are_nibabels() {
    let expected: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(golden("expected.json")).unwrap()).unwrap();
    for name in ["sform.nii.gz", "qform.nii", "big-endian.nii", "pixdim.nii"] {
        let (volume, wanted) = (read_nifti(&golden(name)).unwrap(), &expected[name]);
        assert_eq!(volume.dims.map(|d| d as f64).to_vec(), numbers(&wanted["dims"]), "{name}");
        assert_eq!(volume.frames as u64, wanted["frames"].as_u64().unwrap(), "{name}");
        let close = |ours: &[f64], theirs: &[f64], what: &str| {
            assert_eq!(ours.len(), theirs.len(), "{name} {what}");
            for (a, b) in ours.iter().zip(theirs) {
                assert!((a - b).abs() < 2e-6 * (1.0 + b.abs()), "{name} {what}: {a} against {b}");
            }
        };
        close(&volume.affine.concat(), &numbers(&wanted["affine"]), "affine");
        close(&volume.zooms, &numbers(&wanted["zooms"]), "zooms");
        close(&volume.values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), &numbers(&wanted["values"]), "values");
        assert_eq!(volume.is_u8, name == "sform.nii.gz");
    }
}

fn message(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    read_nifti(file.path()).unwrap_err().to_string()
}

fn changed(at: usize, bytes: &[u8]) -> String {
    let mut file = std::fs::read(golden("pixdim.nii")).unwrap();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    message(&file)
}

#[test]
fn bad_headers_are_named_by_field() {
    assert!(message(b"<html>").contains("6 bytes"));
    assert!(changed(0, &540i32.to_le_bytes()).contains("NIfTI-2"));
    assert!(changed(0, &7i32.to_le_bytes()).contains("348"));
    assert!(changed(344, b"ni1\0").contains("pair"));
    assert!(changed(40, &0i16.to_le_bytes()).contains("axes"));
    assert!(changed(40, &2i16.to_le_bytes()).contains("3 or 4 axes"));
    assert!(changed(42, &(-3i16).to_le_bytes()).contains("dim"));
    assert!(changed(42, &[0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f]).contains("at most 1073741824 bytes"));
    assert!(changed(70, &32i16.to_le_bytes()).contains("datatype"));
    assert!(changed(72, &8i16.to_le_bytes()).contains("bitpix"));
    assert!(changed(108, &f32::NAN.to_le_bytes()).contains("vox_offset"));
    assert!(changed(108, &1e30f32.to_le_bytes()).contains("vox_offset"));
    assert!(changed(80, &0f32.to_le_bytes()).contains("pixdim"));
    // An sform of zeros is no transform; a code alone turns it on.
    assert!(changed(254, &1i16.to_le_bytes()).contains("sform"));
    assert!(changed(42, &100i16.to_le_bytes()).contains("then the end"));
}

#[test]
fn a_bomb_is_not_unpacked() {
    // 64 MiB of zeros behind a header that asks for 12 voxels: the volume is read and the rest is never unpacked.
    let plain = std::fs::read(golden("pixdim.nii")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&plain).unwrap();
    packed.write_all(&vec![0; 64 << 20]).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), packed.finish().unwrap()).unwrap();
    assert_eq!(read_nifti(file.path()).unwrap().values.len(), 12);
    // The same bomb with a header that asks for more than any volume has.
    let mut greedy = plain;
    greedy[42..48].copy_from_slice(&[0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&greedy).unwrap();
    assert!(message(&packed.finish().unwrap()).contains("at most 1073741824 bytes"));
}

#[test]
fn truncation_is_an_error_at_every_length() {
    for name in ["qform.nii", "sform.nii.gz"] {
        let bytes = std::fs::read(golden(name)).unwrap();
        // The last eight bytes of gzip are its check sum and length, which the voxels do not need.
        for len in 0..bytes.len() - if name.ends_with("gz") { 8 } else { 0 } {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes[..len]).unwrap();
            if let Ok(volume) = read_nifti(file.path()) {
                assert_eq!(volume, read_nifti(&golden(name)).unwrap(), "{name} cut at {len}");
            }
        }
        assert!(!message(&bytes[..bytes.len() / 2]).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn damaged_files_never_panic(at in 0usize..480, value: u8, packed: bool) {
        let mut bytes = std::fs::read(golden(if packed { "sform.nii.gz" } else { "qform.nii" })).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let _ = read_nifti(file.path());
    }
}
