//! Membranes: integrate, fire, reset, floor.

use super::state::UnitState;
use crate::num::{Fire, Num, push_set};
use crate::plan::{Cell, Rule, Unit, Values};
use pulp::Simd;
use zoo_formats::event_graph::{Compare, Payload, Reset, SpikesPerStep};

/// How silent steps are made up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leak {
    /// One product a step, as a clocked run does.
    Exact,
    /// One product with a power.
    Fast,
}

const BLOCK: usize = 64;

/// One step of all rows that can change. Rows without input, spike in waiting, bias or synaptic current are left alone:
/// a membrane below threshold only decays, which [`settle`] makes up for later.
#[inline(always)]
pub(crate) fn advance<N: Num, S: Simd>(
    simd: S,
    unit: &Unit<N>,
    cell: &Cell<N>,
    state: &mut UnitState<N>,
    step: u32,
    leak: Leak,
    read: bool,
) {
    state.events.clear();
    if !state.wide.is_empty() {
        move_wide(unit, cell, state, step, leak);
    }
    let row = unit.extent.row();
    let always = cell.always || state.base.is_some();
    let rule = cell.plain_rule();
    let mut y = 0;
    while y < unit.extent.h {
        let first = y;
        // Neighbouring rows are one span.
        while y < unit.extent.h && (always || state.touched[y] || state.hot[y]) {
            catch_up(unit, cell, state, y, step, leak);
            state.next[y] = step + 1;
            (state.touched[y], state.hot[y]) = (false, false);
            y += 1;
        }
        if first == y {
            y += 1;
            continue;
        }
        let (start, end) = (first * row, y * row);
        state.counters.updates += (end - start) as u64;
        if let Some(rule) = &rule {
            plain_span(simd, rule, cell.amplitude(), state, row, start, end);
        } else if cell.refractory > 0 {
            held_span(cell, state, row, start, end);
        } else {
            for from in (start..end).step_by(BLOCK) {
                block(cell, state, row, from, (from + BLOCK).min(end));
            }
        }
        if !cell.fires && read {
            for i in start..end {
                if state.v[i] != N::default() {
                    state.events.push(i as u32, state.v[i].to_f64() as f32);
                }
            }
        }
    }
}

/// Neurons of the commonest kind, without a look at each.
#[inline(always)]
fn plain_span<N: Num, S: Simd>(simd: S, rule: &Fire<N>, amplitude: f32, state: &mut UnitState<N>, row: usize, start: usize, end: usize) {
    let before = state.events.index.len();
    for from in (start..end).step_by(Fire::<N>::BLOCK) {
        let to = (from + Fire::<N>::BLOCK).min(end);
        let fired = N::fire(simd, &mut state.v[from..to], &state.current[from..to], rule);
        match &state.base {
            None => clear(&mut state.current[from..to]),
            Some(base) => state.current[from..to].copy_from_slice(&base[from..to]),
        }
        push_set(simd, fired.spikes, from as u32, &mut state.events.index);
        let mut bits = fired.again;
        while bits != 0 {
            state.hot[(from + bits.trailing_zeros() as usize) / row] = true;
            bits &= bits - 1;
        }
        state.counters.saturations += u64::from(fired.saturated);
    }
    let fired = state.events.index.len() - before;
    state.events.value.resize(before + fired, amplitude);
    state.events.graded |= fired > 0 && amplitude != 1.0;
    state.counters.spikes += fired as u64;
    state.counters.active += fired as u64;
}

/// Sets a block to zero; a whole one, of a length known beforehand, without a call.
#[inline(always)]
fn clear<N: Num>(block: &mut [N]) {
    match block.as_chunks_mut::<BLOCK>() {
        ([whole], []) => *whole = [N::default(); BLOCK],
        _ => block.fill(N::default()),
    }
}

