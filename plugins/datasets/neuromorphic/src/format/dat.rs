//! Prophesee DAT, as N-Cars uses it: lines that start with `%`, two bytes (event type, event size), then events of a
//! little-endian u32 time in microseconds and a u32 of x (bits 0-13), y (bits 14-27) and polarity (bit 28).

use super::sensor;
use crate::events::{Event, Events};
use crate::input::{bad, percent_header, word};
use std::path::Path;
use zoo_core::Result;

const SIZE: usize = 8;
/// Event types whose payload is a change of brightness: 2D (0x00) and contrast detection (0x0c).
const TYPES: [u8; 2] = [0x00, 0x0c];

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Events> {
    let (lines, mut at) = percent_header(path, bytes)?;
    if lines.is_empty() {
        return Err(bad(path, "byte 0", "a header line that starts with %", "none"));
    }
    match bytes.get(at..at + 2) {
        Some([kind, 8]) if TYPES.contains(kind) => at += 2,
        found => return Err(bad(path, format!("byte {at}"), "event type 0x00 or 0x0c and event size 8", format!("{found:?}"))),
    }
    let body = &bytes[at..];
    let rest = body.len() % SIZE;
    if rest != 0 {
        let at = format!("byte {}", bytes.len() - rest);
        return Err(bad(path, at, format!("events of {SIZE} bytes"), format!("{rest} bytes and the end")));
    }
    let declared = |name: &str| lines.iter().find_map(|l| l.strip_prefix(name)?.trim().parse::<u16>().ok());
    let size = declared("Width").zip(declared("Height"));
    let mut list = Vec::with_capacity(body.len() / SIZE);
    let (mut high, mut last) = (0i64, 0u32);
    for (i, event) in body.as_chunks::<SIZE>().0.iter().enumerate() {
        // Both words are within the chunk.
        let [t, address] = [0, 4].map(|o| u32::from_le_bytes(word(event, o).unwrap_or_default()));
        // The clock has 32 bits: a fall by more than half its range is a wrap.
        if t < last && last - t > 1 << 31 {
            high += 1 << 32;
        }
        last = t;
        let (x, y) = ((address & 0x3fff) as u16, (address >> 14 & 0x3fff) as u16);
        if let Some((width, height)) = size.filter(|&(w, h)| x >= w || y >= h) {
            let at = format!("byte {}", at + i * SIZE + 4);
            return Err(bad(path, at, format!("a pixel of {width} x {height}, as the header says"), format!("({x}, {y})")));
        }
        list.push(Event { t: high + i64::from(t), x, y, p: address >> 28 & 1 == 1 });
    }
    let (width, height) = sensor(size, &list);
    Events::new(width, height, list)
}
