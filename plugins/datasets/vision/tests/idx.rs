//! MNIST and Fashion-MNIST from IDX files: hand-made bytes, every fault, and the real files where they are there.

use crate::common::{batch_is_items, config, files, histogram, open, real, refused, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;
use zoo_core::{Config, DataFiles, Error};

const IMAGES: &str = "t10k-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";

/// Image `i` is all `i`, its label `i % 10`.
fn images(count: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    [count, 28, 28].iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    (0..count).for_each(|i| bytes.extend([i as u8; 784]));
    bytes
}

fn labels(count: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend(count.to_be_bytes());
    bytes.extend((0..count).map(|i| (i % 10) as u8));
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn pair(folder: &Path, images: &[u8], labels: &[u8]) -> DataFiles {
    files([(IMAGES, write(folder, "i", images)), (LABELS, write(folder, "l", labels))])
}

#[test]
fn items_batches_and_windows_of_plain_and_gzip_files() {
    let folder = tempfile::tempdir().unwrap();
    let plain = pair(folder.path(), &images(23), &labels(23));
    let packed = files([
        ("t10k-images-idx3-ubyte.gz", write(folder.path(), "i.gz", &gz(&images(23)))),
        ("t10k-labels-idx1-ubyte.gz", write(folder.path(), "l.gz", &gz(&labels(23)))),
    ]);
    for files in [plain, packed] {
        let all = open("mnist", "test", &files, &Config::default()).unwrap();
        assert_eq!((all.len(), all.split(), all.is_empty()), (23, "test", false));
        let item = all.get(13).unwrap();
        assert_eq!(item[0].as_slice::<u8>().unwrap(), [13; 784]);
        assert_eq!(item[1].as_slice::<u8>().unwrap(), [3]);
        batch_is_items(&*all, 3..19);
        assert_eq!(all.batch(5..5).unwrap()[0].shape(), [0, 1, 28, 28]);

        let part = open("mnist", "test", &files, &config(4, 11)).unwrap();
        assert_eq!(part.len(), 4);
        assert_eq!(part.batch(0..4).unwrap(), all.batch(11..15).unwrap());
        assert!(matches!(part.get(4), Err(Error::Argument { .. })));
        assert!(matches!(part.batch(2..5), Err(Error::Argument { .. })));
    }
}

#[test]
fn every_fault_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (good_images, good_labels) = (images(12), labels(12));
    let cut = &good_images[..good_images.len() - 1];
    let long = [&good_images[..], &[0]].concat();
    let mut floats = good_images.clone();
    floats[2] = 0x0d;
    let mut wide = good_images.clone();
    wide[11] = 27;
    let mut many = good_images.clone();
    many[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut wrong_label = good_labels.clone();
    wrong_label[15] = 10;
    let html: &[u8] = b"<html>404 Not Found</html>";
    let lfs: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
    let cases: [(&[u8], &[u8], &str); 13] = [
        (cut, &good_labels, "at byte 9423: expected 9424 bytes in all"),
        (&long, &good_labels, "at byte 9424: expected 9424 bytes in all, as axes [12, 28, 28] say, found 1 bytes too many"),
        (&floats, &good_labels, "at byte 2: expected element type 0x08 (u8), found 0x0d"),
        (&wide, &good_labels, "expected 9088 bytes in all, as axes [12, 27, 28] say"),
        (&many, &good_labels, "at byte 9424: expected 3367254359296 bytes in all"),
        (html, &good_labels, "at byte 0: expected the IDX magic"),
        (lfs, &good_labels, "at byte 0: expected the IDX magic"),
        (&[], &good_labels, "at byte 0: expected 4 bytes of IDX header, found the end"),
        (&good_labels, &good_labels, "at byte 3: expected axes [N, 28, 28], found [12]"),
        (&good_images, &good_images, "at byte 3: expected 1 axis, found 3"),
        (&good_images, &labels(11), "at byte 4: expected 12 labels"),
        (&good_images, &wrong_label, "at byte 15: expected a label below 10, found 10"),
        (&good_images, &good_labels[..19], "at byte 19: expected 20 bytes in all"),
    ];
    for (images, labels, expected) in cases {
        let plain = refused("mnist", "test", &pair(folder.path(), images, labels));
        assert!(plain.contains(expected), "expected `{expected}` in `{plain}`");
        assert!(plain.ends_with("fetch the data set again"), "{plain}");
        // The same faults inside gzip, where the declared size must not be believed either.
        let packed = refused("mnist", "test", &pair(folder.path(), &gz(images), &gz(labels)));
        assert!(packed.contains("expected"), "{packed}");
    }
    let packed = gz(&good_images);
    let torn = refused("mnist", "test", &pair(folder.path(), &packed[..packed.len() / 2], &good_labels));
    assert!(torn.contains("gzip"), "{torn}");
}

#[test]
fn a_gzip_bomb_stops_at_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = vec![0, 0, 8, 3];
    [u32::MAX, 28, 28].iter().for_each(|d| header.extend(d.to_be_bytes()));
    let message = refused("mnist", "test", &pair(folder.path(), &gz(&header), &labels(1)));
    assert!(message.contains("at most 47040016 bytes in all"), "{message}");
    // More data than the header declares: reading stops one byte after.
    let mut bomb = images(1);
    bomb.resize(30 << 20, 0);
    let message = refused("mnist", "test", &pair(folder.path(), &gz(&bomb), &labels(1)));
    assert!(message.contains("found 1 bytes too many"), "{message}");
}

#[test]
fn unknown_names_say_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let good = pair(folder.path(), &images(1), &labels(1));
    assert!(refused("mnits", "test", &good).contains("mnist, fashion-mnist, cifar10, cifar10-jpeg"));
    assert!(refused("mnist", "val", &good).contains("train and test"));
    assert!(refused("mnist", "train", &good).contains("`train-images-idx3-ubyte` is not known; the registry lists t10k-images"));
    let gone = files([(IMAGES, folder.path().join("gone")), (LABELS, folder.path().join("l"))]);
    assert!(refused("mnist", "test", &gone).contains("gone"));
}

