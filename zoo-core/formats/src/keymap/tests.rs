use super::*;
use proptest::prelude::*;
use zoo_core::Tensor;

fn weights(names: &[&str]) -> Weights {
    let mut weights = Weights::new();
    for (i, name) in names.iter().enumerate() {
        weights.insert(*name, Tensor::scalar(i as f32));
    }
    weights
}

fn vgg() -> KeyMap {
    let rules = || {
        KeyMap::new()
            .strip("module.")
            .ignore("{bn:rest}.num_batches_tracked")?
            .rule("layer{i}.{j}.conv.{what:part}", "block.{i}.{j}.{what:part}")?
            .rule("head.weight", "fc.weight")?
            .alias("classifier.weight", "fc.weight")
    };
    rules().unwrap()
}

#[test]
fn names_are_mapped_and_back() {
    #[track_caller]
    fn check(map: &KeyMap, from: &str, to: Option<&str>) {
        assert_eq!(map.rename(from).as_deref(), to, "{from}");
    }
    let map = vgg();
    check(&map, "module.layer12.0.conv.bias", Some("block.12.0.bias"));
    check(&map, "layer1.0.conv.a.b", None);
    check(&map, "layerx.0.conv.bias", None);
    check(&map, "classifier.weight", Some("fc.weight"));
    let back = map.invert();
    check(&back, "block.12.0.bias", Some("layer12.0.conv.bias"));
    check(&back, "fc.weight", Some("head.weight"));
    check(&KeyMap::identity(), "any.thing", Some("any.thing"));
}

#[test]
fn all_missing_and_unexpected_keys_are_reported_at_once() {
    let file = weights(&["module.layer1.0.conv.bias", "module.stray", "module.bn.num_batches_tracked", "head.weight", "classifier.weight"]);
    let error = vgg().apply("file", &file, ["block.1.0.bias", "block.1.0.weight", "block.2.0.weight", "fc.weight"]).unwrap_err();
    let Error::Keys { what, missing, unexpected } = error else { panic!("{error}") };
    assert_eq!(what, "file");
    assert_eq!(missing, ["block.1.0.weight", "block.2.0.weight"]);
    assert_eq!(unexpected, ["head.weight (`classifier.weight` already leads to `fc.weight`)", "module.stray"]);
}

#[test]
fn tensors_are_rearranged() {
    let map = KeyMap::new()
        .rule_with("t", "t", Transform::Transpose(vec![2, 0, 1]))
        .and_then(|map| map.rule_with("r", "r", Transform::Reshape { from: vec![2, 3], to: vec![6] }))
        .unwrap();
    let mut file = Weights::new();
    let t = Tensor::from_vec([2, 3, 2], (0..12i16).collect()).unwrap();
    let r = Tensor::from_vec([2, 3], (0..6i64).collect()).unwrap();
    file.insert("t", t.clone());
    file.insert("r", r.clone());
    let mapped = map.apply("file", &file, ["t", "r"]).unwrap();
    // numpy: arange(12).reshape(2, 3, 2).transpose(2, 0, 1).ravel()
    assert_eq!(mapped.get("t").unwrap().shape(), [2, 2, 3]);
    assert_eq!(mapped.get("t").unwrap().as_slice::<i16>().unwrap(), [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
    assert_eq!(mapped.get("r").unwrap().shape(), [6]);
    assert_eq!(map.invert().apply("file", &mapped, ["t", "r"]).unwrap(), file);
    file.insert("r", t);
    assert!(matches!(map.apply("file", &file, ["t", "r"]), Err(Error::Shape { .. })));
    file.insert("t", r);
    assert!(matches!(map.apply("file", &file, ["t", "r"]), Err(Error::Argument { .. } | Error::Shape { .. })));
}

#[test]
fn malformed_patterns_are_refused() {
    for bad in ["", "a{i", "a}b", "{}", "{i:word}", "{i}{j}", "{i}.{i}", "{a b}"] {
        assert!(matches!(KeyMap::new().rule(bad, "x"), Err(Error::Argument { .. })), "{bad}");
    }
    assert!(KeyMap::new().rule("a.{i}", "b.{j}").is_err());
    assert!(KeyMap::new().rule("a.{i}", "b.{i:part}").is_err());
}

proptest! {
    /// A rule's way there and back gives the name it started from.
    #[test]
    fn inverse_undoes(i in 0u32..1000, part in "[a-z_]{1,8}", rest in "[a-z.0-9]{1,12}") {
        let map = KeyMap::new().rule("a{i}.{p:part}.{r:rest}", "{r:rest}/{p:part}/x{i}").unwrap();
        let name = format!("a{i}.{part}.{rest}");
        let there = map.rename(&name).unwrap();
        prop_assert_eq!(map.invert().rename(&there), Some(name));
    }

    /// No name and no pattern makes matching fail with a panic.
    #[test]
    fn any_text_is_handled(pattern in ".{0,24}", name in ".{0,24}") {
        if let Ok(map) = KeyMap::new().rule(&pattern, &pattern) {
            let _ = map.rename(&name);
        }
    }
}
