//! The configuration files of this plugin, typed.

use serde::{Deserialize, Serialize};
use zoo_core::{Config, Error, Result};

/// What is trained, and on what (specification section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Registration of images without lesions, then inpainting of boxes; the other arms start from it.
    Pretrain,
    /// A: registration alone, which sees the lesion as it is.
    Baseline,
    /// B: the method.
    Girnet,
    /// C: the method, with the true lesion in place of the generated mask.
    Oracle,
    /// D: the method, with a mask of the same area elsewhere.
    RandomMask,
}

impl Arm {
    /// Whether the inpainter is trained and used.
    pub fn inpaints(self) -> bool {
        self != Self::Baseline
    }

    /// Whether the mask generator is trained and used.
    pub fn generates(self) -> bool {
        self == Self::Girnet
    }
}

/// Widths of a segmentation or inpainting network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Widths {
    /// Channels of the encoder's levels; each halves the sides after it.
    pub encoder: Vec<usize>,
    /// Channels of the decoder's levels, the bottom first; each doubles the sides after it.
    pub decoder: Vec<usize>,
    /// Channels at full resolution.
    pub tail: Vec<usize>,
}

/// Sizes of the three networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkConfig {
    /// Sides of an image, slowest axis first; two or three, each a multiple of 16.
    pub grid: Vec<usize>,
    /// Millimetres of a side of a pixel.
    pub spacing: f64,
    /// The mask generator.
    pub seg: Widths,
    /// The inpainter; each of its two encoders has these widths.
    pub inp: Widths,
    /// Channels of the registration network's first layer.
    pub reg_width: usize,
    /// Pixels that a velocity of 1 stands for.
    pub range: f64,
    /// Compositions of a velocity with itself.
    pub squarings: u32,
}

impl NetworkConfig {
    /// Axes of an image.
    pub fn axes(&self) -> usize {
        self.grid.len()
    }
}

/// The phantom patients (specification section 7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PhantomConfig {
    /// Seed of all patients.
    pub seed: u64,
    /// Patients to train on, to validate with, to count.
    pub patients: [usize; 3],
    /// Heights of the slices of each split, mm in the template's frame.
    pub levels: [Vec<f64>; 3],
    /// Least and greatest peak displacement, mm.
    pub warp: [f64; 2],
    /// Least and greatest radius of a lesion, mm.
    pub radius: [f64; 2],
    /// Greatest push of the tissue around a lesion, mm.
    pub push: f64,
    /// Least and greatest difference of a lesion from the tissue it replaces, as a share of the range; of either sign.
    pub contrast: [f64; 2],
    /// Least and greatest exponent of the intensities.
    pub gamma: [f64; 2],
    /// Greatest logarithm of the bias field.
    pub bias: f64,
    /// Deviation of the noise.
    pub noise: f64,
}

/// The losses (specification sections 3 and 4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LossConfig {
    /// Window of the correlation of mask generator and inpainter, pixels.
    pub window: usize,
    /// Its eps.
    pub eps: f64,
    /// Window of the correlation of the registration, pixels.
    pub reg_window: usize,
    /// Its eps.
    pub reg_eps: f64,
    /// Weights of correlation and squared error of the inpainter.
    pub inp: [f64; 2],
    /// Weight of its gradient similarity.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inp_gradients: f64,
    /// Squared error and gradient similarity as a mean of the hole and a mean of the rest, so that a small hole counts as much
    /// as a great one: the default of the authors' code, which its published command turns off.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exclude: bool,
    /// The mask generator compares with images of which only the hole was filled, as the authors' code does where normal tissue
    /// is unchanged; else with the inpainter's whole output.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep_visible: bool,
    /// Weights of the difference of magnitudes, of folds and of smoothness of the registration.
    pub reg: [f64; 3],
    /// The mask's sums are held up by the pixels of an image over this; 32 in the authors' code.
    pub eps_share: f64,
    /// Both parts of the mask's loss with a minus, as the authors' comment has it; the executed form otherwise.
    #[serde(default)]
    pub both_negative: bool,
}

/// Keys that came later stay out of the hash of runs that do without them.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainConfig {
    /// Steps of the registration of images without lesions.
    pub reg_steps: usize,
    /// Steps of the inpainting of boxes.
    pub inp_steps: usize,
    /// Iterations of the arms.
    pub iterations: usize,
    /// Steps of mask generator, inpainter and registration an iteration.
    pub cycle: [usize; 3],
    /// Patients a step.
    pub batch: usize,
    /// Learning rate of AdamW.
    pub lr: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// What the mask generator's head starts with: 0 in the authors' code, so that half of the brain is masked at first; well
    /// below, the mask starts empty.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mask_bias: f32,
}

