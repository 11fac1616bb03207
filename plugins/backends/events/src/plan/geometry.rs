//! Where the events of a convolution go.

use super::Numbers;
use crate::num::{Num, Place};
use strength_reduce::StrengthReducedU32;

/// A run of neighbouring output columns that an input column reaches through one kernel row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset of the first weight inside a kernel row.
    pub weight: usize,
    /// First output column.
    pub column: usize,
    /// Number of columns.
    pub columns: usize,
}

/// A segment in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset inside a row of currents.
    pub target: u32,
    /// Offset inside a kernel row of weights.
    pub weights: u32,
    /// Numbers.
    pub length: u32,
}

/// A convolution, with everything that depends on the position of an event worked out.
///
/// Weights lie as `[c_in][k_y][tap][c_out / groups]`. Taps are sorted by their phase `k_x mod stride` and, within a
/// phase, by descending `k_x`: the taps one input column meets then reach ascending output columns, so that without
/// dilation and groups one kernel row is one contiguous addition.
pub struct Conv<N: Num> {
    /// Weights.
    pub weights: Numbers<N>,
    /// The same as `[k_y][k_x][c_in][c_out]` for the dense kernel; empty with groups.
    pub dense: Numbers<N>,
    /// Kernel rows and columns.
    pub kernel: [usize; 2],
    /// Stride, y then x.
    pub stride: [usize; 2],
    /// Padding, y then x.
    pub padding: [usize; 2],
    /// Dilation, y then x.
    pub dilation: [usize; 2],
    /// Kernel rows reached by each input row: `(k_y, output row)`.
    pub rows: Vec<Vec<(usize, usize)>>,
    /// Begin of the weights and of the output row, for each of `rows`.
    pub places: Vec<Vec<Place>>,
    /// Segments reached by each input column.
    pub segments: Vec<Vec<Segment>>,
    /// The one segment of each input column in numbers rather than columns (length 0 where there is none); empty if some
    /// column has several.
    pub spans: Vec<Span>,
    /// Weights an event meets, by input pixel.
    pub fan_out: Vec<u32>,
    /// Input channels of a group.
    pub group_in: usize,
    /// Output channels of a group.
    pub group_out: usize,
    /// Output channels.
    pub channels: usize,
    /// Input channels, as a divisor.
    pub channels_in: StrengthReducedU32,
    /// Output width.
    pub width: usize,
    /// Largest sum of absolute weights that meet in one output.
    pub bound: f64,
}

impl<N: Num> Conv<N> {
    /// The pixel of an input position, counted from where the position is counted from.
    #[inline(always)]
    pub fn pixel(&self, index: u32) -> u32 {
        index / self.channels_in
    }
}

/// Order in which the taps of a kernel row are stored.
pub(super) fn tap_order(kernel: usize, stride: usize) -> Vec<usize> {
    let mut taps: Vec<_> = (0..kernel).collect();
    taps.sort_by_key(|&k| (k % stride, std::cmp::Reverse(k)));
    taps
}

/// Segments in numbers, if no column has several.
pub(super) fn spans(segments: &[Vec<Segment>], channels: usize) -> Vec<Span> {
    let one = |list: &Vec<Segment>| match list.as_slice() {
        [] => Some(Span::default()),
        [s] => Some(Span { target: (s.column * channels) as u32, weights: s.weight as u32, length: (s.columns * channels) as u32 }),
        _ => None,
    };
    segments.iter().map(one).collect::<Option<_>>().unwrap_or_default()
}

/// Outputs an input reaches along one axis, as `(tap, output)` by ascending output.
pub fn reached(input: usize, kernel: usize, stride: usize, padding: usize, dilation: usize, outputs: usize) -> Vec<(usize, usize)> {
    let mut hits: Vec<_> = (0..kernel)
        .filter_map(|k| {
            let shifted = (input + padding).checked_sub(k * dilation)?;
            (shifted % stride == 0 && shifted / stride < outputs).then_some((k, shifted / stride))
        })
        .collect();
    hits.sort_by_key(|&(_, out)| out);
    hits
}

/// Segments of each input column.
#[allow(clippy::too_many_arguments, reason = "the geometry of one axis")]
pub fn segments(
    input: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    outputs: usize,
    group_out: usize,
    merge: bool,
) -> Vec<Vec<Segment>> {
    let order = tap_order(kernel, stride);
    let mut place = vec![0; kernel];
    order.iter().enumerate().for_each(|(i, &k)| place[k] = i);
    let of = |x| {
        let mut list: Vec<Segment> = Vec::new();
        for (tap, column) in reached(x, kernel, stride, padding, dilation, outputs) {
            let weight = place[tap] * group_out;
            match list.last_mut() {
                Some(last) if merge && last.column + last.columns == column && last.weight + last.columns * group_out == weight => {
                    last.columns += 1;
                }
                _ => list.push(Segment { weight, column, columns: 1 }),
            }
        }
        list
    };
    (0..input).map(of).collect()
}
