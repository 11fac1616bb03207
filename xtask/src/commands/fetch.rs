//! `fetch`.

use anyhow::Result;
use zoo_core::{Level, Reporter};
use zoo_host::zoo::Zoo;

pub(super) fn fetch(zoo: &Zoo, names: &[String], reporter: &dyn Reporter) -> Result<()> {
    for name in names {
        if let Ok(dataset) = zoo.registry().dataset(name) {
            if dataset.files.is_empty() {
                let how = dataset.obtain.as_deref().map_or(String::new(), |how| format!("; to get it: {how}"));
                reporter.log(Level::Info, "xtask", &format!("{name}: nothing to fetch{how}"));
                continue;
            }
            zoo.fetch_dataset(dataset, reporter)?;
        } else {
            zoo.fetch_model(zoo.registry().model(name, reporter)?, reporter)?;
        }
        reporter.log(Level::Info, "xtask", &format!("{name}: fetched and verified"));
    }
    Ok(())
}
