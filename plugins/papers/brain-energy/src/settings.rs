//! The configuration of the study.

use crate::atlas::Atlas;
use crate::study::Setting;
use serde::{Deserialize, Serialize};

/// Everything the study may be told. Keys that are not known are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The one setting that counts; frozen.
    pub setting: Setting,
    /// Atlas of the regions, where it has names for pictures.
    #[serde(default)]
    pub atlas: Option<Atlas>,
    /// Regions left out before anything is computed, by their place in the atlas (0-based).
    #[serde(default)]
    pub drop: Vec<usize>,
    /// The control set, by place in the atlas (0-based), before anything is left out.
    pub control: Vec<usize>,
    /// Phase-randomised surrogates a subject.
    pub surrogates: usize,
    /// Random control sets of the same size.
    pub random_sets: usize,
    /// Windows (samples), horizons and eps values of the grid shown beside the fixed setting.
    pub grid: Grid,
    /// The planted system: power check, false-positive check, and the graph that is exported.
    pub planted: Planted,
    /// What `cargo xtask train` adds; the study has nothing to train.
    #[serde(default, skip_serializing)]
    pub budget: Option<String>,
}

/// Settings shown beside the fixed one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Window lengths in samples.
    pub window: Vec<usize>,
    /// Horizons.
    pub horizon: Vec<f64>,
    /// Input weights outside the control set.
    pub eps: Vec<f64>,
}

/// Planted data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// Regions.
    pub regions: usize,
    /// Regions a group.
    pub group: usize,
    /// Different couplings of the switching system.
    pub regimes: usize,
    /// Samples between switches.
    pub dwell: usize,
    /// Samples a recording.
    pub samples: usize,
    /// Recordings of the power check.
    pub recordings: usize,
    /// Runs of the false-positive check, each of as many recordings.
    pub null_runs: usize,
    /// Setting both are analysed with.
    pub setting: Setting,
}

impl Settings {
    /// Places of the kept regions in the atlas, in order.
    pub fn kept(&self, regions: usize) -> Vec<usize> {
        (0..regions).filter(|r| !self.drop.contains(r)).collect()
    }

    /// The control set among the kept regions.
    pub fn control_among(&self, kept: &[usize]) -> Vec<usize> {
        (0..kept.len()).filter(|&i| self.control.contains(&kept[i])).collect()
    }
}
