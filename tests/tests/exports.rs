//! Folders that `export` writes: every format beside a card, which the hub's own package reads and whose example runs.

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::path::Path;
use zoo_test_support::store::{Hub, TOKEN};
use zoo_tests::{root, xtask};

/// A model of each paper; none needs the network to be exported.
const MODELS: [&str; 9] = [
    "brain-energy/rest",
    "hebbff/anti-r5",
    "imaging-planes/seg-t1t2-10",
    "mmcbm/phantom",
    "mtt/3c1fc-saccade",
    "sd-conv/digits-sd03",
    "snn-calibration/vgg-mini-mnist",
    "stock-attention/stocknet-10",
    "tet/vggsnn-mini-saccade",
];

#[test]
fn every_format_and_graph_stands_beside_a_card_that_the_hub_reads() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let output = xtask().arg("export").args(MODELS).arg("--out").arg(out.path()).args(["--json", "-"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).expect("one JSON object");
    assert_eq!(report["schema"], "zoo.export/1");
    for row in report["rows"].as_array().expect("rows") {
        let sizes = row["files"].as_array().expect("files").iter().map(|file| {
            let path = out.path().join(file.as_str().expect("a path"));
            path.metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display())).len()
        });
        assert_eq!(sizes.sum::<u64>(), row["bytes"].as_u64().expect("a number"), "{row}");
    }
    for model in MODELS {
        let header = zoo_host::export::read_header_of(&out.path().join(model).join("README.md")).expect("a header").expect("a header");
        assert_eq!(header["zoo_model"], model);
        assert!(header["license"].is_string() && header["tags"].is_array(), "{header:?}");
    }
    let spiking = |model: &str| out.path().join(model).join("event").is_dir();
    assert!(spiking("mtt/3c1fc-saccade") && !spiking("hebbff/anti-r5"));
    let card = std::fs::read_to_string(out.path().join("snn-calibration/vgg-mini-mnist/README.md")).expect("a card");
    assert!(card.contains("pipeline_tag: \"image-classification\"") && card.contains("license: \"cc0-1.0\""), "{card}");
    assert!(card.contains("model-index:") && card.contains("## Limitations"), "{card}");
    cards_in_python(out.path());
}

/// The hub's package reads each header, and the example of each card runs as it stands there.
fn cards_in_python(out: &Path) {
    if zoo_test_support::python().is_none() {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
        return;
    }
    let script = r#"
import json, os, pathlib, sys
from huggingface_hub import ModelCard
for name in sys.argv[2:]:
    folder = pathlib.Path(sys.argv[1], name)
    card = ModelCard.load(folder / "README.md")
    data = card.data.to_dict()
    assert data["zoo_model"] == name, data
    for result in card.data.eval_results or []:
        assert isinstance(result.metric_value, float), result
    code = card.text.split("```python\n", 1)[1].split("```", 1)[0]
    os.chdir(folder)
    exec(code, {})
"#;
    let args: Vec<&str> = std::iter::once(out.to_str().expect("a path that is text")).chain(MODELS).collect();
    zoo_test_support::run_python(script, &args).unwrap_or_else(|e| panic!("{e}"));
}

/// A registry with a model that can be exported between two that can't.
#[test]
fn all_goes_on_past_a_model_that_fails_and_ends_with_3() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (paper, config) in [("brain-energy", "rest"), ("hebbff", "anti-r5")] {
        let from = root().join(format!("plugins/papers/{paper}/config/{config}.toml"));
        std::fs::copy(from, folder.path().join(format!("{paper}.toml"))).expect("the configuration");
    }
    let model = |name: &str, plugin: &str| {
        format!("[[model]]\nname = \"paper/{name}\"\nplugin = \"{plugin}\"\nconfig = \"{plugin}.toml\"\nbackends = [\"tract\"]\n")
    };
    let registry = folder.path().join("registry.toml");
    // A network without its weights can't be exported.
    let models = [model("first", "hebbff"), model("good", "brain-energy"), model("last", "hebbff")].concat();
    std::fs::write(&registry, format!("schema = 1\n{models}")).expect("a small file");
    let out = folder.path().join("out");
    let mut command = xtask();
    command.args(["export", "--all", "--out"]).arg(&out).arg("--registry").arg(&registry);
    command
        .assert()
        .code(3)
        .stdout(contains("paper/good").and(contains("6 failed")))
        .stderr(contains("paper/last").and(contains("missing")));
    assert!(out.join("paper/good/README.md").is_file());
}

