//! Parquet image data sets, against files that pyarrow wrote (see `golden/make.py`).

use crate::common::{batch_is_items, config, files, open, refused, write};
use std::path::PathBuf;
use zoo_core::{Config, DataFiles, Tensor};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
const SHARDS: [&str; 2] = ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"];

fn golden() -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(format!("{GOLDEN}/expected.json")).unwrap()).unwrap()
}

fn shards() -> DataFiles {
    files(SHARDS.map(|name| (name, PathBuf::from(format!("{GOLDEN}/{name}")))))
}

fn hex(tensor: &Tensor) -> String {
    tensor.as_slice::<u8>().unwrap().iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn digits_over_two_shards_and_several_row_groups() {
    let golden = golden();
    let dataset = open("mnist", "test", &shards(), &Config::default()).unwrap();
    assert_eq!(dataset.len(), 7);
    // Backwards, so that every row group is left and entered.
    for i in (0..7).rev() {
        let item = dataset.get(i).unwrap();
        assert_eq!(hex(&item[0]), golden["digits"][i], "image {i}");
        assert_eq!(u64::from(item[1].as_slice::<u8>().unwrap()[0]), golden["digit_labels"][i]);
    }
    batch_is_items(&*dataset, 0..7);
    let part = open("fashion-mnist", "test", &shards(), &config(2, 3)).unwrap();
    assert_eq!(hex(&part.get(1).unwrap()[0]), golden["digits"][4]);
}

#[test]
fn photographs_in_a_column_named_img() {
    let golden = golden();
    let name = "train-00000-of-00001.parquet";
    let files = files([(name, PathBuf::from(format!("{GOLDEN}/{name}")))]);
    let dataset = open("cifar10", "train", &files, &Config::default()).unwrap();
    for i in 0..3 {
        assert_eq!(hex(&dataset.get(i).unwrap()[0]), golden["photos"][i], "image {i}");
    }
    // Photographs where digits are expected.
    let digits = open("mnist", "train", &files, &Config::default()).unwrap();
    let message = digits.get(0).unwrap_err().to_string();
    assert!(message.contains("row group 0, row 0") && message.contains("28 x 28 pixels, found 32 x 32 pixels"), "{message}");
}

#[test]
fn malformed_parquet_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read(format!("{GOLDEN}/{}", SHARDS[0])).unwrap();
    let at = |bytes: &[u8]| files([(SHARDS[0], write(folder.path(), "p", bytes))]);
    assert!(refused("mnist", "test", &at(b"PAR1")).contains("expected a Parquet file"));
    assert!(refused("mnist", "test", &at(&good[..good.len() - 9])).contains("expected a Parquet file"));
    let mut state = 1u32;
    for _ in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..3 {
            // A small linear congruential generator: the faults are the same on every run.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at_byte = state as usize % bytes.len();
            bytes[at_byte] = (state >> 24) as u8;
        }
        if let Ok(dataset) = open("mnist", "test", &at(&bytes), &Config::default()) {
            for i in 0..dataset.len() {
                let _ = dataset.get(i);
            }
        }
    }
}
