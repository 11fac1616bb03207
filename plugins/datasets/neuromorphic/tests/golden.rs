//! Readers and framings against files and numbers of other implementations (see `golden/make.py`).

use serde_json::Value;
use std::path::PathBuf;
use zoo_data_neuromorphic::{Events, Format, Framing, Scale, Slicing};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(path("expected.json")).unwrap()).unwrap()
}

fn read(name: &str) -> Events {
    Format::of_name(name).unwrap().read(&path(name)).unwrap()
}

fn check(file: &str, expected: &Value, size: Option<(u16, u16)>) {
    let events = read(file);
    let rows: Vec<[i64; 4]> = serde_json::from_value(expected.clone()).unwrap();
    assert_eq!(events.len(), rows.len(), "{file}");
    let tensor = events.to_tensor().unwrap();
    for (i, (have, want)) in tensor.as_slice::<i64>().unwrap().chunks(4).zip(&rows).enumerate() {
        assert_eq!(have, want, "{file}, event {i}");
    }
    if let Some(size) = size {
        assert_eq!((events.width(), events.height()), size, "{file}");
    }
}

#[test]
fn prophesee_files_of_expelliarmus() {
    let expected = expected();
    for file in ["events.dat", "evt2.raw", "evt3.raw"] {
        check(file, &expected[file], None);
    }
}

#[test]
fn aedat4_files_of_dv_processing() {
    let expected = expected();
    for file in ["none.aedat4", "lz4.aedat4", "zstd.aedat4"] {
        check(file, &expected["aedat4"], Some((346, 260)));
    }
}

#[test]
fn nmnist_as_tonic_reads_it_and_numpy_archives() {
    let expected = expected();
    check("digit.bin", &expected["digit.bin"], Some((34, 34)));
    check("columns.npz", &expected["digit.bin"], None);
    check("table.npz", &expected["digit.bin"], None);
}

/// Frames of counts from "indices of nonzero entries, -1, those entries".
fn frames(coded: &Value, len: usize) -> Vec<f32> {
    let coded: Vec<i64> = serde_json::from_value(coded.clone()).unwrap();
    let split = coded.iter().position(|&v| v == -1).unwrap();
    let mut frames = vec![0.0; len];
    coded[..split].iter().zip(&coded[split + 1..]).for_each(|(&at, &n)| frames[at as usize] = n as f32);
    frames
}

#[test]
fn frames_as_numpy_counts_them() {
    let (expected, events) = (expected(), read("digit.bin"));
    let time = Framing::new(7);
    for (name, framing) in
        [("time", time), ("duration", Framing { duration_us: Some(1 << 22), ..time }), ("count", Framing { by: Slicing::Count, ..time })]
    {
        let have = framing.frames(&events).unwrap();
        assert_eq!(have.shape(), [7, 2, 34, 34]);
        assert_eq!(have.as_slice::<f32>().unwrap(), frames(&expected["frames"][name], 7 * 2 * 34 * 34), "{name}");
    }
}

#[test]
fn resized_frames_as_pillow_makes_them() {
    let (expected, events) = (expected(), read("digit.bin"));
    for (name, size) in [("up", [48, 48]), ("down", [20, 25])] {
        let framing = Framing { by: Slicing::Count, scale: Scale::Max, size: Some(size), ..Framing::new(7) };
        let have = framing.frames(&events).unwrap();
        assert_eq!(have.shape(), [7, 2, size[0], size[1]]);
        let want = expected[format!("resized_{name}")].as_str().unwrap();
        let worst = have.as_slice::<f32>().unwrap().iter().enumerate().map(|(i, &v)| {
            let want = u8::from_str_radix(&want[2 * i..2 * i + 2], 16).unwrap();
            ((v * 255.0).round() as i32 - i32::from(want)).abs()
        });
        // Pillow rounds to 8 bits after each of its two passes, the `image` crate once.
        let worst = worst.max().unwrap();
        assert!(worst <= 1, "{name}: {worst} levels");
    }
}