#[test]
fn a_text_of_the_users_own_is_left_alone() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let readme = out.path().join("README.md");
    let export = || {
        let mut command = xtask();
        command.args(["export", "hebbff/det-hebb", "--format", "onnx", "--out"]).arg(out.path());
        command.assert()
    };
    std::fs::write(&readme, "# Mine\n").expect("a small file");
    export().success().stderr(contains("stays as it is"));
    assert_eq!(std::fs::read_to_string(&readme).expect("the text"), "# Mine\n");
    std::fs::write(&readme, "---\ntags: [a, b\n---\n# Mine\n").expect("a small file");
    export().code(3).stderr(contains("README.md").and(contains("expected YAML")));
    std::fs::remove_file(&readme).expect("the text");
    export().success();
    export().success();
    assert!(std::fs::read_to_string(&readme).expect("the card").contains("zoo_model: \"hebbff/det-hebb\""));
}

#[test]
fn flags_that_do_not_go_together_end_with_2() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let wrong = |args: &[&str]| {
        xtask().arg("export").args(args).arg("--out").arg(out.path()).assert().code(2).stdout("");
    };
    wrong(&[]);
    wrong(&["--all", "--format", "onnx"]);
    wrong(&["hebbff/det-hebb", "hebbff/anti-r5", "--format", "onnx"]);
    wrong(&["hebbff/det-hebb", "--opset", "18"]);
    wrong(&["hebbff/no-such-model"]);
}

#[test]
fn precisions_are_files_of_their_own_and_go_with_onnx() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let run = |args: &[&str]| {
        let mut command = xtask();
        command.arg("export").args(args).arg("--out").arg(out.path());
        command.assert()
    };
    run(&["snn-calibration/vgg-mini-mnist-ann", "--format", "onnx", "--dtype", "f16"]).success().stdout(contains("ann_fp16.onnx"));
    run(&["snn-calibration/vgg-mini-mnist-ann", "--format", "safetensors", "--dtype", "f16"]).code(2).stderr(contains("goes with ONNX"));
    run(&["brain-energy/rest", "--dtype", "f32,f16"]).success().stdout(contains("onnx f16"));
    // Calibration needs data; without them each graph says so, and the others are written.
    let mut command = xtask();
    command.args(["export", "snn-calibration/vgg-mini-mnist-ann", "--dtype", "f32,int8", "--offline", "--out"]).arg(out.path());
    command.env("ZOO_CACHE", out.path().join("cache")).env("ZOO_DATA", out.path().join("none"));
    command.assert().code(3).stdout(contains("1 failed").and(contains("train-images-idx3-ubyte")));
}

/// With the tools of `cargo xtask setup verify`: every cell is filled, and the format's own tools agree.
#[test]
fn exported_files_open_in_other_tools() {
    if std::env::var_os("ZOO_VERIFY_PYTHON").is_none() {
        println!("skipped: set ZOO_VERIFY_PYTHON to the interpreter of `cargo xtask setup verify`");
        return;
    }
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut command = xtask();
    command.args(["export", "hebbff/det-hebb", "brain-energy/rest", "--verify", "--json", "-", "--out"]).arg(out.path());
    let output = command.assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).expect("one JSON object");
    assert_eq!(report["schema"], "zoo.verify/1");
    let rows = report["rows"].as_array().expect("rows");
    let onnx: Vec<_> = rows.iter().filter(|row| row["file"].as_str().is_some_and(|file| file.ends_with(".onnx"))).collect();
    assert!(onnx.len() >= 2 && onnx.len() < rows.len(), "{rows:?}");
    for row in onnx {
        for tool in ["onnx.checker", "onnxruntime", "openvino", "onnx2torch", "onnxslim"] {
            assert!(row["cells"][tool]["state"].is_string(), "{tool}: {row}");
        }
    }
}

