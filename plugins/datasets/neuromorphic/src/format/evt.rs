//! Prophesee RAW: EVT 2.0 (32-bit words) and EVT 3.0 (16-bit words) behind a text header.
//!
//! Source: the format pages of Prophesee's Metavision documentation. Triggers and vendor words are skipped.

use super::sensor;
use crate::events::{Event, Events, MAX_EVENTS};
use crate::input::{bad, percent_header};
use std::path::Path;
use zoo_core::Result;

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Events> {
    let (lines, at) = percent_header(path, bytes)?;
    let version = lines.iter().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        match (key, value.trim()) {
            ("evt", "2.0") => Some(2),
            ("evt", "3.0") => Some(3),
            ("format", v) if v == "EVT2" || v.starts_with("EVT2;") => Some(2),
            ("format", v) if v == "EVT3" || v.starts_with("EVT3;") => Some(3),
            _ => None,
        }
    });
    let size = lines.iter().find_map(|line| geometry(line));
    let mut sink = Sink { path, size, list: Vec::new() };
    match version {
        Some(2) => evt2(&mut sink, bytes, at)?,
        Some(_) => evt3(&mut sink, bytes, at)?,
        None => return Err(bad(path, "byte 0", "a header line `% evt 2.0`, `% evt 3.0` or `% format EVT2 | EVT3`", format!("{lines:?}"))),
    }
    let (width, height) = sensor(size, &sink.list);
    Events::new(width, height, sink.list)
}

/// Sensor size from `geometry WxH` or from `format EVTn;height=H;width=W`.
fn geometry(line: &str) -> Option<(u16, u16)> {
    let pair = if let Some(text) = line.strip_prefix("geometry ") {
        let (w, h) = text.trim().split_once('x')?;
        (w.parse().ok()?, h.parse().ok()?)
    } else {
        let text = line.strip_prefix("format ")?;
        let value = |key: &str| text.split(';').find_map(|part| part.trim().strip_prefix(key)?.strip_prefix('=')?.parse::<u16>().ok());
        (value("width")?, value("height")?)
    };
    (pair.0 > 0 && pair.1 > 0).then_some(pair)
}

struct Sink<'a> {
    path: &'a Path,
    size: Option<(u16, u16)>,
    list: Vec<Event>,
}

impl Sink<'_> {
    fn push(&mut self, at: usize, event: Event) -> Result<()> {
        if let Some((width, height)) = self.size.filter(|&(w, h)| event.x >= w || event.y >= h) {
            let expected = format!("a pixel of {width} x {height}, as the header says");
            return Err(bad(self.path, format!("byte {at}"), expected, format!("({}, {})", event.x, event.y)));
        }
        if self.list.len() >= MAX_EVENTS {
            return Err(bad(self.path, format!("byte {at}"), format!("at most {MAX_EVENTS} events"), "more"));
        }
        self.list.push(event);
        Ok(())
    }

    fn unknown(&self, at: usize, kind: u32) -> zoo_core::Error {
        bad(self.path, format!("byte {at}"), "a word type of the format", format!("{kind:#x}"))
    }

    fn whole(&self, bytes: &[u8], rest: usize, size: usize) -> Result<()> {
        if rest == 0 {
            return Ok(());
        }
        Err(bad(self.path, format!("byte {}", bytes.len() - rest), format!("words of {size} bytes"), format!("{rest} bytes and the end")))
    }
}

/// EVT 2.0: bits 31-28 type; an event has 6 low bits of time (27-22), x (21-11) and y (10-0); 0x8 sets the high 28 bits.
fn evt2(sink: &mut Sink<'_>, bytes: &[u8], start: usize) -> Result<()> {
    let (words, rest) = bytes[start..].as_chunks::<4>();
    sink.whole(bytes, rest.len(), 4)?;
    let mut high = None;
    for (i, word) in words.iter().enumerate() {
        let (word, at) = (u32::from_le_bytes(*word), start + 4 * i);
        match word >> 28 {
            kind @ (0x0 | 0x1) => {
                // Events before the first time word have no time.
                let Some(high) = high else { continue };
                let t = high | i64::from(word >> 22 & 0x3f);
                let (x, y) = ((word >> 11 & 0x7ff) as u16, (word & 0x7ff) as u16);
                sink.push(at, Event { t, x, y, p: kind == 1 })?;
            }
            0x8 => high = Some(i64::from(word & 0x0fff_ffff) << 6),
            0xa | 0xe | 0xf => {}
            kind => return Err(sink.unknown(at, kind)),
        }
    }
    Ok(())
}

