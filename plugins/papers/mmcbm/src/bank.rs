//! The concept bank: one activation vector a concept (specification section 4).

use crate::concepts::{CONCEPTS, COUNT};
use crate::config::{BankConfig, group};
use crate::head::Scores;
use crate::phantom::Patient;
use crate::svm::{self, Plane};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use zoo_core::{Error, Result, Tensor, Weights};

/// Features of the images of each modality of one patient.
pub type Features = [Vec<Vec<f32>>; 3];

/// Planes by concept, in the order of [`CONCEPTS`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bank {
    /// One a concept.
    pub planes: Vec<Plane>,
    /// Share of the held-out half that each plane gets right; NaN where it was not measured.
    pub held_out: Vec<f64>,
}

/// Which patient and image a feature is of.
type Place = (usize, usize, usize);

impl Bank {
    /// Trains a plane a concept. Positives are images of the concept's modality whose report states it; negatives all other
    /// images of all modalities. Both are drawn by patient: no patient is in both halves.
    ///
    /// # Errors
    /// [`Error::Argument`] if a concept is never, or always, stated.
    pub fn train(patients: &[Patient], features: &[Features], config: &BankConfig, seed: u64) -> Result<Self> {
        let stated: Vec<_> = patients.iter().map(|p| p.stated).collect();
        Self::by_labels(&stated, features, config, seed)
    }

    /// As [`Bank::train`], from labels by patient; the control with shuffled labels comes in here.
    ///
    /// # Errors
    /// As [`Bank::train`].
    pub fn by_labels(stated: &[[Option<bool>; COUNT]], features: &[Features], config: &BankConfig, seed: u64) -> Result<Self> {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut bank = Self { planes: Vec::new(), held_out: Vec::new() };
        for (concept, (name, modality)) in CONCEPTS.iter().enumerate() {
            let is = |patient: usize, m: usize| m == *modality && stated[patient][concept] == Some(true);
            let mut order: Vec<usize> = (0..features.len()).collect();
            order.shuffle(&mut rng);
            let (first, second) = order.split_at(order.len() / 2);
            let mut draw = |patients: &[usize]| -> (Vec<Place>, Vec<Place>) {
                let mut halves = (Vec::new(), Vec::new());
                for &p in patients {
                    for m in 0..3 {
                        let side = if is(p, m) { &mut halves.0 } else { &mut halves.1 };
                        side.extend((0..features[p][m].len()).map(|i| (p, m, i)));
                    }
                }
                halves.0.shuffle(&mut rng);
                halves.1.shuffle(&mut rng);
                halves.0.truncate(config.n);
                halves.1.truncate(config.n);
                halves
            };
            let ((yes, no), (other_yes, other_no)) = (draw(first), draw(second));
            let at = |&(p, m, i): &Place| features[p][m][i].as_slice();
            let items: Vec<&[f32]> = yes.iter().chain(&no).map(at).collect();
            let positive: Vec<bool> = (0..items.len()).map(|i| i < yes.len()).collect();
            let plane = svm::fit(&items, &positive, config.c).map_err(|_| {
                Error::argument(format!("concept `{name}`"), "images with it and without it", format!("{} and {}", yes.len(), no.len()))
            })?;
            let right =
                other_yes.iter().filter(|p| plane.at(at(p)) > 0.0).count() + other_no.iter().filter(|p| plane.at(at(p)) <= 0.0).count();
            bank.held_out.push(right as f64 / (other_yes.len() + other_no.len()) as f64);
            bank.planes.push(plane);
        }
        Ok(bank)
    }

    /// Control: random unit vectors without intercepts.
    pub fn random(features: usize, seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut plane = || Plane { weight: (0..features).map(|_| rng.random_range(-1.0..1.0)).collect(), intercept: 0.0 };
        Self { planes: (0..COUNT).map(|_| plane()).collect(), held_out: vec![f64::NAN; COUNT] }
    }

    /// Signed distance of a feature from a concept's plane.
    pub fn score(&self, concept: usize, feature: &[f32]) -> f64 {
        let plane = &self.planes[concept];
        plane.at(feature) / plane.norm().max(f64::MIN_POSITIVE)
    }

    /// Scores of a patient: the greatest over the images of the concept's group; `None` where the group is absent.
    pub fn scores(&self, features: &Features) -> Scores {
        let of = |concept: usize| {
            let own = |m: &usize| group(*m) == group(CONCEPTS[concept].1);
            let all = (0..3).filter(own).flat_map(|m| &features[m]).map(|f| self.score(concept, f));
            all.fold(None, |best: Option<f64>, s| Some(best.map_or(s, |b| b.max(s))))
        };
        (0..COUNT).map(of).collect()
    }

    /// `bank.vectors [concepts, features]`, `bank.intercepts` and `bank.norms [concepts]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a size overflows.
    pub fn tensors(&self, weights: &mut Weights) -> Result<()> {
        let features = self.planes.first().map_or(0, |p| p.weight.len());
        let vectors = self.planes.iter().flat_map(|p| p.weight.iter().map(|w| *w as f32)).collect();
        weights.insert("bank.vectors", Tensor::from_vec([COUNT, features], vectors)?);
        weights.insert("bank.intercepts", Tensor::from_vec([COUNT], self.planes.iter().map(|p| p.intercept as f32).collect())?);
        weights.insert("bank.norms", Tensor::from_vec([COUNT], self.planes.iter().map(|p| p.norm() as f32).collect())?);
        Ok(())
    }

    /// The bank of a file.
    ///
    /// # Errors
    /// [`Error::Keys`], [`Error::Shape`], [`Error::DType`]; [`Error::Argument`] if the file's concepts are others, or in
    /// another order, than [`CONCEPTS`].
    pub fn read(weights: &Weights, features: usize) -> Result<Self> {
        let names: Vec<&str> = CONCEPTS.iter().map(|(name, _)| *name).collect();
        let found: Vec<String> = weights.metadata.get("concepts").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if found != names {
            return Err(Error::argument("concepts of the weights", format!("{names:?}"), format!("{found:?}")));
        }
        let vectors = weights.f32("bank.vectors", &[COUNT, features])?;
        let intercepts = weights.f32("bank.intercepts", &[COUNT])?;
        let plane = |(row, b): (&[f32], &f32)| Plane { weight: row.iter().map(|w| f64::from(*w)).collect(), intercept: f64::from(*b) };
        let planes = vectors.chunks_exact(features.max(1)).zip(intercepts).map(plane).collect();
        let held_out = weights.metadata.get("held_out").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Ok(Self { planes, held_out })
    }
}