/// The whole way through the command line, on a hub in this process.
#[test]
fn an_exported_folder_is_pushed_with_its_card() {
    let (hub, out) = (Hub::start(), tempfile::tempdir().expect("a temporary folder"));
    let push = |more: &[&str]| {
        let mut command = xtask();
        command.args(["export", "hebbff/det-hebb", "--push", "zoo/det-hebb", "--out"]).arg(out.path()).args(more);
        command.env("HF_ENDPOINT", &hub.hub.url).env("HF_TOKEN", TOKEN).env_remove("HF_HUB_OFFLINE");
        command.assert()
    };
    push(&["--private"]).success().stdout(contains("as commit").and(contains("zoo/det-hebb"))).stderr(contains(TOKEN).not());
    let kept = hub.files("zoo/det-hebb").expect("the repository");
    assert!(kept.keys().any(|path| path.starts_with("onnx/")) && kept.len() > 2, "{:?}", kept.keys());
    for (path, file) in &kept {
        assert_eq!(std::fs::read(out.path().join("hebbff/det-hebb").join(path)).expect("it was exported"), file.bytes, "{path}");
    }
    assert!(String::from_utf8_lossy(&kept["README.md"].bytes).contains("zoo_model: \"hebbff/det-hebb\""));
    push(&[]).success().stdout(contains("pushed nothing"));
    assert_eq!((hub.commits().0.len(), hub.commits().1.len()), (1, 1));
    push(&["--offline"]).code(3).stderr(contains("offline"));
    let mut command = xtask();
    command.args(["export", "hebbff/det-hebb", "--push", "zoo/det-hebb", "--out"]).arg(out.path());
    command
        .env("HF_ENDPOINT", &hub.hub.url)
        .env("HF_TOKEN", "hf_other")
        .assert()
        .code(3)
        .stderr(contains("401").and(contains("hf_other").not()));
    xtask().args(["export", "hebbff/det-hebb", "hebbff/anti-r5", "--push", "a/b", "--out"]).arg(out.path()).assert().code(2);
}

/// Small models. All of them stand in `docs/results/export/opsets.md`.
const SWEPT: [&str; 4] = ["brain-energy/rest", "hebbff/anti-r5", "sd-conv/digits-sd03", "snn-calibration/vgg-mini-mnist-ann"];

/// Graphs in every operator set run on every backend here and are sound for the format's own checker; what one can't say is refused
/// by name.
#[test]
fn graphs_are_written_in_every_operator_set_that_can_say_them() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut command = xtask();
    command.arg("export").args(SWEPT).args(["--opsets", "13..20", "--json", "-", "--out"]).arg(out.path());
    if let Some(library) = std::env::var_os("ZOO_TEST_ORT") {
        command.arg("--ort-lib").arg(library);
    }
    let output = command.assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).expect("one JSON object");
    assert_eq!(report["schema"], "zoo.opsets/1");
    for row in report["rows"].as_array().expect("rows") {
        let opsets = row["opsets"].as_object().expect("opsets");
        assert!(opsets.len() == 8 && opsets.values().all(|found| found["written"].is_object()), "{row}");
    }
    let mut command = xtask();
    command.args(["export", "girnet/girnet", "--format", "onnx", "--graph", "girnet_reg_full", "--opset", "15", "--out"]).arg(out.path());
    command.assert().code(3).stderr(contains("GridSample").and(contains("opset 16, the lowest")));
    if zoo_test_support::python().is_none() {
        println!("skipped: onnx.checker: no Python (set ZOO_TEST_PYTHON)");
        return;
    }
    let script = r#"
import onnx, pathlib, sys
files = sorted(pathlib.Path(sys.argv[1]).rglob("*.onnx"))
for file in files:
    onnx.checker.check_model(file, full_check=True)
    opset = int(file.parent.name.removeprefix("opset-"))
    assert [(o.domain, o.version) for o in onnx.load(file).opset_import] == [("", opset)], file
print(len(files))
"#;
    let checked = zoo_test_support::run_python(script, &[out.path()]).unwrap_or_else(|error| panic!("{error}"));
    assert!(checked.trim().parse::<usize>().is_ok_and(|files| files >= 32), "{checked}");
}
