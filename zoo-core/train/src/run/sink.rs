//! A folder that keeps a run.

use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use zoo_core::{Error, Result, TrainSink, Weights};

const CHECKPOINT: &str = "checkpoint.safetensors";
const LOG: &str = "log.jsonl";

/// Keeps `checkpoint.safetensors`, replaced atomically, and `log.jsonl`, one JSON object a line, in a folder.
///
/// A run that is killed at any moment leaves the last whole checkpoint; the log may hold lines of epochs after it,
/// which the resumed run writes again.
#[derive(Debug)]
pub struct FileSink {
    folder: PathBuf,
    log: File,
    resuming: bool,
}

impl FileSink {
    /// Starts a run in `folder`, which is made if need be. With `resume`, an earlier run's checkpoint is taken up and
    /// its log continued; without, both are removed.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or its files can't be written.
    pub fn open(folder: impl Into<PathBuf>, resume: bool) -> Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let path = folder.join(LOG);
        if !resume {
            // The checkpoint first: a log without a checkpoint is harmless, the other way round is not.
            for path in [folder.join(CHECKPOINT), path.clone()] {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(path)(error)),
                    _ => {}
                }
            }
        }
        let mut log = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(Error::io(&path))?;
        end_line(&mut log).map_err(Error::io(&path))?;
        Ok(Self { folder, log, resuming: resume })
    }

    /// The checkpoint's path, whether or not there is one yet.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join(CHECKPOINT)
    }

    /// The log's path.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Ends a last line that a killed run left half written.
fn end_line(log: &mut File) -> std::io::Result<()> {
    if log.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    log.seek(SeekFrom::End(-1))?;
    log.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { log.write_all(b"\n") }
}

impl TrainSink for FileSink {
    fn log(&mut self, line: Value) -> Result<()> {
        self.log.write_all(format!("{line}\n").as_bytes()).map_err(Error::io(self.log_path()))
    }

    fn save(&mut self, checkpoint: &Weights) -> Result<()> {
        Ok(zoo_formats::safetensors::write_atomically(self.checkpoint(), checkpoint)?)
    }

    fn resume(&mut self) -> Result<Option<Weights>> {
        let path = self.checkpoint();
        if !self.resuming || !path.exists() {
            return Ok(None);
        }
        Ok(Some(zoo_formats::safetensors::read(path)?))
    }
}
