//! Checkpoints under the authors' names: synthetic state dicts of the right shapes.

use zoo_core::{Error, Tensor, Weights};
use zoo_formats::onnx::Conv;
use zoo_formats::safetensors;
use zoo_mmcbm::authors::{bank, checkpoint, import_bank};
use zoo_mmcbm::full_scale::{FullScale, read, same, tensors};

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::from_vec(shape, vec![0.0f32; shape.iter().product()]).unwrap()
}

/// Everything of specification section 10, with the counters that PyTorch adds.
fn state_dict(config: &FullScale) -> Weights {
    let mut file = Weights::new();
    for modality in ["FA", "ICGA", "US"] {
        for (name, shape) in tensors(config.features) {
            if let Some(norm) = name.strip_suffix(".running_mean") {
                file.insert(
                    format!("module.encoder.encoder.{modality}.{norm}.num_batches_tracked"),
                    Tensor::from_vec([1], vec![7i64]).unwrap(),
                );
            }
            file.insert(format!("module.encoder.encoder.{modality}.{name}"), zeros(&shape));
        }
    }
    let (f, hidden) = (1280, 1280 / config.reduction);
    for (name, o, i) in [
        ("pool.weight.mlp.0", hidden, f),
        ("pool.weight.mlp.2", f, hidden),
        ("classifier.classifier.0", hidden, f),
        ("classifier.classifier.2", 3, hidden),
    ] {
        file.insert(format!("module.classifier.{name}.weight"), zeros(&[o, i]));
        file.insert(format!("module.classifier.{name}.bias"), zeros(&[o]));
    }
    for part in ["q", "k", "v"] {
        file.insert(format!("module.classifier.attn.linear_{part}.weight"), zeros(&[f, f]));
    }
    file
}

#[test]
fn a_checkpoint_is_taken_apart_and_every_other_name_is_told() {
    let config = read("mmcbm_cti_b0").unwrap();
    let mut file = state_dict(&config);
    let parts = checkpoint(&config, &file).unwrap();
    assert_eq!(parts.encoders.len(), 3);
    assert!(parts.encoders.values().all(|e| e.tensors.len() == tensors(1280).len()));
    assert_eq!(parts.classifier.tensors.len(), 11);
    // A bottleneck adds its free weights.
    file.insert("classifier.modality_weight_dict.FA_ICGA.weight", zeros(&[3, 60]));
    file.insert("classifier.modality_weight_dict.US.weight", zeros(&[3, 43]));
    assert_eq!(checkpoint(&config, &file).unwrap().classifier.tensors.len(), 13);
    file.insert("classifier.modality_weight_dict.US.weight", zeros(&[2, 43]));
    assert!(matches!(checkpoint(&config, &file), Err(Error::Shape { .. })));
    let mut other = state_dict(&config);
    other.tensors.remove("module.encoder.encoder.US._conv_stem.weight");
    other.insert("encoder.encoder.US._fc.weight", zeros(&[1]));
    let Err(Error::Keys { missing, unexpected, .. }) = checkpoint(&config, &other) else { panic!() };
    assert_eq!(
        (missing, unexpected),
        (vec!["encoder.encoder.US._conv_stem.weight".to_string()], vec!["encoder.encoder.US._fc.weight".to_string()])
    );
}

#[test]
fn a_concept_bank_keeps_its_names_in_order() {
    let mut file = Weights::new();
    file.insert("vectors", Tensor::from_vec([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap());
    file.insert("intercepts", Tensor::from_vec([2, 1], vec![0.5f32, -0.5]).unwrap());
    file.insert("norms", zeros(&[2]));
    assert!(matches!(bank(&file, 3), Err(Error::Argument { .. })), "no names");
    file.metadata.insert("concept_names".into(), r#"["b", "a"]"#.into());
    assert!(matches!(bank(&file, 3), Err(Error::Argument { .. })), "unsorted names");
    file.metadata.insert("concept_names".into(), r#"["a", "b"]"#.into());
    let read = bank(&file, 3).unwrap();
    assert_eq!(read.get("bank.intercepts").unwrap().as_slice::<f32>().unwrap(), [0.5, -0.5]);
    assert_eq!(read.metadata["concepts"], r#"["a","b"]"#);
    assert!(matches!(bank(&file, 4), Err(Error::Shape { .. })));
}

#[test]
fn a_concept_bank_crosses_from_file_to_file_or_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("theirs.safetensors"), folder.path().join("ours.safetensors"));
    let mut file = Weights::new();
    let vectors: Vec<f32> = (0..2 * 1280).map(|i| i as f32 / 8.0).collect();
    file.insert("vectors", Tensor::from_vec([2, 1280], vectors.clone()).unwrap());
    file.insert("intercepts", Tensor::from_vec([2, 1], vec![0.5f32, -0.5]).unwrap());
    file.insert("norms", zeros(&[2, 1]));
    safetensors::write_atomically(&from, &file).unwrap();
    assert!(matches!(import_bank("mmcbm_cti_b0", &from, &to), Err(Error::Argument { .. })), "no names");
    file.metadata.insert("concept_names".into(), r#"["a", "b"]"#.into());
    safetensors::write_atomically(&from, &file).unwrap();
    assert!(import_bank("another", &from, &to).is_err());
    assert!(import_bank("mmcbm_cti_b0", &folder.path().join("none"), &to).is_err());
    assert!(!to.exists());
    let said = import_bank("mmcbm_cti_b0", &from, &to).unwrap();
    assert_eq!((&said["concepts"], &said["features"]), (&2.into(), &1280.into()));
    let own = safetensors::read(&to).unwrap();
    assert_eq!(own.get("bank.vectors").unwrap().as_slice::<f32>().unwrap(), vectors);
    assert_eq!(own.metadata["concepts"], r#"["a","b"]"#);
}

#[test]
fn an_encoder_has_the_known_number_of_parameters() {
    // torchvision's EfficientNet-B0 has 5,288,548, of which the classifier takes 1280 x 1000 + 1000.
    let parameters: usize = tensors(1280).iter().filter(|(n, _)| !n.contains("running_")).map(|(_, s)| s.iter().product::<usize>()).sum();
    assert_eq!(parameters, 5_288_548 - 1_281_000);
    let config = read("mmcbm_cti_b0").unwrap();
    assert_eq!((config.features, config.modalities.len(), config.standardise["US"].mean.len()), (1280, 3, 3));
    assert!(read("other").is_err());
    // 3 x 3 with stride 2 over 256: one row, below.
    assert_eq!(same(256, 3, 2), (Conv { pads: vec![0, 0, 1, 1], ..Conv::square(2, 0) }, 128));
}
