//! The head against PyTorch, the tokeniser and (where the weights are at hand) the encoder against sentence-transformers.

use std::path::{Path, PathBuf};
use zoo_backend_onnxruntime::OnnxRuntime;
use zoo_core::{ArtifactKind, Availability, Backend, Config, Device, ExportRequest, Model, Options, Tensor, Weights};
use zoo_stock_attention::config::PaperConfig;
use zoo_stock_attention::encoder::tokens::Tokens;
use zoo_stock_attention::head::Head;
use zoo_stock_attention::model::StockAttention;
use zoo_stock_attention::study::View;

/// PyTorch in double precision against single precision here.
const CLOSE: f32 = 2e-5;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn config(fusion: &str) -> Config {
    Config::new(serde_json::json!({
        "dataset": "d", "encoder": "e", "main": "main",
        "network": {"embedding": 12, "projection": 8, "hidden": 6, "credibility": 4, "fusion": fusion, "dropout": 0.0},
        "split": {"train-until": "1970-02-01", "val-until": "1970-03-01", "test-until": "1970-04-01"},
        "train": {"epochs": 1, "batch": 1, "lr": 1e-3, "weight-decay": 0.0},
        "arms": {"main": {"price": true, "text": true, "credibility": true}},
    }))
}

/// The file's weights, and its inputs and outputs by name.
fn read(file: &str) -> (Weights, Weights) {
    let all = zoo_formats::safetensors::read(golden(file)).unwrap();
    let (mut weights, mut rest) = (Weights::new(), Weights::new());
    for (name, tensor) in all.tensors {
        let into = if name.starts_with("in.") || name.starts_with("out.") { &mut rest } else { &mut weights };
        into.insert(name, tensor);
    }
    (weights, rest)
}

fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= CLOSE, "{what}: {worst}");
}

