//! The data sets: configuration, splits, and the real files where `ZOO_DATA` has them.

use std::path::{Path, PathBuf};
use zoo_core::{Batch, Config, DataFiles, Dataset, DatasetFactory, Error, Result};
use zoo_data_neuromorphic::{Format, NeuromorphicFactory, saccade};

fn config(text: &str) -> Config {
    Config::new(serde_json::from_str(text).unwrap())
}

fn open(name: &str, split: &str, files: &DataFiles, text: &str) -> Result<Box<dyn Dataset>> {
    NeuromorphicFactory::new().open(name, split, files, &config(text))
}

fn refused(name: &str, split: &str, files: &DataFiles, text: &str) -> String {
    open(name, split, files, text).map(|_| ()).unwrap_err().to_string()
}

fn files<'a>(folder: &Path, names: impl IntoIterator<Item = &'a str>) -> DataFiles {
    DataFiles(names.into_iter().map(|name| (name.into(), folder.join(name))).collect())
}

fn real(folder: &str) -> Option<PathBuf> {
    let path = std::env::var_os("ZOO_DATA").map(|root| PathBuf::from(root).join(folder)).filter(|p| p.is_dir());
    if path.is_none() {
        println!("skipped: there is no folder {folder} in ZOO_DATA");
    }
    path
}

const MNIST: [&str; 4] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// MNIST-like files of `count` items: item i is a bar whose place depends on i.
fn fake_mnist(folder: &Path, count: u32) -> DataFiles {
    for stem in ["train", "t10k"] {
        let mut images = vec![0, 0, 8, 3];
        [count, 28, 28].iter().for_each(|d| images.extend(d.to_be_bytes()));
        for i in 0..count as usize {
            images.extend((0..784).map(|at| if at % 28 == 4 + i && at / 28 > 6 { 255 } else { 0 }));
        }
        let mut labels = vec![0, 0, 8, 1];
        labels.extend(count.to_be_bytes());
        labels.extend((0..count).map(|i| (i % 10) as u8));
        std::fs::write(folder.join(format!("{stem}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{stem}-labels-idx1-ubyte")), labels).unwrap();
    }
    files(folder, MNIST)
}

