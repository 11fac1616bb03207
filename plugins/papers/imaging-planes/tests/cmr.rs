//! The real study, where `ZOO_DATA` has it: lines, pixels and slice order against pydicom and numpy.

use std::collections::BTreeMap;
use std::path::Path;
use zoo_core::{Config, DataFiles, DatasetFactory};
use zoo_data_medical::MedicalFactory;
use zoo_imaging_planes::claims::geometry;
use zoo_imaging_planes::geometry::{Plane, slice_locations};

/// Names as in registry.toml, by series folder.
const SERIES: [(&str, &str); 7] = [
    ("Series0003_trufi_2-chamber", "2c-localizer"),
    ("Series0004_trufi_4-chamber", "4c-localizer"),
    ("Series0005_trufi_short-axis", "sax-localizer"),
    ("Series0006_TF_Cine_Retro_iPAT_4C", "4c-cine"),
    ("Series0007_TF_Cine_Retro_iPAT_2C", "2c-cine"),
    ("Series0008_TF_Cine_Retro_iPAT_LVOT", "lvot-cine"),
    ("Series0010_TF_Cine_Retro_iPAT_SAO", "sax-cine"),
];

fn files(root: &Path) -> DataFiles {
    let mut files = BTreeMap::new();
    for (folder, name) in SERIES {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            files.insert(format!("{name}-{}", path.file_name().unwrap().to_string_lossy()), path);
        }
    }
    DataFiles(files)
}

#[test]
fn the_real_study_is_pydicoms() {
    let root = std::env::var_os("ZOO_DATA").map(|d| Path::new(&d).join("cmr_case")).filter(|p| p.is_dir());
    let Some(root) = root else {
        println!("skipped: ZOO_DATA has no folder cmr_case; the study may not be redistributed");
        return;
    };
    let study = MedicalFactory.open("cmr-case", "study", &files(&root), &Config::default()).unwrap();
    let path = format!("{}/golden/cmr.json", env!("CARGO_MANIFEST_DIR"));
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut planes, mut series) = (Vec::new(), Vec::new());
    for i in 0..study.len() {
        let item = study.get(i).unwrap();
        assert_eq!(serde_json::json!(item[0].shape()), golden["shapes"][i], "image {i}");
        let sum: f64 = item[0].as_slice::<f32>().unwrap().iter().map(|p| f64::from(*p)).sum();
        assert_eq!(sum, golden["pixel_sums"][i].as_f64().unwrap(), "image {i}");
        planes.push(Plane::from_array(item[1].as_slice().unwrap()).unwrap());
        series.push(item[2].as_slice::<i64>().unwrap()[0]);
    }
    let pairs = golden["pairs"].as_array().unwrap();
    assert!(pairs.len() > 100);
    for pair in pairs {
        let at = |i: usize| pair[i].as_f64().unwrap();
        let line = planes[at(0) as usize].line_of(&planes[at(1) as usize]).unwrap();
        for (k, sample) in golden["samples"].as_array().unwrap().iter().enumerate() {
            let ours = line.signed(sample[0].as_f64().unwrap(), sample[1].as_f64().unwrap()).abs();
            assert!((ours - at(k + 2)).abs() < 1e-7 * (1.0 + at(k + 2)), "{pair}: {ours}");
        }
    }
    let stack: Vec<Plane> = planes.iter().zip(&series).filter(|(_, s)| **s == 5).map(|(p, _)| *p).collect();
    let places = slice_locations(&stack, [0.0, 0.0, 1.0]).unwrap();
    for (ours, theirs) in places.iter().zip(golden["series_5_locations"].as_array().unwrap()) {
        assert!((ours - theirs.as_f64().unwrap()).abs() < 1e-9);
    }
    let outcome = geometry(study.as_ref()).unwrap();
    assert!(outcome.holds && outcome.measured <= 1e-6, "{}", outcome.detail);
    println!("{}", outcome.detail);
}
