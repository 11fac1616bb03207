//! Training: registration and inpainting on images without lesions, then the alternating schedule of an arm (specification
//! sections 5 and 7).

mod forward;
mod losses;

pub use forward::{add_tensors, inp, reg, seg};
pub use losses::{Fields, Scene, folds, inp_loss, integrate, reg_loss, seg_loss, smooth, to_patient};

use crate::config::{Arm, Budget, PaperConfig};
use crate::evaluate::{Prediction, mean_of, measure};
use crate::import::import;
use crate::model::{Family, WEIGHTS_LICENCE};
use crate::network::{INP, REG, SEG, tensors};
use crate::phantom::{self, Patient, Split, Template};
use rand::Rng;
use serde_json::{Map, Value, json};
use zoo_core::{Config, Dialect, Result, TrainSink, Trainer, Weights, Workbench};
use zoo_train::burn::tensor::Tensor;
use zoo_train::optim::{Adam, Optimiser, Schedule};
use zoo_train::params::ParamStore;
use zoo_train::run::{Plan, Recipe, Step, StepResult, train};

/// Epochs between validations.
const VALIDATE: u64 = 20;
/// Patients that validation looks at in one pass.
const CHUNK: usize = 10;
/// Least and greatest side of a random box, as shares of the image's.
const BOX: [f64; 2] = [0.1, 0.8];
/// What the full budget multiplies iterations by.
const FULL: usize = 5;

/// Trains the arms of a family.
#[derive(Clone, Copy, Debug)]
pub struct GirnetTrainer(pub Family);

impl Trainer for GirnetTrainer {
    fn model(&self) -> &str {
        self.0.name()
    }

    fn train(&self, config: &Config, seed: u64, bench: &mut dyn Workbench, sink: &mut dyn TrainSink) -> Result<Weights> {
        let mut paper = PaperConfig::read(config)?;
        if paper.budget == Budget::Full {
            paper.train.iterations *= FULL;
        }
        let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
        let draw = |split| phantom::patients(&template, &paper.phantom, &paper.network, split, None, bench.reporter());
        let (patients, validation) = (draw(Split::Train)?, draw(Split::Val)?);
        let mut params = ParamStore::on_cpu(seed);
        let own = tensors(&paper.network, paper.arm);
        add_tensors(&mut params, &own)?;
        if let Some(from) = &paper.from {
            let (file, _) = bench.weights(from, Some(seed))?;
            let start = import(&tensors(&paper.network, Arm::Pretrain), &file, Dialect::Zoo)?;
            for (name, _) in own.iter().filter(|(name, _)| start.tensors.contains_key(name)) {
                params.set_values(name, start.get(name)?.to_f32())?;
            }
        }
        if paper.arm.generates() {
            params.set_values(&format!("{SEG}.final.0.bias"), vec![paper.train.mask_bias])?;
        }
        let mut lesson = Lesson { paper: &paper, patients, validation, at: (0, 0) };
        let per_epoch = lesson.items() / paper.train.batch;
        let plan = Plan {
            epochs: lesson.steps().div_ceil(per_epoch) as u64,
            batch_size: paper.train.batch,
            drop_last: true,
            schedule: Schedule::step(paper.train.lr, u64::MAX, 1.0),
            per_step: true,
            clip_norm: None,
        };
        let rule = Adam { weight_decay: paper.train.weight_decay, decoupled: true, ..Adam::default() };
        train(&plan, &mut params, &mut Optimiser::new(rule), &mut lesson, sink, bench.reporter())?;
        let mut weights = params.weights()?.in_half_precision()?;
        weights.metadata = [
            ("paper", "arXiv:2310.11040".to_string()),
            ("plugin", format!("girnet {}", env!("CARGO_PKG_VERSION"))),
            ("config_hash", paper.training_hash()),
            ("seed", seed.to_string()),
            ("arm", format!("{:?}", paper.arm)),
            ("licence", WEIGHTS_LICENCE.to_string()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into();
        Ok(weights)
    }
}

/// What one step trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Seg,
    Inp,
    Reg,
}

impl Turn {
    fn prefix(self) -> &'static str {
        match self {
            Self::Seg => SEG,
            Self::Inp => INP,
            Self::Reg => REG,
        }
    }
}

struct Lesson<'a> {
    paper: &'a PaperConfig,
    patients: Vec<Patient>,
    validation: Vec<Patient>,
    /// Epoch, and steps of it that were taken.
    at: (u64, usize),
}

