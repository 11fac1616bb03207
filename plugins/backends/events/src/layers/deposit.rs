//! Events into currents.

use super::dense;
use super::state::{Events, UnitState};
use crate::num::Num;
use crate::plan::{Conv, Deposit, DepositKind, Extent, Multiplicity, NOWHERE, Plan, Unit};
use pulp::Simd;

/// Work memory shared by all units of one run.
#[derive(Default)]
pub(crate) struct Work {
    offsets: Vec<u32>,
    part: Events,
}

/// Activity above which a convolution runs dense; `None` never.
pub(crate) type DenseAbove = Option<f32>;

/// Adds all that reaches unit `u` in this step to its current. `before` are the states of all units before it.
#[inline(always)]
pub(crate) fn deposit_all<N: Num, S: Simd>(
    simd: S,
    plan: &Plan<N>,
    u: usize,
    before: &[UnitState<N>],
    state: &mut UnitState<N>,
    work: &mut Work,
    dense_above: DenseAbove,
) {
    let unit = &plan.units[u];
    if let Some((additions, products)) = state.steady {
        state.counters.additions += additions;
        state.counters.products += products;
        return;
    }
    let counted = (state.counters.additions, state.counters.products);
    let narrow = !N::INTEGER || within_headroom(unit, before);
    for (i, deposit) in unit.deposits.iter().enumerate() {
        let events = &before[deposit.from].events;
        if events.is_empty() {
            continue;
        }
        let source = &plan.units[deposit.from];
        count(deposit, source.extent, &source.multiplicity, events, state);
        if !narrow {
            in_parts(simd, deposit, source.extent, events, unit, state, work);
            continue;
        }
        if let (DepositKind::Conv(conv), Some(limit)) = (&deposit.kind, dense_above) {
            let activity = events.len() as f32 / source.extent.len() as f32;
            if activity > limit && !conv.dense.is_empty() {
                dense::run(simd, conv, source.extent, unit.extent, events, &mut state.current, &mut state.dense[i]);
                state.touched.fill(true);
                state.counters.dense_runs += 1;
                continue;
            }
        }
        deposit_events(simd, &deposit.kind, source.extent, unit.extent, events, state, work);
    }
    if unit.constant {
        state.steady = Some((state.counters.additions - counted.0, state.counters.products - counted.1));
        state.base = Some(state.current.clone());
    }
}

/// Counts additions and products, exact at borders.
fn count<N: Num>(deposit: &Deposit<N>, from: Extent, multiplicity: &Multiplicity, events: &Events, state: &mut UnitState<N>) {
    let times = |i: usize| match multiplicity {
        Multiplicity::Value => events.value[i].abs() as u64,
        Multiplicity::Amplitude(theta) => (events.value[i] / theta.at(events.index[i] as usize)).round().abs() as u64,
        Multiplicity::Analog => 1,
    };
    let ones = !events.graded && !matches!(multiplicity, Multiplicity::Amplitude(_));
    let total = match &deposit.kind {
        DepositKind::Pool { .. } | DepositKind::Map { .. } => return,
        DepositKind::Linear { outputs, .. } if ones => (*outputs * events.len()) as u64,
        DepositKind::Linear { outputs, .. } => *outputs as u64 * (0..events.len()).map(times).sum::<u64>(),
        DepositKind::Conv(conv) if ones => events.index.iter().map(|&index| u64::from(conv.fan_out[index as usize / from.c])).sum(),
        DepositKind::Conv(conv) => {
            events.index.iter().enumerate().map(|(i, &index)| u64::from(conv.fan_out[index as usize / from.c]) * times(i)).sum()
        }
    };
    let counters = &mut state.counters;
    match multiplicity {
        Multiplicity::Analog => counters.products += total,
        _ => counters.additions += total,
    }
}

