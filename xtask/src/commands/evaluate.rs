//! `fetch-and-eval`.

use super::{command_line, compile_options, open_with, write_result};
use crate::cli::{EvalArgs, Global};
use crate::exit::{self, WrongUse};
use crate::stdout::write;
use anyhow::Result;
use std::io::IsTerminal;
use std::process::ExitCode;
use zoo_core::{Availability, Error, Level, Reporter};
use zoo_host::eval::{EvalOptions, evaluate};
use zoo_host::registry::ModelEntry;
use zoo_host::results::{Results, Run, Shard, TableStyle, table};
use zoo_host::zoo::{FoundModel, Zoo};

/// Tag of the models that the tour visits.
const TOUR: &str = "tour";
/// The backend that needs nothing installed.
const EMBEDDED: &str = "tract";

pub(super) fn fetch_and_eval(args: &EvalArgs, global: &Global, reporter: &dyn Reporter) -> Result<ExitCode> {
    let zoo = open_with(global, args.door, &args.trust, reporter)?;
    let options = eval_options(args, global)?;
    let tour = args.models.is_empty() && !args.all;
    let mut runs = Vec::new();
    let (mut missing, mut failed) = (None, Vec::new());
    for entry in chosen(&zoo, args, reporter)? {
        let model = zoo.model(&entry.name, reporter)?;
        for backend in backends(&zoo, &model, args.backend.as_deref(), tour, global.ort_lib.is_some())? {
            reporter.log(Level::Info, "xtask", &format!("{} on {backend}", entry.name));
            match evaluate(&zoo, &model, &backend, &options, reporter) {
                Ok(run) => runs.push(run),
                // Of all models, those that fail are named and do not hide the others' results.
                Err(error) if args.all && !matches!(error, Error::Cancelled) => {
                    reporter.log(Level::Warn, "xtask", &format!("{} on {backend}: {error}", entry.name));
                    failed.push(format!("{} on {backend}", entry.name));
                    missing = Some(error);
                }
                // A plugin that crashes, stops answering or breaks the ABI ends its own run and no other.
                Err(error @ Error::Plugin { .. }) => {
                    reporter.log(Level::Warn, "xtask", &format!("{} on {backend}: {error}", entry.name));
                    failed.push(format!("{} on {backend}", entry.name));
                    missing = Some(error);
                }
                // In a sweep over backends one that is not ready is named and does not hide the others' results.
                Err(error @ Error::Unavailable { .. }) if args.backend.as_deref().is_none_or(|b| b == "all") => {
                    reporter.log(Level::Warn, "xtask", &format!("{} on {backend}: {error}", entry.name));
                    missing = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    if let (Some(error), true) = (missing, runs.is_empty()) {
        return Err(error.into());
    }
    let mut results = Results::new(runs);
    results.command = Some(command_line());
    show(&results, args)?;
    if !failed.is_empty() {
        reporter.log(
            Level::Warn,
            "xtask",
            &format!("{} of {} runs failed: {}", failed.len(), failed.len() + results.runs.len(), failed.join(", ")),
        );
        return Ok(ExitCode::from(exit::UNAVAILABLE));
    }
    let code = if results.gating_bars_hold() { exit::OK } else { exit::BAR };
    Ok(ExitCode::from(code))
}

fn chosen<'a>(zoo: &'a Zoo, args: &EvalArgs, reporter: &dyn Reporter) -> Result<Vec<&'a ModelEntry>> {
    let all = zoo.registry().models().iter();
    if args.all {
        // Somebody else's file may be registered for its predictions alone, without data to measure it on.
        return Ok(all.filter(|entry| entry.dataset.is_some()).collect());
    }
    if args.models.is_empty() {
        return Ok(all.filter(|entry| entry.tags.iter().any(|tag| tag == TOUR)).collect());
    }
    Ok(args.models.iter().map(|name| zoo.registry().model(name, reporter)).collect::<Result<_, _>>()?)
}

/// The backends to run a model on. An entry that names none leaves it to what the model exports.
fn backends(zoo: &Zoo, model: &FoundModel<'_>, asked: Option<&str>, tour: bool, library_given: bool) -> Result<Vec<String>> {
    let supported = match model.entry.backends.as_slice() {
        [] => zoo
            .backends()
            .into_iter()
            .filter(|b| model.model.artifact_kinds().iter().any(|k| b.accepts().contains(k)))
            .map(|b| b.name().into())
            .collect(),
        named => named.to_vec(),
    };
    match asked {
        Some("all") => Ok(supported),
        Some(name) => {
            zoo.backend(name)?;
            Ok(vec![name.into()])
        }
        None if tour => {
            // What is not installed is for `setup` to bring; the tour shows what runs here and now.
            let ready = |name: &String| {
                (library_given && name == "onnxruntime") || zoo.backend(name).is_ok_and(|b| matches!(b.probe(), Availability::Ready { .. }))
            };
            Ok(supported.into_iter().filter(ready).collect())
        }
        None if supported.iter().any(|name| name == EMBEDDED) => Ok(vec![EMBEDDED.into()]),
        None => Ok(supported.into_iter().take(1).collect()),
    }
}

fn eval_options(args: &EvalArgs, global: &Global) -> Result<EvalOptions> {
    Ok(EvalOptions {
        device: args.device.parse()?,
        limit: args.limit,
        batch: usize::try_from(args.batch)?,
        seed: args.seed,
        compile: compile_options(global, args.threads, &args.options)?,
        claims: args.claims,
        shard: args.shard.as_deref().map(shard).transpose()?,
    })
}

fn shard(text: &str) -> Result<Shard, WrongUse> {
    let wrong = || WrongUse(format!("--shard {text}: expected I/N with 1 <= I <= N, such as 2/4"));
    let (index, of) = text.split_once('/').ok_or_else(wrong)?;
    let (index, of) = (index.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
    if index == 0 || index > of { Err(wrong()) } else { Ok(Shard { index, of }) }
}

fn show(results: &Results, args: &EvalArgs) -> Result<()> {
    let to_stdout = args.json.as_deref().is_some_and(|path| path == std::path::Path::new("-"));
    if let Some(path) = &args.json {
        let text = if to_stdout { serde_json::to_string(results)? } else { serde_json::to_string_pretty(results)? };
        write_result(path, &format!("{text}\n"))?;
    }
    if let Some(path) = &args.html {
        let figures: Vec<_> = results.runs.iter().flat_map(|run| run.figures.clone()).collect();
        write_result(path, &zoo_report::results_page(results, &figures))?;
    }
    if !to_stdout {
        let style = TableStyle { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() };
        write(format_args!("{}", table(results, style)))?;
        write(format_args!("{}", timings(&results.runs)))?;
    }
    Ok(())
}

/// A line a run: speed, and spikes where they were counted.
fn timings(runs: &[Run]) -> String {
    let line = |run: &Run| {
        let speed = run.timing.items_per_s.map_or(String::new(), |rate| format!(", {rate:.0} items/s"));
        let latency = run.timing.latency_ms.map_or(String::new(), |l| format!(", batch p50 {:.2} ms p95 {:.2} ms", l.p50, l.p95));
        let spikes = run.spikes.map_or(String::new(), |s| format!(", {:.0} spikes and {:.0} SynOps an item", s.spikes_per_item, s.synops));
        format!("{} on {}: {:.1} s{speed}{latency}{spikes}\n", run.model, run.backend, run.timing.eval_s)
    };
    runs.iter().map(line).collect()
}