impl Lesson<'_> {
    /// Steps of each network an iteration.
    fn cycle(&self) -> [usize; 3] {
        let [seg_steps, inp, reg] = self.paper.train.cycle;
        let arm = self.paper.arm;
        [if arm.generates() { seg_steps } else { 0 }, if arm.inpaints() { inp } else { 0 }, reg]
    }

    fn steps(&self) -> usize {
        let t = &self.paper.train;
        if self.paper.arm == Arm::Pretrain { t.reg_steps + t.inp_steps } else { t.iterations * self.cycle().iter().sum::<usize>() }
    }

    fn turn(&self, step: usize) -> Turn {
        if self.paper.arm == Arm::Pretrain {
            return if step < self.paper.train.reg_steps { Turn::Reg } else { Turn::Inp };
        }
        let [seg_steps, inp, reg] = self.cycle();
        match step % (seg_steps + inp + reg) {
            p if p < seg_steps => Turn::Seg,
            p if p < seg_steps + inp => Turn::Inp,
            _ => Turn::Reg,
        }
    }

    fn images(params: &ParamStore, chosen: &[&Patient], side: usize, of: impl Fn(&Patient) -> Vec<f32>) -> Result<Tensor<4>> {
        params.input(chosen.iter().flat_map(|p| of(p)).collect(), [chosen.len(), 1, side, side])
    }

    fn scene(&self, params: &ParamStore, chosen: &[&Patient]) -> Result<Scene> {
        let side = self.paper.network.grid[0];
        let clean = self.paper.arm == Arm::Pretrain;
        Ok(Scene {
            x: Self::images(params, chosen, side, |p| if clean { p.clean.clone() } else { p.x.clone() })?,
            y: Self::images(params, chosen, side, |p| p.y.clone())?,
            brain: Self::images(params, chosen, side, |p| numbers(&p.brain))?,
        })
    }

    /// The hard mask of the arm; `soft` is the generator's.
    fn mask(&self, params: &ParamStore, chosen: &[&Patient], soft: Option<&Tensor<4>>, scene: &Scene) -> Result<Tensor<4>> {
        let side = self.paper.network.grid[0];
        Ok(match (self.paper.arm, soft) {
            (Arm::Oracle, _) => Self::images(params, chosen, side, |p| numbers(&p.lesion))?,
            (Arm::RandomMask, _) => Self::images(params, chosen, side, |p| numbers(&p.elsewhere))?,
            (_, Some(soft)) => soft.clone().detach().greater_elem(0.5).float() * scene.brain.clone(),
            (_, None) => scene.x.clone().zeros_like(),
        })
    }

    fn atlas_in_patient(&self, params: &ParamStore, scene: &Scene) -> Result<Tensor<4>> {
        let back = to_patient(reg(params, scene.x.clone(), scene.y.clone())?, &self.paper.network)?;
        zoo_train::ops::warp(scene.y.clone(), back)
    }

    fn filled(&self, params: &ParamStore, x: &Tensor<4>, hole: &Tensor<4>, reference: &Tensor<4>) -> Result<Tensor<4>> {
        inp(params, &self.paper.network, x.clone() * (hole.clone().neg() + 1.0), hole.clone(), reference.clone())
    }

    fn loss(&self, params: &ParamStore, turn: Turn, chosen: &[&Patient], rng: &mut impl Rng) -> Result<Tensor<1>> {
        let (network, loss) = (&self.paper.network, &self.paper.loss);
        let scene = self.scene(params, chosen)?;
        let soft = if self.paper.arm.generates() { Some(seg(params, network, scene.x.clone())?) } else { None };
        if turn == Turn::Reg {
            let image = if matches!(self.paper.arm, Arm::Pretrain | Arm::Baseline) {
                scene.x.clone()
            } else {
                // Normal tissue stays as it is.
                let mask = self.mask(params, chosen, soft.as_ref(), &scene)?;
                let reference = self.atlas_in_patient(params, &scene)?.detach();
                let filled = self.filled(params, &scene.x, &mask, &reference)?.detach();
                scene.x.clone() * (mask.clone().neg() + 1.0) + filled * mask
            };
            let fields = integrate(reg(params, scene.x, scene.y.clone())?, network)?;
            return reg_loss(&fields, image, scene.y, loss);
        }
        let reference = self.atlas_in_patient(params, &scene)?.detach();
        if self.paper.arm == Arm::Pretrain {
            let side = network.grid[0];
            let holes: Vec<f32> = chosen.iter().flat_map(|_| random_box(side, rng)).collect();
            let hole = params.input(holes, [chosen.len(), 1, side, side])?;
            let filled = self.filled(params, &scene.x, &hole, &reference)?;
            return zoo_train::ops::mean_squared_error(filled, scene.x);
        }
        let mask = self.mask(params, chosen, soft.as_ref(), &scene)?;
        let holes = [mask.clone(), mask.neg() + 1.0];
        let fill = |hole: &Tensor<4>| self.filled(params, &scene.x, hole, &reference);
        let filled = [fill(&holes[0])?, fill(&holes[1])?];
        match (turn, soft) {
            (Turn::Seg, Some(soft)) => {
                let [front, back] = filled.map(Tensor::detach);
                let kept = |fill: Tensor<4>, hole: &Tensor<4>| {
                    if loss.keep_visible { scene.x.clone() * (hole.clone().neg() + 1.0) + fill * hole.clone() } else { fill }
                };
                seg_loss(soft, &scene, [kept(front, &holes[0]), kept(back, &holes[1])], loss)
            }
            _ => {
                let [front, back] = filled;
                let [hole, rest] = holes;
                let front = inp_loss(front, hole, scene.x.clone(), reference.clone(), loss)?;
                Ok(front + inp_loss(back, rest, scene.x, reference, loss)?)
            }
        }
    }

    /// Error near the lesion and overlap of the mask on the validation patients: for the log alone.
    fn validate(&self, params: &ParamStore) -> Result<Map<String, Value>> {
        let network = &self.paper.network;
        let plane = network.grid.iter().product::<usize>();
        let mut all = Vec::new();
        // Sum and count of `1 - correlation` of patient and warped atlas, in healthy tissue and in lesions.
        let mut unlike = [(0.0, 0.0); 2];
        for chunk in self.validation.chunks(CHUNK) {
            let chosen: Vec<&Patient> = chunk.iter().collect();
            let scene = self.scene(params, &chosen)?;
            let values = |t: Tensor<4>| t.into_data().try_into_vec::<f32>().unwrap_or_default();
            let ill = Self::images(params, &chosen, network.grid[0], |p| p.x.clone())?;
            let reference = self.atlas_in_patient(params, &Scene { x: ill.clone(), y: scene.y.clone(), brain: scene.brain.clone() })?;
            let alike = values(zoo_train::ops::local_ncc(ill, reference, self.paper.loss.window, self.paper.loss.eps)?);
            for (alike, patient) in alike.chunks_exact(plane).zip(chunk) {
                for (place, cc) in alike.iter().enumerate().filter(|(place, _)| patient.brain[*place]) {
                    let side = usize::from(patient.lesion[place]);
                    unlike[side].0 += 1.0 - f64::from(*cc);
                    unlike[side].1 += 1.0;
                }
            }
            let soft = if self.paper.arm.generates() { Some(values(seg(params, network, scene.x.clone())?)) } else { None };
            let [vxy, vyx] = reg(params, scene.x, scene.y)?.map(values);
            for (i, patient) in chunk.iter().enumerate() {
                let velocity = |v: &[f32]| v[2 * i * plane..][..2 * plane].to_vec();
                let mask = soft.as_ref().map(|m| m[i * plane..][..plane].to_vec());
                let clean = self.paper.arm == Arm::Pretrain;
                all.push(measure(patient, &Prediction { mask, velocity: [velocity(&vxy), velocity(&vyx)] }, network, clean)?);
            }
        }
        let mut line = Map::new();
        line.insert("val_unlike_healthy_lesion".into(), json!(unlike.map(|(sum, count): (f64, f64)| sum / count.max(1.0))));
        line.insert("val_near_mm".into(), json!(mean_of(&all, |m| m.near)));
        line.insert("val_far_mm".into(), json!(mean_of(&all, |m| m.bands[2])));
        line.insert("val_folds".into(), json!(mean_of(&all, |m| Some(m.folds))));
        if self.paper.arm.generates() {
            line.insert("val_dice".into(), json!(mean_of(&all, |m| m.dice)));
            line.insert("val_area".into(), json!(mean_of(&all, |m| m.area_ratio)));
        }
        Ok(line)
    }
}

