//! DICOM slices, good (made by pydicom) and bad; what they say about people stays inside.

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use zoo_data_medical::{Plane, order_stack, read_slice};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn pixels_and_geometry_are_pydicoms() {
    let expected: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(golden("expected.json")).unwrap()).unwrap();
    for name in ["explicit.dcm", "implicit.dcm"] {
        let slice = read_slice(&golden(name)).unwrap();
        let wanted = &expected[name];
        let list = |key: &str| wanted[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
        assert_eq!(slice.shape.map(|s| s as f64).to_vec(), list("shape"), "{name}");
        assert_eq!(slice.pixels.iter().map(|p| f64::from(*p)).collect::<Vec<_>>(), list("pixels"), "{name}");
        assert_eq!(slice.plane.to_array().to_vec(), list("plane"), "{name}");
        assert_eq!((slice.series, slice.instance), (3, 7), "{name}");
    }
}

/// The name, identifier and birth date that make.py writes into every file.
fn silent(message: &str) {
    for secret in ["SECRET", "PERSON", "19010203"] {
        assert!(!message.contains(secret), "{message}");
    }
}

#[test]
fn faults_are_named_by_tag_and_never_quote_the_patient() {
    let cases = [
        ("no-position.dcm", "image position (0020,0032)"),
        ("no-orientation.dcm", "image orientation (0020,0037)"),
        ("skewed.dcm", "right angle"),
        ("frames.dcm", "number of frames"),
        ("short-pixels.dcm", "24 bytes for 3 x 4 pixels"),
        ("compressed.dcm", "transcode"),
        ("sform.nii.gz", "DICM"),
    ];
    for (name, part) in cases {
        let message = read_slice(&golden(name)).unwrap_err().to_string();
        assert!(message.contains(part), "{name}: {message}");
        silent(&message);
    }
}

fn read(bytes: &[u8]) -> Result<zoo_data_medical::DicomSlice, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    read_slice(file.path()).map_err(|e| e.to_string())
}

#[test]
fn truncation_is_an_error() {
    let bytes = std::fs::read(golden("explicit.dcm")).unwrap();
    for len in (0..bytes.len()).step_by(5) {
        silent(&read(&bytes[..len]).expect_err("a file cut short"));
    }
}

#[test]
fn a_declared_length_beyond_the_file_is_refused_before_anything_is_allocated() {
    let mut bytes = std::fs::read(golden("explicit.dcm")).unwrap();
    let pixels = bytes.windows(4).position(|w| w == [0xe0, 0x7f, 0x10, 0x00]).unwrap();
    bytes[pixels + 8..pixels + 12].copy_from_slice(&0xffff_fffeu32.to_le_bytes());
    assert!(read(&bytes).unwrap_err().contains("4294967294 bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn damaged_files_never_panic_and_never_talk(at in 128usize..1200, value: u8, implicit: bool) {
        let mut bytes = std::fs::read(golden(if implicit { "implicit.dcm" } else { "explicit.dcm" })).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Err(message) = read(&bytes) {
            silent(&message);
        }
    }

    #[test]
    fn a_stack_is_ordered_by_place_whatever_the_order_of_files(places in prop::collection::vec(-100.0f64..100.0, 1..12)) {
        let plane = |z: f64| Plane {
            position: [3.0, 4.0, z],
            along_columns: [0.0, 1.0, 0.0],
            along_rows: [-1.0, 0.0, 0.0],
            spacing: [1.0, 1.0],
            thickness: 0.0,
        };
        let order = order_stack(&places.iter().map(|&z| plane(z)).collect::<Vec<_>>()).unwrap();
        prop_assert!(order.windows(2).all(|w| places[w[0]] <= places[w[1]]));
        prop_assert_eq!(order.len(), places.len());
    }
}

#[test]
fn a_stack_of_crossing_planes_is_refused() {
    let plane = |x: [f64; 3], y: [f64; 3]| Plane { position: [0.0; 3], along_columns: x, along_rows: y, spacing: [1.0; 2], thickness: 0.0 };
    let planes = [plane([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), plane([1.0, 0.0, 0.0], [0.0, 0.0, 1.0])];
    assert!(order_stack(&planes).unwrap_err().to_string().contains("plane 1"));
    assert!(order_stack(&[]).unwrap().is_empty());
}
