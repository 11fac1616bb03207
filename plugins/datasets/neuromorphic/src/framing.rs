//! From events to frames.

use crate::events::{Event, Events};
use crate::resize;
use serde::Deserialize;
use zoo_core::{Error, Result, Tensor};

/// Where one frame ends and the next begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slicing {
    /// Bins of equal time. Bin of time t: `floor((t - t0) * T / duration)`.
    #[default]
    Time,
    /// Bins of equal number of events: bin i holds events `floor(i * n / T) .. floor((i + 1) * n / T)`.
    Count,
}

/// What the entries of a frame are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Numbers of events.
    #[default]
    Counts,
    /// Numbers of events divided by the frame's own greatest entry; a frame without events stays 0. (TET, section 6.)
    Max,
}

/// How a recording becomes `frames` f32 `[T, 2, H, W]`; channel 0 counts darker events, channel 1 brighter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// Number of frames, T.
    pub steps: usize,
    /// How events are dealt out.
    #[serde(default)]
    pub by: Slicing,
    /// Length of the recording in microseconds, for [`Slicing::Time`]: bins then start at time 0 and events outside are
    /// left out. Without it they run from the first event to the last, both included.
    #[serde(default)]
    pub duration_us: Option<i64>,
    /// What entries are.
    #[serde(default)]
    pub scale: Scale,
    /// Height and width to resize to, through 8-bit images; needs [`Scale::Max`], whose entries fit them.
    #[serde(default)]
    pub size: Option<[usize; 2]>,
}

/// Greatest number of entries of the frames of one item (256 MiB).
const MAX_ENTRIES: usize = 1 << 26;
/// Greatest side of a resized frame.
const MAX_SIDE: usize = 4096;

impl Framing {
    /// `steps` frames of counts, by equal time.
    pub fn new(steps: usize) -> Self {
        Self { steps, by: Slicing::Time, duration_us: None, scale: Scale::Counts, size: None }
    }

    /// Checks the values against each other.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key that does not fit.
    pub fn check(&self) -> Result<()> {
        let fail = |key: &str, expected: &str, found: String| Err(Error::Config { key: key.into(), expected: expected.into(), found });
        if self.steps == 0 || self.steps > 1 << 16 {
            return fail("frames.steps", "1 to 65536", self.steps.to_string());
        }
        if self.duration_us.is_some_and(|d| d <= 0) {
            return fail("frames.duration_us", "a positive number", format!("{:?}", self.duration_us));
        }
        if self.duration_us.is_some() && self.by == Slicing::Count {
            return fail("frames.duration_us", "nothing, when frames go by count", format!("{:?}", self.duration_us));
        }
        if let Some(size) = self.size {
            if size.iter().any(|&side| side == 0 || side > MAX_SIDE) {
                return fail("frames.size", "two sides of 1 to 4096", format!("{size:?}"));
            }
            if self.scale != Scale::Max {
                return fail("frames.size", "scale `max`: counts do not fit an 8-bit image", "scale `counts`".into());
            }
        }
        Ok(())
    }

    /// Height and width of the frames of a sensor of `height` x `width`.
    pub fn frame_size(&self, height: u16, width: u16) -> [usize; 2] {
        self.size.unwrap_or([height.into(), width.into()])
    }

    /// The frames, f32 `[T, 2, H, W]`. Without events all are 0.
    ///
    /// # Errors
    /// As [`Framing::check`]; [`Error::Argument`] if the frames would not fit memory.
    pub fn frames(&self, events: &Events) -> Result<Tensor> {
        self.check()?;
        let (height, width) = (usize::from(events.height()), usize::from(events.width()));
        let [out_height, out_width] = self.frame_size(events.height(), events.width());
        let entries = |h: usize, w: usize| self.steps.checked_mul(2 * h)?.checked_mul(w).filter(|&n| n <= MAX_ENTRIES);
        let Some((count, _)) = entries(height, width).zip(entries(out_height, out_width)) else {
            let found = format!("{} frames of {height} x {width}", self.steps);
            return Err(Error::argument("frames of a recording", format!("at most {MAX_ENTRIES} entries"), found));
        };
        let mut data = vec![0f32; count];
        self.deal(events, |step, e| {
            data[((step * 2 + usize::from(e.p)) * height + usize::from(e.y)) * width + usize::from(e.x)] += 1.0;
        });
        if self.scale == Scale::Max {
            for frame in data.chunks_exact_mut(2 * height * width) {
                let max = frame.iter().copied().fold(0.0, f32::max);
                if max > 0.0 {
                    frame.iter_mut().for_each(|v| *v /= max);
                }
            }
        }
        if self.size.is_some() {
            let planes = data.chunks_exact(height * width);
            data = planes.flat_map(|plane| resize::plane(plane, (height, width), (out_height, out_width))).collect();
        }
        Tensor::from_vec([self.steps, 2, out_height, out_width], data)
    }

    /// Calls `put` with each event and its frame.
    fn deal(&self, events: &Events, mut put: impl FnMut(usize, &Event)) {
        let list = events.list();
        let Some((first, last)) = events.span() else { return };
        match self.by {
            Slicing::Count => {
                for step in 0..self.steps {
                    let [from, to] = [step, step + 1].map(|i| (i as u128 * list.len() as u128 / self.steps as u128) as usize);
                    list[from..to].iter().for_each(|e| put(step, e));
                }
            }
            Slicing::Time => {
                // 128 bits: times are 64-bit and hostile files may hold both extremes.
                let start = self.duration_us.map_or(i128::from(first), |_| 0);
                let duration = self.duration_us.map_or(i128::from(last) - i128::from(first) + 1, i128::from);
                for event in list {
                    let passed = i128::from(event.t) - start;
                    if (0..duration).contains(&passed) {
                        put((passed * self.steps as i128 / duration) as usize, event);
                    }
                }
            }
        }
    }
}
