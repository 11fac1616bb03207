//! `run`: a plugin's own commands.

use super::compile_options;
use crate::cli::Global;
use crate::stdout::say;
use anyhow::Result;
use zoo_core::{Device, Reporter};
use zoo_host::eval::Bench;
use zoo_host::zoo::Zoo;

pub(super) fn run(
    zoo: &Zoo,
    name: &str,
    action: &str,
    args: &[String],
    backend: &str,
    global: &Global,
    reporter: &dyn Reporter,
) -> Result<()> {
    let model = zoo.model(name, reporter)?;
    let options = compile_options(global, None, &[])?;
    let mut bench = Bench { zoo, backend, device: Device::Cpu, options: &options, seed: 0, limit: None, reporter };
    let answer = model.model.act(action, args, &model.entry.name, &model.config, &mut bench)?;
    match answer.as_str() {
        Some(text) => say!("{text}"),
        None => say!("{}", serde_json::to_string_pretty(&answer)?),
    }
    Ok(())
}
