//! N-MNIST: byte 0 x, byte 1 y, then one bit polarity and 23 bits time in microseconds, big-endian.
//!
//! Source: Orchard et al., "Converting static image datasets to spiking neuromorphic datasets using saccades", 2015.

use crate::events::{Event, Events};
use crate::input::bad;
use std::path::Path;
use zoo_core::Result;

pub(super) const SIDE: u16 = 34;
const SIZE: usize = 5;

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Events> {
    let rest = bytes.len() % SIZE;
    if rest != 0 {
        let at = format!("byte {}", bytes.len() - rest);
        return Err(bad(path, at, format!("events of {SIZE} bytes"), format!("{rest} bytes and the end")));
    }
    let mut list = Vec::with_capacity(bytes.len() / SIZE);
    for (i, event) in bytes.as_chunks::<SIZE>().0.iter().enumerate() {
        let [x, y, time @ ..] = *event;
        if u16::from(x) >= SIDE || u16::from(y) >= SIDE {
            return Err(bad(path, format!("byte {}", i * SIZE), format!("a pixel of {SIDE} x {SIDE}"), format!("({x}, {y})")));
        }
        let t = i64::from(time[0] & 0x7f) << 16 | i64::from(time[1]) << 8 | i64::from(time[2]);
        list.push(Event { t, x: x.into(), y: y.into(), p: time[0] & 0x80 != 0 });
    }
    Events::new(SIDE, SIDE, list)
}
