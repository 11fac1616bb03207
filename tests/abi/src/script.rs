//! One script of calls over everything a plugin offers, written down. Two doors are alike if their scripts are.

use crate::TestBench;
use std::fmt::Debug;
use std::sync::Arc;
use zoo_core::serde_json::{Value, json};
use zoo_core::{
    ArtifactKind, Batch, Config, DataFiles, Device, Dialect, ExportRequest, Options, Plugin, Result, Tensor, TrainSink, Weights,
};

/// Everything a call returned, bit for bit where numbers are concerned: `Debug` prints floats so that they read back.
struct Lines(String);

impl Lines {
    fn add(&mut self, what: &str, value: impl Debug) {
        self.0.push_str(&format!("{what}: {value:?}\n"));
    }

    fn add_tensors(&mut self, what: &str, tensors: Result<Vec<Tensor>>) {
        match tensors {
            Ok(tensors) => tensors.iter().for_each(|tensor| self.add(what, (tensor, tensor.as_bytes()))),
            Err(error) => self.add(what, error),
        }
    }
}

/// Calls everything the plugin `fixture-good` offers and writes down what comes back.
///
/// # Panics
/// If the plugin offers less than it should.
pub fn transcript(plugin: &Plugin) -> String {
    let mut lines = Lines(String::new());
    lines.add("info", &plugin.info);
    datasets(&mut lines, plugin);
    backends(&mut lines, plugin);
    models(&mut lines, plugin);
    trainers(&mut lines, plugin);
    lines.0
}

fn datasets(lines: &mut Lines, plugin: &Plugin) {
    let factory = plugin.datasets[0].as_ref();
    lines.add("infos", factory.infos());
    let none = DataFiles::default();
    for (name, split) in [("ramps", "test"), ("ramps", "train"), ("r\u{e4}mps", ""), ("ramps", "filed")] {
        lines.add("open", factory.open(name, split, &none, &Config::default()).map(|d| (d.len(), d.split().to_string(), d.info().clone())));
    }
    let files = DataFiles([("ramps.bin".to_string(), "/no/such/file".into())].into());
    lines.add("open", factory.open("ramps", "filed", &files, &Config::default()).map(|d| d.len()));
    lines.add("open", factory.open("ramps", "test", &none, &Config::new(json!({"offset": "x"}))).map(|d| d.len()));
    let dataset = factory.open("ramps", "test", &none, &Config::new(json!({"offset": 0.1}))).expect("the split is there");
    for index in [0, 11, 12, usize::MAX] {
        lines.add_tensors("get", dataset.get(index));
    }
    for range in [0..3, 5..5, 10..13] {
        lines.add_tensors("batch", dataset.batch(range));
    }
}

fn exported(plugin: &Plugin) -> zoo_core::Artifact {
    let model = plugin.models[0].as_ref();
    model.export(&ExportRequest::new(ArtifactKind::Onnx), &Weights::new(), &Config::default()).expect("onnx is exported")
}

fn backends(lines: &mut Lines, plugin: &Plugin) {
    let backend = plugin.backends[0].as_ref();
    lines.add("backend", (backend.name(), backend.description(), backend.probe(), backend.accepts()));
    let mut artifact = exported(plugin);
    let mut odd = Options { threads: Some(2), batch_hint: None, ..Options::default() };
    let compile = |artifact: &_, device: &_, options: &_| backend.compile(artifact, device, options).map(|s| s.metadata().clone());
    lines.add("compile", compile(&artifact, &Device::Cpu, &odd));
    lines.add("compile", compile(&artifact, &Device::Cuda(1), &odd));
    odd.extra.insert("mirror.x".into(), "1".into());
    lines.add("compile", compile(&artifact, &Device::Cpu, &odd));
    let mut session = backend.compile(&artifact, &Device::Cpu, &Options::default()).expect("it compiles");
    lines.add("session", (session.inputs(), session.outputs(), session.metadata()));
    for shape in [vec![2, 2, 3], vec![0, 2, 3], vec![2, 3]] {
        let values = (0u8..).map(f32::from).take(shape.iter().product()).collect::<Vec<_>>();
        lines.add_tensors("run", session.run(&[Tensor::from_vec(shape, values).expect("counts fit")]));
    }
    lines.add_tensors("run", session.run(&[]));
    lines.add("stats", session.stats());
    session.reset();
    lines.add_tensors("run", session.run(&[Tensor::from_vec([1, 2, 3], vec![0.5f32; 6]).expect("counts fit")]));
    artifact.files.clear();
    lines.add("compile", compile(&artifact, &Device::Cpu, &Options::default()));
}

