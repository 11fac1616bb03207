//! Random changes of image batches.

use rand::Rng;
use zoo_core::{Error, Result};

/// Random shifts and mirror images, drawn anew for each image of a batch `[n, c, h, w]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Greatest shift along each axis, in pixels; what moves in is the fill value. The same as a random crop out of an
    /// image padded by so much.
    pub shift: usize,
    /// Mirror left and right with probability one half.
    pub flip: bool,
}

impl Augment {
    /// Changes `images` in place; works on any pixel type (`u8`, `f32`).
    ///
    /// # Errors
    /// [`Error::Shape`] if `images` does not fill `shape`, [`Error::Argument`] if a shift could leave the image.
    pub fn apply<T: Copy>(&self, images: &mut [T], shape: [usize; 4], fill: T, rng: &mut impl Rng) -> Result<()> {
        let [n, c, h, w] = shape;
        if crate::kernels::elements("image batch", &shape)? != images.len() {
            return Err(Error::shape("image batch", shape, [images.len()]));
        }
        if self.shift > h.min(w) {
            return Err(Error::argument("augmentation shift", format!("at most the image's side, {}", h.min(w)), self.shift));
        }
        if images.is_empty() {
            return Ok(());
        }
        let mut plane = vec![fill; h * w];
        for image in images.chunks_exact_mut(c * h * w).take(n) {
            // Always three draws an image, so that the stream does not depend on the settings.
            let span = 2 * self.shift + 1;
            let (dy, dx, mirror) = (rng.random_range(0..span), rng.random_range(0..span), rng.random::<bool>() && self.flip);
            for channel in image.chunks_exact_mut(h * w) {
                plane.copy_from_slice(channel);
                for (y, row) in channel.chunks_exact_mut(w).enumerate() {
                    let source = (y + dy).checked_sub(self.shift).filter(|&y| y < h).map(|y| &plane[y * w..][..w]);
                    for (x, pixel) in row.iter_mut().enumerate() {
                        let x = if mirror { w - 1 - x } else { x };
                        let from = (x + dx).checked_sub(self.shift).filter(|&x| x < w);
                        *pixel = source.zip(from).map_or(fill, |(row, x)| row[x]);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Augment;
    use crate::seeds::Seeds;
    use std::collections::BTreeSet;

    #[test]
    fn every_result_is_a_shift_of_the_image_or_its_mirror() {
        let image: Vec<u8> = (1..=12).collect();
        let mut seen = BTreeSet::new();
        let mut rng = Seeds::new(3).stream("augment", 0);
        for _ in 0..400 {
            let mut x = image.clone();
            Augment { shift: 1, flip: true }.apply(&mut x, [1, 1, 3, 4], 0, &mut rng).unwrap();
            seen.insert(x);
        }
        let mut expected = BTreeSet::new();
        for (dy, dx) in (-1i32..=1).flat_map(|y| (-1i32..=1).map(move |x| (y, x))) {
            for mirror in [false, true] {
                let pixel = |y: i32, x: i32| {
                    let x = if mirror { 3 - x } else { x };
                    let (y, x) = (y + dy, x + dx);
                    if (0..3).contains(&y) && (0..4).contains(&x) { image[(y * 4 + x) as usize] } else { 0 }
                };
                expected.insert((0..3).flat_map(|y| (0..4).map(move |x| (y, x))).map(|(y, x)| pixel(y, x)).collect::<Vec<u8>>());
            }
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn nothing_asked_is_nothing_done() {
        let mut x: Vec<f32> = (0..24u8).map(f32::from).collect();
        let before = x.clone();
        Augment::default().apply(&mut x, [2, 3, 2, 2], -1.0, &mut Seeds::new(0).stream("augment", 0)).unwrap();
        assert_eq!(x, before);
        assert!(Augment { shift: 3, flip: false }.apply(&mut x, [2, 3, 2, 2], 0.0, &mut Seeds::new(0).stream("a", 0)).is_err());
        assert!(Augment::default().apply(&mut x, [2, 3, 2, 3], 0.0, &mut Seeds::new(0).stream("a", 0)).is_err());
    }
}