/// Which runs the bars are counted on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsConfig {
    /// Counted seeds.
    pub seeds: Vec<u64>,
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperConfig {
    /// Registered name of this model: its other graphs are looked up by it.
    pub model: String,
    /// The data set whose template is the atlas.
    pub dataset: String,
    /// The arm.
    pub arm: Arm,
    /// Registered model that the arm starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Sizes.
    pub network: NetworkConfig,
    /// Patients.
    pub phantom: PhantomConfig,
    /// Losses.
    pub loss: LossConfig,
    /// Training.
    pub train: TrainConfig,
    /// How much work training may be; not part of what is trained.
    #[serde(default)]
    pub budget: Budget,
    /// The counted runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsConfig>,
}

/// How much work training may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// As configured.
    #[default]
    Quick,
    /// Five times the iterations.
    Full,
}

fn fail<T>(key: &str, expected: &str, found: impl std::fmt::Debug) -> Result<T> {
    Err(Error::Config { key: key.into(), expected: expected.into(), found: format!("{found:?}") })
}

/// Checks the sizes of networks.
///
/// # Errors
/// [`Error::Config`].
pub fn check_network(n: &NetworkConfig) -> Result<()> {
    if !(2..=3).contains(&n.axes()) || n.grid.iter().any(|s| s % 16 != 0 || !(16..=1024).contains(s)) {
        return fail("network.grid", "two or three sides, multiples of 16 up to 1024", &n.grid);
    }
    for (key, widths) in [("network.seg", &n.seg), ("network.inp", &n.inp)] {
        let all = [&widths.encoder, &widths.decoder, &widths.tail];
        let sane = all.iter().all(|w| w.iter().all(|c| (1..=1024).contains(c)));
        if widths.encoder.is_empty()
            || widths.encoder.len() > 4
            || widths.decoder.len() != widths.encoder.len()
            || widths.tail.is_empty()
            || !sane
        {
            return fail(key, "1 to 4 widths of encoder and decoder each, and a tail, of 1 to 1024 channels", widths);
        }
    }
    if !(1..=64).contains(&n.reg_width) || !(1..=12).contains(&n.squarings) {
        return fail("network", "a reg-width of 1 to 64 and 1 to 12 squarings", (n.reg_width, n.squarings));
    }
    if !(n.range > 0.0 && n.range <= 1000.0 && n.spacing > 0.0 && n.spacing <= 100.0) {
        return fail("network", "a range and a spacing above 0", (n.range, n.spacing));
    }
    Ok(())
}

impl PaperConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn read(config: &Config) -> Result<Self> {
        let paper: Self = config.parse()?;
        check_network(&paper.network)?;
        let p = &paper.phantom;
        if paper.network.axes() != 2 || paper.network.grid[0] != paper.network.grid[1] {
            return fail("network.grid", "two equal sides: phantom patients are slices", &paper.network.grid);
        }
        if p.patients.iter().any(|n| !(1..=100_000).contains(n)) || p.levels.iter().any(Vec::is_empty) {
            return fail("phantom", "patients and levels of every split", (p.patients, &p.levels));
        }
        let ranges = [("warp", p.warp, 20.0), ("radius", p.radius, 60.0), ("contrast", p.contrast, 1.0), ("gamma", p.gamma, 4.0)];
        for (key, [low, high], most) in ranges {
            if !(low > 0.0 && low <= high && high <= most) {
                return fail(&format!("phantom.{key}"), &format!("two numbers above 0, in order, up to {most}"), [low, high]);
            }
        }
        if ![p.push, p.bias, p.noise].iter().all(|v| (0.0..=10.0).contains(v)) {
            return fail("phantom", "push, bias and noise from 0", (p.push, p.bias, p.noise));
        }
        if !(1.0..=1e9).contains(&paper.loss.eps_share) {
            return fail("loss.eps-share", "from 1 to 1e9", paper.loss.eps_share);
        }
        let t = &paper.train;
        if !(1..=p.patients[0]).contains(&t.batch) || t.cycle.iter().sum::<usize>() == 0 || t.cycle[2] == 0 {
            return fail("train", "a batch of training patients, and a cycle with registration", (t.batch, t.cycle));
        }
        if (paper.arm == Arm::Pretrain) != paper.from.is_none() {
            return fail("from", "the pretrained model for every arm but `pretrain`", &paper.from);
        }
        Ok(paper)
    }

    /// SHA-256 of what training depends on.
    pub fn training_hash(&self) -> String {
        let own = Self { budget: Budget::Quick, claims: None, ..self.clone() };
        zoo_formats::digest::config_sha256(&Config::new(serde_json::to_value(own).unwrap_or_default()))
    }
}