fn numbers(mask: &[bool]) -> Vec<f32> {
    mask.iter().map(|m| f32::from(u8::from(*m))).collect()
}

/// A box of ones in zeros.
fn random_box(side: usize, rng: &mut impl Rng) -> Vec<f32> {
    let [(top, height), (left, width)] = [0, 1].map(|_| {
        let length = (side as f64 * rng.random_range(BOX[0]..=BOX[1])) as usize;
        (rng.random_range(0..=side - length), length)
    });
    let inside = |p: usize| (top..top + height).contains(&(p / side)) && (left..left + width).contains(&(p % side));
    (0..side * side).map(|p| f32::from(u8::from(inside(p)))).collect()
}

impl Recipe for Lesson<'_> {
    fn items(&self) -> usize {
        self.patients.len()
    }

    fn step(&mut self, params: &mut ParamStore, mut step: Step<'_>) -> Result<StepResult> {
        if self.at.0 != step.epoch {
            self.at = (step.epoch, 0);
        }
        let per_epoch = self.items() / self.paper.train.batch;
        let turn = self.turn(step.epoch as usize * per_epoch + self.at.1);
        self.at.1 += 1;
        // The other networks stand still, and nothing of them is recorded.
        for other in [Turn::Seg, Turn::Inp, Turn::Reg] {
            params.set_trainable(other.prefix(), other == turn);
        }
        let chosen: Vec<&Patient> = step.indices.iter().map(|&i| &self.patients[i]).collect();
        Ok(StepResult { loss: self.loss(params, turn, &chosen, &mut step.rng)?, correct: None })
    }

    fn after_epoch(&mut self, params: &mut ParamStore, epoch: u64) -> Result<Map<String, Value>> {
        if epoch % VALIDATE != VALIDATE - 1 {
            return Ok(Map::new());
        }
        self.validate(params)
    }
}
