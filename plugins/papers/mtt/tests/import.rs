//! The authors' names, on synthetic files of the right shapes.

use zoo_core::{Error, Tensor, Weights};
use zoo_mtt::import::{author_names, import_authors};
use zoo_mtt::network::{Architecture, Network};

/// Every tensor of a network under the authors' names, filled with its place in the list.
fn synthetic(architecture: Architecture, network: &Network) -> Weights {
    let mut file = Weights::new();
    let shapes = network.tensors();
    for (place, (ours, theirs)) in author_names(architecture, network).unwrap().into_iter().enumerate() {
        let shape = &shapes.iter().find(|(name, _)| *name == ours).expect("one of ours").1;
        file.insert(theirs, Tensor::from_vec(shape.clone(), vec![place as f32; shape.iter().product()]).unwrap());
    }
    file
}

fn networks() -> Vec<(Architecture, Network)> {
    [
        (Architecture::Resnet19, [3, 16, 16], 10),
        (Architecture::Resnet18, [2, 16, 16], 10),
        (Architecture::Vgg14, [3, 32, 32], 10),
        (Architecture::Vgg9Event, [2, 128, 128], 10),
        (Architecture::GestureEvent, [2, 128, 128], 11),
    ]
    .map(|(a, input, classes)| (a, Network::new(a, input, classes, 1).unwrap()))
    .into()
}

#[test]
fn all_tables_round_trip() {
    for (architecture, network) in networks() {
        let file = synthetic(architecture, &network);
        let ours = import_authors(architecture, &network, &file).unwrap();
        assert_eq!(ours.tensors.len(), network.tensors().len(), "{architecture:?}");
        for (ours_name, theirs) in author_names(architecture, &network).unwrap() {
            assert_eq!(ours.get(&ours_name).unwrap(), file.get(&theirs).unwrap(), "{architecture:?}: {theirs}");
        }
    }
}

#[test]
fn names_as_the_specification_lists_them() {
    let names = |architecture: Architecture| {
        let network = networks().into_iter().find(|(a, _)| *a == architecture).unwrap().1;
        let table = author_names(architecture, &network).unwrap();
        move |ours: &str| table.iter().find(|(name, _)| name == ours).map(|(_, theirs)| theirs.clone()).unwrap_or_default()
    };
    let resnet = names(Architecture::Resnet19);
    assert_eq!(resnet("stem.conv.weight"), "conv.module.0.weight");
    assert_eq!(resnet("stem.bn.var"), "conv.module.1.running_var");
    assert_eq!(resnet("stages.3.shortcut.weight"), "feature_ext.3.shortcut.module.0.weight");
    assert_eq!(resnet("stages.3.bn_shortcut.gamma"), "feature_ext.3.shortcut.module.1.weight");
    assert_eq!(resnet("stages.7.conv2.weight"), "feature_ext.7.conv2.module.0.weight");
    assert_eq!(resnet("head.bias"), "fc.module.bias");
    let vgg = names(Architecture::Vgg14);
    assert_eq!(
        (vgg("stages.12.conv1.weight"), vgg("head.weight")),
        ("feature_ext.12.conv.module.0.weight".into(), "fc3.module.weight".into())
    );
    let vgg9 = names(Architecture::Vgg9Event);
    assert_eq!((vgg9("stages.7.conv1.weight"), vgg9("stages.7.bn1.beta")), ("net.29.weight".into(), "net.30.bias".into()));
    assert_eq!(vgg9("head.weight"), "net.34.weight");
    let gesture = names(Architecture::GestureEvent);
    assert_eq!((gesture("fc.weight"), gesture("head.weight")), ("net.20.weight".into(), "net.22.weight".into()));
}

#[test]
fn wrapped_files_and_neuron_state() {
    let (architecture, network) = networks().swap_remove(1);
    let plain = synthetic(architecture, &network);
    let expected = import_authors(architecture, &network, &plain).unwrap();
    let mut wrapped = Weights::new();
    for (name, tensor) in &plain.tensors {
        wrapped.insert(format!("best_model_state_dict.module.{name}"), tensor.clone());
    }
    wrapped.insert("best_model_state_dict.module.conv.module.1.num_batches_tracked", Tensor::scalar(7i64));
    wrapped.insert("best_model_state_dict.module.feature_ext.0.spike.v_mem", Tensor::scalar(0.0f32));
    wrapped.insert("epoch", Tensor::scalar(3i64));
    assert_eq!(import_authors(architecture, &network, &wrapped).unwrap().tensors, expected.tensors);
}

#[test]
fn missing_and_unknown_names_are_all_listed() {
    let (architecture, network) = networks().swap_remove(4);
    let mut file = synthetic(architecture, &network);
    file.tensors.remove("net.6.weight");
    file.tensors.remove("net.22.weight");
    file.insert("net.99.weight", Tensor::scalar(0.0f32));
    let error = import_authors(architecture, &network, &file).unwrap_err().to_string();
    // Missing names are ours, unexpected ones theirs.
    for name in ["stages.1.conv1.weight", "head.weight", "net.99.weight"] {
        assert!(error.contains(name), "{error}");
    }
    let small = Network::new(Architecture::Nmnist3c1fc, [2, 34, 34], 10, 1).unwrap();
    assert!(matches!(import_authors(Architecture::Nmnist3c1fc, &small, &file), Err(Error::NotOffered { .. })));
}
