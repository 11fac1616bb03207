//! `export`.

use super::{command_line, compile_options, opsets, triton, verify, write_result};
use crate::cli::{ExportArgs, Global, PrecisionArg};
use crate::exit::{self, WrongUse};
use crate::stdout::say;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use zoo_core::{ArtifactKind, Error, ExportRequest, Level, Reporter};
use zoo_host::export::{
    CARD, Card, CardGraph, ExportReport, ExportRow, FolderOptions, Precision, PublishedRuns, Written, export_model, in_precision,
};
use zoo_host::fetch::FetchOptions;
use zoo_host::push::{Push, push};
use zoo_host::zoo::Zoo;

/// Where `--all` writes to unless told, and where published results are, seen from the registry's folder.
const OUT: &str = "target/export";
const RESULTS: &str = "docs/results";

pub(super) fn export(zoo: &Zoo, args: &ExportArgs, global: &Global, reporter: &dyn Reporter) -> Result<ExitCode> {
    let out = args.out.clone().unwrap_or_else(|| zoo.root().join(OUT));
    std::fs::create_dir_all(&out).with_context(|| format!("making folder {}", out.display()))?;
    if let Some(opsets) = &args.opsets {
        return opsets::sweep(zoo, args, opsets, &out, global, reporter);
    }
    let Some(format) = &args.format else { return folders(zoo, args, &out, global, reporter) };
    let [name] = &args.models[..] else {
        return Err(WrongUse(format!("--format goes with one model, found {}; leave it out for several", args.models.len())).into());
    };
    one_format(zoo, name, format, args, &out, global, reporter)?;
    Ok(ExitCode::from(exit::OK))
}

/// Registered names of the models that were asked for.
pub(super) fn chosen<'a>(zoo: &'a Zoo, args: &ExportArgs, reporter: &dyn Reporter) -> Result<Vec<&'a str>> {
    if args.all {
        return Ok(zoo.registry().models().iter().map(|entry| entry.name.as_str()).collect());
    }
    args.models.iter().map(|name| Ok(zoo.registry().model(name, reporter)?.name.as_str())).collect()
}

