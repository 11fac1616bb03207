//! The backend `inference-server` through the command line: a server that dies, and results equal to local ones.

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use zoo_core::{ArtifactKind, Device, ExportRequest, Options, Silent, Tensor, TensorSpec};
use zoo_host::fetch::{FetchOptions, Fetcher};
use zoo_host::registry::Registry;
use zoo_host::zoo::{Door, Loaded, Zoo};
use zoo_test_support::hub::{Reply, Server};
use zoo_test_support::inference::{Named, Served};
use zoo_tests::{Digits, digits, root, xtask};

/// The registry's model on tract, behind the protocol.
fn served(registry: &Path) -> Served {
    let plugins = zoo_plugins::linked().into_iter().map(|plugin| Loaded { plugin, door: Door::Static }).collect();
    let options = FetchOptions::from_env().expect("the environment is right");
    let zoo = Zoo::new(Registry::load(registry).expect("it is right"), plugins, Fetcher::new(options).expect("a cache")).expect("a zoo");
    let model = zoo.model("paper/digits", &Silent).expect("it is registered");
    let (weights, _) = zoo.weights(&model, None, &Silent).expect("its weights");
    let artifact = model.model.export(&ExportRequest::new(ArtifactKind::Onnx), &weights, &model.config).expect("it exports");
    let mut session =
        zoo.backend("tract").expect("it is linked in").compile(&artifact, &Device::Cpu, &Options::default()).expect("it compiles");
    let names = |specs: &[TensorSpec]| specs.iter().map(|spec| spec.name.clone()).collect::<Vec<_>>();
    let (inputs, outputs) = (names(session.inputs()), names(session.outputs()));
    Served::new("ann", &inputs, &outputs, move |given| {
        let given: Vec<_> = given.into_iter().map(|one| Tensor::from_vec(one.shape, one.values).expect("a tensor")).collect();
        let answers = session.run(&given).expect("it runs");
        let named = |(spec, tensor): (&TensorSpec, &Tensor)| Named {
            name: spec.name.clone(),
            shape: tensor.shape().to_vec(),
            values: tensor.to_f32(),
        };
        session.outputs().iter().zip(&answers).map(named).collect()
    })
}

fn run_of(bytes: &[u8]) -> Value {
    serde_json::from_slice::<Value>(bytes).expect("JSON")["runs"][0].clone()
}

#[test]
fn a_server_that_dies_ends_with_3_and_the_run_goes_on_by_shard() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = digits(folder.path(), Digits::Source);
    let evaluate = |more: &[&str]| {
        let mut command = xtask();
        command.args(["fetch-and-eval", "paper/digits", "--batch", "4", "--registry"]).arg(&registry).args(more);
        command.env("ZOO_DATA", folder.path()).env("ZOO_CACHE", folder.path().join("cache"));
        command
    };
    let results: Vec<PathBuf> = (1..=3).map(|index| folder.path().join(format!("shard-{index}.json"))).collect();
    let remote = |url: &str, index: usize| {
        let (url, shard) = (format!("inference-server.url={url}"), format!("{index}/3"));
        let mut command = evaluate(&["--backend", "inference-server", "--option", &url, "--shard", &shard]);
        command.args(["--option", "inference-server.backoff-ms=1", "--json"]).arg(&results[index - 1]);
        command
    };
    let mut model = served(&registry);
    let first = Server::new(move |request| model.answer(request));
    remote(&first.url, 1).assert().success();

    // Dies with the second batch: the connection ends without an answer, and then nobody listens any more.
    let (mut model, mut batches) = (served(&registry), 0);
    let (died, is_dead) = channel();
    let second = Server::new(move |request| {
        batches += usize::from(Served::is_inference(request));
        if batches < 2 {
            return model.answer(request);
        }
        died.send(()).ok();
        Reply { raw: Some(Vec::new()), ..Reply::default() }
    });
    let mut command = remote(&second.url, 2);
    let running = std::thread::spawn(move || command.assert());
    is_dead.recv().expect("the second batch");
    drop(second);
    let told = contains("try 5 of 5").and(contains("inference-server.url"));
    running.join().expect("it runs").code(3).stdout("").stderr(told);
    assert!(results[0].is_file() && !results[1].exists(), "a shard that failed leaves no result");

    let mut model = served(&registry);
    let third = Server::new(move |request| model.answer(request));
    remote(&third.url, 2).assert().success();
    remote(&third.url, 3).assert().success();
    let joined = xtask().arg("merge").args(&results).arg("--registry").arg(&registry).assert().success();
    let mut joined = run_of(&joined.get_output().stdout);
    let whole = evaluate(&["--backend", "tract", "--json", "-"]).assert().success();
    assert_eq!(joined["n"], 40);
    assert!(joined["metrics"]["accuracy"].as_object_mut().is_some_and(|metric| metric.remove("state").is_some()));
    assert_eq!(joined["metrics"], run_of(&whole.get_output().stdout)["metrics"]);
}

