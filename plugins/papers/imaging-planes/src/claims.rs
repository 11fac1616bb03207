//! The bars of specification section 7, over all counted seeds.

use crate::config::PaperConfig;
use crate::evaluate::{pretext, segmentation};
use crate::export::export;
use crate::geometry::{Plane, Vector, slice_locations};
use crate::import::import;
use crate::metrics::mean;
use crate::sim::{self, Patient, Split, Template};
use crate::unet::Head;
use serde_json::json;
use std::collections::BTreeMap;
use zoo_core::{ClaimOutcome, Config, Dataset, Dialect, Error, Level, Result, Session, Workbench};

/// Greatest distance of a line's ends from both planes, mm.
const ON_PLANES: f64 = 1e-6;

/// Re-measures every bar that can be measured here. A bar is left out where the models or the data it needs are not
/// there, and counts as not measured.
///
/// # Errors
/// Whatever simulating, compiling and running find.
pub fn claims(config: &Config, bench: &mut dyn Workbench) -> Result<Vec<ClaimOutcome>> {
    let paper = PaperConfig::read(config)?;
    let mut outcomes = Vec::new();
    match bench.dataset("cmr-case", "study") {
        Ok(study) => outcomes.push(geometry(study.as_ref())?),
        Err(e) => bench.log(Level::Warn, "imaging-planes", &format!("part A is not measured: {e}")),
    }
    let template = Template::read(bench.dataset(&paper.dataset, "template")?.as_ref())?;
    let sim = paper.sim()?;
    let test = sim::patients(&template, sim, &paper.network, Split::Test, None, bench.reporter())?;
    let train = sim::patients(&template, sim, &paper.network, Split::Train, None, bench.reporter())?;
    let mut arms = Arms { paper: &paper, test: &test, known: BTreeMap::new() };
    let few = ["random-10", "t1t2-10", "shuffled-10"].map(|arm| arms.dice(arm, bench));
    let all = ["random-100", "t1t2-100"].map(|arm| arms.dice(arm, bench));
    let [random, both, shuffled] = few;
    let (random, both, shuffled) = (random?, both?, shuffled?);
    let [random_all, both_all] = all;
    let (random_all, both_all) = (random_all?, both_all?);
    let mut others = BTreeMap::new();
    for arm in ["t1-10", "t2-10", "autoencoder-10"] {
        if let Some(dice) = arms.dice(arm, bench)? {
            others.insert(arm, dice);
        }
    }
    let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
    if let (Some(random), Some(both)) = (&random, &both) {
        let gains = difference(both, random);
        let gain = mean(&gains);
        let holds = gain >= 0.02 && gains.iter().all(|g| *g > 0.0);
        let detail = json!({"random": random, "t1t2": both, "gains": gains, "other_arms": others});
        outcomes.push(ClaimOutcome { id: "bar-1".into(), measured: gain, holds, detail });
        if let Some(shuffled) = &shuffled {
            let control = mean(&difference(shuffled, random));
            let detail = json!({"shuffled": shuffled, "random": random, "gain": gain, "control_gain": control});
            outcomes.push(ClaimOutcome { id: "bar-2".into(), measured: control, holds: control < 0.5 * gain, detail });
        }
        if let (Some(random_all), Some(both_all)) = (&random_all, &both_all) {
            let gains_all = difference(both_all, random_all);
            let measured = gain - mean(&gains_all);
            let detail = json!({"random_100": random_all, "t1t2_100": both_all, "gains_100": gains_all, "gain_10": gain});
            outcomes.push(ClaimOutcome { id: "bar-3".into(), measured, holds: measured > 0.0, detail });
        }
    }
    if let Some(outcome) = learned(&paper, &train, &test, bench)? {
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Bar 4: the pretext itself.
fn learned(paper: &PaperConfig, train: &[Patient], test: &[Patient], bench: &mut dyn Workbench) -> Result<Option<ClaimOutcome>> {
    let network = paper.network(Head::Pretext)?;
    let mut scores = Vec::new();
    for &seed in &paper.seeds {
        let Some(mut session) = compiled("imaging-planes/pretext-t1t2", seed, &network, bench)? else { return Ok(None) };
        scores.push(pretext(session.as_mut(), train, test, &paper.network)?);
    }
    let ratios: Vec<f64> = scores.iter().map(|s| s.heat_mse / s.constant_mse).collect();
    let holds = !scores.is_empty() && ratios.iter().all(|r| *r <= 0.5) && scores.iter().all(|s| s.location_mae <= 0.10);
    let measured = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Ok((!scores.is_empty()).then(|| ClaimOutcome { id: "bar-4".into(), measured, holds, detail: json!({"seeds": scores}) }))
}

/// A model's graph on the chosen backend; `None` if it, or that seed of it, is not registered.
fn compiled(name: &str, seed: u64, network: &crate::unet::Unet, bench: &mut dyn Workbench) -> Result<Option<Box<dyn Session>>> {
    let file = match bench.weights(name, Some(seed)) {
        Ok((file, _)) => file,
        Err(Error::Unknown { .. }) => return Ok(None),
        Err(other) => return Err(other),
    };
    let weights = import(network, &file, Dialect::Zoo)?;
    bench.compile(&export("claims", None, network, &weights, false, BTreeMap::new())?).map(Some)
}

/// Dice of the arms of the target task, measured once each.
struct Arms<'a> {
    paper: &'a PaperConfig,
    test: &'a [Patient],
    known: BTreeMap<String, Option<Vec<f64>>>,
}

impl Arms<'_> {
    /// Mean Dice of every counted seed; `None` if one is missing.
    fn dice(&mut self, arm: &str, bench: &mut dyn Workbench) -> Result<Option<Vec<f64>>> {
        if let Some(known) = self.known.get(arm) {
            return Ok(known.clone());
        }
        let network = self.paper.network(Head::Segmentation)?;
        let mut values = Some(Vec::new());
        for &seed in &self.paper.seeds {
            match compiled(&format!("imaging-planes/seg-{arm}"), seed, &network, bench)? {
                Some(mut session) => {
                    let scores = segmentation(session.as_mut(), self.test, &self.paper.network, self.paper.sim()?.gap, false)?;
                    if let Some(values) = &mut values {
                        values.push(scores.mean_dice());
                    }
                }
                None => values = None,
            }
            if values.is_none() {
                break;
            }
        }
        let values = values.filter(|v| !v.is_empty());
        self.known.insert(arm.into(), values.clone());
        Ok(values)
    }
}

