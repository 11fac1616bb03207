//! Runs the executor's comparison: `bench_executor [PYTHON] [RECORDING] [CASE ...]`, the report as JSON on stdout; the case
//! `crossover` prints where the dense kernel overtakes the following of events instead.

use zoo_backend_events::bench::{Config, crossover, executor};

fn main() -> zoo_core::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let path = |a: Option<std::ffi::OsString>| a.filter(|a| a != "-").map(std::path::PathBuf::from);
    let (python, recording) = (path(args.next()), path(args.next()));
    let cases: Vec<_> = args.map(|a| a.to_string_lossy().into_owned()).collect();
    if cases == ["crossover"] {
        for row in crossover()? {
            let kind = if row.counts { "counts" } else { "spikes" };
            println!("{:?} {kind} {:.1}: events {:7.2} us, dense {:7.2} us a step", row.channels, row.activity, row.events, row.dense);
        }
        return Ok(());
    }
    let report = executor(&Config { python, recording, cases }, &mut |line| eprintln!("{line}"))?;
    println!("{}", serde_json::json!({"schema": "zoo.bench/1", "report": report}));
    Ok(())
}
