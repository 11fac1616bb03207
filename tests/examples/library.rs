//! The README's example: the library without the command line.

use zoo_core::Silent;
use zoo_host::eval::{EvalOptions, evaluate};
use zoo_host::fetch::{FetchOptions, Fetcher};
use zoo_host::registry::Registry;
use zoo_host::zoo::{Door, Loaded, Zoo};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plugins = zoo_plugins::linked().into_iter().map(|plugin| Loaded { plugin, door: Door::Static }).collect();
    let registry = Registry::load("registry.toml".as_ref())?;
    let zoo = Zoo::new(registry, plugins, Fetcher::new(FetchOptions::from_env()?)?)?;

    let model = zoo.model("snn-calibration/vgg-mini-mnist-ann", &Silent)?;
    let options = EvalOptions { limit: Some(1_000), ..EvalOptions::default() };
    let run = evaluate(&zoo, &model, "tract", &options, &Silent)?;

    let accuracy = &run.metrics["accuracy"].estimate;
    println!("{}: {:.2} {} on {} items", run.model, accuracy.value, accuracy.unit, run.n);
    Ok(())
}
