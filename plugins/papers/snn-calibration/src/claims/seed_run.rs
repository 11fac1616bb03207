//! Everything the bars need, measured for one seed.

use super::control::permuted_bias;
use super::study::{Arm, Exam, Score, Study};
use crate::calibrate::channel_error;
use crate::config::{ClaimsConfig, PaperConfig};
use crate::error_analysis::{LayerError, layer_errors};
use crate::snn::Snn;
use serde::Serialize;
use std::collections::BTreeMap;
use zoo_core::{Result, Workbench};

/// Images of the sanity check at very many steps.
const LONG_IMAGES: usize = 2000;
/// Steps of the sanity check.
pub(super) const LONG_STEPS: u32 = 256;
/// Steps at which the calibrated network must be close to the ANN.
pub(super) const CLOSE_STEPS: u32 = 32;
/// Images of the controls c4 and c6.
const CONTROL_IMAGES: usize = 2000;

/// Share of layers or channels for which a step lowers an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Fallen {
    /// How many fell.
    pub fallen: usize,
    /// Of how many.
    pub of: usize,
}

impl Fallen {
    fn count(before: &[f64], after: &[f64]) -> Self {
        Self { fallen: before.iter().zip(after).filter(|(b, a)| a < b).count(), of: before.len() }
    }
}

/// Measurements of one seed.
#[derive(Clone, Debug, Serialize)]
pub struct SeedRun {
    /// The seed.
    pub seed: u64,
    /// ANN accuracy on the whole test split, per cent.
    pub ann: f64,
    /// ANN accuracy on the images of the long run.
    pub ann_long: f64,
    /// Scores by `ARM@T`.
    pub scores: BTreeMap<String, Score>,
    /// Control c1.
    pub permuted: Score,
    /// Control c4: light at T* by number of calibration images.
    pub by_images: BTreeMap<String, f64>,
    /// Control c6: every arm at T* with the shift on and off.
    pub by_shift: BTreeMap<String, [f64; 2]>,
    /// Errors of the layers on held-out images: before, after bias and after potential calibration.
    pub errors: BTreeMap<&'static str, Vec<LayerError>>,
    /// Layers whose error fell after bias calibration.
    pub fell_bias: Fallen,
    /// Layers whose error fell after potential calibration.
    pub fell_potential: Fallen,
    /// Channels whose mean error on the calibration images fell after bias calibration.
    pub fell_channels: Fallen,
}

/// Name of a score.
pub(super) fn at(arm: Arm, steps: u32) -> String {
    format!("{}@{steps}", arm.name())
}

/// Measures one seed. Returns also the network of the evaluated arm at T*, for the event-driven comparison.
///
/// # Errors
/// Whatever converting and measuring find.
pub fn measure(paper: &PaperConfig, claims: &ClaimsConfig, seed: u64, exam: &Exam, bench: &mut dyn Workbench) -> Result<(SeedRun, Snn)> {
    let mut study = Study::new(paper, &claims.ann, seed, bench)?;
    let reporter = bench.reporter();
    let t_star = claims.t_star;
    let half = (t_star / 2).max(1);
    let mut scores = BTreeMap::new();
    let mut networks = BTreeMap::new();
    let plan = [
        (Arm::MAX_NONE, t_star),
        (Arm::MMSE_NONE, t_star),
        (Arm::LIGHT, t_star),
        (Arm::ADVANCED_PC, t_star),
        (Arm::LIGHT, half),
        (Arm::ADVANCED_PC, half),
        (Arm::ADVANCED_PC, CLOSE_STEPS),
    ];
    for (arm, steps) in plan {
        let snn = study.convert(arm, steps, true, reporter)?;
        let name = at(arm, steps);
        scores.insert(name.clone(), exam.snn(&snn, &format!("seed {seed}: {name}"), reporter)?);
        networks.insert(name, snn);
    }
    let long = exam.first(LONG_IMAGES);
    let snn = study.convert(Arm::MAX_NONE, LONG_STEPS, true, reporter)?;
    scores.insert(at(Arm::MAX_NONE, LONG_STEPS), long.snn(&snn, &format!("seed {seed}: max+none@{LONG_STEPS}"), reporter)?);

    let [plain, light, potential] = [Arm::MMSE_NONE, Arm::LIGHT, Arm::ADVANCED_PC].map(|arm| &networks[&at(arm, t_star)]);
    let permuted = exam.snn(&permuted_bias(plain, light, seed)?, &format!("seed {seed}: permuted biases"), reporter)?;
    let of = |snn: &Snn| layer_errors(snn, study.held_out());
    let errors = BTreeMap::from([("none", of(plain)), ("bias", of(light)), ("potential", of(potential))]);
    let total = |name: &str| errors[name].iter().map(|e| e.total).collect::<Vec<_>>();
    let calibration = study.calibration();
    let channels = |snn: &Snn| {
        let layers: Vec<usize> = snn.network().spiking().collect();
        layers.iter().flat_map(|&n| channel_error(snn, &calibration, n)).map(f64::abs).collect::<Vec<f64>>()
    };
    let fell_channels = Fallen::count(&channels(plain), &channels(light));
    let few = exam.first(CONTROL_IMAGES);
    let mut by_images = BTreeMap::new();
    for count in [16, 64, 256] {
        let snn = study.convert_on(Arm::LIGHT, t_star, true, &calibration.first(count), reporter)?;
        by_images.insert(format!("{count:03}"), few.snn(&snn, &format!("seed {seed}: {count} calibration images"), reporter)?.accuracy);
    }
    let mut by_shift = BTreeMap::new();
    for arm in [Arm::MAX_NONE, Arm::MMSE_NONE, Arm::LIGHT, Arm::ADVANCED_PC] {
        let mut score = |shift: bool| -> Result<f64> {
            let snn = study.convert(arm, t_star, shift, reporter)?;
            Ok(few.snn(&snn, &format!("seed {seed}: {} shift {shift}", arm.name()), reporter)?.accuracy)
        };
        by_shift.insert(arm.name(), [score(true)?, score(false)?]);
    }
    let run = SeedRun {
        seed,
        ann: exam.ann(study.ann()),
        ann_long: long.ann(study.ann()),
        permuted,
        by_images,
        by_shift,
        fell_bias: Fallen::count(&total("none"), &total("bias")),
        fell_potential: Fallen::count(&total("none"), &total("potential")),
        fell_channels,
        errors,
        scores,
    };
    let evaluated = networks.remove(&at(Arm::ADVANCED_PC, t_star));
    Ok((run, evaluated.ok_or_else(|| zoo_core::Error::argument("arm", "the evaluated one", "none"))?))
}
