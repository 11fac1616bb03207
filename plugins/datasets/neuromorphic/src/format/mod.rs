//! Files of events.

mod aedat4;
mod dat;
mod evt;
mod flat;
mod nmnist;
mod npz;

use crate::events::Events;
use crate::input;
use std::path::Path;
use zoo_core::{Error, Result};

/// The layouts this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// N-MNIST (`.bin`, `.bs2`): five bytes an event, no header, 34 x 34.
    Nmnist,
    /// Prophesee DAT (`.dat`): text header, eight bytes an event.
    Dat,
    /// AEDAT 4.0 (`.aedat4`): FlatBuffers packets, LZ4 or Zstandard.
    Aedat4,
    /// Prophesee RAW (`.raw`): EVT 2.0 or EVT 3.0, as the header says.
    Raw,
    /// A NumPy archive (`.npz`) of arrays `x`, `y`, `t`, `p`.
    Npz,
}

impl Format {
    /// The format that a file name's ending stands for.
    ///
    /// # Errors
    /// [`Error::Unknown`] listing the endings there are.
    pub fn of_name(name: &str) -> Result<Self> {
        Ok(match name.rsplit('.').next().unwrap_or_default() {
            "bin" | "bs2" => Self::Nmnist,
            "dat" => Self::Dat,
            "aedat4" => Self::Aedat4,
            "raw" => Self::Raw,
            "npz" => Self::Npz,
            _ => {
                let hint = "event files end in .bin, .bs2, .dat, .aedat4, .raw or .npz".into();
                return Err(Error::Unknown { kind: "event file format", name: name.into(), hint });
            }
        })
    }

    /// Reads a recording.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read, [`Error::Data`] with the byte offset if it is not what it should be or is
    /// larger than [`crate::MAX_FILE`] or [`crate::MAX_EVENTS`].
    pub fn read(self, path: &Path) -> Result<Events> {
        self.decode(path, &input::read(path)?)
    }

    /// Reads a recording from memory; `path` is what errors call it.
    ///
    /// # Errors
    /// As [`Format::read`], without input and output.
    pub fn decode(self, path: &Path, bytes: &[u8]) -> Result<Events> {
        match self {
            Self::Nmnist => nmnist::decode(path, bytes),
            Self::Dat => dat::decode(path, bytes),
            Self::Aedat4 => aedat4::decode(path, bytes),
            Self::Raw => evt::decode(path, bytes),
            Self::Npz => npz::decode(path, bytes),
        }
    }
}

/// Width and height: from the header where it says, else just large enough for the events.
fn sensor(declared: Option<(u16, u16)>, list: &[crate::events::Event]) -> (u16, u16) {
    declared.unwrap_or_else(|| {
        let edge = |v: Option<u16>| v.map_or(1, |v| v.saturating_add(1));
        (edge(list.iter().map(|e| e.x).max()), edge(list.iter().map(|e| e.y).max()))
    })
}
