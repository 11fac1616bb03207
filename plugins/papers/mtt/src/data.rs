//! From recordings to the frames a network takes.

use zoo_core::{DType, Dataset, Error, Result, Tensor};

/// Field of recordings: i64 `[n, 4]`, columns x, y, t in microseconds and p (1 brighter, 0 darker).
pub const EVENTS: &str = "events";
/// Field of classes.
pub const LABEL: &str = "label";

/// An event whose time is a whole number since the recording's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    /// Place in a frame `[2, rows, columns]`.
    at: u32,
    t: u64,
}

/// A recording, ready to be cut into any number of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    events: Vec<Event>,
    /// From the first event to the last, both included, in microseconds.
    duration: u64,
    /// Entries of a frame.
    each: usize,
}

impl Recording {
    /// Reads a tensor of events for frames of `rows` and `columns`.
    ///
    /// # Errors
    /// [`Error::DType`] or [`Error::Shape`] for another kind of tensor, [`Error::Argument`] for an event outside.
    pub fn new(events: &Tensor, [rows, columns]: [usize; 2]) -> Result<Self> {
        events.expect("field `events`", DType::I64, &[None, Some(4)])?;
        let list = events.as_slice::<i64>()?;
        let times = || list.chunks_exact(4).map(|e| e[2]);
        let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        let mut read = Vec::with_capacity(list.len() / 4);
        for (index, event) in list.chunks_exact(4).enumerate() {
            let inside = |v: i64, side: usize| usize::try_from(v).ok().filter(|v| *v < side);
            let place = inside(event[0], columns).zip(inside(event[1], rows)).zip(inside(event[3], 2));
            let ((x, y), p) = place.ok_or_else(|| {
                let expected = format!("x below {columns}, y below {rows}, p 0 or 1");
                Error::argument(format!("event {index}"), expected, format!("{event:?}"))
            })?;
            #[allow(clippy::cast_possible_truncation, reason = "sides of a frame are at most 2^14")]
            read.push(Event { at: ((p * rows + y) * columns + x) as u32, t: event[2].abs_diff(first) });
        }
        Ok(Self { events: read, duration: last.abs_diff(first).saturating_add(1), each: 2 * rows * columns })
    }

    /// Entries of one frame.
    pub fn each(&self) -> usize {
        self.each
    }

    /// Adds the events to `steps` frames of equal time; frame `s` begins at `s * stride` of `frames`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the frames do not fit.
    pub fn add_to(&self, frames: &mut [f32], steps: usize, stride: usize) -> Result<()> {
        if steps == 0 || stride < self.each || frames.len() < (steps - 1) * stride + self.each {
            return Err(Error::shape("frames", format!("{steps} of {} values", self.each), frames.len()));
        }
        for event in &self.events {
            // 128 bits: a hostile recording may span all of 64.
            let step = (u128::from(event.t) * steps as u128 / u128::from(self.duration)) as usize;
            frames[step.min(steps - 1) * stride + event.at as usize] += 1.0;
        }
        Ok(())
    }

    /// `steps` frames of event counts, one after the other.
    ///
    /// # Errors
    /// As [`Self::add_to`].
    pub fn frames(&self, steps: usize) -> Result<Vec<f32>> {
        let mut frames = vec![0.0; steps * self.each];
        self.add_to(&mut frames, steps, self.each)?;
        Ok(frames)
    }
}

/// Recordings with their classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recordings {
    /// The recordings.
    pub items: Vec<Recording>,
    /// Class of each.
    pub labels: Vec<i64>,
}

impl Recordings {
    /// Reads items `range` of a split.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a data set without events or labels; whatever reading finds.
    pub fn read(split: &dyn Dataset, range: std::ops::Range<usize>, sides: [usize; 2]) -> Result<Self> {
        let (field, label) = (place(split, EVENTS)?, place(split, LABEL)?);
        let mut all = Self::default();
        for index in range {
            let item = split.get(index)?;
            all.items.push(Recording::new(&item[field], sides)?);
            all.labels.extend(zoo_core::metric::labels(&item[label])?);
        }
        if all.labels.len() != all.items.len() {
            return Err(Error::shape("labels of a split", all.items.len(), all.labels.len()));
        }
        Ok(all)
    }

    /// Keeps the first `len` recordings and returns the others.
    pub fn split_off(&mut self, len: usize) -> Self {
        let len = len.min(self.len());
        Self { items: self.items.split_off(len), labels: self.labels.split_off(len) }
    }

    /// Adds the recordings of another set.
    pub fn extend(&mut self, others: Self) {
        self.items.extend(others.items);
        self.labels.extend(others.labels);
    }

    /// Number of recordings.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Frames `[steps * batch, ...]` of the recordings at `indices`, all items of a step together, and their classes.
    ///
    /// # Errors
    /// As [`Recording::add_to`].
    pub fn batch(&self, indices: &[usize], steps: usize) -> Result<(Vec<f32>, Vec<i64>)> {
        let each = self.items.first().map_or(0, Recording::each);
        let stride = indices.len() * each;
        let mut frames = vec![0.0; steps * stride];
        for (place, &index) in indices.iter().enumerate() {
            self.items[index].add_to(&mut frames[place * each..], steps, stride)?;
        }
        Ok((frames, indices.iter().map(|&i| self.labels[i]).collect()))
    }
}

fn place(dataset: &dyn Dataset, name: &str) -> Result<usize> {
    let features = &dataset.info().features;
    features.iter().position(|f| f.name == name).ok_or_else(|| Error::Unknown {
        kind: "data set field",
        name: name.into(),
        hint: format!("fields are {}", features.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_by_hand() {
        // Four events over 10 microseconds, on two pixels of a 1 x 2 sensor.
        let list: Vec<i64> = vec![0, 0, 100, 1, 1, 0, 104, 0, 1, 0, 105, 0, 0, 0, 109, 1];
        let recording = Recording::new(&Tensor::from_vec([4, 4], list).unwrap(), [1, 2]).unwrap();
        // Frames are [darker (2 pixels), brighter (2 pixels)].
        assert_eq!(recording.frames(1).unwrap(), [0.0, 2.0, 2.0, 0.0]);
        assert_eq!(recording.frames(2).unwrap(), [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        let all = Recordings { items: vec![recording.clone(), recording], labels: vec![3, 7] };
        let (frames, labels) = all.batch(&[1, 0], 2).unwrap();
        assert_eq!(frames, [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!(labels, [7, 3]);
    }

    #[test]
    fn hostile_recordings() {
        let one = |event: [i64; 4]| Recording::new(&Tensor::from_vec([1, 4], event.to_vec()).unwrap(), [2, 2]);
        for event in [[2, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 2], [i64::MIN, 0, 0, 0]] {
            assert!(one(event).is_err(), "{event:?}");
        }
        let extremes = Tensor::from_vec([2, 4], vec![0, 0, i64::MIN, 0, 1, 1, i64::MAX, 1]).unwrap();
        let frames = Recording::new(&extremes, [2, 2]).unwrap().frames(3).unwrap();
        assert_eq!((frames[0], frames[2 * 8 + 7], frames.iter().sum::<f32>()), (1.0, 1.0, 2.0));
        let empty = Recording::new(&Tensor::from_vec([0, 4], Vec::<i64>::new()).unwrap(), [2, 2]).unwrap();
        assert_eq!(empty.frames(2).unwrap(), [0.0; 16]);
        assert!(empty.add_to(&mut [0.0; 8], 2, 8).is_err());
    }
}
