//! Digits seen by a moving event camera: MNIST as events, without a camera and the same on every machine.
//!
//! A digit of 28 x 28 pixels lies in a field of 34 x 34 and moves along the three sides of a triangle, 100 ms a side. A
//! pixel emits an event whenever its intensity (0..=1, bilinear between pixels) is the contrast threshold away from where
//! its last event left it; within a step of 1 ms the intensity is taken as linear, which gives the time in microseconds.
//!
//! Source: the recipe behind N-MNIST (Orchard et al., 2015); path and threshold are ours. The threshold was bisected for
//! 1,500 events a digit on the first 50 training images and then fixed ([`CONTRAST`]; a test repeats the bisection).

use crate::events::{Event, Events};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use zoo_core::Result;

/// Rows and columns of the field.
pub const SIDE: usize = 34;
/// Rows and columns of a digit.
pub const DIGIT: usize = 28;
/// Length of a recording, in microseconds.
pub const DURATION_US: i64 = 300_000;
/// Contrast threshold, as a share of the intensity range.
pub const CONTRAST: f64 = 0.223;

/// Corners of the path in pixels (x, y), relative to a centred digit; a digit never leaves the field.
const PATH: [(f64, f64); 4] = [(-1.5, -1.5), (0.0, 1.5), (1.5, -1.5), (-1.5, -1.5)];
/// Steps a side.
const STEPS: i64 = 100;
/// Microseconds a step.
const STEP_US: i64 = DURATION_US / (3 * STEPS);

/// The events of a digit of 28 x 28 grey levels, at a contrast threshold above 0.
///
/// # Errors
/// None in practice: every event lies in the field.
pub fn events(digit: &[u8; DIGIT * DIGIT], contrast: f64) -> Result<Events> {
    let mut list = Vec::new();
    let mut now = field(digit, PATH[0]);
    let mut level = now.clone();
    for (side, corners) in PATH.windows(2).enumerate() {
        for step in 1..=STEPS {
            let along = step as f64 / STEPS as f64;
            let at = |a: f64, b: f64| a + (b - a) * along;
            let next = field(digit, (at(corners[0].0, corners[1].0), at(corners[0].1, corners[1].1)));
            let start = (side as i64 * STEPS + step - 1) * STEP_US;
            for (pixel, (level, (&from, &to))) in level.iter_mut().zip(now.iter().zip(&next)).enumerate() {
                let p = to > *level;
                let change = if p { contrast } else { -contrast };
                while (to - *level).abs() >= contrast {
                    *level += change;
                    let part = (*level - from) / (to - from);
                    // A crossing at the very end of a step still belongs to it.
                    let t = start + ((part * STEP_US as f64) as i64).clamp(0, STEP_US - 1);
                    list.push(Event { t, x: (pixel % SIDE) as u16, y: (pixel / SIDE) as u16, p });
                }
            }
            now = next;
        }
    }
    Events::new(SIDE as u16, SIDE as u16, list)
}

/// Adds `share` noise events for each event, uniform in place, time and polarity. The same `seed` gives the same noise.
///
/// # Errors
/// [`zoo_core::Error::Argument`] if there would be too many events.
pub fn with_noise(events: &Events, share: f64, seed: [u8; 32]) -> Result<Events> {
    let mut rng = ChaCha8Rng::from_seed(seed);
    // The upper bits of a product: uniform to within 2^-32 and the same for every version of the generator's crate.
    let mut below = |n: u64| (u64::from(rng.next_u32()) * n) >> 32;
    let mut list = events.list().to_vec();
    let count = (events.len() as f64 * share).round() as usize;
    list.extend((0..count).map(|_| {
        let [x, y] = [events.width(), events.height()].map(|n| below(n.into()) as u16);
        Event { t: below(DURATION_US as u64) as i64, x, y, p: below(2) == 1 }
    }));
    Events::new(events.width(), events.height(), list)
}

/// Intensity of every pixel of the field with the digit moved by `shift` (x, y) from the centre.
fn field(digit: &[u8; DIGIT * DIGIT], shift: (f64, f64)) -> Vec<f64> {
    let margin = ((SIDE - DIGIT) / 2) as f64;
    let (left, top) = (margin + shift.0, margin + shift.1);
    let (whole_x, whole_y) = (left.floor(), top.floor());
    let (part_x, part_y) = (left - whole_x, top - whole_y);
    let mut field = vec![0.0; SIDE * SIDE];
    for (y, row) in digit.chunks_exact(DIGIT).enumerate() {
        for (x, &value) in row.iter().enumerate().filter(|(_, v)| **v > 0) {
            let value = f64::from(value) / 255.0;
            // The four pixels that a moved pixel covers; the margin keeps them inside.
            let at = (whole_y as usize + y) * SIDE + whole_x as usize + x;
            field[at] += value * (1.0 - part_x) * (1.0 - part_y);
            field[at + 1] += value * part_x * (1.0 - part_y);
            field[at + SIDE] += value * (1.0 - part_x) * part_y;
            field[at + SIDE + 1] += value * part_x * part_y;
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(x: usize, y: usize) -> [u8; DIGIT * DIGIT] {
        let mut digit = [0; DIGIT * DIGIT];
        digit[y * DIGIT + x] = 255;
        digit
    }

    #[test]
    fn a_dot_by_hand() {
        // At the start the dot's corner lies at (3 - 1.5, 3 - 1.5) = (1.5, 1.5): a quarter of it in each of four pixels.
        let start = field(&dot(0, 0), PATH[0]);
        assert_eq!([start[SIDE + 1], start[SIDE + 2], start[2 * SIDE + 1], start[2 * SIDE + 2]], [0.25; 4]);
        // Along the first side, (x, y) = (1.5 + 1.5 s, 1.5 + 3 s): pixel (1, 1) falls from 1/4 as (0.5 - 1.5 s)(0.5 - 3 s),
        // which is below 1/8 (a change of 1/8) first after 0.25 - 2.25 s + 4.5 s^2 = 1/8, s = 0.0636: 6.36 ms.
        let events = events(&dot(0, 0), 0.125).unwrap();
        let first = events.list().iter().find(|e| (e.x, e.y) == (1, 1)).unwrap();
        assert!(!first.p && (6_300..6_450).contains(&first.t), "{first:?}");
        // The path is closed: every pixel ends within one threshold of where it began.
        let mut balance = vec![0i32; SIDE * SIDE];
        events.list().iter().for_each(|e| balance[usize::from(e.y) * SIDE + usize::from(e.x)] += if e.p { 1 } else { -1 });
        assert!(balance.iter().all(|b| b.abs() <= 1), "{balance:?}");
        assert!(events.list().iter().all(|e| (0..DURATION_US).contains(&e.t)));
    }

    #[test]
    fn blank_digits_are_silent_and_corners_stay_inside() {
        assert!(events(&[0; DIGIT * DIGIT], CONTRAST).unwrap().is_empty());
        assert!(events(&[255; DIGIT * DIGIT], CONTRAST).is_ok());
        assert!(!events(&dot(27, 27), CONTRAST).unwrap().is_empty());
    }

    #[test]
    fn noise_is_counted_and_repeatable() {
        let clean = events(&[200; DIGIT * DIGIT], CONTRAST).unwrap();
        let noisy = with_noise(&clean, 0.25, [7; 32]).unwrap();
        assert_eq!(noisy.len(), clean.len() + (clean.len() as f64 * 0.25).round() as usize);
        assert_eq!(noisy, with_noise(&clean, 0.25, [7; 32]).unwrap());
        assert_ne!(noisy, with_noise(&clean, 0.25, [8; 32]).unwrap());
    }
}
