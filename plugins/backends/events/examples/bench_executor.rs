//! Runs the executor's comparison: `bench_executor [PYTHON] [RECORDING] [CASE ...]`, rows as JSON on stdout.

use zoo_backend_events::bench::{Config, executor};

fn main() -> zoo_core::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let path = |a: Option<std::ffi::OsString>| a.filter(|a| a != "-").map(std::path::PathBuf::from);
    let (python, recording) = (path(args.next()), path(args.next()));
    let cases = args.map(|a| a.to_string_lossy().into_owned()).collect();
    let rows = executor(&Config { python, recording, cases }, &mut |line| eprintln!("{line}"))?;
    println!("{}", serde_json::json!({"schema": "zoo.bench/1", "rows": rows}));
    Ok(())
}
