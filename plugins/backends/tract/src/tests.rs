//! What the conformance suite does not cover: options, plans, faults of graphs.

use crate::{NAME, Tract};
use zoo_core::{Artifact, Backend, DType, Device, Dim, Error, Options, Result, Session, Tensor};
use zoo_formats::onnx::proto::ModelProto;
use zoo_formats::onnx::{Graph, read_artifact};

/// `y = x + [1, 2]` over a free first axis, as an artifact.
fn adder() -> Artifact {
    let mut graph = Graph::new("adder");
    let x = graph.input("x", DType::F32, [Dim::from("rows"), Dim::from(2)]).unwrap();
    let b = graph.initializer("b", &Tensor::from_vec([2], vec![1f32, 2.0]).unwrap()).unwrap();
    let y = graph.node("Add", &[x, b], []).unwrap();
    graph.output("y", y).unwrap();
    graph.finish().unwrap()
}

/// The artifact with another graph.
fn changed(artifact: &Artifact, change: impl FnOnce(&mut ModelProto)) -> Artifact {
    let mut proto = read_artifact(artifact).unwrap().to_proto();
    change(&mut proto);
    let mut artifact = artifact.clone();
    artifact.files[0].bytes = prost::Message::encode_to_vec(&proto).into();
    artifact
}

fn compile(artifact: &Artifact, options: &Options) -> Result<Box<dyn Session>> {
    Tract.compile(artifact, &Device::Cpu, options)
}

fn option(key: &str, value: &str) -> Options {
    Options { extra: [(key.to_string(), value.to_string())].into(), ..Options::default() }
}

fn refusal(artifact: &Artifact, options: &Options) -> Error {
    compile(artifact, options).err().unwrap()
}

#[test]
fn options_are_checked() {
    let artifact = adder();
    for value in ["0", "1025", "-1", "many", ""] {
        let error = refusal(&artifact, &option("tract.plans", value));
        assert!(matches!(error, Error::Argument { .. }), "{value}: {error}");
    }
    let error = refusal(&artifact, &option("tract.plan", "1"));
    assert!(matches!(&error, Error::Unknown { name, .. } if name == "tract.plan"), "{error}");
    assert!(matches!(refusal(&artifact, &Options { batch_hint: Some(0), ..Options::default() }), Error::Argument { .. }));
    assert!(matches!(refusal(&artifact, &Options { threads: Some(257), ..Options::default() }), Error::Argument { .. }));
}

#[test]
fn one_plan_is_enough_for_changing_shapes() {
    let mut session = compile(&adder(), &option("tract.plans", "1")).unwrap();
    for rows in [1, 3, 2, 3, 1] {
        let x = Tensor::zeros(DType::F32, [rows, 2]).unwrap();
        let y = session.run(&[x]).unwrap().remove(0);
        assert_eq!(y.as_slice::<f32>().unwrap(), [1.0, 2.0].repeat(rows));
    }
    assert_eq!(session.stats().placement.keys().collect::<Vec<_>>(), ["tract (cpu)"]);
}

#[test]
fn an_output_outlives_its_session_and_can_be_written() {
    let mut session = compile(&adder(), &Options::default()).unwrap();
    let mut first = session.run(&[Tensor::zeros(DType::F32, [1, 2]).unwrap()]).unwrap().remove(0);
    first.as_mut_slice::<f32>().unwrap()[0] = 9.0;
    let second = session.run(&[Tensor::zeros(DType::F32, [1, 2]).unwrap()]).unwrap().remove(0);
    drop(session);
    assert_eq!(first.as_slice::<f32>().unwrap(), [9.0, 2.0]);
    assert_eq!(second.as_slice::<f32>().unwrap(), [1.0, 2.0]);
}

#[test]
fn an_operator_of_another_domain_is_not_taken_for_onnx() {
    let artifact = changed(&adder(), |m| m.graph.as_mut().unwrap().node[0].domain = Some("org.example".into()));
    let Error::UnsupportedOperator { backend, op, .. } = refusal(&artifact, &Options::default()) else { panic!() };
    assert_eq!((backend.as_str(), op.as_str()), (NAME, "org.example::Add"));
}