#[test]
fn saccades_over_small_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = fake_mnist(folder.path(), 9);
    let sizes = r#"{"saccade": {"train": 5, "val": 3, "test": 9}}"#;
    let lens = ["train", "val", "test"].map(|split| open("saccade-mnist", split, &files, sizes).unwrap().len());
    assert_eq!(lens, [5, 3, 9]);
    let (train, val) = (open("saccade-mnist", "train", &files, sizes).unwrap(), open("saccade-mnist", "val", &files, sizes).unwrap());
    assert_eq!(val.get(0).unwrap()[1].as_slice::<u8>().unwrap(), [5]);
    assert_eq!(train.get(4).unwrap(), train.get(4).unwrap());
    assert_ne!(train.get(4).unwrap(), train.get(3).unwrap());

    // Noise: a quarter more events, the same whichever window the item is reached through.
    let noisy = r#"{"saccade": {"train": 5, "val": 3, "test": 9, "noise": 0.25}"#;
    let all = open("saccade-mnist", "train", &files, &format!("{noisy}}}")).unwrap();
    let part = open("saccade-mnist", "train", &files, &format!(r#"{noisy}, "offset": 3, "limit": 1}}"#)).unwrap();
    assert_eq!(all.get(3).unwrap(), part.get(0).unwrap());
    let (clean, noisy) = (train.get(3).unwrap()[0].shape()[0], part.get(0).unwrap()[0].shape()[0]);
    assert_eq!(noisy, clean + (clean as f64 * 0.25).round() as usize);

    // Frames batch; events of different number do not.
    let framed =
        open("saccade-mnist", "test", &files, r#"{"saccade": {"test": 9}, "frames": {"steps": 10, "duration_us": 300000}}"#).unwrap();
    let features = framed.info().features.clone().into();
    let batch = Batch::read(&*framed, &features, 0..4).unwrap();
    assert_eq!(batch.field("frames").unwrap().shape(), [4, 10, 2, 34, 34]);
    framed.info().features[0].check(&framed.get(0).unwrap()[0]).unwrap();

    assert!(refused("saccade-mnist", "val", &files, "{}").contains("config key `saccade.val`: expected at most 9 items"));
    assert!(refused("saccade-mnist", "test", &files, r#"{"saccade": {"noise": -1}}"#).contains("saccade.noise"));
    let images = folder.path().join("t10k-images-idx3-ubyte");
    let bytes = std::fs::read(&images).unwrap();
    std::fs::write(&images, &bytes[..bytes.len() - 1]).unwrap();
    assert!(refused("saccade-mnist", "test", &files, sizes).contains("expected 7072 bytes in all, for 9 items, found 7071"));
    std::fs::write(&images, [&[0x1f, 0x8b], &bytes[2..]].concat()).unwrap();
    assert!(refused("saccade-mnist", "test", &files, sizes).contains("at byte 0: expected 0x00: plain IDX"));
}

#[test]
fn configuration_is_checked() {
    let none = DataFiles::default();
    for (text, key) in [
        (r#"{"frames": {"steps": 0}}"#, "frames.steps"),
        (r#"{"frames": {"steps": 5, "size": [0, 4], "scale": "max"}}"#, "frames.size"),
        (r#"{"frames": {"steps": 5, "size": [4, 4]}}"#, "scale `max`"),
        (r#"{"frames": {"steps": 5, "by": "count", "duration_us": 5}}"#, "frames.duration_us"),
        (r#"{"frames": {"steps": 5, "bins": 4}}"#, "bins"),
        (r#"{"frame": 1}"#, "frame"),
        (r#"{"saccade": {}}"#, "saccade"),
        (r#"{"limit": 0}"#, "limit"),
    ] {
        let message = refused("event-files", "all", &none, text);
        assert!(message.contains(key), "{text}: {message}");
    }
    assert!(
        refused("nmnist", "train", &none, "{}")
            .contains("nmnist-small, nmnist-small-frames, nmnist-folds, saccade-mnist, saccade-mnist-frames, event-files")
    );
    assert!(refused("nmnist-small", "val", &none, "{}").contains("has train, test"));
}

#[test]
fn lists_of_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("test100.txt");
    let files = files(folder.path(), ["test100.txt"]);
    std::fs::write(folder.path().join("7.bs2"), [1, 2, 0x80, 0, 9]).unwrap();
    std::fs::write(&list, "#sample #class\r\n7\t3\r\n").unwrap();
    let item = open("nmnist-small", "test", &files, "{}").unwrap().get(0).unwrap();
    assert_eq!((item[0].as_slice::<i64>().unwrap(), item[1].as_slice::<u8>().unwrap()), ([1, 2, 9, 1].as_slice(), [3].as_slice()));
    for (text, expected) in [("7\t10\n", "line 1"), ("7 3 3\n", "line 1"), ("#\n\nx 3\n", "line 3"), ("8 3\n", "8.bs2")] {
        std::fs::write(&list, text).unwrap();
        assert!(refused("nmnist-small", "test", &files, "{}").contains(expected), "{text}");
    }

    // Sums: of "7 3\n" and the five bytes of the recording, by `sha256sum`.
    std::fs::write(&list, "7 3\n").unwrap();
    let sum = "52af7f04a6d0a49f91221a294fbaf681f6878aad0b79dd12b25bb6d092c1d658";
    let config = format!(r#"{{"sums": {{"test": "{sum}"}}}}"#);
    assert!(open("nmnist-small", "test", &files, &config).is_ok());
    std::fs::write(folder.path().join("7.bs2"), [1, 2, 0x80, 0, 8]).unwrap();
    assert!(refused("nmnist-small", "test", &files, &config).contains(&format!("expected SHA-256 {sum}")));
    assert!(refused("event-files", "all", &DataFiles::default(), &config).contains("sums"));
}

#[test]
fn folds_share_all_recordings_out() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), ["train1K.txt", "test100.txt"]);
    std::fs::write(folder.path().join("7.bs2"), [1, 2, 0x80, 0, 9]).unwrap();
    let lines = |labels: std::ops::Range<u8>| labels.map(|label| format!("7 {label}\n")).collect::<String>();
    std::fs::write(folder.path().join("train1K.txt"), lines(0..7)).unwrap();
    std::fs::write(folder.path().join("test100.txt"), lines(7..10)).unwrap();
    let labels = |split: &str, config: &str| {
        let fold = open("nmnist-folds", split, &files, config).unwrap();
        (0..fold.len()).map(|i| fold.get(i).unwrap().pop().unwrap().as_slice::<u8>().unwrap()[0]).collect::<Vec<_>>()
    };
    // Both lists, one after the other, every fifth.
    for (fold, expected) in [("fold0", [0, 5]), ("fold2", [2, 7]), ("fold4", [4, 9])] {
        assert_eq!(labels(fold, "{}"), expected);
    }
    assert!(refused("nmnist-folds", "test", &files, "{}").contains("has fold0, fold1, fold2, fold3, fold4"));
    // The same names read frames of the listed recordings, with their labels.
    let framed = open("nmnist-small-frames", "test", &files, r#"{"frames": {"steps": 2, "by": "count"}}"#).unwrap();
    assert_eq!((framed.len(), framed.get(1).unwrap()[1].as_slice::<u8>().unwrap()), (3, [8].as_slice()));
}

#[test]
fn real_nmnist() {
    let Some(folder) = real("nmnist-small") else { return };
    let files = files(&folder, ["train1K.txt", "test100.txt"]);
    let mut events = 0;
    for (split, counts) in [("train", [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]), ("test", [8, 14, 8, 11, 14, 7, 10, 15, 2, 11])] {
        let dataset = open("nmnist-small", split, &files, "{}").unwrap();
        let mut histogram = [0; 10];
        for i in 0..dataset.len() {
            let item = dataset.get(i).unwrap();
            events += item[0].shape()[0];
            histogram[usize::from(item[1].as_slice::<u8>().unwrap()[0])] += 1;
        }
        assert_eq!(histogram, counts);
    }
    assert_eq!(events, 4_518_827);
}

#[test]
fn real_recordings() {
    let Some(folder) = real("event-samples") else { return };
    let names = ["sample.aedat4", "sample_ncars.dat", "sample_nmnist.bin"];
    let dataset = open("event-files", "all", &files(&folder, names), "{}").unwrap();
    let counts: Vec<_> = (0..dataset.len()).map(|i| dataset.get(i).unwrap()[0].shape()[0]).collect();
    // 111,954 as the `aedat` package of PyPI counts them; the others follow from the sizes of the files.
    assert_eq!(counts, [111_954, 2_009, 4_325]);
    let events = Format::Aedat4.read(&folder.join(names[0])).unwrap();
    let first = events.list()[0];
    assert_eq!((first.t, first.x, first.y, first.p), (1_605_537_493_718_345, 154, 204, false));
    assert_eq!((events.width(), events.height()), (320, 240));
}

#[test]
fn the_contrast_threshold_is_the_bisected_one() {
    let Some(folder) = real("mnist") else { return };
    let bytes = std::fs::read(folder.join(MNIST[0])).unwrap();
    let digits: Vec<&[u8; 784]> = bytes[16..16 + 50 * 784].chunks(784).map(|d| d.try_into().unwrap()).collect();
    let mean = |contrast: f64| {
        let total: usize = digits.iter().map(|d| saccade::events(d, contrast).unwrap().len()).sum();
        total as f64 / digits.len() as f64
    };
    let (mut low, mut high) = (0.05, 0.9);
    for _ in 0..12 {
        let middle = (low + high) / 2.0;
        if mean(middle) > 1_500.0 { low = middle } else { high = middle }
    }
    println!("bisected {low:.4}..{high:.4}; mean at {} is {}", saccade::CONTRAST, mean(saccade::CONTRAST));
    assert!((saccade::CONTRAST - low).abs() < 5e-4, "{low}..{high}");
    let dataset = open("saccade-mnist", "train", &files(&folder, MNIST), "{}").unwrap();
    assert_eq!((dataset.len(), dataset.get(0).unwrap()[1].as_slice::<u8>().unwrap()), (5_000, [5].as_slice()));
    assert!(matches!(dataset.get(5_000), Err(Error::Argument { .. })));
}
