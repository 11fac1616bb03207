//! Running tools that fall, that are not there, and that say what is no number. A shell script stands in for Python.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zoo_core::{Error, Silent};
use zoo_host::export::Precision;
use zoo_host::export::verify::{Case, Checks, State, verify};

fn interpreter(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("python");
    // Called as: python -B -s SCRIPT TOOL CASES FROM
    std::fs::write(&path, format!("#!/bin/sh\ntool=$4\nfrom=$6\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn cases(count: usize) -> Vec<Case> {
    let checks = || Checks::OnnxForm { why: "not run".into() };
    let file = |index| format!("m/onnx/{index}.onnx");
    (0..count)
        .map(|index| Case {
            model: "m".into(),
            graph: "g".into(),
            file: file(index),
            path: file(index).into(),
            precision: Precision::F32,
            checks: checks(),
        })
        .collect()
}

#[test]
fn a_tool_that_falls_goes_on_with_the_next_file() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"
echo '{"versions": {"stub": "1"}}'
i=$from
while [ "$i" -lt 3 ]; do
    echo "what a tool says by itself"
    if [ "$tool" = openvino ] && [ "$i" = 1 ]; then echo "boom" >&2; exit 7; fi
    if [ "$tool" = onnxruntime ] && [ "$i" = 1 ]; then echo '{"index": 1, "max_abs": null, "scale": 1.0}'
    elif [ "$tool" = onnx2torch ] && [ "$i" = 2 ]; then kill -9 $$
    else echo "{\"index\": $i, \"max_abs\": 1e-6, \"scale\": 1.0}"; fi
    i=$((i + 1))
done
"#;
    let python = interpreter(folder.path(), body);
    let report = verify(&cases(3), &python, Path::new("verify.py"), folder.path(), &Silent).unwrap();
    let cell = |row: usize, tool: &str| report.rows[row].cells[tool].clone();
    for row in 0..3 {
        for tool in ["onnx.checker", "onnxruntime", "openvino", "onnx2torch", "onnxslim"] {
            let fallen = (row, tool) == (1, "openvino") || (row, tool) == (2, "onnx2torch");
            let wanted = if fallen {
                State::Refused
            } else if (row, tool) == (1, "onnxruntime") {
                State::Differs
            } else {
                State::Ok
            };
            assert_eq!(cell(row, tool).state, wanted, "{row} {tool}");
        }
    }
    let why = cell(1, "openvino").why.unwrap();
    assert!(why.contains("boom") && why.contains('7'), "{why}");
    assert_eq!(report.versions["stub"], "1");
    assert_eq!(report.fallen().map(|(row, tool)| (row.file.as_str(), tool)).collect::<Vec<_>>(), [("m/onnx/1.onnx", "onnxruntime")]);
}

#[test]
fn a_tool_that_is_not_there_is_named_with_what_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let python = interpreter(folder.path(), "echo \"ModuleNotFoundError: No module named 'onnx'\" >&2; exit 1");
    for python in [python, folder.path().join("none")] {
        let error = verify(&cases(1), &python, Path::new("verify.py"), folder.path(), &Silent).unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("cargo xtask setup verify"), "{error}");
    }
}
