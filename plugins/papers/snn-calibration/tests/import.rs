//! The authors' checkpoint names, on synthetic state dicts of the right shapes.

use zoo_core::{Config, Dialect, Error, Model, Tensor, Weights};
use zoo_snn_calibration::ann::Ann;
use zoo_snn_calibration::fold::orig;
use zoo_snn_calibration::import::{author_layers, import_authors};
use zoo_snn_calibration::model::{Calibration, Side};
use zoo_snn_calibration::network::Network;

/// Names as a Python list comprehension over the authors' modules would give them, written out by hand.
fn names(architecture: &str) -> Vec<String> {
    let bn = |stem: &str| ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"].map(|p| format!("{stem}.{p}"));
    let mut names = Vec::new();
    match architecture {
        "vgg16" | "vgg16-nobn" | "vgg16-imagenet" => {
            for i in [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40] {
                names.extend([format!("features.{i}.weight"), format!("features.{i}.bias")]);
                if architecture != "vgg16-nobn" {
                    names.extend(bn(&format!("features.{}", i + 1)));
                }
            }
            let heads: &[&str] =
                if architecture == "vgg16-imagenet" { &["classifier.0", "classifier.3", "classifier.6"] } else { &["classifier"] };
            names.extend(heads.iter().flat_map(|h| [format!("{h}.weight"), format!("{h}.bias")]));
        }
        _ => {
            let deep = architecture == "resnet34-deepstem";
            let stem: &[(&str, &str)] =
                if deep { &[("conv1.0", "conv1.1"), ("conv1.3", "conv1.4"), ("conv1.6", "bn1")] } else { &[("conv1", "bn1")] };
            for (conv, norm) in stem {
                names.push(format!("{conv}.weight"));
                names.extend(bn(norm));
            }
            let stages: &[usize] = if deep { &[3, 4, 6, 3] } else { &[3, 3, 3] };
            for (stage, &blocks) in stages.iter().enumerate() {
                for block in 0..blocks {
                    let at = format!("layer{}.{block}", stage + 1);
                    for k in [1, 2] {
                        names.push(format!("{at}.conv{k}.weight"));
                        names.extend(bn(&format!("{at}.bn{k}")));
                    }
                    if stage > 0 && block == 0 {
                        names.push(format!("{at}.downsample.0.weight"));
                        names.extend(bn(&format!("{at}.downsample.1")));
                    }
                }
            }
            names.extend(["fc.weight".into(), "fc.bias".into()]);
        }
    }
    names
}

/// A checkpoint with the authors' names and this network's shapes; every tensor has a value of its own.
fn checkpoint(architecture: &str, network: &Network, prefix: &str) -> Weights {
    let mut shapes = std::collections::BTreeMap::new();
    for (layer, theirs) in network.weighted().zip(author_layers(architecture, network).unwrap()) {
        let channels = vec![network.shape(layer)[0]];
        shapes.insert(format!("{}.weight", theirs.layer), network.weight_shape(layer).unwrap());
        shapes.insert(format!("{}.bias", theirs.layer), channels.clone());
        if let Some(bn) = theirs.batch_norm {
            for part in orig::BN {
                shapes.insert(format!("{bn}.{part}"), channels.clone());
            }
        }
    }
    let mut file = Weights::new();
    for (i, name) in names(architecture).into_iter().enumerate() {
        let tensor = match shapes.get(&name) {
            Some(shape) => Tensor::from_vec(shape.clone(), vec![0.5 + i as f32 / 1024.0; shape.iter().product()]).unwrap(),
            None => Tensor::scalar(7i64),
        };
        file.insert(format!("{prefix}{name}"), tensor);
    }
    file
}

fn check(architecture: &str, image: usize, prefix: &str) {
    let network = Network::named(architecture, [3, image, image], 10).unwrap();
    let ours = import_authors(architecture, &network, &checkpoint(architecture, &network, prefix)).unwrap();
    Ann::new(network.clone(), &ours).unwrap();
    // The second weighted layer has batch normalisation in most: its bias is beta - gamma mean / sqrt(var + eps).
    let layer = network.weighted().nth(1).unwrap();
    if network.nodes()[layer].batch_norm {
        let part = |p: &str| f64::from(ours.get(&orig::bn(layer, p)).unwrap().as_slice::<f32>().unwrap()[0]);
        let own = ours.tensors.get(&orig::bias(layer)).map_or(0.0, |t| f64::from(t.as_slice::<f32>().unwrap()[0]));
        let wanted = part("bias") + (own - part("running_mean")) * part("weight") / (part("running_var") + 1e-5).sqrt();
        let found = f64::from(ours.get(&format!("layers.{layer}.bias")).unwrap().as_slice::<f32>().unwrap()[0]);
        assert!((found - wanted).abs() < 1e-6, "{architecture}: {found} against {wanted}");
    }
}