#[test]
fn the_plain_head_computes_what_pytorch_computes() {
    for fusion in ["gated", "cross-attention"] {
        let (weights, io) = read(if fusion == "gated" { "head-gated.safetensors" } else { "head-cross.safetensors" });
        let paper = PaperConfig::read(&config(fusion)).unwrap();
        let head = Head::new(paper.network, paper.arm("main").unwrap(), "main", &weights).unwrap();
        let get = |name: &str| io.get(name).unwrap().to_f32();
        let (text, mask, cred, price) = (get("in.text"), get("in.text_mask"), get("in.cred"), get("in.price"));
        let (e, m) = (12, 4);
        for sample in 0..3 {
            let (mut slots, mut embeddings, mut credibility, mut places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for place in sample * 5 * m..(sample + 1) * 5 * m {
                if mask[place] > 0.0 {
                    slots.push(((place / m) % 5) as u8);
                    embeddings.extend_from_slice(&text[place * e..][..e]);
                    credibility.extend_from_slice(&cred[place * 9..][..9]);
                    places.push(place);
                }
            }
            let view = View { price: &price[sample * 50..][..50], slots: &slots, embeddings: &embeddings, credibility: &credibility };
            let told = head.explain(&view, |kappa| kappa).unwrap();
            let at = |name: &str| places.iter().map(|&p| get(name)[p]).collect::<Vec<_>>();
            close("logit", &[told.logit], &[get("out.logit")[sample]]);
            close("alpha", &told.alpha, &at("out.alpha"));
            close("kappa", &told.kappa, &at("out.kappa"));
            close("gate", &[told.gate], &[get("out.gate")[sample]]);
        }
    }
}

/// ONNX Runtime where it is installed, and tract.
fn backends() -> Vec<Box<dyn Backend>> {
    let mut all: Vec<Box<dyn Backend>> = vec![Box::new(zoo_backend_tract::Tract)];
    // The test environment's library, else wherever it is installed.
    let library = std::env::var_os("ZOO_TEST_ORT");
    let ort = library.map_or_else(OnnxRuntime::default, OnnxRuntime::with_library);
    match ort.probe() {
        Availability::Ready { .. } => all.push(Box::new(ort)),
        Availability::Unavailable { why, .. } => println!("without ONNX Runtime: {why}"),
    }
    all
}

fn run(backend: &dyn Backend, weights: &Weights, fusion: &str, inputs: &dyn Fn(&str) -> Tensor) -> Vec<(String, Vec<f32>)> {
    let artifact = StockAttention::new().export(&ExportRequest::new(ArtifactKind::Onnx), weights, &config(fusion)).unwrap();
    let mut session = backend.compile(&artifact, &Device::Cpu, &Options::default()).unwrap_or_else(|e| panic!("{}: {e}", backend.name()));
    let given: Vec<Tensor> = session.inputs().iter().map(|spec| inputs(&spec.name)).collect();
    let outputs = session.run(&given).unwrap_or_else(|e| panic!("{}: {e}", backend.name()));
    session.outputs().iter().zip(outputs).map(|(spec, tensor)| (spec.name.clone(), tensor.to_f32())).collect()
}

/// The third sample has no post on any day, the first none on three.
#[test]
fn exports_compute_what_pytorch_computes_with_empty_days_on_both_runtimes() {
    for fusion in ["gated", "cross-attention"] {
        let (weights, io) = read(if fusion == "gated" { "head-gated.safetensors" } else { "head-cross.safetensors" });
        for backend in backends() {
            let outputs = run(&*backend, &weights, fusion, &|name| io.get(&format!("in.{name}")).unwrap().clone());
            let names: Vec<&str> = outputs.iter().map(|(n, _)| n.as_str()).collect();
            let expected: &[&str] = if fusion == "gated" { &["logit", "kappa", "alpha", "gate"] } else { &["logit", "kappa", "alpha"] };
            assert_eq!(names, expected);
            for (name, values) in &outputs {
                let what = format!("{} {fusion} {name}", backend.name());
                close(&what, values, &io.get(&format!("out.{name}")).unwrap().to_f32());
            }
        }
    }
}

/// Padding more, and nothing but padding, changes nothing and stays finite.
#[test]
fn padding_does_not_matter() {
    let (weights, io) = read("head-gated.safetensors");
    let wider = |name: &str| {
        let tensor = io.get(&format!("in.{name}")).unwrap();
        if name == "price" {
            return tensor.clone();
        }
        let mut shape = tensor.shape().to_vec();
        let inner: usize = shape[3..].iter().product();
        let values = tensor.to_f32();
        let rows = values.chunks_exact(shape[2] * inner).flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, 3 * inner)));
        let rows: Vec<f32> = rows.collect();
        shape[2] += 3;
        Tensor::from_vec(shape, rows).unwrap()
    };
    for backend in backends() {
        let outputs = run(&*backend, &weights, "gated", &wider);
        close(backend.name(), &outputs[0].1, &io.get("out.logit").unwrap().to_f32());
        let empty = run(&*backend, &weights, "gated", &|name| {
            let tensor = io.get(&format!("in.{name}")).unwrap();
            Tensor::zeros(tensor.dtype(), tensor.shape()).unwrap()
        });
        assert!(empty.iter().all(|(_, values)| values.iter().all(|v| v.is_finite())), "{}", backend.name());
        assert!(empty[2].1.iter().all(|a| *a == 0.0), "{}: shares of no post", backend.name());
    }
}

#[test]
fn tokens_are_those_of_the_python_package() {
    let text = std::fs::read_to_string(golden("encoder.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tokens = Tokens::new().unwrap();
    let sentences = file["sentences"].as_array().unwrap();
    assert!(sentences.len() >= 8);
    for (sentence, ids) in sentences.iter().zip(file["ids"].as_array().unwrap()) {
        let expected: Vec<i64> = ids.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
        assert_eq!(tokens.ids(sentence.as_str().unwrap()).unwrap(), expected, "{sentence}");
    }
}

#[test]
fn weights_of_another_shape_or_name_are_refused() {
    let (weights, _) = read("head-gated.safetensors");
    let model = StockAttention::new();
    let import = |weights: &Weights| model.import(weights, zoo_core::Dialect::Zoo, &config("gated"));
    assert!(import(&weights).is_ok());
    let mut missing = weights.clone();
    missing.tensors.remove("main.head.bias");
    missing.insert("main.tail.bias", Tensor::scalar(0.0f32));
    let error = import(&missing).unwrap_err().to_string();
    assert!(error.contains("main.head.bias") && error.contains("main.tail.bias"), "{error}");
    let mut wrong = weights;
    wrong.insert("main.head.bias", Tensor::from_vec([2], vec![0.0f32; 2]).unwrap());
    assert!(import(&wrong).unwrap_err().to_string().contains("main.head.bias"));
}