#[test]
fn loose_ends_are_named() {
    let options = Options::default();
    let no_output = changed(&adder(), |m| m.graph.as_mut().unwrap().output[0].name = Some("z".into()));
    let error = refusal(&no_output, &options);
    assert!(matches!(&error, Error::Artifact { place, .. } if place == "tensor `z`"), "{error}");
    let no_input = changed(&adder(), |m| m.graph.as_mut().unwrap().node[0].input[1] = "c".into());
    let error = refusal(&no_input, &options);
    assert!(matches!(&error, Error::Artifact { place, .. } if place == "tensor `c`"), "{error}");
    let nothing = changed(&adder(), |m| m.graph.as_mut().unwrap().output.clear());
    assert!(matches!(refusal(&nothing, &options), Error::Artifact { .. }));
}

#[test]
fn a_permutation_that_is_none_is_refused() {
    let mut graph = Graph::new("turn");
    let x = graph.input("x", DType::F32, [Dim::from(2), Dim::from(3)]).unwrap();
    let y = graph.node("Transpose", &[x], [("perm", vec![1i64, 0].into())]).unwrap();
    graph.output("y", y).unwrap();
    let artifact = graph.finish().unwrap();
    assert!(compile(&artifact, &Options::default()).is_ok());
    for perm in [vec![0, 0], vec![1, 2], vec![-1, 0]] {
        let damaged = changed(&artifact, |m| m.graph.as_mut().unwrap().node[0].attribute[0].ints.clone_from(&perm));
        let error = refusal(&damaged, &Options::default());
        assert!(matches!(&error, Error::Artifact { place, .. } if place.contains("perm")), "{perm:?}: {error}");
    }
}

#[test]
fn a_type_that_tract_lacks_is_named() {
    let mut graph = Graph::new("brain");
    let x = graph.input("x", DType::BF16, [Dim::from(2)]).unwrap();
    let y = graph.node("Identity", &[x], []).unwrap();
    graph.output("y", y).unwrap();
    let error = refusal(&graph.finish().unwrap(), &Options::default());
    assert!(matches!(&error, Error::DType { what, found, .. } if what.contains("`x`") && found == "bf16"), "{error}");
}

#[test]
fn a_byte_that_is_no_boolean_is_refused() {
    let mut graph = Graph::new("not");
    let x = graph.input("x", DType::Bool, [Dim::from(2)]).unwrap();
    let y = graph.node("Not", &[x], []).unwrap();
    graph.output("y", y).unwrap();
    let mut session = compile(&graph.finish().unwrap(), &Options::default()).unwrap();
    let flags = |bytes: [u8; 2]| Tensor::from_bytes(DType::Bool, [2], &bytes).unwrap();
    assert_eq!(session.run(&[flags([0, 1])]).unwrap()[0].as_bytes(), [1, 0]);
    assert!(matches!(session.run(&[flags([0, 2])]), Err(Error::Argument { .. })));
}

#[test]
fn a_panic_of_tract_is_an_error() {
    let error = crate::guard::guard::<()>("testing", || panic!("index out of bounds")).unwrap_err();
    assert_eq!(error.to_string(), "tract, while testing: tract panicked: index out of bounds");
}

#[test]
fn independent_items_give_the_same_whoever_runs_them() {
    let mut graph = Graph::new("double");
    let x = graph.input("x", DType::F32, [Dim::from("n"), 1.into(), 2.into(), 2.into()]).unwrap();
    let w = graph.initializer("w", &Tensor::from_vec([1, 1, 1, 1], vec![2f32]).unwrap()).unwrap();
    let y = graph.node("Conv", &[x, w], []).unwrap();
    graph.output("y", y).unwrap();
    let artifact = graph.finish().unwrap();
    for threads in [None, Some(1), Some(2), Some(3)] {
        let mut session = compile(&artifact, &Options { threads, independent_items: true, ..Options::default() }).unwrap();
        for n in [1, 2, 5, 1] {
            let values: Vec<f32> = (0..n * 4).map(|i| i as f32).collect();
            let y = session.run(&[Tensor::from_vec([n, 1, 2, 2], values.clone()).unwrap()]).unwrap().remove(0);
            assert_eq!(y.shape(), [n, 1, 2, 2]);
            assert_eq!(y.as_slice::<f32>().unwrap(), values.iter().map(|v| 2.0 * v).collect::<Vec<_>>());
        }
        assert_eq!(session.stats().runs, 4);
    }
}
