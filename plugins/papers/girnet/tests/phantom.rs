//! Phantom patients, drawn on a template made here.

use zoo_core::{Config, Silent, Tensor};
use zoo_girnet::config::PaperConfig;
use zoo_girnet::evaluate::{Prediction, measure};
use zoo_girnet::field::{fold_percent, jacobian, lengths, warp};
use zoo_girnet::phantom::{Split, Template, patients};

/// A ball of tissue with stripes, 1 mm a voxel.
fn template() -> Template {
    let dims = [60usize, 220, 180];
    let value = |p: usize| {
        let (k, j, i) = (p / (220 * 180), p / 180 % 220, p % 180);
        let inside = ((j as f64 - 110.0) / 90.0).powi(2) + ((i as f64 - 90.0) / 75.0).powi(2) < 1.0;
        if inside && k > 0 { 90 + ((i / 7 + j / 9) % 5 * 30) as u8 } else { 0 }
    };
    let volume = Tensor::from_vec(dims, (0..dims.iter().product()).map(value).collect::<Vec<u8>>()).unwrap();
    let affine = [1.0, 0.0, 0.0, -90.0, 0.0, 1.0, 0.0, -127.0, 0.0, 0.0, 1.0, -20.0, 0.0, 0.0, 0.0, 1.0];
    Template::new(&volume, &Tensor::from_vec([4, 4], affine.to_vec()).unwrap()).unwrap()
}

fn paper() -> PaperConfig {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/girnet.toml");
    PaperConfig::read(&Config::new(toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())).unwrap()
}

#[test]
fn patients_are_what_their_specification_says() {
    let (template, paper) = (template(), paper());
    let draw = |split| patients(&template, &paper.phantom, &paper.network, split, Some(8), &Silent).unwrap();
    let (train, test) = (draw(Split::Train), draw(Split::Test));
    assert_eq!(test, draw(Split::Test), "a patient depends on seed and number alone");
    let gap = 4.0;
    for a in &train {
        assert!(test.iter().all(|b| (a.level - b.level).abs() >= gap));
    }
    let grid = &paper.network.grid;
    for patient in train.iter().chain(&test) {
        let area = patient.lesion.iter().filter(|l| **l).count();
        assert!((15..500).contains(&area), "{area} pixels");
        assert!(patient.lesion.iter().zip(&patient.brain).all(|(l, b)| !l || *b), "lesions lie in the brain");
        let apart = patient.lesion.iter().zip(&patient.elsewhere).filter(|(a, b)| **a && **b).count();
        assert!(apart * 2 < area, "{apart} of {area} pixels in common");
        assert!(patient.x.iter().zip(&patient.brain).all(|(x, b)| (*x > 0.0) == *b && *x <= 1.0));
        // The true displacements are the stated ones and do not fold.
        let peak = lengths(&patient.clean_truth, 2).into_iter().fold(0.0f32, f32::max) * 2.0;
        assert!((3.9..=7.1).contains(&peak), "{peak} mm");
        let push: Vec<f32> = patient.truth.iter().zip(&patient.clean_truth).map(|(a, b)| a - b).collect();
        assert!(lengths(&push, 2).into_iter().all(|v| v * 2.0 <= 6.0));
        assert_eq!(fold_percent(&jacobian(&patient.truth, grid), grid), 0.0);
        // The atlas, warped by the truth, is the patient outside the lesion but for its look.
        let there = warp(&patient.y, 1, &patient.truth, grid).unwrap();
        let pairs: Vec<(f64, f64)> = (0..there.len())
            .filter(|&p| patient.brain[p] && !patient.lesion[p] && there[p] > 0.2)
            .map(|p| (f64::from(there[p]), f64::from(patient.x[p])))
            .collect();
        let n = pairs.len() as f64;
        let (ma, mb) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
        let cov = pairs.iter().map(|(a, b)| (a - ma) * (b - mb)).sum::<f64>();
        let (va, vb) = (pairs.iter().map(|p| (p.0 - ma).powi(2)).sum::<f64>(), pairs.iter().map(|p| (p.1 - mb).powi(2)).sum::<f64>());
        assert!(cov / (va * vb).sqrt() > 0.8, "{}", cov / (va * vb).sqrt());
    }
}

#[test]
fn a_prediction_without_motion_errs_by_the_truth() {
    let (template, paper) = (template(), paper());
    let patient = patients(&template, &paper.phantom, &paper.network, Split::Val, Some(1), &Silent).unwrap().remove(0);
    let plane = patient.x.len();
    let still = Prediction {
        mask: Some(patient.lesion.iter().map(|l| f32::from(u8::from(*l))).collect()),
        velocity: [vec![0.0; 2 * plane], vec![0.0; 2 * plane]],
    };
    let measures = measure(&patient, &still, &paper.network, false).unwrap();
    assert_eq!((measures.dice, measures.hd95, measures.area_ratio), (Some(1.0), Some(0.0), Some(1.0)));
    assert_eq!((measures.folds, measures.inverse), (0.0, 0.0));
    // By hand: the mean length of the true displacement, mm, where the measure looks.
    let side = 96;
    let truth = lengths(&patient.truth, 2);
    let lesion: Vec<usize> = (0..plane).filter(|&p| patient.lesion[p]).collect();
    let near = |p: &usize| {
        let nearest =
            lesion.iter().map(|q| ((p % side) as f64 - (q % side) as f64).hypot((p / side) as f64 - (q / side) as f64)).fold(1e9, f64::min);
        patient.brain[*p] && nearest > 0.0 && nearest * 2.0 <= 10.0
    };
    let chosen: Vec<usize> = (0..plane).filter(near).collect();
    let wanted = chosen.iter().map(|&p| f64::from(truth[p]) * 2.0).sum::<f64>() / chosen.len() as f64;
    assert!((measures.near.unwrap() - wanted).abs() < 1e-5);
    let short = Prediction { mask: None, velocity: [vec![0.0; 3], vec![0.0; 3]] };
    assert!(measure(&patient, &short, &paper.network, false).is_err());
}
