//! C plugins that break one rule each while they are used. Every breach is an error that names the plugin; none is a crash.

mod common;

use common::{c_plugin, load};
use zoo_core::{
    Artifact, ArtifactKind, Batch, Config, DataFiles, Dataset, Device, Dialect, Error, ExportRequest, Options, Plugin, Session, Tensor,
    Weights,
};

fn open(plugin: &Plugin) -> Result<Box<dyn Dataset>, Error> {
    plugin.datasets[0].open("numbers", "test", &DataFiles::default(), &Config::default())
}

fn compile(plugin: &Plugin) -> Result<Box<dyn Session>, Error> {
    let artifact = Artifact::single(ArtifactKind::Onnx, "model", "m.onnx", &b"any"[..]);
    plugin.backends[0].compile(&artifact, &Device::Cpu, &Options::default())
}

/// What reading an item of the plugin built with these macros says.
fn item(macros: &[&str]) -> Error {
    open(&load(&c_plugin(macros).path)).unwrap().get(1).unwrap_err()
}

#[track_caller]
fn expect(error: &Error, text: &str) {
    let message = error.to_string();
    assert!(message.contains(text) && message.contains("c-plugin"), "{message}");
}

#[test]
fn a_plugin_that_keeps_the_rules() {
    let plugin = load(&c_plugin(&[]).path);
    let dataset = open(&plugin).unwrap();
    assert_eq!(dataset.len(), 4);
    assert_eq!(dataset.get(3).unwrap(), [Tensor::from_vec([2], vec![3.0f32, 1.0]).unwrap()]);
    assert_eq!(dataset.batch(1..3).unwrap(), [Tensor::from_vec([2, 2], vec![1.0f32, 1.0 / 3.0, 2.0, 2.0 / 3.0]).unwrap()]);
    expect(&dataset.get(4).unwrap_err(), "item of a data set: no such item");
    assert!(dataset.batch(3..5).is_err());
    expect(&plugin.datasets[0].open("numbers", "train", &DataFiles::default(), &Config::default()).err().unwrap(), "there is numbers/test");
    // Formats of a later version are passed over.
    assert_eq!(plugin.backends[0].accepts(), [ArtifactKind::Onnx]);
    assert_eq!(plugin.models[0].artifact_kinds(), [ArtifactKind::Onnx]);
}

#[test]
fn what_a_c_model_leaves_out_is_done_by_the_defaults() {
    let plugin = load(&c_plugin(&[]).path);
    let model = plugin.models[0].as_ref();
    let mut weights = Weights::new();
    weights.insert("w", Tensor::from_vec([2], vec![1u16, 2]).unwrap());
    let artifact = model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &Config::default()).unwrap();
    assert_eq!((&artifact.files[0].bytes[..], artifact.files[0].name.as_str()), (&b"bytes"[..], "model.onnx"));
    assert_eq!(model.variants(ArtifactKind::Onnx), ["model"]);
    let imported = model.import(&weights, Dialect::Authors, &Config::default()).unwrap();
    assert_eq!(imported, weights);
    let features: std::sync::Arc<[_]> = model.card().inputs.clone().into();
    let batch = Batch::new(features, vec![Tensor::from_vec([3], vec![1f32, 2.0, 3.0]).unwrap()], 0).unwrap();
    let mut session = compile(&plugin).unwrap();
    let prediction = model.predict(session.as_mut(), &batch).unwrap();
    assert_eq!(prediction.outputs, [("x".to_string(), batch.fields()[0].clone())]);
    assert_eq!(model.metrics().iter().map(|m| m.name().to_string()).collect::<Vec<_>>(), ["accuracy"]);
    session.reset();
    assert_eq!(session.stats().runs, 3);
}

#[test]
fn malformed_tensors() {
    expect(&item(&["WRONG_SHAPE"]), "returned what it did not declare: tensor `x`: expected shape [2], found [2, 1]");
    expect(&item(&["WRONG_DTYPE"]), "expected dtype f32, found i32");
    expect(&item(&["UNKNOWN_DTYPE"]), "found DLPack code 2, 7 bits, 1 lanes");
    expect(&item(&["NEGATIVE_SHAPE"]), "expected shape of lengths of 0 or more, found [-2]");
    expect(&item(&["NULL_TENSOR"]), "expected a DLPack tensor, found NULL");
    expect(&item(&["NAME_NOT_UTF8"]), "name of a tensor is not UTF-8 at byte 1");
}

#[test]
fn a_deleter_called_twice() {
    let plugin = load(&c_plugin(&["DELETES_TWICE"]).path);
    let mut session = compile(&plugin).unwrap();
    let tensor = Tensor::from_vec([2], vec![1f32, 2.0]).unwrap();
    expect(&session.run(std::slice::from_ref(&tensor)).unwrap_err(), "run of a session: called the deleter of a tensor 1 times too often");
    assert_eq!(tensor.as_slice::<f32>().unwrap(), [1.0, 2.0]);
}

#[test]
fn errors_in_every_form() {
    expect(&item(&["NO_REASON"]), "item of a data set: failed and gave no reason");
    expect(&item(&["ERROR_THEN_OK"]), "said so");
    expect(&item(&["LYING_PANIC"]), "item of a data set panicked: index out of bounds");
    assert!(matches!(item(&["CANCELS"]), Error::Cancelled));
    let unavailable = item(&["UNAVAILABLE"]);
    assert!(matches!(&unavailable, Error::Unavailable { why, .. } if why == "the drive is asleep"), "{unavailable}");
    assert_eq!(item(&["JSON_ERROR"]).to_string(), "a/b: at byte 3: expected x, found y; z");
}

#[test]
fn handles_and_tables() {
    expect(&open(&load(&c_plugin(&["FORGETS_HANDLE"]).path)).err().unwrap(), "data set: table is NULL");
    expect(&compile(&load(&c_plugin(&["SHORT_SESSION_TABLE"]).path)).err().unwrap(), "session: table has 24 bytes, ABI 1.0 has 48");
    expect(&compile(&load(&c_plugin(&["NULL_FUNCTION"]).path)).err().unwrap(), "session: function `describe` is NULL");
}

#[test]
fn a_plugin_of_a_later_minor_version_works() {
    let plugin = load(&c_plugin(&["LATER_MINOR"]).path);
    assert_eq!(open(&plugin).unwrap().get(0).unwrap()[0].len(), 2);
    compile(&plugin).unwrap();
}

#[test]
fn a_plugin_for_one_thread_is_entered_by_one() {
    let plugin = load(&c_plugin(&["ONE_THREAD"]).path);
    let dataset = open(&plugin).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..200).for_each(|i| drop(dataset.get(i % 4).unwrap())));
        }
    });
}