/// MLServer with one model: an exported file in ONNX Runtime.
struct MlServer {
    child: Child,
    http: u16,
    grpc: u16,
}

impl MlServer {
    fn start(python: &OsStr, folder: &Path, file: &Path) -> Self {
        let runtime = root().join("tests/python/mlserver_runtime.py");
        std::fs::copy(runtime, folder.join("mlserver_runtime.py")).expect("the runtime");
        let ports: Vec<u16> = (0..2)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect::<Vec<_>>()
            .iter()
            .map(|listener| listener.local_addr().expect("its address").port())
            .collect();
        let settings = serde_json::json!({
            "host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1], "metrics_endpoint": null, "parallel_workers": 0,
        });
        let model = serde_json::json!({
            "name": "ann", "implementation": "mlserver_runtime.OnnxModel", "parameters": {"uri": file},
        });
        std::fs::write(folder.join("settings.json"), settings.to_string()).expect("a small file");
        std::fs::write(folder.join("model-settings.json"), model.to_string()).expect("a small file");
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$@\" 2>&1", "sh"])
            .arg(python)
            .args(["-c", "from mlserver.cli import main; main()", "start"])
            .arg(folder);
        command.env("PYTHONPATH", folder).env("PYTHONUNBUFFERED", "1").current_dir(folder);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("MLServer starts");
        let mut said = BufReader::new(child.stdout.take().expect("its messages")).lines();
        let (mut awaited, mut all) = (vec!["Uvicorn running", "gRPC server running", "Loaded model"], String::new());
        while !awaited.is_empty() {
            let line = said.next().and_then(Result::ok).unwrap_or_else(|| panic!("MLServer ended: {all}"));
            awaited.retain(|word| !line.contains(word));
            all += &line;
        }
        // It blocks once nobody reads what it says.
        std::thread::spawn(move || said.for_each(drop));
        Self { child, http: ports[0], grpc: ports[1] }
    }
}

impl Drop for MlServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// With MLServer of `cargo xtask setup mlserver`: on MNIST, a server's result is the local ONNX Runtime's.
#[test]
fn mlserver_gives_the_local_result_on_mnist() {
    let Some(python) = std::env::var_os("ZOO_MLSERVER_PYTHON") else {
        println!("skipped: set ZOO_MLSERVER_PYTHON to the interpreter that `cargo xtask setup mlserver` prints");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = "snn-calibration/vgg-mini-mnist-ann";
    xtask().args(["export", model, "--format", "onnx", "--out"]).arg(folder.path()).assert().success();
    let server = MlServer::start(&python, folder.path(), &folder.path().join("ann.onnx"));
    let evaluate = |more: &[&str]| {
        let output = xtask().args(["fetch-and-eval", model, "--json", "-"]).args(more).assert().success();
        run_of(&output.get_output().stdout)
    };
    let library = std::env::var("ZOO_TEST_ORT").expect("ZOO_TEST_ORT names the library of ONNX Runtime");
    let local = |limit: &str| evaluate(&["--backend", "onnxruntime", "--ort-lib", &library, "--limit", limit]);
    // MLServer takes no bytes over HTTP.
    let url = format!("inference-server.url=http://127.0.0.1:{}", server.http);
    let options = ["--backend", "inference-server", "--option", &url, "--option", "inference-server.tensors=json", "--limit", "2000"];
    same("HTTP", &evaluate(&options), &local("2000"));
    let address = format!("grpc://127.0.0.1:{}", server.grpc);
    let url = format!("inference-server.url={address}");
    same("gRPC", &evaluate(&["--backend", "inference-server", "--option", &url, "--limit", "10000"]), &local("10000"));
    let listed = xtask().args(["list", "backends"]).env("ZOO_INFERENCE_SERVER", &address).assert().success();
    listed.stdout(contains(format!("inference-server at {address}")));
}

/// Every number within 1e-5, everything but what names the backend equal.
fn same(what: &str, there: &Value, here: &Value) {
    for key in ["model", "dataset", "split", "n", "artifact", "weights_sha256", "seed"] {
        assert_eq!(there[key], here[key], "{what}: {key}");
    }
    let (there, here) = (there["metrics"].as_object().expect("metrics"), here["metrics"].as_object().expect("metrics"));
    assert!(!here.is_empty() && there.keys().eq(here.keys()), "{what}: {there:?}");
    for (name, metric) in here {
        let ends = |metric: &Value| [&metric["value"], &metric["ci95"][0], &metric["ci95"][1]].map(|n| n.as_f64().expect("a number"));
        let worst = ends(metric).into_iter().zip(ends(&there[name])).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{what}: {name} {} differs by {worst:e}", metric["value"]);
        assert!(worst <= 1e-5, "{what}: {name} differs by {worst}");
    }
}
