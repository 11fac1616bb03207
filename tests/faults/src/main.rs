//! Injects every fault and writes the table: `cargo xtask test --faults`.

use clap::Parser;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use zoo_faults::kit::Kit;
use zoo_faults::{Effort, all, table};

/// Injects faults into the command line built beside this program.
#[derive(Debug, Parser)]
struct Arguments {
    /// Seed of the points
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Points at which processes are killed
    #[arg(long, default_value_t = 50)]
    kills: usize,
    /// Points of each command at which the disk becomes full, or fails, or Ctrl-C is pressed
    #[arg(long, default_value_t = 5)]
    points: usize,
    /// Folder to write README.md and faults.json to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let kit = Kit::new().map_err(anyhow::Error::msg)?;
    let effort = Effort { seed: arguments.seed, kills: arguments.kills, points: arguments.points };
    let rows = all(&kit, effort, &mut |row| eprintln!("{row}"));
    let command = "cargo xtask test --faults";
    if let Some(out) = arguments.out {
        let document = json!({"schema": "zoo.faults/1", "command": command, "seed": effort.seed, "rows": rows});
        std::fs::create_dir_all(&out)?;
        std::fs::write(out.join("faults.json"), format!("{document:#}\n"))?;
        std::fs::write(out.join("README.md"), table::markdown(&rows, command, effort.seed))?;
    }
    let (injected, lost) = rows.iter().fold((0, 0), |(injected, lost), row| (injected + row.injected, lost + row.lost));
    println!("{injected} injected, {lost} lost");
    Ok(if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
