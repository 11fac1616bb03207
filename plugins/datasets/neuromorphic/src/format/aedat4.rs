//! AEDAT 4.0: a text line, a size-prefixed FlatBuffers header (`IOHE`), then packets of an i32 stream, an i32 size and a
//! possibly compressed, size-prefixed FlatBuffers payload. Packets of events (`EVTS`) are read, others are skipped.
//!
//! Source: the format description in the documentation of iniVation's dv-processing, checked on a recording.

use super::flat::{Table, sized};
use super::sensor;
use crate::events::{Event, Events, MAX_EVENTS};
use crate::input::{MAX_FILE, bad, word};
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;
use zoo_core::Result;

const MAGIC: &[u8] = b"#!AER-DAT4.0\r\n";
/// Bytes of an event: i64 time, i16 x, i16 y, bool polarity, padding.
const SIZE: usize = 16;

#[derive(Clone, Copy)]
enum Compression {
    None,
    Lz4,
    Zstd,
}

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Events> {
    if !bytes.starts_with(MAGIC) {
        return Err(bad(path, "byte 0", "the line #!AER-DAT4.0", format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(14)]))));
    }
    let header_at = MAGIC.len();
    let header = sized(&bytes[header_at..]);
    let Some((header, table)) = header.and_then(|h| Some((h, Table::root(h, b"IOHE")?))) else {
        return Err(bad(path, format!("byte {header_at}"), "a FlatBuffers header `IOHE`", "none"));
    };
    let compression = match table.i32(0).unwrap_or(0) {
        0 => Compression::None,
        1 | 2 => Compression::Lz4,
        3 | 4 => Compression::Zstd,
        other => return Err(bad(path, format!("byte {header_at}, field `compression`"), "0 to 4", other.to_string())),
    };
    let info = table.vector(2, 1).map(|(_, text)| String::from_utf8_lossy(text)).unwrap_or_default();
    let end = match table.i64(1).unwrap_or(-1) {
        -1 => bytes.len(),
        at => usize::try_from(at).ok().filter(|&at| at <= bytes.len()).ok_or_else(|| {
            let field = format!("byte {header_at}, field `dataTablePosition`");
            bad(path, field, format!("-1 or a place in the {} bytes of the file", bytes.len()), at.to_string())
        })?,
    };
    let size = geometry(&info);
    let mut list = Vec::new();
    let mut budget = MAX_FILE;
    let mut at = header_at + 4 + header.len();
    while at < end {
        let length = word(bytes, at + 4).map(i32::from_le_bytes).and_then(|n| usize::try_from(n).ok());
        let packet = length.and_then(|n| bytes.get(at + 8..(at + 8).checked_add(n)?)).filter(|p| at + 8 + p.len() <= end);
        let Some(packet) = packet else {
            return Err(bad(path, format!("byte {at}"), "a packet that ends before the data table", "a size beyond it, or the end"));
        };
        let payload = unpack(path, at + 8, packet, compression, budget)?;
        budget -= payload.len() as u64;
        events(path, at + 8, &payload, size, &mut list)?;
        at += 8 + packet.len();
    }
    let (width, height) = sensor(size, &list);
    Events::new(width, height, list)
}

/// Sensor size from the first `sizeX` and `sizeY` of the header's XML.
fn geometry(info: &str) -> Option<(u16, u16)> {
    let value = |key: &str| {
        let rest = &info[info.find(&format!("key=\"{key}\""))?..];
        let rest = &rest[rest.find('>')? + 1..];
        rest[..rest.find('<')?].trim().parse::<u16>().ok().filter(|&v| v > 0)
    };
    value("sizeX").zip(value("sizeY"))
}

fn unpack<'a>(path: &Path, at: usize, packet: &'a [u8], compression: Compression, budget: u64) -> Result<Cow<'a, [u8]>> {
    let mut unpacked = Vec::new();
    let read = match compression {
        Compression::None => return Ok(Cow::Borrowed(packet)),
        Compression::Lz4 => lz4_flex::frame::FrameDecoder::new(packet).take(budget + 1).read_to_end(&mut unpacked),
        Compression::Zstd => zstd::Decoder::with_buffer(packet).and_then(|d| d.take(budget + 1).read_to_end(&mut unpacked)),
    };
    read.map_err(|e| bad(path, format!("byte {at}"), "a compressed packet", e.to_string()))?;
    if unpacked.len() as u64 > budget {
        return Err(bad(path, format!("byte {at}"), format!("at most {MAX_FILE} unpacked bytes in all"), "more"));
    }
    Ok(Cow::Owned(unpacked))
}

fn events(path: &Path, at: usize, payload: &[u8], size: Option<(u16, u16)>, list: &mut Vec<Event>) -> Result<()> {
    let Some(buffer) = sized(payload) else {
        return Err(bad(
            path,
            format!("packet at byte {at}"),
            "a FlatBuffers payload as long as it says",
            format!("{} bytes", payload.len()),
        ));
    };
    if word(buffer, 4) != Some(*b"EVTS") {
        return Ok(());
    }
    let Some(table) = Table::root(buffer, b"EVTS") else {
        return Err(bad(path, format!("packet at byte {at}"), "a FlatBuffers table of events", "offsets that leave it"));
    };
    // An absent vector is an empty packet only if the field is absent; offsets that leave the buffer are a fault.
    let Some((start, elements)) = table.vector(0, SIZE) else {
        return Err(bad(path, format!("packet at byte {at}"), "a vector of events inside the packet", "none, or one beyond its end"));
    };
    if list.len() + elements.len() / SIZE > MAX_EVENTS {
        return Err(bad(path, format!("packet at byte {at}"), format!("at most {MAX_EVENTS} events"), "more"));
    }
    for (i, event) in elements.as_chunks::<SIZE>().0.iter().enumerate() {
        let t = i64::from_le_bytes(word(event, 0).unwrap_or_default());
        let [x, y] = [8, 10].map(|o| i16::from_le_bytes(word(event, o).unwrap_or_default()));
        let (width, height) = size.unwrap_or((i16::MAX as u16 + 1, i16::MAX as u16 + 1));
        match (u16::try_from(x), u16::try_from(y)) {
            (Ok(x), Ok(y)) if x < width && y < height => list.push(Event { t, x, y, p: event[12] != 0 }),
            _ => {
                let place = format!("packet at byte {at}, unpacked byte {}", 4 + start + i * SIZE + 8);
                return Err(bad(path, place, format!("a pixel of {width} x {height}"), format!("({x}, {y})")));
            }
        }
    }
    Ok(())
}