/// Weights that an event at `index` meets; pools and identities have none.
pub(crate) fn fan_out<N: Num>(kind: &DepositKind<N>, from: Extent, index: usize) -> u64 {
    match kind {
        DepositKind::Linear { outputs, .. } => *outputs as u64,
        DepositKind::Conv(conv) => u64::from(conv.fan_out[index / from.c]),
        DepositKind::Pool { .. } | DepositKind::Map { .. } => 0,
    }
}

/// Whether the sums of this step can't leave the current's type.
fn within_headroom<N: Num>(unit: &Unit<N>, before: &[UnitState<N>]) -> bool {
    let bias = unit.bias.as_ref().map_or(0.0, |b| b.iter().fold(0.0f64, |m, v| m.max(v.to_f64().abs())));
    let mut total = bias;
    for deposit in &unit.deposits {
        let events = &before[deposit.from].events;
        if events.is_empty() {
            continue;
        }
        let (largest, sum) = if events.graded {
            (events.value.iter().fold(1.0f32, |m, v| m.max(v.abs())), events.value.iter().map(|v| f64::from(v.abs())).sum())
        } else {
            (1.0, events.len() as f64)
        };
        // At most the whole fan-in at the largest value; at most each event at the largest weight.
        let whole = bound(&deposit.kind) * f64::from(largest);
        let each = largest_weight(&deposit.kind) * sum;
        total += whole.min(each);
    }
    total <= N::HEADROOM
}

fn bound<N: Num>(kind: &DepositKind<N>) -> f64 {
    match kind {
        DepositKind::Conv(conv) => conv.bound,
        DepositKind::Linear { bound, .. } => *bound,
        DepositKind::Pool { .. } => f64::INFINITY,
        DepositKind::Map { factor, fan_in, .. } => factor.to_f64().abs() * *fan_in as f64,
    }
}

fn largest_weight<N: Num>(kind: &DepositKind<N>) -> f64 {
    match kind {
        DepositKind::Conv(_) | DepositKind::Linear { .. } => 127.0,
        DepositKind::Pool { .. } => 1.0,
        DepositKind::Map { factor, .. } => factor.to_f64().abs(),
    }
}

/// Deposits in parts that fit the headroom, moving the current to wide memory after each.
fn in_parts<N: Num, S: Simd>(
    simd: S,
    deposit: &Deposit<N>,
    from: Extent,
    events: &Events,
    unit: &Unit<N>,
    state: &mut UnitState<N>,
    work: &mut Work,
) {
    let limit = (N::HEADROOM / largest_weight(&deposit.kind).max(1.0)).floor().max(1.0) as f32;
    let mut part = std::mem::take(&mut work.part);
    let mut room = limit;
    widen(state);
    let flush = |part: &mut Events, state: &mut UnitState<N>, work: &mut Work| {
        deposit_events(simd, &deposit.kind, from, unit.extent, part, state, work);
        widen(state);
        part.clear();
    };
    for (&index, &value) in events.index.iter().zip(&events.value) {
        let mut left = value;
        while left != 0.0 {
            if room < 1.0 {
                flush(&mut part, state, work);
                room = limit;
            }
            let piece = left.clamp(-room, room);
            part.push(index, piece);
            left -= piece;
            room -= piece.abs();
        }
    }
    flush(&mut part, state, work);
    work.part = part;
}

/// Moves the current into wide memory.
fn widen<N: Num>(state: &mut UnitState<N>) {
    state.wide.resize(state.current.len(), 0);
    for (wide, narrow) in state.wide.iter_mut().zip(&mut state.current) {
        *wide = wide.saturating_add(narrow.to_f64() as i32);
        *narrow = N::default();
    }
}

