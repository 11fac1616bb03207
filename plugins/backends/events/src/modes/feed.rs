//! What one sample brings to an input.

use crate::layers::Events;
use crate::num::Num;
use crate::plan::{Extent, Plan, UnitKind};
use zoo_core::{Error, Result};
use zoo_formats::event_graph::Source;

/// One event from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impulse {
    /// Time step.
    pub step: u32,
    /// Position in `[C, H, W]` order.
    pub index: u32,
    /// Count (event inputs) or value (graded inputs).
    pub value: f32,
}

/// The input of one sample at one input node; values in `[C, H, W]` order.
#[derive(Clone, Copy, Debug)]
pub enum Feed<'a> {
    /// One image for all steps; constant sources.
    Image(&'a [f32]),
    /// One image a step, `[T, C, H, W]`.
    Frames(&'a [f32]),
    /// Events by time; the order within a step is the order of arrival.
    Impulses(&'a [Impulse]),
}

/// Checks feeds against a plan's inputs: number, length, addresses, order in time, finite values, whole counts.
pub(super) fn check<N: Num>(plan: &Plan<N>, feeds: &[Feed<'_>]) -> Result<()> {
    if feeds.len() != plan.inputs.len() {
        return Err(Error::argument("feeds", format!("{}, one an input node", plan.inputs.len()), feeds.len()));
    }
    for (&u, feed) in plan.inputs.iter().zip(feeds) {
        let unit = &plan.units[u];
        let UnitKind::Input { source, .. } = unit.kind else { continue };
        check_one(&unit.name, unit.extent, source, plan.steps, feed)?;
    }
    Ok(())
}

fn check_one(name: &str, extent: Extent, source: Source, steps: usize, feed: &Feed<'_>) -> Result<()> {
    let n = extent.len();
    let what = |part: &str| format!("input `{name}`, {part}");
    match (feed, source) {
        (Feed::Image(values), Source::Constant) => {
            if values.len() != n {
                return Err(Error::shape(what("image"), [n], [values.len()]));
            }
            check_values(&what("image"), source, values)
        }
        (Feed::Frames(values), Source::Events | Source::GradedEvents | Source::Frames) => {
            if Some(values.len()) != n.checked_mul(steps) {
                return Err(Error::shape(what("frames"), [steps, n], [values.len()]));
            }
            check_values(&what("frames"), source, values)
        }
        (Feed::Impulses(events), Source::Events | Source::GradedEvents | Source::Frames) => {
            let mut before = 0;
            for (i, event) in events.iter().enumerate() {
                let place = || what(&format!("event {i}"));
                if event.index as usize >= n {
                    return Err(Error::argument(place(), format!("an address below {n}"), event.index));
                }
                if event.step < before {
                    return Err(Error::argument(place(), format!("a step of at least {before} (times must not decrease)"), event.step));
                }
                if event.step as usize >= steps {
                    return Err(Error::argument(place(), format!("a step below {steps}"), event.step));
                }
                check_values(&place(), source, &[event.value])?;
                before = event.step;
            }
            Ok(())
        }
        (feed, source) => {
            let found = match feed {
                Feed::Image(_) => "one image",
                Feed::Frames(_) => "frames",
                Feed::Impulses(_) => "events",
            };
            Err(Error::argument(what("feed"), format!("what a {source:?} source takes"), found))
        }
    }
}

/// Counts an event input takes at most at one place and step.
const MOST: f32 = 65_536.0;

fn check_values(what: &str, source: Source, values: &[f32]) -> Result<()> {
    let counts = source == Source::Events;
    let bad = |v: f32| !v.is_finite() || (counts && (v < 0.0 || v.fract() != 0.0 || v > MOST));
    match values.iter().position(|&v| bad(v)) {
        None => Ok(()),
        Some(i) => {
            let expected = if counts {
                format!("whole counts from 0 to {MOST} (declare the source graded-events or frames otherwise)")
            } else {
                "finite values".into()
            };
            Err(Error::argument(format!("{what}, value {i}"), expected, values[i]))
        }
    }
}

/// Checks the value of one streamed event.
pub(crate) fn check_stream_value(what: &str, source: Source, value: f32) -> Result<()> {
    check_values(what, source, &[value])
}

/// Reads feeds step by step, in the executor's order of positions.
pub(super) struct Cursor<'a> {
    feeds: &'a [Feed<'a>],
    extents: Vec<Extent>,
    at: Vec<usize>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new<N: Num>(plan: &Plan<N>, feeds: &'a [Feed<'a>]) -> Self {
        Self { feeds, extents: plan.inputs.iter().map(|&u| plan.units[u].extent).collect(), at: vec![0; feeds.len()] }
    }

    /// Events of one step at one input, merged by position, ascending.
    pub(super) fn merged(&mut self, input: usize, step: u32, events: &mut Events) {
        let extent = self.extents[input];
        let n = extent.len();
        let frame = match self.feeds[input] {
            Feed::Image(values) => values,
            Feed::Frames(values) => &values[step as usize * n..(step as usize + 1) * n],
            Feed::Impulses(list) => {
                let begin = self.at[input];
                let end = begin + list[begin..].iter().take_while(|e| e.step == step).count();
                self.at[input] = end;
                merge(extent, &list[begin..end], events);
                return;
            }
        };
        if extent.c == 1 || extent.h * extent.w == 1 {
            events.fill_from(frame.iter().copied());
        } else {
            events.fill_from((0..n).map(|i| frame[extent.to_chw(i)]));
        }
    }

    /// Events of one step at one input in order of arrival: recorded order for impulses, else channel, y, x. Positions
    /// are in the executor's order; counts stay whole.
    pub(super) fn arriving(&mut self, input: usize, step: u32, out: &mut Vec<(u32, f32)>) {
        let extent = self.extents[input];
        let n = extent.len();
        out.clear();
        let frame = match self.feeds[input] {
            Feed::Image(values) => values,
            Feed::Frames(values) => &values[step as usize * n..(step as usize + 1) * n],
            Feed::Impulses(list) => {
                let begin = self.at[input];
                let now = list[begin..].iter().take_while(|e| e.step == step);
                out.extend(now.map(|e| (extent.from_chw(e.index as usize) as u32, e.value)));
                self.at[input] = begin + out.len();
                return;
            }
        };
        out.extend(frame.iter().enumerate().filter(|(_, v)| **v != 0.0).map(|(i, &v)| (extent.from_chw(i) as u32, v)));
    }
}

/// Sorts events by position and joins those that share one, adding values in order of arrival.
pub(crate) fn merge(extent: Extent, list: &[Impulse], events: &mut Events) {
    let mut places: Vec<(u32, f32)> = list.iter().map(|e| (extent.from_chw(e.index as usize) as u32, e.value)).collect();
    places.sort_by_key(|&(i, _)| i);
    events.clear();
    for same in places.chunk_by(|a, b| a.0 == b.0) {
        let value = same.iter().map(|&(_, v)| v).sum::<f32>();
        if value != 0.0 {
            events.push(same[0].0, value);
        }
    }
}
