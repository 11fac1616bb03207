//! Faults, injected into the real command line as it runs: killed at any point, a full or broken disk, a hub that lies, two
//! processes at once, a clock that jumps.
//!
//! Each fault is met by a process of its own, in a home folder of its own, against a hub on the loopback interface. It is
//! survived if the process ends as the contract says, no file under a final name is anything but whole, and the same command
//! run again ends well, with the bytes of a run that nothing disturbed.

pub mod check;
pub mod disk;
pub mod hub;
pub mod kill;
pub mod kit;
pub mod sandbox;
pub mod surroundings;
pub mod table;

use kit::Kit;
use table::Row;

/// How much to inject.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Seed of the points.
    pub seed: u64,
    /// Points at which processes are killed.
    pub kills: usize,
    /// Points of each command at which the disk becomes full, or fails.
    pub points: usize,
}

/// Injects every fault and returns a row for each kind.
pub fn all(kit: &Kit, effort: Effort, said: &mut dyn FnMut(&Row)) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut keep = |row: Row| {
        said(&row);
        rows.push(row);
    };
    kill::rows(kit, effort, &mut keep);
    hub::rows(kit, &mut keep);
    disk::rows(kit, effort, &mut keep);
    surroundings::rows(kit, effort, &mut keep);
    rows
}
