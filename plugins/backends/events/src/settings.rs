//! Settings of a run, and their form as `events.*` options.

use crate::layers::Leak;
use pulp::Arch;
use std::collections::BTreeMap;
use std::path::PathBuf;
use zoo_core::{Error, Options, Result};
use zoo_formats::nir::Dialect;

/// Order of execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All events of a step through one layer, then the next; equals [`Mode::Clocked`] entry for entry.
    #[default]
    TickSync,
    /// Event by event, first in first out.
    AsyncBfs,
    /// Event by event, following each spike to the output first.
    AsyncDfs,
    /// Dense, every value at every step: the reference.
    Clocked,
}

/// Number type of currents and membranes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// `f32`.
    #[default]
    F32,
    /// `f64`; values between layers stay `f32`.
    F64,
    /// `i8` weights, saturating `i16` membranes.
    Int8,
}

/// How silent steps of a leaky membrane are made up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeakMode {
    /// Step by step: bit-equal to a clocked run.
    #[default]
    Exact,
    /// By a power. Against the step-by-step product the relative error of a membrane is at most about
    /// `2 * n * 2^-24` after `n` silent steps in `f32`; integers also lose the rounding of each step.
    Fast,
}

/// Activity above which a convolution runs dense.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum DenseThreshold {
    /// [`DenseThreshold::AUTO`].
    #[default]
    Auto,
    /// A share of active inputs, from 0 to 1.
    Above(f32),
    /// Never.
    Off,
}

impl DenseThreshold {
    /// Share of active inputs at which following events and looking at everything cost about the same: measured between 0.65
    /// and 0.9 for 3x3 convolutions of 8 to 64 channels, lower the wider they are (`bench_executor - - crossover`).
    pub const AUTO: f32 = 0.75;
}

/// What an asynchronous run does with biases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BiasMode {
    /// A clocked source sends each neuron its bias at the beginning of every step.
    #[default]
    Clocked,
    /// Biases are left out; refused unless all are 0.
    Dropped,
}

/// How a NIR artifact is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nir {
    /// Whose rules.
    pub dialect: Dialect,
    /// Steps of a run; `None` is the reader's default.
    pub steps: Option<usize>,
    /// Length of a step in seconds; `None` is the dialect's default.
    pub dt: Option<f64>,
}

/// All settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `events.mode`.
    pub mode: Mode,
    /// `events.precision`.
    pub precision: Precision,
    /// `events.leak`.
    pub leak: LeakMode,
    /// `events.dense-threshold`.
    pub dense_threshold: DenseThreshold,
    /// `events.bias`, for asynchronous modes.
    pub bias: BiasMode,
    /// `events.simd`: false keeps to plain scalar code.
    pub scalar: bool,
    /// `events.nir-dialect`, `events.nir-steps`, `events.nir-dt`: how a NIR artifact is read.
    pub nir: Option<Nir>,
    /// `events.trace`: where the spikes of the last run's first sample are written: `.svg` and `.png` as a raster, else as `.npz`.
    pub trace: Option<PathBuf>,
}

impl Settings {
    /// Reads the `events.*` options; those of other backends are left alone.
    ///
    /// # Errors
    /// [`Error::Unknown`] for an unknown `events.*` key, [`Error::Argument`] for a value it does not take.
    pub fn from_options(options: &Options) -> Result<Self> {
        Self::from_map(&options.extra)
    }

    /// As [`Self::from_options`]; an artifact that was made for an order of execution says so under the key `events.mode`
    /// of its metadata, which holds where the options name none. No other setting is taken from an artifact.
    ///
    /// # Errors
    /// As [`Self::from_options`].
    pub fn for_artifact(options: &Options, metadata: &BTreeMap<String, String>) -> Result<Self> {
        const MODE: &str = "events.mode";
        match metadata.get(MODE) {
            Some(mode) if !options.extra.contains_key(MODE) => {
                let mut extra = options.extra.clone();
                extra.insert(MODE.into(), mode.clone());
                Self::from_map(&extra)
            }
            _ => Self::from_options(options),
        }
    }