/// Part A on a real study: every line lies in both planes at both image borders, is the same from either image, and the
/// stack's locations rise from 0 to 1.
///
/// # Errors
/// What reading the study finds.
pub fn geometry(study: &dyn Dataset) -> Result<ClaimOutcome> {
    let mut images: Vec<([usize; 2], Plane, i64)> = Vec::new();
    for index in 0..study.len() {
        let item = study.get(index)?;
        let [image, plane, series, ..] = item.as_slice() else {
            return Err(Error::shape("fields of a study's image", "image, plane, series", item.len()));
        };
        let &[rows, columns] = image.shape() else {
            return Err(Error::shape("image of a study", "[rows, columns]", image.shape()));
        };
        images.push(([rows, columns], Plane::from_array(plane.as_slice()?)?, series.as_slice::<i64>()?.first().copied().unwrap_or(0)));
    }
    let (mut lines, mut parallel, mut missed) = (0u64, 0u64, 0u64);
    let (mut off_planes, mut off_line) = (0.0f64, 0.0f64);
    for (i, (shape, plane, _)) in images.iter().enumerate() {
        for (_, other, _) in images.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, image)| image) {
            let Some(line) = plane.intersection(other) else {
                parallel += 1;
                continue;
            };
            let Some(ends) = plane.project(&line).clip(shape[0], shape[1]) else {
                missed += 1;
                continue;
            };
            lines += 1;
            let back = other.intersection(plane);
            for [u, v] in ends {
                let point = plane.point(u, v);
                off_planes = off_planes.max(plane.distance(point).abs()).max(other.distance(point).abs());
                off_line = back.map_or(f64::INFINITY, |back| off_line.max(back.distance(point)));
            }
        }
    }
    let mut stacks = 0u64;
    let mut monotone = true;
    for stack in images.chunk_by(|a, b| a.2 == b.2).filter(|s| s.len() > 1) {
        let planes: Vec<Plane> = stack.iter().map(|(_, plane, _)| *plane).collect();
        const HEAD: Vector = [0.0, 0.0, 1.0];
        let places = slice_locations(&planes, HEAD).unwrap_or_default();
        let rising = places.windows(2).all(|w| w[0] < w[1]);
        let falling = places.windows(2).all(|w| w[0] > w[1]);
        let ends = places.contains(&0.0) && places.contains(&1.0);
        monotone &= (rising || falling) && ends;
        stacks += 1;
    }
    let measured = off_planes.max(off_line);
    let detail = json!({
        "images": images.len(), "lines": lines, "parallel_pairs": parallel, "lines_outside_the_image": missed,
        "greatest_distance_from_planes_mm": off_planes, "greatest_distance_from_the_other_images_line_mm": off_line,
        "stacks": stacks, "stack_locations_monotone": monotone,
    });
    let holds = lines > 0 && stacks > 0 && monotone && measured <= ON_PLANES;
    Ok(ClaimOutcome { id: "a-geometry".into(), measured, holds, detail })
}
