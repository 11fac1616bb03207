//! The conformance suite for plugin libraries: what a third party runs before handing a plugin out.
//!
//! It loads the library as the host does, so every check goes through the ABI and its guards. It runs in this process: a
//! library that corrupts memory can take the process down, so that the command line runs it in a child.

mod backend;
mod dataset;
mod model;
mod repeat;
mod report;
mod stand_in;

pub use report::{Check, Outcome, Report};
pub(crate) use stand_in::{Patterns, Stopped};

use super::library::inspect;
use super::loader;
use crate::registry::Registry;
use report::Recorder;
use std::path::Path;
use zoo_core::{Config, Device, ExportRequest, Options, Plugin, Weights};

/// Runs the conformance suite on a library. The report holds a failed check if it can't even be loaded.
///
/// The library is loaded without asking for a pin: whoever verifies a file has decided to run it.
pub fn verify(path: &Path) -> Report {
    let mut record = Recorder::new(path);
    let library = match inspect(path) {
        Ok(library) => library,
        Err(why) => return record.failed_to_load("is a plugin library for this machine", why),
    };
    record.passed("library", "is a plugin library for this machine");
    record.report.sha256.clone_from(&library.sha256);
    let plugin = match loader::open(&library) {
        Ok(plugin) => plugin,
        Err(why) => return record.failed_to_load("speaks the ABI and tells what it offers", why),
    };
    record.passed("library", "speaks the ABI and tells what it offers");
    record.report.name.clone_from(&plugin.info.name);
    record.report.version.clone_from(&plugin.info.version);
    facts(&mut record, &plugin);
    match loader::open(&library) {
        Ok(again) => record.check("library", "tells the same when opened again", || same_facts(&plugin, &again)),
        Err(why) => record.failed("library", "tells the same when opened again", why),
    }
    for model in &plugin.models {
        model::verify(&mut record, model.as_ref());
    }
    for factory in &plugin.datasets {
        dataset::verify(&mut record, factory.as_ref());
    }
    let artifacts = artifacts(&plugin);
    for backend in &plugin.backends {
        backend::verify(&mut record, backend.as_ref(), &artifacts);
    }
    record.report
}

fn facts(record: &mut Recorder, plugin: &Plugin) {
    record.check("library", "name is in kebab case", || kebab(&plugin.info.name));
    record.check(
        "library",
        "version is given",
        || {
            if plugin.info.version.is_empty() { Err("the version is empty".into()) } else { Ok(()) }
        },
    );
    record.check("library", "offers something", || {
        let offers = plugin.models.len() + plugin.datasets.len() + plugin.backends.len() + plugin.trainers.len();
        if offers == 0 { Err("no model, data set, backend or trainer".into()) } else { Ok(()) }
    });
    if !plugin.info.registry.is_empty() {
        record.check("library", "its registry tables are well formed", || {
            Registry::parse(&plugin.info.registry, Path::new("registry.toml")).map(drop).map_err(|e| e.to_string())
        });
    }
}

fn same_facts(first: &Plugin, again: &Plugin) -> Result<(), String> {
    let cards = |plugin: &Plugin| plugin.models.iter().map(|m| m.card().clone()).collect::<Vec<_>>();
    let infos = |plugin: &Plugin| plugin.datasets.iter().flat_map(|d| d.infos()).collect::<Vec<_>>();
    let names = |plugin: &Plugin| plugin.backends.iter().map(|b| b.name().to_string()).collect::<Vec<_>>();
    let same = first.info == again.info && cards(first) == cards(again) && infos(first) == infos(again) && names(first) == names(again);
    if same { Ok(()) } else { Err("name, version or cards differ".into()) }
}

/// Names that can stand in registries, on command lines and in file names.
fn kebab(name: &str) -> Result<(), String> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-');
    if fits { Ok(()) } else { Err(format!("expected lower-case letters, digits and dashes, found `{name}`")) }
}

/// Artifacts to try backends with: a small ONNX model of our own, and whatever the plugin's models export without weights.
fn artifacts(plugin: &Plugin) -> Vec<zoo_core::Artifact> {
    let stock =
        zoo_core::Artifact::single(zoo_core::ArtifactKind::Onnx, "linear", "linear.onnx", &include_bytes!("../assets/linear.onnx")[..]);
    let export = |model: &dyn zoo_core::Model| {
        let exports =
            model.artifact_kinds().iter().map(|&kind| model.export(&ExportRequest::new(kind), &Weights::new(), &Config::default()));
        exports.filter_map(Result::ok).collect::<Vec<_>>()
    };
    std::iter::once(stock).chain(plugin.models.iter().flat_map(|model| export(model.as_ref()))).collect()
}

/// Options and device of the checks.
fn plain() -> (Device, Options) {
    (Device::Cpu, Options { threads: Some(1), ..Options::default() })
}
