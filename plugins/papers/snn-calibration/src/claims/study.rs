//! One trained ANN under all arms of the experiment (specification section 9).

use crate::ann::Ann;
use crate::calib_file::ann_hash;
use crate::calibrate::{Pipeline, Recipe, convert_with};
use crate::config::{PaperConfig, index_hash};
use crate::data::{self, argmax};
use crate::reference::Reference;
use crate::snn::Snn;
use crate::threshold::{ThresholdMode, ThresholdSearch, thresholds};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use zoo_core::{Error, Reporter, Result, Workbench};

/// One way to convert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arm {
    /// How thresholds are chosen.
    pub threshold: ThresholdMode,
    /// What corrects afterwards.
    pub pipeline: Pipeline,
}

impl Arm {
    /// Plain weight copying.
    pub const MAX_NONE: Self = Self { threshold: ThresholdMode::Max, pipeline: Pipeline::None };
    /// Thresholds from a percentile, as earlier work does.
    pub const PERCENTILE_NONE: Self = Self { threshold: ThresholdMode::Percentile(99.9), pipeline: Pipeline::None };
    /// Searched thresholds without correction.
    pub const MMSE_NONE: Self = Self { threshold: ThresholdMode::Mmse, pipeline: Pipeline::None };
    /// Searched thresholds and bias calibration.
    pub const LIGHT: Self = Self { threshold: ThresholdMode::Mmse, pipeline: Pipeline::Light };
    /// Searched thresholds and potential calibration.
    pub const ADVANCED_PC: Self = Self { threshold: ThresholdMode::Mmse, pipeline: Pipeline::AdvancedPc };
    /// Searched thresholds, weight calibration, potential calibration.
    pub const ADVANCED_WC_PC: Self = Self { threshold: ThresholdMode::Mmse, pipeline: Pipeline::AdvancedWcPc };

    /// All arms in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::MAX_NONE, Self::PERCENTILE_NONE, Self::MMSE_NONE, Self::LIGHT, Self::ADVANCED_PC, Self::ADVANCED_WC_PC];

    /// Name in tables: `max+none`, `mmse+light` ...
    pub fn name(self) -> String {
        format!("{}+{}", self.threshold, self.pipeline.name())
    }
}

/// Images with their classes, for measuring only.
#[derive(Clone, Debug)]
pub struct Exam {
    images: Vec<Vec<f32>>,
    classes: Vec<usize>,
}

/// What an arm reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Top-1 accuracy in per cent.
    pub accuracy: f64,
    /// Spikes an image, all neurons and steps.
    pub spikes: f64,
    /// Synaptic operations an image, all steps; see [`crate::snn::Outcome::synops`].
    pub synops: f64,
    /// Images.
    pub images: usize,
}

impl Exam {
    /// Reads items of a split.
    ///
    /// # Errors
    /// As [`data::images`] and [`data::classes`].
    pub fn read(paper: &PaperConfig, split: &str, range: std::ops::Range<usize>, bench: &mut dyn Workbench) -> Result<Self> {
        let dataset = bench.dataset(&paper.dataset, split)?;
        let range = range.start..range.end.min(dataset.len());
        let images = data::images(dataset.as_ref(), range.clone(), &paper.network)?;
        Ok(Self { images, classes: data::classes(dataset.as_ref(), range)? })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The images, standardised.
    pub fn images(&self) -> &[Vec<f32>] {
        &self.images
    }

    /// The first so many.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let count = count.min(self.len());
        Self { images: self.images[..count].to_vec(), classes: self.classes[..count].to_vec() }
    }

    fn percent_right<'a>(&self, logits: impl Iterator<Item = &'a [f32]>) -> f64 {
        let hits = logits.zip(&self.classes).filter(|(logits, class)| argmax(logits) == **class).count();
        100.0 * hits as f64 / self.len().max(1) as f64
    }

    /// Accuracy of the ANN in per cent.
    pub fn ann(&self, ann: &Ann) -> f64 {
        self.percent_right(ann.logits(&self.images).iter().map(Vec::as_slice))
    }

    /// Score of a converted network.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn snn(&self, snn: &Snn, task: &str, reporter: &dyn Reporter) -> Result<Score> {
        const PART: usize = 500;
        let (mut right, mut spikes, mut synops) = (0.0, 0u64, 0u64);
        for start in (0..self.len()).step_by(PART) {
            reporter.check()?;
            reporter.progress(task, start as u64, Some(self.len() as u64), "images");
            let part = start..(start + PART).min(self.len());
            let some = Self { images: Vec::new(), classes: self.classes[part.clone()].to_vec() };
            let outcomes = snn.run_all(&self.images[part.clone()]);
            let hits = outcomes.iter().zip(&some.classes).filter(|(o, class)| argmax(&o.logits) == **class).count();
            right += hits as f64;
            spikes += outcomes.iter().map(|o| o.spikes).sum::<u64>();
            synops += outcomes.iter().map(|o| o.synops).sum::<u64>();
        }
        let count = self.len().max(1) as f64;
        Ok(Score { accuracy: 100.0 * right / count, spikes: spikes as f64 / count, synops: synops as f64 / count, images: self.len() })
    }
}

