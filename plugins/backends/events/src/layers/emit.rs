//! Units that pass their current on.

use super::state::{Events, UnitState};
use crate::num::{Fire, Num, push_set};
use crate::plan::{Multiplicity, Unit, Values};
use pulp::Simd;

/// Puts out every non-zero current times its factor and clears the current. `output`, where given, takes every value.
#[inline(always)]
pub(crate) fn emit<N: Num, S: Simd>(
    simd: S,
    unit: &Unit<N>,
    state: &mut UnitState<N>,
    factor: Option<&Values<N>>,
    mut output: Option<&mut [f64]>,
) {
    state.events.clear();
    let row = unit.extent.row();
    let always = state.base.is_some() || !state.wide.is_empty();
    for y in 0..unit.extent.h {
        if !(std::mem::take(&mut state.touched[y]) || always) {
            continue;
        }
        let (start, end) = (y * row, (y + 1) * row);
        if always || output.is_some() || factor.is_some() {
            values(state, start, end, factor, &mut output);
            continue;
        }
        // Places first, a block at a time; what stands there afterwards.
        let before = state.events.index.len();
        for from in (start..end).step_by(Fire::<N>::BLOCK) {
            let bits = N::nonzero(simd, &state.current[from..(from + Fire::<N>::BLOCK).min(end)]);
            push_set(simd, bits, from as u32, &mut state.events.index);
        }
        let Events { index, value, graded } = &mut state.events;
        let current = &state.current;
        value.extend(index[before..].iter().map(|&i| current[i as usize].to_f64() as f32));
        *graded |= value[before..].iter().any(|v| *v != 1.0);
        state.current[start..end].fill(N::default());
    }
    state.wide.clear();
    if let Some(base) = &state.base {
        state.current.copy_from_slice(base);
    }
    state.counters.active += state.events.len() as u64;
    if unit.multiplicity == Multiplicity::Value {
        state.counters.spikes += state.events.value.iter().map(|v| v.abs() as u64).sum::<u64>();
    }
}

/// Puts out the non-zero currents of a few neighbouring places.
#[inline(always)]
fn values<N: Num>(state: &mut UnitState<N>, from: usize, to: usize, factor: Option<&Values<N>>, output: &mut Option<&mut [f64]>) {
    for i in from..to {
        let value = std::mem::take(&mut state.current[i]);
        let wide = state.wide.get(i).map_or(0.0, |&w| f64::from(w));
        if value == N::default() && wide == 0.0 {
            continue;
        }
        let value = factor.map_or(value, |f| value.product(f.at(i))).to_f64() + wide;
        if let Some(output) = output {
            output[i] = value;
        }
        state.events.push(i as u32, value as f32);
    }
}
