//! Headers of model cards, read by the package that the hub reads them with.

use serde_json::{Value, json};
use zoo_host::export::write_header;

#[test]
fn the_hubs_package_reads_what_was_written() {
    if zoo_test_support::python().is_none() {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
        return;
    }
    let texts = json!([
        "a: b",
        "it's \"quoted\"",
        "two\nlines\r\nand more",
        "- dash",
        "# hash",
        "yes",
        "No",
        "~",
        "null",
        "1e3",
        "0o17",
        "012",
        "1:30",
        "2026-01-01",
        "---",
        "...",
        "=",
        "<<",
        "@at",
        "%percent",
        "&anchor",
        "*alias",
        "!tag",
        "{a: b}",
        "[a]",
        "|",
        ">",
        " space ",
        "tab\t",
        "next\u{85}line",
        "\u{2028}",
        "\u{feff}mark",
        "\u{7f}",
        "\u{0}",
        "é",
        "😀",
        "\\",
        ""
    ]);
    let entries = json!({
        "license": "other", "license_name": texts[0], "tags": texts, "yes": 1, "a key: with #": [[], {}, [[1, -2.5]], true, null],
        "numbers": [1e-7, 2.5e-10, 1e21, 123_456_789_012_345.0, 0.1, -0.0],
        "model-index": [{"name": texts[1], "results": [{
            "task": {"type": "other"}, "dataset": {"type": texts[2], "name": texts[2]},
            "metrics": [{"type": "accuracy", "value": 98.68, "name": "accuracy (%): T = 8"}],
        }]}],
    });
    let text = write_header(entries.as_object().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("README.md");
    std::fs::write(&path, format!("{text}\n# Title\n")).unwrap();
    let script = "import json, sys, yaml\nfrom huggingface_hub import ModelCard\n\
                  text = open(sys.argv[1], encoding='utf-8', newline='').read()\n\
                  card = ModelCard(text)\nassert card.data.eval_results[0].metric_value == 98.68\n\
                  print(json.dumps(yaml.safe_load(text.split('---\\n')[1])))\n";
    let said = match zoo_test_support::run_python(script, &[&path]) {
        Err(e) if e.to_string().contains("No module named") => {
            println!("skipped: this Python has no huggingface_hub");
            return;
        }
        other => other.unwrap(),
    };
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), entries);
}
