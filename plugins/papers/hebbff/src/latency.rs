//! A long stream through the step graph on each runtime, in one run.

use crate::config::PaperConfig;
use crate::export::step_graph;
use crate::model::drive;
use crate::net::{Form, HebbNet};
use crate::random::{Purpose, stream};
use crate::weights::Net;
use rand::Rng;
use serde_json::{Value, json};
use std::time::Instant;
use zoo_core::{Config, Error, Level, Result, Tensor, Workbench};

/// Help of the command.
pub const HELP: &str = "[--units N] [--items D] [--steps T]: seconds that one stream takes through the step graph on each ONNX runtime, \
                        with random weights; 100, 100 and 2500 unless told";
/// Turns of each runtime; the median counts.
const TURNS: usize = 5;

/// The rows, and the greatest difference of any answer between the runtimes.
///
/// # Errors
/// [`Error::Argument`] for another option; whatever compiling and running find.
pub fn rows(args: &[String], config: &Config, bench: &mut dyn Workbench) -> Result<Value> {
    let (mut n, mut d, mut steps) = (100, 100, 2500);
    let mut rest = args.iter();
    while let Some(name) = rest.next() {
        let place = match name.as_str() {
            "--units" => &mut n,
            "--items" => &mut d,
            "--steps" => &mut steps,
            _ => return Err(Error::argument("option", HELP, name)),
        };
        let value = rest.next().and_then(|text| text.parse::<usize>().ok()).filter(|v| (1..=100_000).contains(v));
        *place = value.ok_or_else(|| Error::argument(name.as_str(), "a number from 1 to 100000", "none or another"))?;
    }
    let paper = PaperConfig::read(config)?;
    let mut rng = stream(0, Purpose::Init, 0);
    let net = HebbNet::new(Form { d, n, force: paper.network.force, lam_param: paper.network.lam_param }, &mut rng);
    let graph = step_graph(&Net::Plastic(net), None, config)?;
    let items = (0..steps * d).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect::<Vec<f32>>();
    let items = Tensor::from_vec([1, steps, d], items)?;
    let mut sessions = Vec::new();
    for name in ["onnxruntime", "tract"] {
        match bench.compile_on(name, &graph) {
            Ok(session) => sessions.push((name, session, Vec::new(), Vec::new())),
            Err(error) => bench.log(Level::Warn, "hebbff", &format!("{name} is left out: {error}")),
        }
    }
    for turn in 0..=TURNS {
        for (_, session, seconds, answers) in &mut sessions {
            bench.check()?;
            let start = Instant::now();
            *answers = drive(session.as_mut(), &items)?.to_f32();
            // The first turn warms up.
            if turn > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    let mut rows = Vec::new();
    for (name, _, seconds, _) in &mut sessions {
        seconds.sort_by(f64::total_cmp);
        let median = seconds[TURNS / 2];
        rows.push(json!({"backend": name, "seconds": median, "us_per_step": 1e6 * median / steps as f64}));
    }
    let difference = match sessions.as_slice() {
        [(_, _, _, a), (_, _, _, b)] => a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max).into(),
        _ => Value::Null,
    };
    Ok(json!({"schema": "zoo.bench/1", "bench": "hebbff-latency", "units": n, "items": d, "steps": steps, "rows": rows,
        "greatest_difference_of_answers": difference}))
}
