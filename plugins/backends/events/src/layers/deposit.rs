//! Events into currents.

use super::conv::{ConvEvents, Counting, Part};
use super::state::{Events, UnitState};
use super::{dense, split};
use crate::num::{Num, add_rows, add_rows_times};
use crate::plan::{Conv, Deposit, DepositKind, Extent, Multiplicity, NOWHERE, Plan, Unit};
use pulp::{Arch, Simd};
use strength_reduce::StrengthReducedU32;

/// Work memory shared by all units of one run.
pub(crate) struct Work {
    /// Threads one layer may use.
    pub(crate) lanes: usize,
    /// Instructions to use on them.
    pub(crate) arch: Arch,
    pub(super) offsets: Vec<u32>,
    part: Events,
}

impl Work {
    /// Empty work memory.
    pub(crate) fn new(arch: Arch) -> Self {
        Self { lanes: 1, arch, offsets: Vec::new(), part: Events::default() }
    }
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
        if let (DepositKind::Conv(conv), true, 1, None) =
            (&deposit.kind, narrow, work.lanes, dense_wanted(deposit, source.extent, events, dense_above))
            && conv.channels == conv.group_out
            && !matches!(source.multiplicity, Multiplicity::Amplitude(_))
        {
            // The commonest way: operations are counted where events are followed.
            let rows = 0..state.touched.len();
            let part = Part { current: &mut state.current, touched: &mut state.touched, rows };
            let analog = source.multiplicity == Multiplicity::Analog;
            let counting = if analog { Counting::Events } else { Counting::Values };
            let operations = simd.vectorize(ConvEvents { simd, conv, from: source.extent, events, part, counting });
            *(if analog { &mut state.counters.products } else { &mut state.counters.additions }) += operations;
            continue;
        }
        let before_this = counted_now(state);
        count(deposit, &source.multiplicity, events, state);
        if !narrow {
            in_parts(simd, deposit, source.extent, events, unit, state, work);
            continue;
        }
        if let Some(conv) = dense_wanted(deposit, source.extent, events, dense_above) {
            dense::run(simd, conv, source.extent, unit.extent, events, &mut state.current, &mut state.dense[i]);
            state.touched.fill(true);
            state.counters.dense_runs += 1;
            continue;
        }
        let operations = counted_now(state) - before_this;
        if !split::run(&deposit.kind, unit.extent, source.extent, events, operations, state, work) {
            deposit_events(simd, &deposit.kind, source.extent, unit.extent, events, state, work);
        }
    }
    if unit.constant {
        state.steady = Some((state.counters.additions - counted.0, state.counters.products - counted.1));
        state.base = Some(state.current.clone());
    }
}

/// The convolution of a deposit, if so many of its inputs are active that the dense kernel is to run it.
#[inline(always)]
fn dense_wanted<'a, N: Num>(deposit: &'a Deposit<N>, from: Extent, events: &Events, above: DenseAbove) -> Option<&'a Conv<N>> {
    match (&deposit.kind, above) {
        (DepositKind::Conv(conv), Some(limit)) if !conv.dense.is_empty() && events.len() as f32 > limit * from.len() as f32 => Some(conv),
        _ => None,
    }
}

fn counted_now<N: Num>(state: &UnitState<N>) -> u64 {
    state.counters.additions + state.counters.products
}

/// Counts additions and products, exact at borders.
fn count<N: Num>(deposit: &Deposit<N>, multiplicity: &Multiplicity, events: &Events, state: &mut UnitState<N>) {
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
        DepositKind::Conv(conv) if ones => events.index.iter().map(|&index| u64::from(conv.fan_out[conv.pixel(index) as usize])).sum(),
        DepositKind::Conv(conv) => {
            events.index.iter().enumerate().map(|(i, &index)| u64::from(conv.fan_out[conv.pixel(index) as usize]) * times(i)).sum()
        }
    };
    let counters = &mut state.counters;
    match multiplicity {
        Multiplicity::Analog => counters.products += total,
        _ => counters.additions += total,
    }
}

/// Weights that an event at `index` meets; pools and identities have none.
pub(crate) fn fan_out<N: Num>(kind: &DepositKind<N>, index: usize) -> u64 {
    match kind {
        DepositKind::Linear { outputs, .. } => *outputs as u64,
        DepositKind::Conv(conv) => u64::from(conv.fan_out[conv.pixel(index as u32) as usize]),
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
    for (wide, narrow) in state.wide.iter_mut().zip(state.current.iter_mut()) {
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
        DepositKind::Conv(conv) if conv.channels == conv.group_out => {
            let rows = 0..state.touched.len();
            let part = Part { current: &mut state.current, touched: &mut state.touched, rows };
            simd.vectorize(ConvEvents { simd, conv, from, events, part, counting: Counting::Nothing });
        }
        DepositKind::Conv(conv) => grouped_events(simd, conv, from, events, state),
        DepositKind::Linear { weights, outputs, .. } => {
            let offsets = &mut work.offsets;
            offsets.clear();
            offsets.extend(events.index.iter().map(|&i| i * *outputs as u32));
            if events.graded {
                add_rows_times(simd, &mut state.current, weights, offsets, &events.value);
            } else {
                add_rows(simd, &mut state.current, weights, offsets);
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
            let row = StrengthReducedU32::new(to.row() as u32);
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
                add_rows_times(simd, &mut state.current[at..at + conv.group_out], &conv.weights, &[offset], &[value]);
            }
        }
    }
}