#[test]
fn a_file_cut_while_open_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let files = pair(folder.path(), &images(5), &labels(5));
    let dataset = open("mnist", "test", &files, &Config::default()).unwrap();
    std::fs::OpenOptions::new().write(true).open(folder.path().join("i")).unwrap().set_len(1000).unwrap();
    assert!(dataset.get(0).is_ok());
    assert!(matches!(dataset.get(4), Err(Error::Data { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_flipped_byte_or_a_cut_never_panics(at in 0usize..1600, value in any::<u8>(), cut in 0usize..1600) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = images(2);
        if at < bytes.len() { bytes[at] = value; }
        bytes.truncate(cut.max(1));
        for bytes in [bytes.clone(), gz(&bytes)] {
            let files = pair(folder.path(), &bytes, &labels(2));
            if let Ok(dataset) = open("mnist", "test", &files, &Config::default()) {
                prop_assert_eq!(dataset.len(), 2);
                prop_assert!(dataset.batch(0..2).is_ok());
            }
        }
    }
}

#[test]
fn real_mnist() {
    let names = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", IMAGES, LABELS];
    let Some(files) = real("mnist", names) else { return };
    let expected = [
        ("train", 60_000, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("test", 10_000, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ];
    for (split, len, counts) in expected {
        let dataset = open("mnist", split, &files, &Config::default()).unwrap();
        assert_eq!(dataset.len(), len);
        let batch = dataset.batch(0..len).unwrap();
        assert_eq!(histogram(batch[1].as_slice().unwrap()), counts);
        batch_is_items(&*dataset, len - 5..len);
    }
    // The well-known first labels of the training split.
    let head = open("mnist", "train", &files, &config(10, 0)).unwrap();
    assert_eq!(head.batch(0..10).unwrap()[1].as_slice::<u8>().unwrap(), [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
}

#[test]
fn real_fashion_mnist() {
    let names = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"];
    let Some(files) = real("fashion-mnist", names) else { return };
    for (split, len) in [("train", 60_000), ("test", 10_000)] {
        let dataset = open("fashion-mnist", split, &files, &Config::default()).unwrap();
        let batch = dataset.batch(0..len).unwrap();
        assert_eq!(histogram(batch[1].as_slice().unwrap()), [len / 10; 10]);
        if split == "train" {
            // The published mean of the training pixels.
            let pixels = batch[0].as_slice::<u8>().unwrap();
            let mean = pixels.iter().map(|&p| u64::from(p)).sum::<u64>() as f64 / pixels.len() as f64;
            assert!((mean - 72.9404).abs() < 1e-4, "{mean}");
        }
    }
}
