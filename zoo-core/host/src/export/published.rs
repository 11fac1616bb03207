//! Results that were measured and published, for the cards of the models they are about.

use crate::results::{Results, Run, SCHEMA};
use std::path::{Path, PathBuf};
use zoo_core::{Error, Level, Reporter, Result};

/// Greatest result file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// A run out of a result file.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedRun {
    /// The file, relative to the folder of results.
    pub file: PathBuf,
    /// The command that made it.
    pub command: Option<String>,
    /// What was measured.
    pub run: Run,
}

/// All runs of a folder of result folders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PublishedRuns(pub Vec<PublishedRun>);

impl PublishedRuns {
    /// Reads `FOLDER/*/*.json`, in the order of their names; files of other schemas are passed over, and those that can't be read
    /// are warned of. A folder that is not there has no results.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder can't be listed.
    pub fn read(folder: &Path, reporter: &dyn Reporter) -> Result<Self> {
        let mut runs = Vec::new();
        if !folder.is_dir() {
            return Ok(Self(runs));
        }
        for paper in sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
            for path in sorted(&paper)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
                let file = path.strip_prefix(folder).unwrap_or(&path).to_path_buf();
                match results(&path) {
                    Ok(Some(Results { command, runs: found, .. })) => {
                        runs.extend(found.into_iter().map(|run| PublishedRun { file: file.clone(), command: command.clone(), run }));
                    }
                    Ok(None) => {}
                    Err(why) => {
                        reporter.log(Level::Warn, "zoo_host::export", &format!("{}: {why}; left out of model cards", path.display()));
                    }
                }
            }
        }
        Ok(Self(runs))
    }

    /// The whole runs of a model with exactly these weights.
    pub fn of<'a>(&'a self, model: &'a str, weights_sha256: Option<&'a str>) -> impl Iterator<Item = &'a PublishedRun> {
        let same = move |run: &Run| run.model == model && run.shard.is_none() && run.weights_sha256.as_deref() == weights_sha256;
        self.0.iter().filter(move |published| same(&published.run))
    }
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut paths = listed.map(|entry| entry.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>().map_err(Error::io(folder))?;
    paths.sort();
    Ok(paths)
}

/// The results in a file, `None` if it is of another schema.
fn results(path: &Path) -> std::result::Result<Option<Results>, String> {
    let bytes = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if bytes > MAX_BYTES {
        return Err(format!("expected at most {MAX_BYTES} bytes, found {bytes}"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    if value["schema"] != SCHEMA {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(|e| e.to_string())
}