/// A trained ANN with its calibration images.
pub struct Study<'a> {
    paper: &'a PaperConfig,
    ann: Arc<Ann>,
    hash: String,
    /// All calibration images; biases, potentials and thresholds use the first [`crate::config::SplitConfig::calibration`].
    reference: Reference,
    held_out: Reference,
    cache: BTreeMap<String, Vec<Option<Vec<f32>>>>,
}

impl<'a> Study<'a> {
    /// Loads the ANN of a seed and its calibration images.
    ///
    /// # Errors
    /// [`Error::Argument`] if calibration and held-out images overlap, and whatever loading finds.
    pub fn new(paper: &'a PaperConfig, model: &str, seed: u64, bench: &mut dyn Workbench) -> Result<Self> {
        let (weights, _) = bench.weights(model, Some(seed))?;
        let ann = Arc::new(Ann::new(paper.network()?, &weights)?);
        let (calibration, held_out) = (paper.split.calibration_indices(), paper.split.held_out_indices());
        if let Some(both) = held_out.iter().find(|i| calibration.contains(i)) {
            return Err(Error::argument("held-out images", "none of the calibration images", both));
        }
        let split = bench.dataset(&paper.dataset, "train")?;
        let read = |indices: Vec<usize>| Reference::new(&ann, data::images(split.as_ref(), indices, &paper.network)?);
        let (reference, held_out) = (read(calibration)?, read(held_out)?);
        let hash = ann_hash(&ann.weights()?);
        Ok(Self { paper, ann, hash, reference, held_out, cache: BTreeMap::new() })
    }

    /// The ANN.
    pub fn ann(&self) -> &Arc<Ann> {
        &self.ann
    }

    /// Calibration images of thresholds, biases and potentials.
    pub fn calibration(&self) -> Reference {
        self.reference.first(self.paper.split.calibration)
    }

    /// Training images that calibration never sees.
    pub fn held_out(&self) -> &Reference {
        &self.held_out
    }

    /// Hashes of the lists of calibration images, for the record.
    pub fn calibration_hashes(&self) -> [String; 2] {
        let all = self.paper.split.calibration_indices();
        [index_hash(&all[..self.paper.split.calibration]), index_hash(&all)]
    }

    /// Converts by an arm, on the configured images.
    ///
    /// # Errors
    /// As [`crate::calibrate::convert`].
    pub fn convert(&mut self, arm: Arm, steps: u32, shift: bool, reporter: &dyn Reporter) -> Result<Snn> {
        let count = if arm.pipeline == Pipeline::AdvancedWcPc { self.reference.len() } else { self.paper.split.calibration };
        let images = self.reference.first(count);
        self.convert_on(arm, steps, shift, &images, reporter)
    }

    /// Converts by an arm on given images.
    ///
    /// # Errors
    /// As [`crate::calibrate::convert`]; [`Error::Argument`] if weights moved that must not move.
    pub fn convert_on(&mut self, arm: Arm, steps: u32, shift: bool, images: &Reference, reporter: &dyn Reporter) -> Result<Snn> {
        let threshold = ThresholdSearch { mode: arm.threshold, ..self.paper.convert.threshold };
        let recipe = Recipe { steps, shift, pipeline: arm.pipeline, threshold, weight: self.paper.convert.weight };
        // Thresholds depend on images, mode and, for the search, steps; corrections do not change them.
        let searched = images.first(self.paper.split.calibration);
        let key = format!("{} {} {}", arm.threshold, steps, searched.len());
        if !self.cache.contains_key(&key) {
            let found = thresholds(&self.ann, &searched, threshold, steps, reporter)?;
            self.cache.insert(key.clone(), found);
        }
        let snn = convert_with(&self.ann, images, &self.cache[&key], &recipe, reporter)?;
        // Control c5: only weight calibration may touch weights.
        let moved = self.ann.network().spiking().any(|n| snn.neurons(n).is_some_and(|n| n.weight.is_some()));
        if (moved && arm.pipeline != Pipeline::AdvancedWcPc) || ann_hash(&snn.ann().weights()?) != self.hash {
            return Err(Error::argument(format!("weights after {}", arm.name()), "those of the ANN", "others"));
        }
        Ok(snn)
    }
}