#[test]
fn cifar_and_imagenet_checkpoints_load_with_and_without_prefix() {
    check("vgg16", 32, "");
    check("vgg16", 32, "module.");
    check("vgg16-nobn", 32, "state_dict.module.");
    check("resnet20-wide", 32, "model.");
    check("resnet34-deepstem", 224, "module.");
}

#[test]
fn imagenet_vgg_names_are_complete() {
    // Shapes of a 224-pixel VGG-16 hold half a gigabyte; the names alone are enough.
    let network = Network::named("vgg16-imagenet", [3, 224, 224], 1000).unwrap();
    let mut expected: Vec<String> = names("vgg16-imagenet").into_iter().filter(|n| !n.ends_with("num_batches_tracked")).collect();
    let mut found = Vec::new();
    for theirs in author_layers("vgg16-imagenet", &network).unwrap() {
        found.extend([format!("{}.weight", theirs.layer), format!("{}.bias", theirs.layer)]);
        found.extend(theirs.batch_norm.into_iter().flat_map(|bn| orig::BN.map(|part| format!("{bn}.{part}"))));
    }
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn missing_and_unexpected_names_are_all_listed() {
    let network = Network::named("resnet20-wide", [3, 32, 32], 10).unwrap();
    let mut file = checkpoint("resnet20-wide", &network, "");
    file.tensors.remove("layer2.0.downsample.0.weight");
    file.tensors.remove("fc.bias");
    file.insert("classifier.weight", Tensor::scalar(1.0f32));
    match import_authors("resnet20-wide", &network, &file).unwrap_err() {
        Error::Keys { missing, unexpected, .. } => {
            assert_eq!(missing.len(), 2, "{missing:?}");
            assert_eq!(unexpected, ["classifier.weight"]);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn wrong_shapes_and_hostile_values_are_refused() {
    let network = Network::named("resnet20-wide", [3, 32, 32], 10).unwrap();
    let good = checkpoint("resnet20-wide", &network, "");
    let spoil = |name: &str, tensor: Tensor| {
        let mut file = good.clone();
        file.insert(name, tensor);
        import_authors("resnet20-wide", &network, &file).unwrap_err().to_string()
    };
    assert!(spoil("fc.bias", Tensor::from_vec([9], vec![0.0f32; 9]).unwrap()).contains("[9]"));
    assert!(spoil("bn1.running_var", Tensor::from_vec([64], vec![-1.0f32; 64]).unwrap()).contains("variance"));
    assert!(spoil("fc.bias", Tensor::from_vec([10], vec![f32::NAN; 10]).unwrap()).contains("finite"));
    assert!(spoil("fc.bias", Tensor::from_vec([10], vec![0i64; 10]).unwrap()).contains("f32"));
}

#[test]
fn zoo_files_must_fit_their_family() {
    let config: serde_json::Value = toml::from_str(include_str!("../config/vgg-mini-mnist.toml")).unwrap();
    let config = Config::new(config);
    let load = |name: &str| zoo_formats::safetensors::read(format!("{}/weights/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (ann, snn) = (load("vgg-mini-mnist-ann-seed1000.safetensors"), load("vgg-mini-mnist-seed1000.safetensors"));
    let family = |side| Calibration::new(side);
    family(Side::Ann).import(&ann, Dialect::Zoo, &config).unwrap();
    family(Side::Snn).import(&snn, Dialect::Zoo, &config).unwrap();
    assert!(matches!(family(Side::Snn).import(&ann, Dialect::Zoo, &config), Err(Error::Keys { .. })));
    assert!(matches!(family(Side::Ann).import(&snn, Dialect::Zoo, &config), Err(Error::Keys { .. })));
    // A folded tensor that does not follow from the original ones.
    let mut changed = ann;
    changed.insert("layers.0.bias", Tensor::from_vec([16], vec![9.0f32; 16]).unwrap());
    assert!(family(Side::Ann).import(&changed, Dialect::Zoo, &config).unwrap_err().to_string().contains("orig."));
    // A threshold of zero, and steps that make no sense.
    let mut silent = snn.clone();
    silent.insert("calib.0.threshold", Tensor::from_vec([16], vec![0.0f32; 16]).unwrap());
    assert!(family(Side::Snn).import(&silent, Dialect::Zoo, &config).unwrap_err().to_string().contains("positive"));
    for steps in ["0", "-1", "4294967295", "many"] {
        let mut odd = snn.clone();
        odd.metadata.insert("T".into(), steps.into());
        assert!(family(Side::Snn).import(&odd, Dialect::Zoo, &config).is_err(), "{steps}");
    }
}
