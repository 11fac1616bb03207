//! Energy estimates from counted operations and stated constants.

use super::Cost;
use serde::{Deserialize, Serialize};

/// Where the 45 nm constants are from, and how well that is known here.
const HOROWITZ: &str = "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, table of 45 nm, 0.9 V; \
                        as the literature quotes it, not read in the original";

/// Picojoules by operation, and where the numbers are from. An estimate of arithmetic alone: memory traffic, which
/// dominates on real hardware, is not in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyModel {
    /// Name for reports.
    pub name: String,
    /// Source of the constants.
    pub source: String,
    /// An accumulate, pJ.
    pub ac_pj: f64,
    /// A multiply-accumulate, pJ.
    pub mac_pj: f64,
    /// A membrane update, pJ.
    pub update_pj: f64,
}

impl EnergyModel {
    /// 32-bit float arithmetic in 45 nm: add 0.9 pJ, multiply 3.7 pJ (M. Horowitz, "Computing's energy problem",
    /// ISSCC 2014); a membrane update counts as one add.
    pub fn horowitz_45nm_f32() -> Self {
        Self { name: "45 nm, f32".into(), source: HOROWITZ.into(), ac_pj: 0.9, mac_pj: 4.6, update_pj: 0.9 }
    }

    /// 8-bit integer arithmetic in 45 nm: add 0.03 pJ, multiply 0.2 pJ (same source).
    pub fn horowitz_45nm_int8() -> Self {
        Self { name: "45 nm, int8".into(), source: HOROWITZ.into(), ac_pj: 0.03, mac_pj: 0.23, update_pj: 0.03 }
    }
}

/// An estimate for one run, in nanojoules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Energy {
    /// The constants used.
    pub model: EnergyModel,
    /// Event-driven run: effective operations and membrane updates.
    pub events_nj: f64,
    /// The same network run densely as a conventional one: every product a multiply-accumulate.
    pub dense_nj: f64,
}

impl Cost {
    /// The energy of one run, on average.
    pub fn energy(&self, model: &EnergyModel) -> Energy {
        let runs = self.runs.max(1) as f64;
        let spent = self.effective_acs as f64 * model.ac_pj
            + self.effective_macs as f64 * model.mac_pj
            + self.membrane_updates as f64 * model.update_pj;
        let dense = (self.dense_acs + self.dense_macs) as f64 * model.mac_pj;
        Energy { model: model.clone(), events_nj: spent / runs / 1000.0, dense_nj: dense / runs / 1000.0 }
    }
}
