//! The node tests of the ONNX package on both ONNX backends, in two modes: `fed` gives every input at run time, `constant`
//! stores all but the first in the graph, as exporters do.
//!
//! They take minutes, so they run only with `ZOO_NODE_TESTS=1` (and Python with `onnx`). A case that fails and is not in
//! the list of known gaps under `node-gaps/` fails the test. `ZOO_NODE_TESTS=write` writes the lists and the table in
//! `docs/results/onnx-node-tests/` anew.

use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use zoo_backend_onnxruntime::OnnxRuntime;
use zoo_backend_tract::Tract;
use zoo_core::serde_json::{self, Value};
use zoo_core::{Artifact, ArtifactKind, Backend, Device, Options, Tensor};
use zoo_formats::onnx::proto::TensorProto;

const MODES: [&str; 2] = ["fed", "constant"];

/// A case of the package.
struct Case {
    name: String,
    folder: PathBuf,
    ops: Vec<String>,
    /// Relative and absolute tolerance.
    tolerance: [f64; 2],
}

fn cases(folder: &Path) -> Vec<Case> {
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).map(case).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn case(folder: PathBuf) -> Case {
    let facts: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
    let number = |key: &str| facts[key].as_f64().unwrap();
    Case {
        name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
        ops: serde_json::from_value(facts["ops"].clone()).unwrap(),
        tolerance: [number("rtol"), number("atol")],
        folder,
    }
}

fn tensors(case: &Case, what: &str) -> Vec<Tensor> {
    let file = |index: usize| case.folder.join(format!("{what}_{index}.pb"));
    let read = |path: PathBuf| {
        let proto = TensorProto::decode(std::fs::read(path).unwrap().as_slice()).unwrap();
        zoo_formats::onnx::tensor_from_proto(&case.name, &proto).unwrap()
    };
    (0..).map(file).take_while(|path| path.is_file()).map(read).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Pass,
    Load,
    Run,
    Mismatch,
    Panic,
}

fn run(backend: &dyn Backend, case: &Case, mode: &str) -> Outcome {
    let bytes = std::fs::read(case.folder.join(format!("{mode}.onnx"))).unwrap();
    let artifact = Artifact::single(ArtifactKind::Onnx, "model", "model.onnx", bytes);
    let mut inputs = tensors(case, "input");
    if mode == "constant" {
        inputs.truncate(1);
    }
    let wanted = tensors(case, "output");
    let body = || {
        let Ok(mut session) = backend.compile(&artifact, &Device::Cpu, &Options::default()) else { return Outcome::Load };
        let Ok(found) = session.run(&inputs) else { return Outcome::Run };
        if found.len() == wanted.len() && found.iter().zip(&wanted).all(|(f, w)| agree(f, w, case.tolerance)) {
            Outcome::Pass
        } else {
            Outcome::Mismatch
        }
    };
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(Outcome::Panic)
}

/// Integers agree exactly; floats as numpy's `allclose` with the case's tolerances, equal NaN allowed.
fn agree(found: &Tensor, wanted: &Tensor, [relative, absolute]: [f64; 2]) -> bool {
    if found.dtype() != wanted.dtype() || found.shape() != wanted.shape() {
        return false;
    }
    if found.as_bytes() == wanted.as_bytes() {
        return true;
    }
    let values = |tensor: &Tensor| match tensor.as_slice::<f64>() {
        Ok(values) => Some(values.to_vec()),
        Err(_) if matches!(tensor.dtype().name(), "f32" | "f16" | "bf16") => Some(tensor.to_f32().into_iter().map(f64::from).collect()),
        Err(_) => None,
    };
    let (Some(found), Some(wanted)) = (values(found), values(wanted)) else { return false };
    found.iter().zip(&wanted).all(|(f, w)| f == w || (f.is_nan() && w.is_nan()) || (f - w).abs() <= absolute + relative * w.abs())
}

fn gaps_file(backend: &str, mode: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node-gaps").join(format!("{backend}-{mode}.txt"))
}