/// Brings one row up to the beginning of `step`.
#[inline(always)]
fn catch_up<N: Num>(unit: &Unit<N>, cell: &Cell<N>, state: &mut UnitState<N>, y: usize, step: u32, leak: Leak) {
    let missed = step.saturating_sub(state.next[y]);
    let Rule::Leaky { decay, .. } = &cell.rule else { return };
    if missed == 0 {
        return;
    }
    let row = unit.extent.row();
    let span = y * row..(y + 1) * row;
    match (leak, decay) {
        (Leak::Exact, Values::Same(d)) => {
            for _ in 0..missed {
                let mut moved = false;
                for v in &mut state.v[span.clone()] {
                    let next = v.decayed(*d);
                    moved |= next != *v;
                    *v = next;
                }
                // A fixed point (all zero, say) stays one.
                if !moved {
                    break;
                }
            }
        }
        (Leak::Exact, Values::Each(all)) => {
            for (v, &d) in state.v[span.clone()].iter_mut().zip(&all[span]) {
                for _ in 0..missed {
                    let next = v.decayed(d);
                    if next == *v {
                        break;
                    }
                    *v = next;
                }
            }
        }
        (Leak::Fast, Values::Same(d)) => {
            let factor = N::decay_power(*d, missed);
            state.v[span].iter_mut().for_each(|v| *v = v.decayed(factor));
        }
        (Leak::Fast, Values::Each(all)) => {
            for (v, &d) in state.v[span.clone()].iter_mut().zip(&all[span]) {
                *v = v.decayed(N::decay_power(d, missed));
            }
        }
    }
}

/// Brings all rows up to the beginning of `step`, for reading membranes.
pub(crate) fn settle<N: Num>(unit: &Unit<N>, cell: &Cell<N>, state: &mut UnitState<N>, step: u32, leak: Leak) {
    for y in 0..unit.extent.h {
        catch_up(unit, cell, state, y, step, leak);
        state.next[y] = state.next[y].max(step);
    }
}

/// Up to [`BLOCK`] neighbouring neurons: branch-free integration and comparison, then the few that fire.
#[inline(always)]
fn block<N: Num>(cell: &Cell<N>, state: &mut UnitState<N>, row: usize, from: usize, to: usize) {
    integrate(&cell.rule, state, from, to);
    match &state.base {
        None => state.current[from..to].fill(N::default()),
        Some(base) => state.current[from..to].copy_from_slice(&base[from..to]),
    }
    if !cell.fires {
        return;
    }
    let flags = flags(cell, &state.v[from..to], from);
    for (word, bytes) in flags.chunks_exact(8).enumerate() {
        let mut bits = u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]);
        while bits != 0 {
            let i = from + word * 8 + bits.trailing_zeros() as usize / 8;
            bits &= bits - 1;
            if fire(cell, state, i) {
                state.hot[i / row] = true;
            }
        }
    }
    if let Some(floor) = cell.floor {
        for v in &mut state.v[from..to] {
            *v = if *v < floor { floor } else { *v };
        }
    }
}

#[inline(always)]
fn integrate<N: Num>(rule: &Rule<N>, state: &mut UnitState<N>, from: usize, to: usize) {
    let (v, x) = (&mut state.v[from..to], &state.current[from..to]);
    let mut saturated = 0;
    match rule {
        Rule::If => v.iter_mut().zip(x).for_each(|(v, &x)| *v = v.accumulate(x, &mut saturated)),
        Rule::Leaky { decay: Values::Same(d), plain: true, .. } => {
            v.iter_mut().zip(x).for_each(|(v, &x)| *v = v.decayed(*d).accumulate(x, &mut saturated));
        }
        Rule::Leaky { decay, gain, plain } => {
            for (i, (v, &x)) in v.iter_mut().zip(x).enumerate() {
                let x = if *plain { x } else { x.decayed(*gain) };
                *v = v.decayed(decay.at(from + i)).accumulate(x, &mut saturated);
            }
        }
        Rule::Cuba { mem, syn, gain_syn, gain_mem } => {
            for (i, ((v, s), &x)) in v.iter_mut().zip(&mut state.synaptic[from..to]).zip(x).enumerate() {
                *s = s.decayed(syn.at(from + i)).plus(x.decayed(*gain_syn));
                *v = v.decayed(mem.at(from + i)).accumulate(s.decayed(*gain_mem), &mut saturated);
            }
        }
    }
    state.counters.saturations += u64::from(saturated);
}