/// EVT 3.0: bits 15-12 type; words set y, x, a base for vectors, or 12 bits of the 24-bit time, which wraps.
fn evt3(sink: &mut Sink<'_>, bytes: &[u8], start: usize) -> Result<()> {
    let (words, rest) = bytes[start..].as_chunks::<2>();
    sink.whole(bytes, rest.len(), 2)?;
    let (mut y, mut base, mut polarity) = (0u16, 0u16, false);
    let (mut wraps, mut high, mut low) = (0i64, None::<u16>, 0u16);
    for (i, word) in words.iter().enumerate() {
        let (word, at) = (u16::from_le_bytes(*word), start + 2 * i);
        let value = word & 0x0fff;
        let time = high.map(|high| wraps << 24 | i64::from(high) << 12 | i64::from(low));
        match word >> 12 {
            0x0 => y = value & 0x7ff,
            0x2 => {
                if let Some(t) = time {
                    sink.push(at, Event { t, x: value & 0x7ff, y, p: value & 0x800 != 0 })?;
                }
            }
            0x3 => (base, polarity) = (value & 0x7ff, value & 0x800 != 0),
            kind @ (0x4 | 0x5) => {
                let width = if kind == 0x4 { 12 } else { 8 };
                for bit in (0..width).filter(|bit| value >> bit & 1 == 1) {
                    if let Some(t) = time {
                        sink.push(at, Event { t, x: base + bit, y, p: polarity })?;
                    }
                }
                // Bases are below 2048; a stray run of vectors must not wrap around to the left edge.
                base = base.saturating_add(width).min(0x7fff);
            }
            0x6 => low = value,
            0x8 => {
                // A fall by more than half of the range is a wrap; a smaller one is a late word.
                if high.is_some_and(|old| old > value && old - value > 0x800) {
                    wraps += 1;
                }
                high = Some(value);
            }
            0x7 | 0xa | 0xe | 0xf => {}
            kind => return Err(sink.unknown(at, kind.into())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evt3_events(words: &[u16]) -> Vec<(i64, u16, u16, bool)> {
        let mut bytes = b"% evt 3.0\n".to_vec();
        words.iter().for_each(|w| bytes.extend(w.to_le_bytes()));
        let events = decode(Path::new("t"), &bytes).unwrap();
        events.list().iter().map(|e| (e.t, e.x, e.y, e.p)).collect()
    }

    #[test]
    fn vectors_by_hand() {
        // Time high 1, low 2: 4098. Row 7; base 100, brighter; bits 0 and 11 of twelve; then bit 1 of eight, 12 further on.
        let have = evt3_events(&[0x8001, 0x6002, 0x0007, 0x3800 | 100, 0x4801, 0x5002]);
        assert_eq!(have, [(4098, 100, 7, true), (4098, 111, 7, true), (4098, 113, 7, true)]);
    }

    #[test]
    fn the_clock_wraps_but_a_late_word_does_not_count() {
        let have = evt3_events(&[0x2005, 0x8ffe, 0x2001, 0x8ffd, 0x2002, 0x8000, 0x2003]);
        // The event before the first time word has no time and is left out.
        assert_eq!(have.iter().map(|e| (e.0, e.1)).collect::<Vec<_>>(), [(0xffd << 12, 2), (0xffe << 12, 1), (1 << 24, 3)]);
    }

    #[test]
    fn geometry_stands_in_either_line() {
        assert_eq!(geometry("geometry 1280x720"), Some((1280, 720)));
        assert_eq!(geometry("format EVT3;height=720;width=1280"), Some((1280, 720)));
        assert_eq!(geometry("geometry 0x720"), None);
    }
}
