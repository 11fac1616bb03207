//! The method against scikit-learn, PyTorch and calculation by hand.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use zoo_backend_tract::Tract;
use zoo_core::{ArtifactKind, Backend, Config, Device, ExportRequest, Model, Options, Silent, Tensor, Weights};
use zoo_mmcbm::bank::{Bank, Features};
use zoo_mmcbm::concepts::{CONCEPTS, COUNT, TABLE, bayes};
use zoo_mmcbm::config::{HeadConfig, PaperConfig};
use zoo_mmcbm::explain::{Change, concept, intervene, map};
use zoo_mmcbm::export::head_of;
use zoo_mmcbm::head::Head;
use zoo_mmcbm::metrics::{auroc, macro_f1};
use zoo_mmcbm::model::Mmcbm;
use zoo_mmcbm::network::tensors;
use zoo_mmcbm::phantom::Patient;
use zoo_mmcbm::{evaluate, svm};

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/golden.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

#[test]
fn the_support_vector_machine_is_scikit_learns() {
    for case in golden()["svm"].as_array().unwrap() {
        let x: Vec<Vec<f32>> = case["x"].as_array().unwrap().iter().map(numbers).collect();
        let y: Vec<bool> = case["y"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
        let rows: Vec<&[f32]> = x.iter().map(Vec::as_slice).collect();
        let plane = svm::fit(&rows, &y, case["c"].as_f64().unwrap()).unwrap();
        for (found, wanted) in plane.weight.iter().zip(case["weight"].as_array().unwrap()) {
            assert!((found - wanted.as_f64().unwrap()).abs() < 1e-4, "{found} {wanted}");
        }
        assert!((plane.intercept - case["intercept"].as_f64().unwrap()).abs() < 1e-4);
    }
    assert!(svm::fit(&[&[1.0], &[2.0]], &[true, true], 0.1).is_err());
    assert!(svm::fit(&[&[1.0], &[f32::NAN]], &[true, false], 0.1).is_err());
}

#[test]
fn metrics_are_scikit_learns() {
    let case = &golden()["metrics"];
    let whole = |key: &str| case[key].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect::<Vec<_>>();
    let (labels, answers) = (whole("labels"), whole("answers"));
    assert!((macro_f1(&labels, &answers, 3) - case["macro_f1"].as_f64().unwrap()).abs() < 1e-12);
    let scores: Vec<f64> = case["scores"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let ones: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
    assert!((auroc(&scores, &ones).unwrap() - case["auroc_of_1"].as_f64().unwrap()).abs() < 1e-12);
}

fn config(features: usize, reduction: usize) -> Config {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/phantom.toml")).unwrap();
    let mut value: Value = toml::from_str(&text).unwrap();
    value["network"]["widths"] = serde_json::json!([4, features]);
    value["network"]["side"] = 8.into();
    value["network"]["reduction"] = reduction.into();
    Config::new(value)
}

fn random_weights(paper: &PaperConfig) -> Weights {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut weights = Weights::new();
    for (name, shape) in tensors(&paper.network) {
        let count: usize = shape.iter().product();
        let positive = name.ends_with("running_var");
        let values: Vec<f32> =
            (0..count).map(|_| if positive { rng.random_range(0.5..1.5) } else { rng.random_range(-0.5..0.5) }).collect();
        weights.insert(name, Tensor::from_vec(shape, values).unwrap());
    }
    let names: Vec<&str> = CONCEPTS.iter().map(|c| c.0).collect();
    weights.metadata.insert("concepts".into(), serde_json::to_string(&names).unwrap());
    weights
}

fn run(config: &Config, weights: &Weights, variant: &str, inputs: &[Tensor]) -> Vec<Tensor> {
    let artifact = Mmcbm::default().export(&ExportRequest::new(ArtifactKind::Onnx).variant(variant), weights, config).unwrap();
    Tract.compile(&artifact, &Device::Cpu, &Options::default()).unwrap().run(inputs).unwrap()
}

#[test]
fn the_black_box_is_pytorchs_whatever_the_padding() {
    let case = &golden()["blackbox"];
    let config = config(case["features"].as_u64().unwrap() as usize, case["reduction"].as_u64().unwrap() as usize);
    let paper = PaperConfig::read(&config).unwrap();
    let mut weights = random_weights(&paper);
    for (name, tensor) in case["weights"].as_object().unwrap() {
        let shape: Vec<usize> = tensor["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
        weights.insert(name.clone(), Tensor::from_vec(shape, numbers(&tensor["values"])).unwrap());
    }
    for bag in case["cases"].as_array().unwrap() {
        let rows: Vec<Vec<f32>> = bag["features"].as_array().unwrap().iter().map(numbers).collect();
        for padding in [0, 2] {
            let mut features = rows.concat();
            // What stands where no image is must not matter.
            features.extend(vec![9.0; padding * 8]);
            let images = rows.len() + padding;
            let mask = (0..images).map(|i| if i < rows.len() { 1.0f32 } else { 0.0 }).collect();
            let inputs = [Tensor::from_vec([1, images, 8], features).unwrap(), Tensor::from_vec([1, images], mask).unwrap()];
            let found = run(&config, &weights, "mmcbm_blackbox", &inputs)[0].to_f32();
            assert!(found.iter().zip(numbers(&bag["logits"])).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
        }
    }
}

/// A patient of `side` 8 with so many images of each modality.
fn patient(counts: [usize; 3]) -> Patient {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let images = counts.map(|n| (0..n).map(|_| (0..64).map(|_| rng.random::<f32>()).collect()).collect());
    Patient { index: 0, class: 0, truth: [false; COUNT], stated: [None; COUNT], images }
}

#[test]
fn the_patient_graph_is_the_parts_in_a_row_and_absent_groups_do_not_vote() {
    let config = config(8, 2);
    let paper = PaperConfig::read(&config).unwrap();
    let weights = random_weights(&paper);
    let (bank, head) = (Bank::read(&weights, 8).unwrap(), head_of(&paper.network, &weights).unwrap());
    let artifact = Mmcbm::default().export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &config).unwrap();
    let mut session = Tract.compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    for counts in [[2, 3, 1], [1, 0, 2], [3, 1, 0], [0, 0, 1]] {
        let patient = patient(counts);
        let mut features = Features::default();
        for (m, name) in ["FA", "ICGA", "US"].iter().enumerate() {
            for image in &patient.images[m] {
                let pixels = image.iter().map(|v| zoo_mmcbm::model::standardise(*v)).collect::<Vec<f32>>();
                let out = run(&config, &weights, &format!("mmcbm_encoder_{name}"), &[Tensor::from_vec([1, 1, 8, 8], pixels).unwrap()]);
                // The map of a concept is exact: its mean and the intercept give the score.
                let score = bank.score(3, &out[0].to_f32());
                let rows = map(&bank, 3, &out[1]).unwrap();
                let middle = rows.iter().flatten().sum::<f64>() / rows.iter().flatten().count() as f64;
                assert!((middle + bank.planes[3].intercept / bank.planes[3].norm() - score).abs() < 1e-5);
                features[m].push(out[0].to_f32());
            }
        }
        let scores = bank.scores(&features);
        assert_eq!(scores[0].is_none(), counts[0] + counts[1] == 0);
        assert_eq!(scores[COUNT - 1].is_none(), counts[2] == 0);
        let wanted = head.logits(&scores);
        let found = evaluate::run(&mut *session, std::slice::from_ref(&patient), &paper, &Silent).unwrap();
        assert!(found[0].logits.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{counts:?}");
    }
    let empty = evaluate::run(&mut *session, &[patient([0, 0, 0])], &paper, &Silent).unwrap_err().to_string();
    assert!(empty.contains("at least one"), "{empty}");
}

#[test]
fn the_head_votes_in_proportion_and_edits_do_what_they_say() {
    let mut head = Head::new(2, 2);
    // sigmoid(0) = 1/2, sigmoid(ln 3) = 3/4.
    head.free = vec![3.0f64.ln(), 0.0, 0.0, 0.0];
    let scores = vec![Some(2.0), Some(-1.0)];
    assert!(head.logits(&scores).iter().zip([1.0, 0.5]).all(|(a, b)| (a - b).abs() < 1e-12));
    assert_eq!(head.logits(&[Some(2.0), None])[1], 1.0);
    // A contribution of 3 for class 0 means a score of 4, which changes class 1 too.
    let edit = head.score_for(0, 0, 3.0).unwrap();
    assert!((edit.score - 4.0).abs() < 1e-12 && !edit.clamped);
    head.free[0] = -20.0;
    assert!(head.score_for(0, 0, 1.0).unwrap().clamped);
    assert!(head.score_for(2, 0, 1.0).is_err() && head.score_for(0, 0, f64::NAN).is_err());
    let many = Head::new(3, COUNT);
    let start = vec![Some(0.0); COUNT];
    let changes = [Change::read("FA, rim=2").unwrap(), Change::read("melanoma:US, high echo=1").unwrap()];
    let (after, log) = intervene(&many, &start, &changes).unwrap();
    assert_eq!((after[3], after[9], log.len()), (Some(2.0), Some(2.0), 2));
    for bad in ["FA, rim", "FA, rim=x", "FA, halo=1", "sarcoma:FA, rim=1", "99=1", "FA, rim=inf"] {
        assert!(Change::read(bad).is_err(), "{bad}");
    }
    assert!(concept("halo").unwrap_err().to_string().contains("FA, rim"));
}

#[test]
fn training_the_head_finds_the_concept_that_tells() {
    let scores: Vec<_> = (0..40).map(|i| vec![Some(if i % 2 == 0 { 2.0 } else { -2.0 }), Some(1.0)]).collect();
    let labels: Vec<usize> = (0..40).map(|i| i % 2).collect();
    let config = HeadConfig { epochs: 200, batch: 8, lr: 1e-2 };
    let head = Head::train(&scores, &labels, 2, &config, 1).unwrap();
    assert!(head.weight(0, 0) > 0.9 && head.weight(1, 0) < 0.1);
    assert_eq!(head, Head::train(&scores, &labels, 2, &config, 1).unwrap());
    assert!(Head::train(&scores, &labels, 1, &config, 1).is_err());
}

#[test]
fn the_table_of_causes_gives_the_best_answer_by_hand() {
    // Only the first concept is seen: class 0 has it with 0.9, the others with 0.1.
    let mut truth = [None; COUNT];
    truth[0] = Some(true);
    let logs = bayes(&truth);
    assert!((logs[0].exp() / logs.iter().map(|l| l.exp()).sum::<f64>() - 0.9 / 1.1).abs() < 1e-12);
    assert!(TABLE.iter().flatten().all(|p| [0.1, 0.5, 0.9].contains(p)));
    let mut names: Vec<&str> = CONCEPTS.iter().map(|c| c.0).collect();
    names.sort_unstable();
    assert!(names.iter().zip(CONCEPTS).all(|(a, b)| *a == b.0));
}

#[test]
fn weights_of_other_concepts_are_refused() {
    let config = config(8, 2);
    let paper = PaperConfig::read(&config).unwrap();
    let mut weights = random_weights(&paper);
    weights.metadata.insert("concepts".into(), "[\"FA, rim\"]".into());
    assert!(Bank::read(&weights, 8).unwrap_err().to_string().contains("concepts"));
    let mut weights = random_weights(&paper);
    weights.tensors.remove("bank.norms");
    assert!(Mmcbm::default().import(&weights, zoo_core::Dialect::Zoo, &config).unwrap_err().to_string().contains("bank.norms"));
}