/// Adds events through one deposit, in ascending order of position.
#[inline(always)]
pub(crate) fn deposit_events<N: Num, S: Simd>(
    simd: S,
    kind: &DepositKind<N>,
    from: Extent,
    to: Extent,
    events: &Events,
    state: &mut UnitState<N>,
    work: &mut Work,
) {
    match kind {
        DepositKind::Conv(conv) if conv.channels == conv.group_out => conv_events(simd, conv, from, events, state, &mut work.offsets),
        DepositKind::Conv(conv) => grouped_events(simd, conv, from, events, state),
        DepositKind::Linear { weights, outputs, .. } => {
            let offsets = &mut work.offsets;
            offsets.clear();
            offsets.extend(events.index.iter().map(|&i| i * *outputs as u32));
            if events.graded {
                N::add_rows_times(simd, &mut state.current, weights, offsets, &events.value);
            } else {
                N::add_rows(simd, &mut state.current, weights, offsets);
            }
            state.touched.fill(true);
        }
        DepositKind::Pool { rows, columns, channels, width } => {
            for (&index, &value) in events.index.iter().zip(&events.value) {
                let (pixel, c) = (index as usize / channels, index as usize % channels);
                for &oy in &rows[pixel / from.w] {
                    state.touched[oy as usize] = true;
                    for &ox in &columns[pixel % from.w] {
                        let at = (oy as usize * width + ox as usize) * channels + c;
                        state.current[at] = state.current[at].plus(N::from_f64(f64::from(value)));
                    }
                }
            }
        }
        DepositKind::Map { target, factor, .. } => {
            let row = to.row() as u32;
            for (&index, &value) in events.index.iter().zip(&events.value) {
                let at = target.as_ref().map_or(index, |t| t[index as usize]);
                if at == NOWHERE {
                    continue;
                }
                state.touched[(at / row) as usize] = true;
                let at = at as usize;
                state.current[at] = state.current[at].plus(factor.times(value));
            }
        }
    }
}

/// A convolution without groups: all events of a pixel at once, one contiguous addition a kernel row.
#[inline(always)]
fn conv_events<N: Num, S: Simd>(simd: S, conv: &Conv<N>, from: Extent, events: &Events, state: &mut UnitState<N>, offsets: &mut Vec<u32>) {
    let taps = conv.kernel[1] * conv.group_out;
    let per_channel = (conv.kernel[0] * taps) as u32;
    let (index, value) = (events.index.as_slice(), events.value.as_slice());
    let channels = from.c as u32;
    let (mut i, mut y, mut row_start) = (0, 0, 0u32);
    let row = from.row() as u32;
    while i < index.len() {
        while index[i] >= row_start + row {
            row_start += row;
            y += 1;
        }
        let x = (index[i] - row_start) / channels;
        let first = row_start + x * channels;
        let begin = i;
        offsets.clear();
        while i < index.len() && index[i] < first + channels {
            offsets.push((index[i] - first) * per_channel);
            i += 1;
        }
        for &(ky, oy) in &conv.rows[y] {
            state.touched[oy] = true;
            for segment in &conv.segments[x as usize] {
                let at = (oy * conv.width + segment.column) * conv.channels;
                let target = &mut state.current[at..at + segment.columns * conv.channels];
                let weights = &conv.weights[ky * taps + segment.weight..];
                if events.graded {
                    N::add_rows_times(simd, target, weights, offsets, &value[begin..i]);
                } else {
                    N::add_rows(simd, target, weights, offsets);
                }
            }
        }
    }
}

/// A convolution with groups: event by event, tap by tap.
#[inline(always)]
fn grouped_events<N: Num, S: Simd>(simd: S, conv: &Conv<N>, from: Extent, events: &Events, state: &mut UnitState<N>) {
    let taps = conv.kernel[1] * conv.group_out;
    for (&index, &value) in events.index.iter().zip(&events.value) {
        let (pixel, c) = (index as usize / from.c, index as usize % from.c);
        let group = c / conv.group_in;
        for &(ky, oy) in &conv.rows[pixel / from.w] {
            state.touched[oy] = true;
            for segment in &conv.segments[pixel % from.w] {
                let at = (oy * conv.width + segment.column) * conv.channels + group * conv.group_out;
                let offset = ((c * conv.kernel[0] + ky) * taps + segment.weight) as u32;
                N::add_rows_times(simd, &mut state.current[at..at + conv.group_out], &conv.weights, &[offset], &[value]);
            }
        }
    }
}