fn models(lines: &mut Lines, plugin: &Plugin) {
    let mut weights = Weights::new();
    weights.insert("a", Tensor::from_vec([2], vec![0.1f32, f32::NAN]).expect("counts fit"));
    weights.insert("b", Tensor::scalar(3u8));
    weights.metadata.insert("licence".into(), "\u{2603}".into());
    let config = Config::new(json!({"b": {"y": 0.1, "x": [1, 2.5]}, "a": "\u{2603}"}));
    let mut bench = TestBench::new(plugin.datasets[0].as_ref(), plugin.backends[0].as_ref());
    bench.weights.insert("everything".into(), weights.clone());
    for model in plugin.models.iter().map(AsRef::as_ref) {
        lines.add("card", (model.card(), model.artifact_kinds(), model.actions()));
        lines.add("variants", (model.variants(ArtifactKind::Onnx), model.variants(ArtifactKind::Nir)));
        let mut request = ExportRequest::new(ArtifactKind::Onnx);
        lines.add("export", model.export(&request, &weights, &config));
        (request.opset, request.steps) = (Some(17), Some(4));
        lines.add("export", model.export(&request, &Weights::new(), &Config::default()));
        lines.add("export", model.export(&request.variant("none"), &weights, &config));
        for dialect in [Dialect::Zoo, Dialect::Authors] {
            let imported = model.import(&weights, dialect, &config);
            lines.add(
                "import",
                imported.map(|w| (w.metadata, w.tensors.into_iter().map(|(n, t)| (n, t.as_bytes().to_vec())).collect::<Vec<_>>())),
            );
        }
        predictions(lines, plugin, model);
        let mut session = bench.backend.compile(&exported(plugin), &Device::Cpu, &Options::default()).expect("it compiles");
        let dataset = bench.factory.open("ramps", "test", &DataFiles::default(), &Config::default()).expect("the split is there");
        lines.add("evaluate", model.evaluate(session.as_mut(), dataset.as_ref(), &config, &mut bench));
        let host_loop = Config::new(json!({"host-loop": true}));
        lines.add("evaluate", model.evaluate(session.as_mut(), dataset.as_ref(), &host_loop, &mut bench));
        bench.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        lines.add("evaluate", model.evaluate(session.as_mut(), dataset.as_ref(), &config, &mut bench));
        bench.stop.store(false, std::sync::atomic::Ordering::SeqCst);
        let outcomes = model.claims("everything", &config, &mut bench);
        lines.add("figures", model.figures("everything", &config, outcomes.as_deref().unwrap_or_default()));
        lines.add("claims", outcomes);
        lines.add("claims", model.claims("unknown", &config, &mut bench));
        lines.add("act", model.act("repeat", &["a".into(), String::new()], "m", &config, &mut bench));
    }
    lines.add("said", bench.said());
}

fn predictions(lines: &mut Lines, plugin: &Plugin, model: &dyn zoo_core::Model) {
    let dataset = plugin.datasets[0].open("ramps", "test", &DataFiles::default(), &Config::default()).expect("the split is there");
    let features: Arc<[_]> = dataset.info().features.clone().into();
    let mut session = plugin.backends[0].compile(&exported(plugin), &Device::Cpu, &Options::default()).expect("it compiles");
    let mut metrics = model.metrics();
    let mut shards = model.metrics();
    for start in [0, 4, 8] {
        let batch = Batch::read(dataset.as_ref(), &features, start..start + 4).expect("items are there");
        lines.add_tensors("preprocess", model.preprocess(&batch, session.as_ref()));
        let prediction = model.predict(session.as_mut(), &batch).expect("it predicts");
        prediction.outputs.iter().for_each(|(name, tensor)| lines.add(name, (tensor, tensor.as_bytes())));
        for metric in &mut metrics {
            lines.add("update", metric.update(&prediction, &batch));
        }
    }
    for (shard, metric) in shards.iter_mut().zip(&metrics) {
        lines.add("metric", (metric.name(), metric.state(), metric.estimate(), shard.estimate()));
        lines.add("merge", (shard.merge(&metric.state()), shard.merge(&json!("x")), shard.merge(&metric.state())));
        lines.add("metric", (shard.state(), shard.estimate()));
    }
    let odd = Batch::new(Arc::new([]), Vec::new(), 7).expect("no fields");
    lines.add("predict", model.predict(session.as_mut(), &odd));
}

/// Keeps what a trainer leaves.
#[derive(Default)]
struct Kept {
    log: Vec<Value>,
    checkpoint: Option<Weights>,
}

impl TrainSink for Kept {
    fn log(&mut self, line: Value) -> Result<()> {
        self.log.push(line);
        Ok(())
    }

    fn save(&mut self, checkpoint: &Weights) -> Result<()> {
        self.checkpoint = Some(checkpoint.clone());
        Ok(())
    }

    fn resume(&mut self) -> Result<Option<Weights>> {
        Ok(self.checkpoint.clone())
    }
}

fn trainers(lines: &mut Lines, plugin: &Plugin) {
    let (trainer, mut sink) = (plugin.trainers[0].as_ref(), Kept::default());
    let mut bench = TestBench::new(plugin.datasets[0].as_ref(), plugin.backends[0].as_ref());
    lines.add("trains", trainer.model());
    for epochs in [2, 5] {
        let trained = trainer.train(&Config::new(json!({"epochs": epochs})), u64::MAX, &mut bench, &mut sink);
        lines.add("train", trained.map(|w| (w.metadata.clone(), w.get("count").map(|t| t.as_bytes().to_vec()))));
        lines.add("log", &sink.log);
    }
    lines.add("train", trainer.train(&Config::default(), 0, &mut bench, &mut sink));
    bench.stop.store(true, std::sync::atomic::Ordering::SeqCst);
    lines.add("train", trainer.train(&Config::new(json!({"epochs": 9})), 0, &mut bench, &mut sink));
    lines.add("said", bench.said());
}
