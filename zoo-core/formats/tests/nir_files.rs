//! NIR files of other frameworks: they load, and the event graph made of them spikes as the framework did.
//!
//! The files and spikes are made by `nir/make.py`.

use crate::nir_clocked;

use proptest::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};
use zoo_formats::event_graph::Op;
use zoo_formats::nir::{Dialect, LossKind, NirGraph, NirNode, NirOptions};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nir").join(name)
}

fn read(name: &str) -> NirGraph {
    NirGraph::read(&path(name)).unwrap()
}

fn golden(file: &str) -> Vec<(String, Value)> {
    let all: Value = serde_json::from_slice(&std::fs::read(path(file)).unwrap()).unwrap();
    all.as_object().unwrap().iter().filter(|(name, _)| *name != "versions").map(|(n, v)| (n.clone(), v.clone())).collect()
}

#[test]
fn nets_of_five_dialects_spike_as_their_frameworks() {
    let mut seen = Vec::new();
    for (name, case) in golden("golden.json").into_iter().chain(golden("golden_old.json")) {
        let dialect = Dialect::parse(case["dialect"].as_str().unwrap()).unwrap();
        seen.push(dialect);
        let size: usize = case["input_shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap() as usize).product();
        let bits: Vec<f32> = case["input"].as_str().unwrap().bytes().map(|b| f32::from(b - b'0')).collect();
        let input: Vec<Vec<f32>> = bits.chunks(size).map(<[f32]>::to_vec).collect();
        let mut options = NirOptions::new(dialect).steps(input.len());
        if let Some(dt) = case["dt"].as_f64() {
            options = options.dt(dt);
        }
        let (graph, losses) = read(&format!("{name}.nir")).to_event_graph(&options).unwrap();
        assert!(losses.is_empty(), "{name}: {losses:?}");
        let spikes: Vec<f32> = nir_clocked::run(&graph, &input, &graph.readout.node).concat();
        let expected: Vec<f32> = case["output"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        let wrong = spikes.iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert_eq!((wrong, spikes.len()), (0, expected.len()), "{name}: {wrong} of {} entries differ", expected.len());
    }
    assert!(Dialect::ALL.iter().all(|d| *d == Dialect::NirStrict || seen.contains(d)));
}

#[test]
fn every_kind_of_node_is_read_compressed_or_not() {
    let graph = read("every_node.nir");
    let kinds: std::collections::BTreeSet<_> = graph.nodes.values().map(NirNode::kind).collect();
    assert_eq!(kinds.len(), 16, "{kinds:?}");
    assert_eq!(graph, read("compressed.nir"));
    let NirNode::Conv2d(conv) = &graph.nodes["conv"] else { panic!("conv") };
    assert_eq!((conv.stride.as_slice(), conv.padding.as_slice(), conv.groups), ([1, 1].as_slice(), [1, 1].as_slice(), 1));
    let (event, losses) = graph.to_event_graph(&NirOptions::new(Dialect::NirStrict)).unwrap();
    assert!(losses.is_empty());
    // 3e-4 s are three steps of 1e-4 s.
    assert_eq!(event.node("delay").unwrap().op, Op::Delay { steps: 3 });
    // By hand: 36 ones convolve to sums, pools and flatten give one value a channel; what matters is that all runs.
    let out = nir_clocked::run(&event, &vec![vec![1.0; 36]; 12], &event.readout.node);
    assert_eq!(out.len(), 12);
}

#[test]
fn a_nested_loop_gets_a_delay() {
    let (graph, losses) = read("loop.nir").to_event_graph(&NirOptions::new(Dialect::NirStrict)).unwrap();
    assert_eq!(losses.len(), 1);
    assert_eq!((losses[0].kind, losses[0].node.as_str()), (LossKind::LoopDelay, "rec.w_rec"));
    // By hand: v = v / 2 + x + s / 2 of the step before. x = 1, 1, 1, 1, 0 gives v = 1, 1.5 (fires), 1.5 (fires), 1.5 (fires), 0.5.
    let input: Vec<Vec<f32>> = [1.0, 1.0, 1.0, 1.0, 0.0].iter().map(|&x| vec![x; 3]).collect();
    let out = nir_clocked::run(&graph, &input, &graph.readout.node);
    assert_eq!(out.iter().map(|v| v[0]).collect::<Vec<_>>(), [0.0, 1.0, 1.0, 1.0, 0.0]);
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["every_node", "loop", "snntorch_leaky", "spikingjelly_cuba", "sinabs_iaf", "old_sinabs_lif"] {
        let graph = read(&format!("{name}.nir"));
        let copy = folder.path().join("copy.nir");
        graph.write(&copy).unwrap();
        let back = NirGraph::read(&copy).unwrap();
        // A v_reset of zeros is left out of the file.
        assert_eq!(strip(back), strip(graph), "{name}");
    }
}

fn strip(mut graph: NirGraph) -> NirGraph {
    for node in graph.nodes.values_mut() {
        match node {
            NirNode::If { v_reset, .. } | NirNode::Lif { v_reset, .. } | NirNode::CubaLif { v_reset, .. }
                if v_reset.as_ref().is_some_and(|t| t.to_f32().iter().all(|&v| v == 0.0)) =>
            {
                *v_reset = None;
            }
            NirNode::Graph(inner) => *inner = strip(std::mem::take(inner)),
            _ => {}
        }
    }
    graph
}

#[test]
fn files_load_in_python_and_agree() {
    if zoo_test_support::python().is_none() {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Kinds that every version of Python's nir reads; v_reset other than 0 needs a newer one.
    for name in ["every_node", "loop", "snntorch_leaky", "sinabs_iaf", "norse_lif", "old_sinabs_lif"] {
        let copy = folder.path().join("copy.nir");
        read(&format!("{name}.nir")).write(&copy).unwrap();
        let out = zoo_test_support::run_python(COMPARE, &[copy.as_os_str(), path(&format!("{name}.nir")).as_os_str()]).unwrap();
        println!("{name}: {}", out.trim());
        assert!(out.starts_with("equal"), "{name}: {out}");
    }
}

/// Reads two files with Python's nir and compares node by node.
const COMPARE: &str = r#"
import sys
try:
    import nir, numpy as np
except ImportError as e:
    print("equal: skipped,", e); sys.exit()

def check(a, b, where=""):
    assert set(a.nodes) == set(b.nodes), where
    assert sorted(map(tuple, a.edges)) == sorted(map(tuple, b.edges)), where
    for name, x in a.nodes.items():
        y = b.nodes[name]
        assert type(x) is type(y), (where, name, type(x), type(y))
        if isinstance(x, nir.NIRGraph):
            check(x, y, where + name + "/")
            continue
        p, q = x.to_dict(), y.to_dict()
        for key in p:
            if key in ("metadata", "padding"):
                continue
            left, right = np.asarray(p[key]), np.asarray(q[key])
            same = (left == right).all() if left.dtype.kind in "OUS" else np.allclose(left.astype(float), right.astype(float))
            assert same, (where, name, key, left, right)

ours = nir.read(sys.argv[1])
try:
    theirs = nir.read(sys.argv[2])
except TypeError as e:
    # Older versions refuse the v_reset that newer ones write, even of zeros; ours they read.
    assert "v_reset" in str(e), e
    print("equal: ours is read,", len(ours.nodes), "nodes")
    sys.exit()
check(ours, theirs)
print("equal", nir.__version__ if hasattr(nir, "__version__") else "")
"#;

#[test]
fn damaged_files_name_what_is_wrong() {
    let missing = NirGraph::from_bytes("t", b"not a file".to_vec()).unwrap_err().to_string();
    assert!(missing.contains("expected HDF5"), "{missing}");
    let bytes = std::fs::read(path("norse_iaf.nir")).unwrap();
    for cut in [0, 8, 100, 2048, bytes.len() / 2] {
        assert!(NirGraph::from_bytes("t", bytes[..cut].to_vec()).is_err(), "{cut}");
    }
    // Names of fields and kinds, changed in place where the file stores them.
    let patched = |from: &[u8], to: &[u8]| {
        let mut bytes = bytes.clone();
        let at = bytes.windows(from.len()).rposition(|w| w == from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        NirGraph::from_bytes("t", bytes).map(|_| ()).unwrap_err().to_string()
    };
    let kind = patched(b"Affine", b"Affina");
    assert!(kind.contains("expected one of Input, Output, Affine") && kind.contains("found `Affina`"), "{kind}");
    let field = patched(b"v_threshold", b"v_threshald");
    assert!(field.contains("v_threshold: expected this field, found none"), "{field}");
}

#[test]
fn a_chunk_larger_than_the_file_is_refused_before_room_is_made() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/nir/f002a2466d77")).unwrap();
    let error = NirGraph::from_bytes("t", bytes).unwrap_err().to_string();
    assert!(error.contains("within the file's 64160 bytes"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn damaged_files_never_panic(file in 0usize..3, faults in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in proptest::option::of(any::<prop::sample::Index>())) {
        let mut bytes = std::fs::read(path(["norse_iaf.nir", "old_sinabs_lif.nir", "compressed.nir"][file])).unwrap();
        for (at, value) in &faults {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        if let Some(cut) = cut { bytes.truncate(cut.index(bytes.len())); }
        if let Ok(graph) = NirGraph::from_bytes("t", bytes) {
            for dialect in Dialect::ALL {
                let _ = graph.to_event_graph(&NirOptions::new(dialect));
            }
        }
    }
}