/// One byte a neuron: 1 where it crosses its threshold.
#[inline(always)]
fn flags<N: Num>(cell: &Cell<N>, v: &[N], from: usize) -> [u8; BLOCK] {
    let mut flags = [0u8; BLOCK];
    let pairs = flags.iter_mut().zip(v);
    match (&cell.threshold, cell.compare) {
        (Values::Same(t), Compare::GreaterEqual) => pairs.for_each(|(f, v)| *f = u8::from(v >= t)),
        (Values::Same(t), Compare::Greater) => pairs.for_each(|(f, v)| *f = u8::from(v > t)),
        (Values::Each(all), Compare::GreaterEqual) => pairs.zip(&all[from..]).for_each(|((f, v), t)| *f = u8::from(v >= t)),
        (Values::Each(all), Compare::Greater) => pairs.zip(&all[from..]).for_each(|((f, v), t)| *f = u8::from(v > t)),
    }
    flags
}

/// Fires neuron `i`, which crosses its threshold; tells whether it will cross again without input.
#[inline(always)]
fn fire<N: Num>(cell: &Cell<N>, state: &mut UnitState<N>, i: usize) -> bool {
    let (v, threshold) = (state.v[i], cell.threshold.at(i));
    // A multi-spike neuron with a strict comparison still fires once at exactly its threshold's multiple or above.
    let n = if cell.spikes == SpikesPerStep::Trunc { v.whole(threshold).max(1) } else { 1 };
    let after = match cell.reset {
        Reset::Subtract => v.minus(threshold.repeated(n)),
        Reset::Zero | Reset::Value(_) => cell.reset_value,
    };
    state.v[i] = after;
    let amplitude = if cell.payload == Payload::Theta && !N::INTEGER { threshold.to_f64() as f32 } else { 1.0 };
    state.events.push(i as u32, amplitude * n as f32);
    state.counters.spikes += u64::from(n);
    state.counters.active += 1;
    cell.crosses(after, threshold)
}

/// Rows of neurons with refractory time, one by one.
fn held_span<N: Num>(cell: &Cell<N>, state: &mut UnitState<N>, row: usize, start: usize, end: usize) {
    for i in start..end {
        if state.refractory[i] > 0 {
            state.refractory[i] -= 1;
            state.hot[i / row] = true;
            state.current[i] = state.base.as_ref().map_or(N::default(), |b| b[i]);
            continue;
        }
        integrate(&cell.rule, state, i, i + 1);
        state.current[i] = state.base.as_ref().map_or(N::default(), |b| b[i]);
        if cell.crosses(state.v[i], cell.threshold.at(i)) {
            fire(cell, state, i);
            state.refractory[i] = cell.refractory;
            state.hot[i / row] = true;
        }
        if let Some(floor) = cell.floor.filter(|f| state.v[i] < *f) {
            state.v[i] = floor;
        }
    }
}

/// Before a step whose currents did not fit 16 bits: what one 16-bit current can't hold is cut off, and counted.
fn move_wide<N: Num>(unit: &Unit<N>, cell: &Cell<N>, state: &mut UnitState<N>, step: u32, leak: Leak) {
    for y in 0..unit.extent.h {
        catch_up(unit, cell, state, y, step, leak);
        state.next[y] = step;
    }
    for i in 0..unit.extent.len() {
        let sum = f64::from(state.wide[i]) + state.current[i].to_f64();
        let narrow = N::from_f64(sum);
        state.current[i] = narrow;
        if sum != narrow.to_f64() && !(cell.refractory > 0 && state.refractory[i] > 0) {
            state.counters.saturations += 1;
        }
    }
    state.wide.clear();
    state.touched.fill(true);
}
