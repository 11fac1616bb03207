//! Data sets through the factory: MedMNIST, the gated ones from folders of their shape, and what is said without them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zoo_core::{Config, DataFiles, Dataset, DatasetFactory, Result};
use zoo_data_medical::{MedicalFactory, read_npz};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn open(name: &str, split: &str, files: &[(&str, PathBuf)], config: serde_json::Value) -> Result<Box<dyn Dataset>> {
    let files = DataFiles(files.iter().map(|(n, p)| ((*n).to_string(), p.clone())).collect::<BTreeMap<_, _>>());
    MedicalFactory.open(name, split, &files, &Config::new(config))
}

fn message(name: &str, split: &str, config: serde_json::Value) -> String {
    open(name, split, &[], config).err().unwrap().to_string()
}

/// Items fit the declared features, and an index beyond the end is an error.
fn check(data: &dyn Dataset) {
    for i in 0..data.len() {
        zoo_core::spec::check_all("item", &data.info().features, &data.get(i).unwrap()).unwrap();
    }
    assert!(data.get(data.len()).is_err() && data.get(usize::MAX).is_err());
}

#[test]
fn medmnist_is_numpys() {
    let data = open("breastmnist", "val", &[("breastmnist.npz", golden("tiny.npz"))], serde_json::json!({})).unwrap();
    check(data.as_ref());
    let expected: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(golden("expected.json")).unwrap()).unwrap();
    let batch = data.batch(0..3).unwrap();
    let pixels = batch[0].as_slice::<u8>().unwrap();
    assert_eq!(pixels.iter().map(|&p| u64::from(p)).sum::<u64>(), expected["tiny.npz"]["sum"].as_u64().unwrap());
    assert_eq!(u64::from(pixels[2 * 784 + 5 * 28 + 9]), expected["tiny.npz"]["pixel"].as_u64().unwrap());
    assert_eq!(batch[1].as_slice::<u8>().unwrap(), [1, 0, 1]);
}

#[test]
fn npz_faults_are_named() {
    let fail = |array: &str| read_npz(&golden("tiny.npz"), array).unwrap_err().to_string();
    assert!(fail("absent").contains("train_images"));
    assert!(fail("floats").contains("`|u1`") && fail("columns").contains("row-major"));
    assert!(read_npz(&golden("qform.nii"), "x").unwrap_err().to_string().contains("zip"));
    let bytes = std::fs::read(golden("tiny.npz")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for at in (0..bytes.len()).step_by(61) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        std::fs::write(file.path(), &damaged).unwrap();
        let _ = read_npz(file.path(), "train_images");
        std::fs::write(file.path(), &bytes[..at]).unwrap();
        assert!(read_npz(file.path(), "train_images").is_err(), "cut at {at}");
    }
}

#[test]
fn gated_sets_say_how_to_obtain_them() {
    for (name, split, word) in [
        ("dsbcc", "train", "Kaggle"),
        ("acdc", "testing", "register"),
        ("brats", "all", "Synapse"),
        ("oasis", "all", "agreement"),
        ("cti", "images", "owners"),
    ] {
        let text = message(name, split, serde_json::json!({}));
        assert!(text.contains(word) && text.contains("root"), "{text}");
        let text = message(name, split, serde_json::json!({"root": "no/such/folder"}));
        assert!(text.contains("no folder"), "{text}");
        let empty = tempfile::tempdir().unwrap();
        if name != "cti" {
            std::fs::create_dir(empty.path().join(split)).unwrap();
        }
        assert!(!message(name, split, serde_json::json!({"root": empty.path()})).is_empty());
    }
    assert!(message("dsbcc", "testing", serde_json::json!({})).contains("train"));
    assert!(message("acid", "train", serde_json::json!({})).contains("acdc"));
    assert!(message("mni152", "template", serde_json::json!({})).contains("registry lists"));
}

fn copy(from: &str, to: PathBuf) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(golden(from), to).unwrap();
}

#[test]
fn volumes_read_with_their_labels() {
    let root = tempfile::tempdir().unwrap();
    let case = root.path().join("training/patient001");
    copy("sform.nii.gz", case.join("patient001_frame01.nii.gz"));
    copy("sform.nii.gz", case.join("patient001_frame01_gt.nii.gz"));
    copy("sform.nii.gz", case.join("patient001_4d.nii.gz"));
    let data = open("acdc", "training", &[], serde_json::json!({"root": root.path()})).unwrap();
    assert_eq!(data.len(), 1);
    check(data.as_ref());
    let item = data.get(0).unwrap();
    assert_eq!(item[0].shape(), [2, 3, 4]);
    assert_eq!(item[0].to_f32(), item[1].to_f32());

    let root = tempfile::tempdir().unwrap();
    copy("sform.nii.gz", root.path().join("A/A_t1.nii.gz"));
    copy("qform.nii", root.path().join("A/A_seg.nii.gz"));
    copy("sform.nii.gz", root.path().join("B/B-t1n.nii.gz"));
    copy("sform.nii.gz", root.path().join("B/B-seg.nii.gz"));
    let data = open("brats", "all", &[], serde_json::json!({"root": root.path()})).unwrap();
    assert_eq!(data.len(), 2);
    assert!(data.get(0).unwrap_err().to_string().contains("same case"));
    assert!(data.get(1).is_ok());
}

#[test]
fn cardiac_cines_bring_their_long_axis_planes() {
    let root = tempfile::tempdir().unwrap();
    for series in ["sax_10", "sax_9", "2ch_1", "4ch_3"] {
        copy("explicit.dcm", root.path().join(format!("train/1/study/{series}/IM-0001.dcm")));
    }
    copy("explicit.dcm", root.path().join("train/2/study/sax_1/IM-0001.dcm"));
    let data = open("dsbcc", "train", &[], serde_json::json!({"root": root.path()})).unwrap();
    assert_eq!(data.len(), 2, "a patient without long-axis views is left out");
    check(data.as_ref());
}

#[test]
fn cti_tables_and_images_agree_and_never_quote_rows() {
    let root = tempfile::tempdir().unwrap();
    let table = |rows: &str| std::fs::write(root.path().join("images.csv"), format!("patient,modality,phase,path,label\n{rows}")).unwrap();
    table("SECRET,FA,1,a.png,2\nQ,us,0,a.png,1\nSECRET,ICGA,3,a.png,2\n");
    std::fs::write(root.path().join("concepts.csv"), "patient,modality,time,phrase\nQ,US,early,high echo\n").unwrap();
    image::RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 9])).save(root.path().join("a.png")).unwrap();
    let config = || serde_json::json!({"root": root.path()});
    let data = open("cti", "images", &[], config()).unwrap();
    check(data.as_ref());
    let item = data.get(2).unwrap();
    assert_eq!(item[0].as_slice::<u8>().unwrap(), [0, 1, 2, 0, 1, 2, 0, 0, 0, 1, 1, 1, 9, 9, 9, 9, 9, 9]);
    assert_eq!(item[1..].iter().map(|t| t.as_slice::<i64>().unwrap()[0]).collect::<Vec<_>>(), [0, 1, 3, 2]);
    let phrases = open("cti", "phrases", &[], config()).unwrap();
    check(phrases.as_ref());
    assert_eq!(phrases.get(0).unwrap()[0].as_slice::<i64>().unwrap(), [1]);
    for bad in ["SECRET,FA,x,a.png,2\n", "SECRET,FB,1,a.png,2\n", "SECRET,FA,1,../a.png,2\n"] {
        table(bad);
        let text = message("cti", "images", config());
        assert!(text.contains("row 1") && !text.contains("SECRET"), "{text}");
    }
}
