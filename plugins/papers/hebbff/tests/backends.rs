//! Step and sequence graphs run on tract and ONNX Runtime, with their state, as the networks run here.

use std::sync::Arc;
use zoo_backend_onnxruntime::OnnxRuntime;
use zoo_backend_tract::Tract;
use zoo_core::{
    ArtifactKind, Availability, Backend, Batch, Config, DataFiles, DatasetFactory, Device, Dialect, Error, ExportRequest, Model, Options,
    Tensor, TensorSpec, Weights,
};
use zoo_hebbff::config::{Kind, PaperConfig};
use zoo_hebbff::dataset::FamiliarityFactory;
use zoo_hebbff::lstm::Lstm;
use zoo_hebbff::model::HebbFf;
use zoo_hebbff::net::{Form, HebbNet};
use zoo_hebbff::random::{Purpose, stream};
use zoo_hebbff::task::Stream;
use zoo_hebbff::weights::Net;

const STREAMS: usize = 3;

fn config(name: &str) -> Config {
    let text = std::fs::read_to_string(format!("{}/config/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    Config::new(toml::from_str::<serde_json::Value>(&text).unwrap())
}

/// A network of a configuration with random weights.
fn net(paper: &PaperConfig) -> Net {
    let mut rng = stream(7, Purpose::Init, 0);
    let (d, n) = (paper.task.d, paper.network.n);
    match paper.network.kind {
        Kind::Plastic => {
            Net::Plastic(HebbNet::new(Form { d, n, force: paper.network.force, lam_param: paper.network.lam_param }, &mut rng))
        }
        Kind::Lstm => Net::Lstm(Lstm::new(d, n, &mut rng)),
        Kind::DetHebb => Net::read(paper, &Weights::new()).unwrap(),
    }
}

fn options() -> Options {
    let mut options = Options::default();
    if let Ok(library) = std::env::var("ZOO_TEST_ORT") {
        options.extra.insert("onnxruntime.lib".into(), library);
    }
    options
}

fn batch() -> (Batch, Vec<Stream>) {
    let split = FamiliarityFactory.open("familiarity", "r5", &DataFiles::default(), &Config::default()).unwrap();
    let features: Arc<[TensorSpec]> = split.info().features.clone().into();
    let batch = Batch::read(split.as_ref(), &features, 0..STREAMS).unwrap();
    let streams = (0..STREAMS)
        .map(|i| {
            let item = split.get(i).unwrap();
            let items = item[0].to_f32().into_iter().map(f64::from).collect();
            Stream { d: 25, items, familiar: item[1].to_f32().iter().map(|v| *v > 0.5).collect() }
        })
        .collect();
    (batch, streams)
}

#[test]
fn graphs_with_state_answer_as_the_networks_do() {
    let model = HebbFf::default();
    let (batch, streams) = batch();
    for name in ["anti-r5", "hebb-r5", "static-r5", "lstm-r5", "det-hebb"] {
        let config = config(name);
        let paper = PaperConfig::read(&config).unwrap();
        let net = net(&paper);
        let weights = if paper.network.kind == Kind::DetHebb { Weights::new() } else { net.weights().unwrap() };
        // What single precision keeps of the weights is the same on both sides.
        let expected: Vec<f64> = streams
            .iter()
            .flat_map(|s| match Net::read(&paper, &weights).unwrap() {
                Net::Plastic(net) => net.answers(s),
                Net::Lstm(net) => net.answers(s),
                Net::Det(det) => det.answers(s).unwrap().0,
            })
            .collect();
        let (tract, runtime) = (Tract, OnnxRuntime::default());
        for (variant, backend) in ["step", "sequence"].iter().flat_map(|v| [&tract as &dyn Backend, &runtime].map(|backend| (*v, backend)))
        {
            let artifact = model.export(&ExportRequest::new(ArtifactKind::Onnx).variant(variant), &weights, &config).unwrap();
            // Probing first would load another library than the one that is named, for the rest of the process.
            if std::env::var_os("ZOO_TEST_ORT").is_none()
                && let Availability::Unavailable { why, .. } = backend.probe()
            {
                println!("skipped: {name} on {}: {why}", backend.name());
                continue;
            }
            let mut session = backend.compile(&artifact, &Device::Cpu, &options()).unwrap();
            let prediction = match model.predict(session.as_mut(), &batch) {
                Ok(prediction) => prediction,
                // tract 0.23.9 does not find the shapes inside every `Scan` whose batch is open.
                Err(Error::Runtime { message, .. }) if (variant, backend.name()) == ("sequence", "tract") => {
                    assert!(message.contains("Scan"), "{name}: {message}");
                    continue;
                }
                Err(error) => panic!("{name}, {variant} on {}: {error}", backend.name()),
            };
            let answers = prediction.get("familiar").unwrap().to_f32();
            let worst = answers.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-4, "{name}, {variant} on {}: {worst}", backend.name());
            // A stream's state is its own: the same batch again, and alone, answers the same.
            let again = model.predict(session.as_mut(), &batch).unwrap();
            assert_eq!(prediction, again, "{name}");
        }
    }
}

#[test]
fn authors_names_scalars_and_gains_are_read() {
    let config = config("anti-r5");
    let paper = PaperConfig::read(&config).unwrap();
    let model = HebbFf::default();
    let mut file = net(&paper).weights().unwrap();
    let w1 = file.f32("w1", &[40, 25]).unwrap().to_vec();
    file.insert("b1", Tensor::from_vec([1], vec![0.5f32]).unwrap());
    file.insert("w2", Tensor::from_vec([1], vec![-2.0f32]).unwrap());
    file.insert("g1", Tensor::from_vec([1], vec![3.0f32]).unwrap());
    file.insert("A", Tensor::from_vec([40, 25], vec![0.0f32; 1000]).unwrap());
    let read = model.import(&file, Dialect::Authors, &config).unwrap();
    assert_eq!(read.f32("b1", &[40]).unwrap(), [0.5; 40]);
    assert_eq!(read.f32("w2", &[1, 40]).unwrap(), [-2.0; 40]);
    assert!(read.f32("w1", &[40, 25]).unwrap().iter().zip(&w1).all(|(a, b)| (a - 3.0 * b).abs() < 1e-6));
    file.insert("g1", Tensor::from_vec([1], vec![f32::NAN]).unwrap());
    let read = model.import(&file, Dialect::Authors, &config).unwrap();
    assert_eq!(read.f32("w1", &[40, 25]).unwrap(), w1);
    file.insert("extra", Tensor::from_vec([1], vec![1.0f32]).unwrap());
    file.tensors.remove("_lam");
    let told = model.import(&file, Dialect::Authors, &config).unwrap_err().to_string();
    assert!(told.contains("extra") && told.contains("_lam"), "{told}");
    let mut file = net(&paper).weights().unwrap();
    file.insert("w1", Tensor::from_vec([40, 25], vec![f32::NAN; 1000]).unwrap());
    assert!(model.import(&file, Dialect::Zoo, &config).unwrap_err().to_string().contains("finite"));
}
