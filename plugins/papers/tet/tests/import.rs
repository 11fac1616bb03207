//! The authors' checkpoint names, on synthetic state dicts of the right shapes.

use zoo_core::{Error, Tensor, Weights};
use zoo_tet::import::{author_names, import_authors};
use zoo_tet::network::{Architecture, Network};

const PARTS: [&str; 5] = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];

/// Every name as the specification's table lists it, written out by hand; names in one group are one tensor.
fn table(architecture: Architecture) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let alike = |stems: &[String], part: &str| stems.iter().map(|stem| format!("{stem}.{part}")).collect::<Vec<_>>();
    if architecture != Architecture::Resnet19 {
        let places: &[usize] = if architecture == Architecture::Vggsnn { &[0, 1, 3, 4, 6, 7, 9, 10] } else { &[0, 1, 2, 3, 4, 5, 6, 7] };
        for i in places {
            groups.extend(["weight", "bias"].map(|p| vec![format!("features.{i}.fwd.module.0.{p}")]));
            groups.extend(PARTS.map(|p| vec![format!("features.{i}.fwd.module.1.{p}")]));
        }
        groups.extend(["weight", "bias"].map(|p| vec![format!("classifier.module.{p}")]));
        return groups;
    }
    let mut conv = |stem: &str, n: usize| {
        groups.push(alike(&[format!("{stem}conv{n}"), format!("{stem}conv{n}_s.layer.module")], "weight"));
        let norms = [
            format!("{stem}bn{n}.bn"),
            format!("{stem}bn{n}.seqbn.module"),
            format!("{stem}conv{n}_s.bn.bn"),
            format!("{stem}conv{n}_s.bn.seqbn.module"),
        ];
        groups.extend(PARTS.map(|p| alike(&norms, p)));
    };
    conv("", 1);
    for (stage, blocks) in [(1, 3), (2, 3), (3, 2)] {
        for block in 0..blocks {
            conv(&format!("layer{stage}.{block}."), 1);
            conv(&format!("layer{stage}.{block}."), 2);
        }
    }
    for stage in 1..=3 {
        let stem = format!("layer{stage}.0.downsample");
        groups.push(vec![format!("{stem}.layer.module.weight")]);
        groups.extend(PARTS.map(|p| alike(&[format!("{stem}.bn.bn"), format!("{stem}.bn.seqbn.module")], p)));
    }
    for n in [1, 2] {
        groups.extend(["weight", "bias"].map(|p| alike(&[format!("fc{n}"), format!("fc{n}_s.layer.module")], p)));
    }
    groups
}

/// A checkpoint in which every tensor has a value of its own and all its names hold the same.
fn checkpoint(architecture: Architecture, network: &Network, prefix: &str) -> Weights {
    let shapes: std::collections::BTreeMap<String, Vec<usize>> = network.tensors().into_iter().collect();
    let ours: Vec<_> = author_names(architecture, network).unwrap();
    let mut file = Weights::new();
    for (value, group) in table(architecture).into_iter().enumerate() {
        let shape = ours.iter().find(|n| n.theirs.contains(&group[0])).map(|n| shapes[&n.ours].clone());
        let tensor = match shape {
            Some(shape) => Tensor::from_vec(shape.clone(), vec![0.5 + value as f32 / 4096.0; shape.iter().product()]).unwrap(),
            None => Tensor::scalar(7i64),
        };
        for name in group {
            file.insert(format!("{prefix}{name}"), tensor.clone());
        }
    }
    file
}

fn small(architecture: Architecture) -> Network {
    let input = if architecture == Architecture::Resnet19 { [3, 8, 8] } else { [2, 16, 16] };
    Network::new(architecture, input, 10).unwrap()
}

#[test]
fn every_name_of_the_table_is_known() {
    for architecture in [Architecture::Vggsnn, Architecture::VggsnnWoap, Architecture::Resnet19] {
        let network = small(architecture);
        for prefix in ["", "module."] {
            let imported = import_authors(architecture, &network, &checkpoint(architecture, &network, prefix)).unwrap();
            assert_eq!(imported.tensors.len(), network.tensors().len());
            for (name, shape) in network.tensors() {
                assert_eq!(imported.get(&name).unwrap().shape(), shape, "{architecture:?} {name}");
            }
            assert!(zoo_tet::fold::fold(&network, &imported).is_ok());
        }
    }
}

#[test]
fn values_land_where_they_belong() {
    let network = small(Architecture::Vggsnn);
    let mut file = checkpoint(Architecture::Vggsnn, &network, "");
    let marked = Tensor::from_vec([512], (0..512).map(|i| i as f32).collect()).unwrap();
    file.insert("features.10.fwd.module.1.running_var", marked.clone());
    let imported = import_authors(Architecture::Vggsnn, &network, &file).unwrap();
    assert_eq!(imported.get("bns.7.var").unwrap(), &marked);
}

#[test]
fn aliases_may_be_absent_but_must_agree() {
    let network = small(Architecture::Resnet19);
    let file = checkpoint(Architecture::Resnet19, &network, "");
    let whole = import_authors(Architecture::Resnet19, &network, &file).unwrap();
    let mut bare = file.clone();
    for name in ["conv1.weight", "layer2.1.bn2.bn.running_mean", "layer2.1.bn2.seqbn.module.running_mean", "fc1.bias"] {
        assert!(bare.tensors.remove(name).is_some(), "{name}");
    }
    assert_eq!(import_authors(Architecture::Resnet19, &network, &bare).unwrap(), whole);
    let mut torn = file;
    let shape = torn.get("layer1.0.conv2_s.layer.module.weight").unwrap().shape().to_vec();
    torn.insert("layer1.0.conv2_s.layer.module.weight", Tensor::from_vec(shape.clone(), vec![0.25f32; shape.iter().product()]).unwrap());
    let error = import_authors(Architecture::Resnet19, &network, &torn).unwrap_err().to_string();
    assert!(error.contains("layer1.0.conv2_s.layer.module.weight") && error.contains("layer1.0.conv2.weight"), "{error}");
}

#[test]
fn missing_and_unknown_names_are_listed() {
    let network = small(Architecture::VggsnnWoap);
    let mut file = checkpoint(Architecture::VggsnnWoap, &network, "");
    file.tensors.remove("features.3.fwd.module.0.bias");
    file.tensors.remove("classifier.module.weight");
    file.insert("features.8.fwd.module.0.bias", Tensor::scalar(1.0f32));
    match import_authors(Architecture::VggsnnWoap, &network, &file).unwrap_err() {
        Error::Keys { missing, unexpected, .. } => {
            assert_eq!(missing, ["convs.3.bias", "head.0.weight"]);
            assert_eq!(unexpected, ["features.8.fwd.module.0.bias"]);
        }
        other => panic!("{other}"),
    }
    let resnet = Network::new(Architecture::SewResnet34, [3, 32, 32], 10).unwrap();
    assert!(matches!(import_authors(Architecture::SewResnet34, &resnet, &file), Err(Error::NotOffered { .. })));
}
