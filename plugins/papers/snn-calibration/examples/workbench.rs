//! Drives trainer, claims and commands of this plugin on IDX files in a folder:
//! `workbench DATA_FOLDER CONFIG train|claims|COMMAND [SEED | ARGUMENTS]`. Weights are read from and written to `weights/`.

use std::path::PathBuf;
use std::sync::Arc;
use zoo_core::dataset::{DatasetInfo, SplitInfo};
use zoo_core::*;
use zoo_formats::safetensors;

struct Idx {
    info: DatasetInfo,
    split: String,
    images: Arc<Vec<u8>>,
    labels: Arc<Vec<u8>>,
}

impl Dataset for Idx {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }
    fn split(&self) -> &str {
        &self.split
    }
    fn len(&self) -> usize {
        self.labels.len() - 8
    }
    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        let image = self.images[16 + 784 * index..][..784].to_vec();
        Ok(vec![Tensor::from_vec([1, 28, 28], image)?, Tensor::scalar(self.labels[8 + index])])
    }
}

struct Bench {
    data: PathBuf,
    config: Config,
}

impl Reporter for Bench {
    fn log(&self, level: Level, target: &str, message: &str) {
        eprintln!("{level:?} {target}: {message}");
    }
    fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
    fn cancelled(&self) -> bool {
        false
    }
}

fn weights_path(model: &str, seed: u64) -> PathBuf {
    PathBuf::from(format!("weights/{}-seed{seed}.safetensors", model.rsplit('/').next().unwrap_or(model)))
}

impl Workbench for Bench {
    fn seed(&self) -> u64 {
        0
    }
    fn limit(&self) -> Option<usize> {
        None
    }
    fn backend(&self) -> &str {
        "native"
    }
    fn dataset(&mut self, name: &str, split: &str) -> Result<Box<dyn Dataset>> {
        let stem = if split == "test" { "t10k" } else { "train" };
        let read = |kind: &str| {
            let path = self.data.join(format!("{stem}-{kind}-ubyte"));
            std::fs::read(&path).map_err(Error::io(&path)).map(Arc::new)
        };
        let (images, labels) = (read("images-idx3")?, read("labels-idx1")?);
        let info = DatasetInfo {
            name: name.into(),
            description: String::new(),
            splits: vec![SplitInfo { name: split.into(), len: labels.len() - 8 }],
            features: vec![TensorSpec::new("image", DType::U8, [1usize, 28, 28]), TensorSpec::new("label", DType::U8, Vec::<usize>::new())],
            classes: Vec::new(),
            licence: String::new(),
            provenance: String::new(),
        };
        Ok(Box::new(Idx { info, split: split.into(), images, labels }))
    }
    fn compile(&mut self, artifact: &Artifact) -> Result<Box<dyn Session>> {
        self.compile_on("native", artifact)
    }
    fn compile_on(&mut self, backend: &str, _: &Artifact) -> Result<Box<dyn Session>> {
        Err(Error::Unavailable { what: backend.into(), why: "this driver has no backends".into(), mend: "use cargo xtask".into() })
    }
    fn weights(&mut self, model: &str, seed: Option<u64>) -> Result<(Weights, Config)> {
        Ok((safetensors::read(weights_path(model, seed.unwrap_or(1000)))?, self.config.clone()))
    }
    fn reporter(&self) -> &dyn Reporter {
        self
    }
}

#[cfg(feature = "train")]
fn train(family: &str, model: &str, seed: u64, bench: &mut Bench) -> Result<serde_json::Value> {
    let trainers = zoo_snn_calibration::zoo_plugin().trainers;
    let trainer = trainers.iter().find(|t| t.model() == family).expect("a trainer of this plugin");
    let mut sink = zoo_train::run::FileSink::open(std::env::temp_dir().join(format!("snn-calibration-{model}-{seed}")), false)?;
    let config = bench.config.clone();
    let weights = trainer.train(&config, seed, bench, &mut sink)?;
    let path = weights_path(model, seed);
    safetensors::write_atomically(&path, &weights)?;
    std::fs::copy(sink.log_path(), path.with_extension("log.jsonl")).map_err(Error::io(&path))?;
    Ok(serde_json::json!({"written": path, "metadata": weights.metadata}))
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [data, config, command, rest @ ..] = args.as_slice() else {
        return Err(Error::argument("arguments", "DATA_FOLDER CONFIG COMMAND ...", args.len()));
    };
    let text = std::fs::read_to_string(config).map_err(Error::io(config))?;
    let value: serde_json::Value = toml::from_str(&text).expect("a TOML file");
    let stem = PathBuf::from(config).file_stem().and_then(|s| s.to_str()).unwrap_or("model").to_string();
    let mut bench = Bench { data: data.into(), config: Config::new(value) };
    let config = bench.config.clone();
    let model = zoo_snn_calibration::zoo_plugin().models.remove(0);
    let out = match command.as_str() {
        #[cfg(feature = "train")]
        "train" => train("ann", &format!("{stem}-ann"), rest[0].parse().expect("a seed"), &mut bench)?,
        #[cfg(feature = "train")]
        "calibrate" => train("snn", &stem, rest[0].parse().expect("a seed"), &mut bench)?,
        "claims" => serde_json::to_value(model.claims(&format!("snn-calibration/{stem}"), &config, &mut bench)?).expect("JSON"),
        action => model.act(action, rest, &format!("snn-calibration/{stem}"), &config, &mut bench)?,
    };
    println!("{out:#}");
    Ok(())
}
