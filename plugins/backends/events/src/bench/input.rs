//! Inputs of the comparison.

use super::STEPS;
use crate::modes::Impulse;
use std::path::Path;
use zoo_core::{Error, Result};

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 16_777_216.0
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Pixels of 2x34x34 that are on with probability `rate` at each of [`STEPS`] steps.
pub fn synthetic(rate: f64, seed: u64) -> Vec<Impulse> {
    let mut random = Random(seed);
    let mut events = Vec::new();
    for step in 0..STEPS as u32 {
        events.extend((0..2 * 34 * 34).filter(|_| f64::from(random.unit()) < rate).map(|index| Impulse { step, index, value: 1.0 }));
    }
    events
}

/// Events of an N-MNIST recording: microseconds and position in `[2, 34, 34]`.
pub struct Recording {
    /// `(time, position)`.
    pub events: Vec<(u32, u32)>,
}

impl Recording {
    /// The recording in `steps` equal slices of its own length; pixels are on or off in each.
    pub fn impulses(&self, steps: usize) -> Vec<Impulse> {
        let length = u64::from(self.events.iter().map(|e| e.0).max().unwrap_or(0)) + 1;
        let mut keys: Vec<_> = self.events.iter().map(|&(t, i)| ((u64::from(t) * steps as u64 / length) as u32, i)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().map(|(step, index)| Impulse { step, index, value: 1.0 }).collect()
    }
}

/// Reads the 5-byte events of N-MNIST (`x`, `y`, then one bit of polarity and 23 bits of microseconds, big-endian).
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] for a length that is no multiple of 5 or an address outside 34x34.
pub fn read_nmnist(path: &Path) -> Result<Recording> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let wrong = |at: String, expected: &str, found: String| Error::Data {
        path: path.into(),
        at,
        expected: expected.into(),
        found,
        mend: "give a recording of N-MNIST".into(),
    };
    if bytes.is_empty() || bytes.len() % 5 != 0 {
        return Err(wrong("length".into(), "a positive multiple of 5 bytes", bytes.len().to_string()));
    }
    let mut events = Vec::with_capacity(bytes.len() / 5);
    for (i, b) in bytes.chunks_exact(5).enumerate() {
        if b[0] >= 34 || b[1] >= 34 {
            return Err(wrong(format!("event {i}"), "an address below 34x34", format!("{}, {}", b[0], b[1])));
        }
        let time = u32::from(b[2] & 0x7f) << 16 | u32::from(b[3]) << 8 | u32::from(b[4]);
        events.push((time, (u32::from(b[2] >> 7) * 34 + u32::from(b[1])) * 34 + u32::from(b[0])));
    }
    Ok(Recording { events })
}