/// A folder a model. One that fails is named and does not hide the others.
fn folders(zoo: &Zoo, args: &ExportArgs, out: &Path, global: &Global, reporter: &dyn Reporter) -> Result<ExitCode> {
    let names = chosen(zoo, args, reporter)?;
    if args.push.is_some() && names.len() != 1 {
        return Err(WrongUse(format!("--push goes with one model, found {}: a repository has one card", names.len())).into());
    }
    let results = PublishedRuns::read(&zoo.root().join(RESULTS), reporter)?;
    let compile = compile_options(global, None, &[])?;
    let precisions: Vec<Precision> = args.dtype.iter().map(|dtype| precision(*dtype)).collect();
    let options = FolderOptions { out, precisions: &precisions, results: &results, compile: &compile };
    let mut verifier = if args.verify { Some(verify::Verifier::new(global)?) } else { None };
    let mut rows = Vec::new();
    for (done, name) in names.iter().enumerate() {
        reporter.progress("export", done as u64, Some(names.len() as u64), "models");
        let exported = zoo.model(name, reporter).and_then(|model| {
            let exported = export_model(zoo, &model, &options, reporter)?;
            if let Some(verifier) = &mut verifier {
                verifier.add(zoo, &model, &exported, out, reporter)?;
            }
            Ok(exported.rows)
        });
        match exported {
            Ok(exported) => rows.extend(exported),
            Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
            Err(error) => {
                reporter.log(Level::Warn, "xtask", &format!("{name}: {error}"));
                rows.push(ExportRow::failed(name, &error));
            }
        }
    }
    let report = ExportReport { command: Some(command_line()), ..ExportReport::new(rows) };
    let quiet = args.json.as_deref() == Some(Path::new("-"));
    let whole = report.failed().next().is_none();
    if !quiet {
        crate::stdout::write(format_args!("{}", report.table()))?;
    }
    let Some(verifier) = verifier else {
        if let Some(path) = &args.json {
            write_result(path, &format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        }
        if whole {
            push_folder(args, &report, out, global, reporter)?;
        }
        return Ok(ExitCode::from(if whole { exit::OK } else { exit::UNAVAILABLE }));
    };
    let agree = verifier.finish(args, &report, quiet, reporter)?;
    if whole && agree {
        push_folder(args, &report, out, global, reporter)?;
    }
    Ok(ExitCode::from(match (whole, agree) {
        (false, _) => exit::UNAVAILABLE,
        (true, false) => exit::BAR,
        (true, true) => exit::OK,
    }))
}

/// Pushes what was exported, where that was asked for: a whole export, and what other tools agree with if they were asked.
fn push_folder(args: &ExportArgs, report: &ExportReport, out: &Path, global: &Global, reporter: &dyn Reporter) -> Result<()> {
    let (Some(repository), Some(model)) = (&args.push, report.rows.first().map(|row| &row.model)) else { return Ok(()) };
    let inside = report.rows.iter().flat_map(|row| &row.files).filter_map(|file| file.strip_prefix(&format!("{model}/")));
    let files: Vec<String> = std::iter::once(CARD).chain(inside).map(String::from).collect::<BTreeSet<_>>().into_iter().collect();
    let message = format!("{model}, exported by the zoo {}", env!("CARGO_PKG_VERSION"));
    let what = Push { repository, folder: &out.join(model), files: &files, private: args.private, message: &message };
    let options = FetchOptions::from_env().map_err(Error::from)?.offline(global.offline);
    let pushed = push(&options, &what, reporter).map_err(Error::from)?;
    let done = match &pushed.commit {
        Some(commit) => {
            format!("pushed {} files to {} as commit {commit}; it had {} already", pushed.sent.len(), pushed.url, pushed.unchanged)
        }
        None => format!("pushed nothing to {}: it has all {} files", pushed.url, pushed.unchanged),
    };
    reporter.log(Level::Info, "xtask", &done);
    if args.json.as_deref() != Some(Path::new("-")) {
        say!("{done}");
    }
    Ok(())
}

fn precision(dtype: PrecisionArg) -> Precision {
    match dtype {
        PrecisionArg::F32 => Precision::F32,
        PrecisionArg::F16 => Precision::F16,
        PrecisionArg::Int8 => Precision::Int8,
    }
}

fn one_format(zoo: &Zoo, name: &str, format: &str, args: &ExportArgs, out: &Path, global: &Global, reporter: &dyn Reporter) -> Result<()> {
    let model = zoo.model(name, reporter)?;
    let served = format == triton::FORMAT;
    let kind: ArtifactKind = if served { ArtifactKind::Onnx } else { format.parse()? };
    if !model.model.artifact_kinds().contains(&kind) {
        let offered: Vec<_> = model.model.artifact_kinds().iter().map(ToString::to_string).collect();
        return Err(Error::NotOffered {
            who: name.into(),
            what: format!("format {kind}"),
            hint: format!("it offers {}", offered.join(", ")),
        }
        .into());
    }
    let [dtype] = args.dtype[..] else { return Err(WrongUse("--format goes with one --dtype".into()).into()) };
    let dtype = precision(dtype);
    if dtype != Precision::F32 && kind != ArtifactKind::Onnx {
        return Err(WrongUse(format!("--dtype {dtype} goes with ONNX, found format {format}")).into());
    }
    let compile = compile_options(global, None, &[])?;
    let (weights, weights_sha256) = zoo.weights(&model, None, reporter)?;
    let graphs = args.graph.clone().map_or_else(|| model.model.variants(kind), |graph| vec![graph]);
    let mut written = Written::default();
    let mut cards = Vec::new();
    for graph in graphs {
        let mut request = ExportRequest::new(kind).variant(&graph);
        request.opset = args.opset;
        request.steps = args.steps;
        let artifact = model.model.export(&request, &weights, &model.config)?;
        let artifact = in_precision(zoo, &model, &artifact, dtype, &compile, reporter)?;
        if served {
            triton::write(&artifact, &triton::model_name(name, &graph), out)?;
        } else {
            let paths = written.write(&artifact, out, "")?;
            for (path, file) in paths.iter().zip(&artifact.files) {
                say!("{} ({} bytes)", out.join(path).display(), file.bytes.len());
            }
            cards.push(CardGraph::of(&artifact, paths.first().map_or("", String::as_str))?);
        }
    }
    if !served {
        let results = PublishedRuns::read(&zoo.root().join(RESULTS), reporter)?;
        Card::new(zoo, &model, cards, &results, weights_sha256.as_deref()).write(out, reporter)?;
    }
    Ok(())
}
