//! A plugin that panics everywhere: each panic is an error of the call it happened in, and a line of the host's log.

use std::sync::{Arc, Mutex};
use zoo_abi_tests::{TestBench, fixture};
use zoo_core::abi::{self, Entry};
use zoo_core::{
    Artifact, ArtifactKind, Availability, Batch, Config, DataFiles, Device, Dialect, Error, ExportRequest, Level, Model, Options, Plugin,
    PluginInfo, Prediction, Reporter, Silent, Tensor, Weights,
};

/// Keeps the log lines of plugins.
struct Lines(Arc<Mutex<Vec<String>>>);

impl Reporter for Lines {
    fn log(&self, level: Level, target: &str, message: &str) {
        self.0.lock().unwrap().push(format!("{level:?} {target}: {message}"));
    }

    fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// The fixture's library through the ABI alone: its name is taken by the linked one.
fn dynamic(reporter: &'static dyn Reporter) -> Plugin {
    let library = zoo_host::plugins::inspect(&fixture("panics")).unwrap();
    // SAFETY: the fixture follows the ABI and the library is never unloaded.
    unsafe {
        let opened = Box::leak(Box::new(libloading::Library::new(&library.path).unwrap()));
        let table = *opened.get::<*const abi::ZooPlugin>(library.symbol.as_bytes()).unwrap();
        abi::load(table, "fixture", reporter, Level::Trace).unwrap()
    }
}

#[track_caller]
fn panicked<T>(result: Result<T, Error>, message: &str) {
    let error = result.err().expect("an error");
    assert!(matches!(error, Error::Plugin { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("plugin fixture-panics: ") && text.contains(message), "{text}");
}

#[test]
fn no_panic_crosses() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let plugin = dynamic(Box::leak(Box::new(Lines(Arc::clone(&said)))));
    let (config, options) = (Config::default(), Options::default());
    let artifact = Artifact::single(ArtifactKind::Onnx, "run", "m.onnx", &b"any"[..]);
    let mut session = plugin.backends[0].compile(&artifact, &Device::Cpu, &options).unwrap();
    let dataset = plugin.datasets[0].open("data", "test", &DataFiles::default(), &config).unwrap();
    let mut bench = TestBench::new(plugin.datasets[0].as_ref(), plugin.backends[0].as_ref());
    let model = plugin.models[0].as_ref();
    let features: Arc<[_]> = dataset.info().features.clone().into();
    let batch = Batch::new(features, vec![Tensor::from_vec([1, 1], vec![0f32]).unwrap()], 0).unwrap();

    panicked(model.export(&ExportRequest::new(ArtifactKind::Onnx), &Weights::new(), &config), "panicked: in export of bad");
    panicked(model.import(&Weights::new(), Dialect::Zoo, &config), "panicked: in import");
    panicked(model.preprocess(&batch, session.as_ref()), "panicked: in preprocess");
    panicked(model.predict(session.as_mut(), &batch), "panicked: in predict");
    panicked(model.evaluate(session.as_mut(), dataset.as_ref(), &config, &mut bench), "panicked: in evaluate");
    panicked(model.claims("bad", &config, &mut bench), "panicked: a panic without a message");
    panicked(model.act("x", &[], "bad", &config, &mut bench), "index out of bounds");
    let mut metric = model.metrics().remove(0);
    panicked(metric.update(&Prediction::default(), &batch), "panicked: in update");
    panicked(metric.merge(&1.into()), "panicked: in merge");
    panicked(session.run(&[Tensor::from_vec([1], vec![0f32]).unwrap()]), "panicked: in run");
    session.reset();
    panicked(session.run(&[]), "panicked: in reset");
    panicked(dataset.get(0), "panicked: in get");
    panicked(dataset.batch(0..1), "panicked: in batch");
    panicked(plugin.datasets[0].open("data", "train", &DataFiles::default(), &config), "in open");
    panicked(plugin.backends[0].compile(&Artifact { variant: String::new(), ..artifact }, &Device::Cpu, &options), "panicked: in compile");
    panicked(plugin.trainers[0].train(&config, 0, &mut bench, &mut Nothing), "panicked: in train");
    // Where the trait has no room for an error there is the emptiest answer.
    assert!(model.variants(ArtifactKind::Onnx).is_empty());
    assert!(metric.estimate().is_none() && metric.state().is_null());
    assert_eq!((dataset.len(), session.stats().runs), (0, 0));
    let Availability::Unavailable { why, .. } = plugin.backends[0].probe() else { panic!("it is not ready") };
    assert!(why.contains("panicked: in probe"), "{why}");
    let before = said.lock().unwrap().len();
    assert_eq!(before, 22, "{:#?}", said.lock().unwrap());
    drop(session);
    let said = said.lock().unwrap();
    assert_eq!(said.len(), before + 1);
    assert!(said.iter().all(|line| line.starts_with("Error panic: panicked at tests/abi/fixtures/panics/src/lib.rs:")), "{said:#?}");
    assert!(said[before].ends_with("in drop"), "{}", said[before]);
}

struct Nothing;

impl zoo_core::TrainSink for Nothing {
    fn log(&mut self, _: zoo_core::serde_json::Value) -> zoo_core::Result<()> {
        Ok(())
    }

    fn save(&mut self, _: &Weights) -> zoo_core::Result<()> {
        Ok(())
    }

    fn resume(&mut self) -> zoo_core::Result<Option<Weights>> {
        Ok(None)
    }
}

/// Panics while it tells what it offers.
struct Broken;

impl Entry for Broken {
    fn plugin() -> Plugin {
        panic!("while building")
    }
}

struct NoCard;

impl Model for NoCard {
    fn card(&self) -> &zoo_core::ModelCard {
        panic!("in card")
    }

    fn artifact_kinds(&self) -> &[ArtifactKind] {
        &[]
    }

    fn export(&self, _: &ExportRequest, _: &Weights, _: &Config) -> zoo_core::Result<Artifact> {
        Err(Error::Cancelled)
    }

    fn import(&self, _: &Weights, _: Dialect, _: &Config) -> zoo_core::Result<Weights> {
        Err(Error::Cancelled)
    }
}

struct CardPanics;

impl Entry for CardPanics {
    fn plugin() -> Plugin {
        let info = PluginInfo { name: "no-card".into(), version: "1".into(), registry: String::new() };
        Plugin { info, models: vec![Box::new(NoCard)], datasets: vec![], backends: vec![], trainers: vec![] }
    }
}

#[test]
fn a_panic_while_a_plugin_introduces_itself_is_a_refusal() {
    static BROKEN: abi::ZooPlugin = abi::table::<Broken>();
    static CARD: abi::ZooPlugin = abi::table::<CardPanics>();
    // SAFETY: tables of our own.
    let (broken, card) = unsafe {
        (abi::load(&raw const BROKEN, "here", &Silent, Level::Error).err(), abi::load(&raw const CARD, "here", &Silent, Level::Error).err())
    };
    assert_eq!(broken.unwrap().to_string(), "plugin here: facts of the plugin panicked: while building");
    assert_eq!(card.unwrap().to_string(), "plugin no-card: model card panicked: in card");
}

#[test]
fn a_panic_of_the_host_in_a_callback_is_an_error_inside_the_plugin() {
    let plugin = fixture_good::zoo_plugin();
    struct InProcess;
    impl Entry for InProcess {
        fn plugin() -> Plugin {
            fixture_good::zoo_plugin()
        }
    }
    static TABLE: abi::ZooPlugin = abi::table::<InProcess>();
    // SAFETY: a table of our own.
    let across = unsafe { abi::load(&raw const TABLE, "here", &Silent, Level::Error) }.unwrap();
    let model = across.models[0].as_ref();
    let artifact = model.export(&ExportRequest::new(ArtifactKind::Onnx), &Weights::new(), &Config::default()).unwrap();
    let mut session = plugin.backends[0].compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    let bad = fixture_panics::zoo_plugin();
    let mut bench = TestBench::new(bad.datasets[0].as_ref(), bad.backends[0].as_ref());
    let data = bad.datasets[0].open("data", "test", &DataFiles::default(), &Config::default()).unwrap();
    // The data set's `len` panics in the host while the plugin asks; the plugin then sees an empty one.
    let measured = model.evaluate(session.as_mut(), data.as_ref(), &Config::default(), &mut bench).unwrap().unwrap();
    assert_eq!(measured.items, 0);
}
