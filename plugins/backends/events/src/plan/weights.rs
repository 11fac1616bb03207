//! Weights in the executor's layout.

use super::geometry::{Conv, reached, segments, spans, tap_order};
use super::{DepositKind, Extent, Numbers};
use crate::num::{Num, Place};
use strength_reduce::StrengthReducedU32;
use zoo_core::{Error, Result};
use zoo_formats::event_graph::{EventGraph, Node, Op};

/// Numbers of a convolution, one-dimensional ones with a first axis of 1.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

/// The deposit of a `conv1d`, `conv2d` or `linear` node; `ratio` turns graph weights into units of the reading current.
pub(super) fn product<N: Num>(graph: &EventGraph, node: &Node, from: Extent, to: Extent, ratio: f64) -> Result<Option<DepositKind<N>>> {
    if let Op::Linear { weight, .. } | Op::Conv1d { weight, .. } | Op::Conv2d { weight, .. } = &node.op
        && graph.tensors[weight].len() > u32::MAX as usize
    {
        let what = format!("weights of node `{}`", node.name);
        return Err(Error::argument(what, format!("at most {} values", u32::MAX), graph.tensors[weight].len()));
    }
    let (weight, window) = match &node.op {
        Op::Linear { weight, .. } => return linear(graph.tensors[weight].as_slice()?, from, to, ratio).map(Some),
        Op::Conv2d { weight, stride, padding, dilation, groups, .. } => {
            let shape = graph.tensors[weight].shape();
            (weight, Window { kernel: [shape[2], shape[3]], stride: *stride, padding: *padding, dilation: *dilation, groups: *groups })
        }
        Op::Conv1d { weight, stride, padding, dilation, groups, .. } => {
            let k = graph.tensors[weight].shape()[2];
            let window =
                Window { kernel: [1, k], stride: [1, stride[0]], padding: [0, padding[0]], dilation: [1, dilation[0]], groups: *groups };
            (weight, window)
        }
        _ => return Ok(None),
    };
    Ok(Some(DepositKind::Conv(Box::new(conv(graph.tensors[weight].as_slice()?, &window, from, to, ratio)))))
}

fn linear<N: Num>(source: &[f32], from: Extent, to: Extent, ratio: f64) -> Result<DepositKind<N>> {
    let (inputs, outputs) = (from.len(), to.len());
    let mut weights = Numbers::<N>::from_iter(0, std::iter::repeat_n(N::default(), inputs * outputs));
    let mut sums = vec![0.0; outputs];
    for position in 0..inputs {
        let column = from.to_chw(position);
        for (out, sum) in sums.iter_mut().enumerate() {
            let w = N::weight(f64::from(source[out * inputs + column]) * ratio);
            *sum += w.to_f64().abs();
            weights[position * outputs + out] = w;
        }
    }
    Ok(DepositKind::Linear { weights, outputs, bound: sums.into_iter().fold(0.0, f64::max) })
}

fn conv<N: Num>(source: &[f32], window: &Window, from: Extent, to: Extent, ratio: f64) -> Conv<N> {
    let [ky, kx] = window.kernel;
    let (group_in, group_out) = (from.c / window.groups, to.c / window.groups);
    let order = tap_order(kx, window.stride[1]);
    let get = |out: usize, ci: usize, y: usize, x: usize| N::weight(f64::from(source[((out * group_in + ci) * ky + y) * kx + x]) * ratio);
    let mut weights = Vec::with_capacity(from.c * ky * kx * group_out);
    for ci in 0..from.c {
        let group = ci / group_in;
        for y in 0..ky {
            for &x in &order {
                weights.extend((0..group_out).map(|o| get(group * group_out + o, ci % group_in, y, x)));
            }
        }
    }
    let mut dense = Vec::new();
    if window.groups == 1 {
        for y in 0..ky {
            for x in 0..kx {
                for ci in 0..from.c {
                    dense.extend((0..to.c).map(|o| get(o, ci, y, x)));
                }
            }
        }
    }
    let per_output = group_in * ky * kx;
    let sum = |out: usize| (0..per_output).map(|i| N::weight(f64::from(source[out * per_output + i]) * ratio).to_f64().abs()).sum::<f64>();
    let axis = |i: usize| (window.kernel[i], window.stride[i], window.padding[i], window.dilation[i]);
    let (k, s, p, d) = axis(1);
    let segments = segments(from.w, k, s, p, d, to.w, group_out, window.groups == 1);
    let columns: Vec<usize> = segments.iter().map(|list| list.iter().map(|s| s.columns).sum()).collect();
    let (k, s, p, d) = axis(0);
    let rows: Vec<_> = (0..from.h).map(|y| reached(y, k, s, p, d, to.h)).collect();
    Conv {
        bound: (0..to.c).map(sum).fold(0.0, f64::max),
        weights: Numbers::from_slice(0, &weights),
        dense: Numbers::from_slice(0, &dense),
        kernel: window.kernel,
        stride: window.stride,
        padding: window.padding,
        dilation: window.dilation,
        fan_out: rows.iter().flat_map(|r| columns.iter().map(|c| (r.len() * c * group_out) as u32)).collect(),
        spans: if window.groups == 1 { spans(&segments, to.c) } else { Vec::new() },
        places: rows
            .iter()
            .map(|hits: &Vec<(usize, usize)>| {
                let place = |&(ky, oy): &(usize, usize)| Place { target: oy * to.row(), weights: ky * kx * group_out };
                hits.iter().map(place).collect()
            })
            .collect(),
        rows,
        segments,
        group_in,
        group_out,
        channels: to.c,
        channels_in: StrengthReducedU32::new(from.c as u32),
        width: to.w,
    }
}
