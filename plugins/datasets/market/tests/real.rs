//! The real files, where `ZOO_DATA` names a folder that has them.

use std::collections::BTreeMap;
use zoo_core::{Config, DataFiles, DatasetFactory};
use zoo_data_market::MarketFactory;

/// Sizes and shares of rises as an independent count in Python found them: ten trading days and one more before, at least
/// one tweet filed under the five calendar days before, moves of at most -0.5 % or above 0.55 %.
#[test]
fn splits_have_the_sizes_of_an_independent_count() {
    let Some(folder) = std::env::var_os("ZOO_DATA").map(|d| std::path::PathBuf::from(d).join("stocknet")).filter(|f| f.is_dir()) else {
        println!("skipped: ZOO_DATA has no stocknet");
        return;
    };
    let mut files = BTreeMap::new();
    for part in ["price", "tweets"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            files.insert(format!("{part}/{}", path.file_name().unwrap().to_str().unwrap()), path);
        }
    }
    let files = DataFiles(files);
    for (split, len, rises) in [("train", 14_185, 0.512), ("val", 1_871, 0.452), ("test", 2_632, 0.525)] {
        let opened = MarketFactory.open("stocknet", split, &files, &Config::default()).unwrap();
        assert_eq!(opened.len(), len, "{split}");
        let ups = (0..len).filter(|&i| opened.get(i).unwrap()[7].as_slice::<i64>().unwrap() == [1]).count();
        assert!((ups as f64 / len as f64 - rises).abs() < 0.0006, "{split}: {ups} of {len}");
    }
    assert_eq!(MarketFactory.open("stocknet", "posts", &files, &Config::default()).unwrap().len(), 106_338);
}
