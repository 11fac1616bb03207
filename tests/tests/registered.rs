//! Being registered means being tested: every check here runs over the whole of `registry.toml`.

use std::path::{Path, PathBuf};
use zoo_core::{ArtifactKind, Availability, Dim, ExportRequest, Silent, Tensor};
use zoo_host::fetch::{FetchOptions, Fetcher};
use zoo_host::registry::{Registry, WeightsSource};
use zoo_host::zoo::{Door, Loaded, Zoo};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_path_buf()
}

fn zoo() -> Zoo {
    let plugins = zoo_plugins::linked().into_iter().map(|plugin| Loaded { plugin, door: Door::Static }).collect();
    let registry = Registry::load(&root().join("registry.toml")).expect("registry.toml is right");
    let fetcher = Fetcher::new(FetchOptions::from_env().expect("the environment is right")).expect("the cache can be opened");
    Zoo::new(registry, plugins, fetcher).expect("in-tree plugins bring no tables")
}

fn each(mut check: impl FnMut(&Zoo, &zoo_host::zoo::FoundModel<'_>)) {
    let zoo = zoo();
    assert!(!zoo.registry().models().is_empty(), "nothing is registered");
    for entry in zoo.registry().models() {
        let model = zoo.model(&entry.name, &Silent).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        // Weights out of a package need its client or a cache that has them; a wrong sum is a failure all the same.
        let onnx = entry.onnx.iter().flat_map(|onnx| onnx.files().map(|(_, run)| run));
        let packaged = entry.weights.iter().chain(onnx).any(|run| matches!(run.source, WeightsSource::Package { .. }));
        if packaged
            && let Err(error @ zoo_core::Error::Unavailable { .. }) = zoo.weights(&model, None, &Silent)
            && !error.to_string().contains("expected SHA-256")
        {
            println!("skipped: {}: {error}", entry.name);
            continue;
        }
        check(&zoo, &model);
    }
}

#[test]
fn every_model_resolves_with_its_weights_and_names_known_things() {
    each(|zoo, model| {
        let name = &model.entry.name;
        for seed in std::iter::once(None).chain(model.entry.seeds().into_iter().map(Some)) {
            zoo.weights(model, seed, &Silent).unwrap_or_else(|e| panic!("{name} seed {seed:?}: {e}"));
        }
        assert!(!model.entry.backends.is_empty(), "{name} runs on no backend");
        for backend in &model.entry.backends {
            let backend = zoo.backend(backend).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(
                model.model.artifact_kinds().iter().any(|k| backend.accepts().contains(k)),
                "{name} has nothing for {}",
                backend.name()
            );
        }
        let card = model.model.card();
        for (what, text) in [("title", &card.title), ("description", &card.description), ("code licence", &card.code_licence)] {
            assert!(!text.trim().is_empty(), "{name}: the card has no {what}");
        }
    });
}

#[test]
fn every_export_is_deterministic_and_never_empty() {
    each(|zoo, model| {
        let (weights, _) = zoo.weights(model, None, &Silent).expect("weights are there");
        for &kind in model.model.artifact_kinds() {
            for variant in model.model.variants(kind) {
                let request = ExportRequest::new(kind).variant(&variant);
                let what = format!("{} as {kind} {variant}", model.entry.name);
                let once = model.model.export(&request, &weights, &model.config).unwrap_or_else(|e| panic!("{what}: {e}"));
                let twice = model.model.export(&request, &weights, &model.config).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert!(once == twice, "{what}: two exports differ");
                assert!(once.files.iter().all(|f| !f.bytes.is_empty()), "{what}: an empty file");
            }
        }
    });
}

#[test]
fn an_unknown_graph_is_refused_by_name() {
    each(|zoo, model| {
        let (weights, _) = zoo.weights(model, None, &Silent).expect("weights are there");
        for &kind in model.model.artifact_kinds() {
            let request = ExportRequest::new(kind).variant("no-such-graph");
            let error = model.model.export(&request, &weights, &model.config).expect_err("an unknown graph").to_string();
            assert!(error.contains("no-such-graph"), "{}: {error}", model.entry.name);
        }
    });
}

#[test]
fn every_onnx_graph_compiles_on_every_onnx_backend_that_is_ready() {
    each(|zoo, model| {
        if !model.model.artifact_kinds().contains(&ArtifactKind::Onnx) {
            return;
        }
        let (weights, _) = zoo.weights(model, None, &Silent).expect("weights are there");
        for name in ["tract", "onnxruntime"] {
            // Somebody else's file runs where it runs.
            if model.entry.onnx.is_some() && !model.entry.backends.iter().any(|b| b == name) {
                continue;
            }
            let backend = zoo.backend(name).expect("both are linked in");
            // Probing first would load another library than the one that is named, for the rest of the process.
            if std::env::var_os("ZOO_TEST_ORT").is_none()
                && let Availability::Unavailable { why, .. } = backend.probe()
            {
                println!("skipped: {} on {name}: {why}", model.entry.name);
                continue;
            }
            for variant in model.model.variants(ArtifactKind::Onnx) {
                let request = ExportRequest::new(ArtifactKind::Onnx).variant(&variant);
                let artifact = model.model.export(&request, &weights, &model.config).expect("it exports");
                let what = format!("{} {variant} on {name}", model.entry.name);
                let session = backend.compile(&artifact, &zoo_core::Device::Cpu, &options()).unwrap_or_else(|e| panic!("{what}: {e}"));
                runs_on_zeros(&what, session);
            }
        }
    });
}

#[test]
fn every_onnx_graph_of_ours_is_written_in_half_precision() {
    each(|zoo, model| {
        // Somebody else's file may have operators whose signatures we do not keep.
        if model.entry.onnx.is_some() || !model.model.artifact_kinds().contains(&ArtifactKind::Onnx) {
            return;
        }
        let (weights, _) = zoo.weights(model, None, &Silent).expect("weights are there");
        for variant in model.model.variants(ArtifactKind::Onnx) {
            let what = format!("{} {variant}", model.entry.name);
            let request = ExportRequest::new(ArtifactKind::Onnx).variant(&variant);
            let artifact = model.model.export(&request, &weights, &model.config).expect("it exports");
            let half = match zoo_formats::onnx::precision::to_f16(&artifact) {
                Ok(half) => half,
                // A graph that runs another inside is refused, not half converted.
                Err(error) if variant == "sequence" && error.to_string().contains("a graph inside") => continue,
                Err(error) => panic!("{what}: {error}"),
            };
            let specs = |artifact| {
                let model = zoo_formats::onnx::read_artifact(artifact).expect("it was written here");
                (model.inputs().expect("inputs"), model.outputs().expect("outputs"))
            };
            assert_eq!(specs(&half), specs(&artifact), "{what}");
        }
    });
}

/// `ZOO_TEST_ORT` names the ONNX Runtime library of the test environment.
fn options() -> zoo_core::Options {
    let mut options = zoo_core::Options::default();
    if let Ok(library) = std::env::var("ZOO_TEST_ORT") {
        options.extra.insert("onnxruntime.lib".into(), library);
    }
    options
}

/// Free axes become 2, or 32 where they are sides of an image, which networks halve; the outputs must be finite, since
/// zeros are valid input of every model here.
fn runs_on_zeros(what: &str, mut session: Box<dyn zoo_core::Session>) {
    let zeros = |spec: &zoo_core::TensorSpec| {
        let free = |d: &Dim| if matches!(d, Dim::Free(name) if name == "height" || name == "width") { 32 } else { 2 };
        let shape: Vec<usize> = spec.shape.iter().map(|d| d.fixed().unwrap_or_else(|| free(d))).collect();
        Tensor::zeros(spec.dtype, shape).expect("a small tensor")
    };
    let inputs: Vec<_> = session.inputs().iter().map(zeros).collect();
    let outputs = match session.run(&inputs) {
        Ok(outputs) => outputs,
        // tract 0.23.9 does not find the shapes inside `Scan` where the batch is open.
        Err(error) if what.contains("hebbff/") && what.contains("sequence on tract") && error.to_string().contains("Scan") => return,
        Err(error) => panic!("{what}: {error}"),
    };
    assert_eq!(outputs.len(), session.outputs().len(), "{what}");
    for (spec, output) in session.outputs().iter().zip(&outputs) {
        spec.check(output).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(output.to_f32().iter().all(|v| v.is_finite()), "{what}: `{}` is not finite", spec.name);
    }
}