    fn from_map(extra: &BTreeMap<String, String>) -> Result<Self> {
        let mut settings = Self::default();
        let (mut steps, mut dt) = (None, None);
        for (key, value) in extra {
            let Some(name) = key.strip_prefix("events.") else { continue };
            let wrong = |expected: &str| Error::argument(key.as_str(), expected, value);
            match name {
                "mode" => {
                    settings.mode = match value.as_str() {
                        "tick_sync" => Mode::TickSync,
                        "async_bfs" => Mode::AsyncBfs,
                        "async_dfs" => Mode::AsyncDfs,
                        "clocked" => Mode::Clocked,
                        _ => return Err(wrong("tick_sync, async_bfs, async_dfs or clocked")),
                    };
                }
                "precision" => {
                    settings.precision = match value.as_str() {
                        "f32" => Precision::F32,
                        "f64" => Precision::F64,
                        "int8" => Precision::Int8,
                        _ => return Err(wrong("f32, f64 or int8")),
                    };
                }
                "leak" => {
                    settings.leak = match value.as_str() {
                        "exact" => LeakMode::Exact,
                        "fast" => LeakMode::Fast,
                        _ => return Err(wrong("exact or fast")),
                    };
                }
                "dense-threshold" => {
                    settings.dense_threshold = match (value.as_str(), value.parse::<f32>()) {
                        ("auto", _) => DenseThreshold::Auto,
                        ("off", _) => DenseThreshold::Off,
                        (_, Ok(share)) if (0.0..=1.0).contains(&share) => DenseThreshold::Above(share),
                        _ => return Err(wrong("auto, off or a share from 0 to 1")),
                    };
                }
                "bias" => {
                    settings.bias = match value.as_str() {
                        "clocked" => BiasMode::Clocked,
                        "dropped" => BiasMode::Dropped,
                        _ => return Err(wrong("clocked or dropped")),
                    };
                }
                "simd" => {
                    settings.scalar = match value.as_str() {
                        "auto" => false,
                        "off" => true,
                        _ => return Err(wrong("auto or off")),
                    };
                }
                "nir-dialect" => settings.nir = Some(Nir { dialect: Dialect::parse(value)?, steps: None, dt: None }),
                "nir-steps" => steps = Some(value.parse::<usize>().map_err(|_| wrong("a number of steps"))?),
                "nir-dt" => {
                    let positive = value.parse::<f64>().ok().filter(|dt| dt.is_finite() && *dt > 0.0);
                    dt = Some(positive.ok_or_else(|| wrong("a positive number of seconds"))?);
                }
                "trace" => settings.trace = Some(PathBuf::from(value)),
                _ => {
                    return Err(Error::Unknown {
                        kind: "option",
                        name: key.clone(),
                        hint: "events takes mode, precision, leak, dense-threshold, bias, simd, trace, nir-dialect, nir-steps and nir-dt"
                            .into(),
                    });
                }
            }
        }
        match &mut settings.nir {
            Some(nir) => (nir.steps, nir.dt) = (steps, dt),
            None if steps.is_some() || dt.is_some() => {
                return Err(Error::argument("events.nir-dialect", "a dialect beside events.nir-steps and events.nir-dt", "nothing"));
            }
            None => {}
        }
        if settings.mode == Mode::Clocked && settings.precision == Precision::Int8 {
            return Err(Error::argument("events.precision", "f32 or f64 in mode clocked", "int8"));
        }
        Ok(settings)
    }

    pub(crate) fn arch(&self) -> Arch {
        if self.scalar { Arch::Scalar } else { Arch::new() }
    }

    pub(crate) fn leak(&self) -> Leak {
        match self.leak {
            LeakMode::Exact => Leak::Exact,
            LeakMode::Fast => Leak::Fast,
        }
    }

    /// Share of active inputs above which a layer is computed densely; `None` for never.
    pub fn dense_above(&self) -> Option<f32> {
        match self.dense_threshold {
            DenseThreshold::Auto => Some(DenseThreshold::AUTO),
            DenseThreshold::Above(share) => Some(share),
            DenseThreshold::Off => None,
        }
    }
}
