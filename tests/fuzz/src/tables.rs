//! IDX files, the registry and the protocol of isolated plugins.

use std::path::Path;
use zoo_core::{Config, DataFiles, DatasetFactory};
use zoo_data_vision::{IdxHeader, VisionFactory};
use zoo_host::registry::Registry;

/// IDX, plain or gzip-compressed: as images beside good labels, and as labels beside good images.
pub fn idx(bytes: &[u8]) {
    drop(IdxHeader::read(Path::new("fuzz"), &mut &bytes[..]));
    let folder = tempfile::tempdir().expect("a folder for the files");
    let images = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..], &[7; 784]].concat();
    let labels = [0, 0, 8, 1, 0, 0, 0, 1, 3];
    for (i, l) in [(bytes, labels.as_slice()), (images.as_slice(), bytes)] {
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("the folder can be written");
            (name.to_string(), path)
        };
        let files = DataFiles([file("t10k-images-idx3-ubyte", i), file("t10k-labels-idx1-ubyte", l)].into());
        if let Ok(dataset) = VisionFactory::new().open("mnist", "test", &files, &Config::default())
            && !dataset.is_empty()
        {
            drop(dataset.get(dataset.len() - 1));
        }
    }
}

/// `registry.toml`.
pub fn registry(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = Registry::parse(text, Path::new("registry.toml")) {
        // Every mistake has a place that can be shown.
        assert!(!error.to_string().is_empty());
    }
}

/// What the process of an isolated plugin says to the host.
pub fn isolation(bytes: &[u8]) {
    zoo_host::isolation::answered_by(bytes);
}