#[test]
fn node_tests_of_the_onnx_package() {
    let Some(asked) = std::env::var_os("ZOO_NODE_TESTS") else {
        println!("skipped: set ZOO_NODE_TESTS=1 to run the node tests of the ONNX package");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/node-gaps/make_cases.py");
    let facts = zoo_test_support::run_python(script, &[folder.path()]).unwrap();
    let cases = cases(folder.path());
    let ort = std::env::var_os("ZOO_TEST_ORT").map_or_else(OnnxRuntime::default, |path| OnnxRuntime::with_library(PathBuf::from(path)));
    let backends: [&dyn Backend; 2] = [&ort, &Tract];
    // Panics are an outcome here, counted below.
    std::panic::set_hook(Box::new(|_| {}));
    let mut outcomes = BTreeMap::new();
    for backend in backends {
        if let zoo_core::Availability::Unavailable { why, .. } = backend.probe() {
            println!("skipped: {}: {why}", backend.name());
            continue;
        }
        for mode in MODES {
            outcomes.insert((backend.name(), mode), cases.iter().map(|case| run(backend, case, mode)).collect::<Vec<_>>());
        }
    }
    let _ = std::panic::take_hook();
    let table = table(&facts, &cases, &outcomes);
    println!("{table}");
    if asked == "write" {
        write(&table, &cases, &outcomes);
        return;
    }
    let news: Vec<_> = outcomes.iter().flat_map(|(&(backend, mode), found)| news(backend, mode, &cases, found)).collect();
    assert!(news.is_empty(), "these cases fail and are no known gaps:\n{}", news.join("\n"));
}

/// Cases that fail without being known to.
fn news(backend: &str, mode: &str, cases: &[Case], found: &[Outcome]) -> Vec<String> {
    let text = std::fs::read_to_string(gaps_file(backend, mode)).unwrap();
    let known: BTreeSet<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    let failed = cases.iter().zip(found).filter(|(case, outcome)| **outcome != Outcome::Pass && !known.contains(case.name.as_str()));
    failed.map(|(case, outcome)| format!("{backend}, {mode}: {} ({outcome:?})", case.name)).collect()
}

type Outcomes<'a> = BTreeMap<(&'a str, &'static str), Vec<Outcome>>;

fn table(facts: &str, cases: &[Case], outcomes: &Outcomes<'_>) -> String {
    let mut text = String::from(
        "# ONNX node tests\n\n`ZOO_NODE_TESTS=write cargo test --release -p zoo-conformance --test onnx_nodes` wrote this page.\n",
    );
    let _ = writeln!(
        text,
        "\n{}\n\n| backend | arguments | cases | pass | load | run | mismatch | panic |\n|---|---|---|---|---|---|---|---|",
        facts.trim()
    );
    for ((backend, mode), found) in outcomes {
        let count = |outcome| found.iter().filter(|o| **o == outcome).count();
        let numbers = [Outcome::Pass, Outcome::Load, Outcome::Run, Outcome::Mismatch, Outcome::Panic].map(|o| count(o).to_string());
        let _ = writeln!(text, "| {backend} | {mode} | {} | {} |", found.len(), numbers.join(" | "));
    }
    let _ = writeln!(
        text,
        "\nCases with strings, sequences, optional values, or 4-bit and 8-bit floats are left out: the zoo's tensors have no such\n\
         elements. `fed` gives all inputs at run time, `constant` all but the first as constants, as exporters store them.\n\n\
         ## Gaps by operator, function bodies left out\n"
    );
    for ((backend, mode), found) in outcomes {
        let mut ops: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for (case, outcome) in cases.iter().zip(found).filter(|(case, _)| !case.name.contains("_expanded")) {
            for op in &case.ops {
                let [failed, all] = ops.entry(op).or_default();
                *failed += usize::from(*outcome != Outcome::Pass);
                *all += 1;
            }
        }
        let gaps: Vec<_> =
            ops.iter().filter(|(_, [failed, _])| *failed > 0).map(|(op, [failed, all])| format!("{op} {failed}/{all}")).collect();
        let _ = writeln!(text, "**{backend}, {mode}**: {}.\n", gaps.join(", "));
    }
    text
}

fn write(table: &str, cases: &[Case], outcomes: &Outcomes<'_>) {
    for (&(backend, mode), found) in outcomes {
        let failed = cases.iter().zip(found).filter(|(_, outcome)| **outcome != Outcome::Pass);
        let lines: String = failed.map(|(case, outcome)| format!("{} {outcome:?}\n", case.name)).collect();
        std::fs::write(gaps_file(backend, mode), lines).unwrap();
    }
    let folder = zoo_test_support::workspace_root().join("docs/results/onnx-node-tests");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("README.md"), format!("{}\n", table.trim_end())).unwrap();
}
