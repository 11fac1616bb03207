//! CIFAR-10: binary batches of hand-made bytes, and the JPEG zips.

use crate::common::{batch_is_items, config, files, histogram, open, real, refused, write};
use std::path::{Path, PathBuf};
use zoo_core::{Config, DataFiles};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// Record `i`: label `i % 10`, red all `i`, green all `i + 1`, blue all `i + 2`.
fn records(items: std::ops::Range<u8>) -> Vec<u8> {
    items.flat_map(|i| std::iter::once(i % 10).chain((0..3).flat_map(move |c| [i + c; 1024]))).collect()
}

fn train(folder: &Path) -> DataFiles {
    let mut first = 0;
    DataFiles(
        (1..6u8)
            .map(|n| {
                let name = format!("data_batch_{n}.bin");
                let path = write(folder, &name, &records(first..first + n));
                first += n;
                (name, path)
            })
            .collect(),
    )
}

#[test]
fn items_span_the_five_batches() {
    let folder = tempfile::tempdir().unwrap();
    let files = train(folder.path());
    let all = open("cifar10", "train", &files, &Config::default()).unwrap();
    assert_eq!(all.len(), 15);
    for i in 0..15u8 {
        let item = all.get(usize::from(i)).unwrap();
        let pixels = item[0].as_slice::<u8>().unwrap();
        assert_eq!((pixels[0], pixels[1024], pixels[3071], item[1].as_slice::<u8>().unwrap()[0]), (i, i + 1, i + 2, i % 10));
    }
    batch_is_items(&*all, 0..15);
    batch_is_items(&*open("cifar10", "train", &files, &config(6, 2)).unwrap(), 1..6);
}

#[test]
fn malformed_batches_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |bytes: &[u8]| files([("test_batch.bin", write(folder.path(), "t", bytes))]);
    let mut cut = records(0..2);
    cut.pop();
    assert!(refused("cifar10", "test", &at(&cut)).contains("at byte 3073: expected records of 3073 bytes"));
    assert!(refused("cifar10", "test", &at(&[])).contains("at byte 0"));
    let mut label = records(0..2);
    label[3073] = 10;
    let dataset = open("cifar10", "test", &at(&label), &Config::default()).unwrap();
    let message = dataset.get(1).unwrap_err().to_string();
    assert!(message.contains("at byte 3073: expected a label below 10, found 10"), "{message}");
    assert!(refused("cifar10", "train", &at(&label)).contains("data_batch_1.bin"));
}

#[test]
fn jpeg_agrees_with_pillow() {
    let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(format!("{GOLDEN}/expected.json")).unwrap()).unwrap();
    let files = files([("test.zip", PathBuf::from(format!("{GOLDEN}/jpeg.zip")))]);
    let dataset = open("cifar10-jpeg", "test", &files, &Config::default()).unwrap();
    let expected = golden["jpeg"].as_array().unwrap();
    assert_eq!(dataset.len(), expected.len());
    for (i, want) in expected.iter().enumerate() {
        let item = dataset.get(i).unwrap();
        assert_eq!(u64::from(item[1].as_slice::<u8>().unwrap()[0]), want["label"]);
        let pixels = want["pixels"].as_str().unwrap();
        let worst = item[0].as_slice::<u8>().unwrap().iter().enumerate().map(|(j, &have)| {
            let want = u8::from_str_radix(&pixels[2 * j..2 * j + 2], 16).unwrap();
            have.abs_diff(want)
        });
        // Two JPEG decoders may round the inverse transform and the upsampled colours differently.
        let worst = worst.max().unwrap();
        assert!(worst <= 3, "item {i}: {worst}");
    }
    batch_is_items(&*dataset, 0..4);
}

#[test]
fn malformed_zips_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read(format!("{GOLDEN}/jpeg.zip")).unwrap();
    let at = |bytes: &[u8]| files([("test.zip", write(folder.path(), "z", bytes))]);
    assert!(refused("cifar10-jpeg", "test", &at(b"not a zip")).contains("expected a zip archive"));
    assert!(refused("cifar10-jpeg", "test", &at(&good[..good.len() / 2])).contains("expected a zip archive"));
    let train = files([("train-first500-per-class.zip", write(folder.path(), "z", &good))]);
    assert!(refused("cifar10-jpeg", "train", &train).contains("`train/CLASS/NNNN.jpg`"));
    // Every byte in turn set to another value: an error or a data set, never a panic.
    for at_byte in (0..good.len()).step_by(7) {
        let mut bytes = good.clone();
        bytes[at_byte] ^= 0xff;
        if let Ok(dataset) = open("cifar10-jpeg", "test", &at(&bytes), &Config::default()) {
            for i in 0..dataset.len() {
                let _ = dataset.get(i);
            }
        }
    }
}

#[test]
fn real_jpeg_zips() {
    let Some(files) = real("cifar10-jpeg", ["test.zip", "train-first500-per-class.zip"]) else { return };
    for (split, len) in [("train", 5_000), ("test", 10_000)] {
        let dataset = open("cifar10-jpeg", split, &files, &Config::default()).unwrap();
        assert_eq!(dataset.len(), len);
        // Any prefix of whole rounds is balanced.
        let batch = dataset.batch(0..200).unwrap();
        assert_eq!(batch[0].shape(), [200, 3, 32, 32]);
        assert_eq!(histogram(batch[1].as_slice().unwrap()), [20; 10]);
        assert!(dataset.get(len - 1).is_ok());
    }
}
