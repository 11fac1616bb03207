//! Recordings of events.

use std::path::Path;
use zoo_data_neuromorphic::{Format, Framing, Slicing};

/// Sensors with more pixels are read but not framed: a frame is dense, and its size is the sensor's by right.
const PIXELS: usize = 1 << 16;

fn recording(format: Format, bytes: &[u8]) {
    let Ok(events) = format.decode(Path::new("fuzz"), bytes) else { return };
    assert!(events.list().is_sorted_by_key(|e| e.t), "events are handed out in order of time");
    assert!(events.list().iter().all(|e| e.x < events.width() && e.y < events.height()), "events lie on the sensor");
    if usize::from(events.width()) * usize::from(events.height()) > PIXELS {
        return;
    }
    for by in [Slicing::Time, Slicing::Count] {
        // Times may lie so far apart that slices can't be told; that is an error, not a panic.
        drop(Framing { by, ..Framing::new(2) }.frames(&events));
    }
}

/// N-MNIST's five bytes an event.
pub fn nmnist(bytes: &[u8]) {
    recording(Format::Nmnist, bytes);
}

/// Prophesee DAT.
pub fn dat(bytes: &[u8]) {
    recording(Format::Dat, bytes);
}

/// AEDAT 4.0.
pub fn aedat4(bytes: &[u8]) {
    recording(Format::Aedat4, bytes);
}

/// Prophesee RAW, EVT 2.0 and 3.0.
pub fn evt(bytes: &[u8]) {
    recording(Format::Raw, bytes);
}

/// NumPy archives of events.
pub fn npz(bytes: &[u8]) {
    recording(Format::Npz, bytes);
}
