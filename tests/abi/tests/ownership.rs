//! Who owns a tensor: nothing is copied, and everything that is handed out is given back. One test, since the counter of
//! tensors that are out is one for the whole process.

mod common;

use common::{c_plugin, load};
use zoo_core::{Artifact, ArtifactKind, Config, Device, Dialect, ExportRequest, Options, Tensor, Weights, dlpack};

#[test]
fn tensors_pass_through_c_without_a_copy_and_come_back() {
    let plugin = load(&c_plugin(&[]).path);
    let artifact = Artifact::single(ArtifactKind::Onnx, "model", "m.onnx", &b"any"[..]);
    let mut session = plugin.backends[0].compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    assert_eq!(dlpack::exported(), 0);
    let tensor = Tensor::from_vec([1000], vec![0.5f32; 1000]).unwrap();
    let address = tensor.as_bytes().as_ptr();
    let back = session.run(std::slice::from_ref(&tensor)).unwrap().remove(0);
    assert_eq!(back.as_bytes().as_ptr(), address);
    assert_eq!(dlpack::exported(), 1);
    drop(back);
    assert_eq!(dlpack::exported(), 0);

    let model = plugin.models[0].as_ref();
    let mut weights = Weights::new();
    weights.insert("w", tensor);
    model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &Config::default()).unwrap();
    assert_eq!(dlpack::exported(), 0);
    let imported = model.import(&weights, Dialect::Zoo, &Config::default()).unwrap();
    assert_eq!(imported.get("w").unwrap().as_bytes().as_ptr(), address);
    drop(imported);
    assert_eq!(dlpack::exported(), 0);
    // Refused before it was used: given back all the same.
    session.run(&[Tensor::scalar(1f32), Tensor::scalar(2f32)]).unwrap_err();
    assert_eq!(dlpack::exported(), 0);

    // A plugin that keeps what it is lent shows in the count, which is what the conformance suite looks at.
    let keeper = load(&c_plugin(&["KEEPS_TENSORS", "NAME=\"keeper\""]).path);
    let mut session = keeper.backends[0].compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    drop(session.run(&[Tensor::from_vec([2], vec![1f32, 2.0]).unwrap()]));
    assert_eq!(dlpack::exported(), 1);
}
