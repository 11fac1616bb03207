//! Events: where and when a pixel changed.

use zoo_core::{Error, Result, Tensor};

/// Greatest number of events in one recording (1 GiB of memory).
pub const MAX_EVENTS: usize = 1 << 26;

/// One change of brightness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Time in microseconds; the origin is the recording's own.
    pub t: i64,
    /// Column, from the left.
    pub x: u16,
    /// Row, from the top.
    pub y: u16,
    /// Whether the pixel became brighter.
    pub p: bool,
}

/// The events of a recording in order of time, and the size of the sensor.
///
/// Invariant: times do not decrease and every event lies on the sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    width: u16,
    height: u16,
    list: Vec<Event>,
}

impl Events {
    /// Events on a sensor of `width` x `height` pixels, brought into order of time; events of one time keep theirs.
    ///
    /// # Errors
    /// [`Error::Argument`] for an event off the sensor or more than [`MAX_EVENTS`].
    pub fn new(width: u16, height: u16, mut list: Vec<Event>) -> Result<Self> {
        if list.len() > MAX_EVENTS {
            return Err(Error::argument("events of a recording", format!("at most {MAX_EVENTS}"), list.len()));
        }
        if let Some(at) = list.iter().position(|e| e.x >= width || e.y >= height) {
            let found = format!("({}, {})", list[at].x, list[at].y);
            return Err(Error::argument(format!("address of event {at}"), format!("a pixel of {width} x {height}"), found));
        }
        if !list.is_sorted_by_key(|e| e.t) {
            list.sort_by_key(|e| e.t);
        }
        Ok(Self { width, height, list })
    }

    /// Columns of the sensor.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Rows of the sensor.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// The events.
    pub fn list(&self) -> &[Event] {
        &self.list
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Times of the first and the last event, in microseconds.
    pub fn span(&self) -> Option<(i64, i64)> {
        Some((self.list.first()?.t, self.list.last()?.t))
    }

    /// The events as i64 `[n, 4]`, columns x, y, t in microseconds, p.
    ///
    /// # Errors
    /// None in practice: the size is that of the list.
    pub fn to_tensor(&self) -> Result<Tensor> {
        let data = self.list.iter().flat_map(|e| [i64::from(e.x), i64::from(e.y), e.t, i64::from(e.p)]).collect();
        Tensor::from_vec([self.len(), 4], data)
    }
}
