//! `train`: needs the training engine, which is built on demand.

use crate::cli::{Budget, Global};
#[cfg(not(feature = "train"))]
use anyhow::Context;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;
use zoo_core::Reporter;
#[cfg(feature = "train")]
use {super::open, crate::exit, crate::stdout::say};

/// The feature of this crate that brings the training engine in.
pub(super) const FEATURE: &str = "xtask/train";

/// What to train.
#[cfg_attr(not(feature = "train"), allow(dead_code, reason = "read in the build that trains"))]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) seed: Option<u64>,
    pub(super) budget: Budget,
    pub(super) resume: bool,
    pub(super) out: Option<PathBuf>,
}

/// In a build without the engine, training is done by one that has it.
#[cfg(not(feature = "train"))]
pub(super) fn train(_: &Global, _: &Request, _: &dyn Reporter) -> Result<ExitCode> {
    again_with_engine()
}

/// The same command again, in a build that has the engine.
#[cfg(not(feature = "train"))]
pub(super) fn again_with_engine() -> Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "xtask", "--features", "train", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .context("starting cargo to build the training engine")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Trains here.
#[cfg(feature = "train")]
pub(super) fn train(global: &Global, request: &Request, reporter: &dyn Reporter) -> Result<ExitCode> {
    let zoo = open(global, reporter)?;
    let model = zoo.model(&request.model, reporter)?;
    let trainer = zoo.trainer(&model)?;
    let budget = match request.budget {
        Budget::Quick => "quick",
        Budget::Full => "full",
    };
    let config = model.config.with("budget", budget);
    let seed = match request.seed {
        Some(seed) => seed,
        None => config.get_or("train.seed", 0)?,
    };
    let out = request.out.clone().unwrap_or_else(|| zoo.root().join("target/train").join(&request.model).join(format!("seed-{seed}")));
    let mut sink = zoo_train::run::FileSink::open(&out, request.resume)?;
    let options = super::compile_options(global, None, &[])?;
    let mut bench = zoo_host::eval::Bench {
        zoo: &zoo,
        backend: "tract",
        device: zoo_core::Device::Cpu,
        options: &options,
        seed,
        limit: None,
        reporter,
    };
    let weights = trainer.train(&config, seed, &mut bench, &mut sink)?;
    let path = out.join("weights.safetensors");
    zoo_formats::safetensors::write_atomically(&path, &weights)?;
    say!("{}", path.display());
    Ok(ExitCode::from(exit::OK))
}
