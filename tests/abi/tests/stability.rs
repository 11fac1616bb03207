//! What was built against ABI 1.0 keeps working: its header, a plugin's source and the layout are frozen in `stability/v1.0`.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;
use zoo_abi_tests::compile;
use zoo_core::abi::*;
use zoo_core::dlpack::*;
use zoo_core::{Artifact, ArtifactKind, Config, DataFiles, Device, ExportRequest, Options, Tensor, Weights};

type Layout = BTreeMap<String, BTreeMap<String, usize>>;

fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stability/v1.0")
}

fn recorded() -> Layout {
    let text = std::fs::read_to_string(frozen().join("layout.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

macro_rules! layout {
    ($($table:ident { $($field:ident),* $(,)? })*) => {
        BTreeMap::from([$((
            stringify!($table).to_string(),
            BTreeMap::from([("sizeof".to_string(), size_of::<$table>()), $((stringify!($field).to_string(), offset_of!($table, $field))),*]),
        )),*])
    };
}

/// Today's layout.
fn today() -> Layout {
    layout! {
        DLPackVersion { major, minor }
        DLDevice { device_type, device_id }
        DLDataType { code, bits, lanes }
        DLTensor { data, device, ndim, dtype, shape, strides, byte_offset }
        DLManagedTensorVersioned { version, manager_ctx, deleter, flags, dl_tensor }
        ZooStr { ptr, len }
        ZooNamedTensor { name, tensor }
        ZooTensors { items, len }
        ZooWeights { tensors, metadata }
        ZooFile { name, bytes }
        ZooArtifact { size, kind, variant, metadata, files, file_count }
        ZooBatch { size, features, start, fields }
        ZooReturn { size, ctx, text, tensor, file, metric, error, error_json }
        ZooReporter { self_, table }
        ZooReporterTable { size, log, progress, cancelled }
        ZooSession { self_, table }
        ZooSessionTable { size, drop, describe, run, stats, reset }
        ZooDataset { self_, table }
        ZooDatasetTable { size, drop, describe, len, get, batch }
        ZooDatasetFactory { self_, table }
        ZooDatasetFactoryTable { size, drop, infos, open }
        ZooBackend { self_, table }
        ZooBackendTable { size, drop, describe, probe, compile }
        ZooMetric { self_, table }
        ZooMetricTable { size, drop, name, update, state, merge, estimate }
        ZooWorkbench { self_, table }
        ZooWorkbenchTable { size, reporter, describe, dataset, compile, weights }
        ZooModel { self_, table }
        ZooModelTable { size, drop, describe, variants, export_artifact, import_weights, preprocess, predict, metrics, evaluate, claims, act, figures }
        ZooTrainSink { self_, table }
        ZooTrainSinkTable { size, log, save, resume }
        ZooTrainer { self_, table }
        ZooTrainerTable { size, drop, model, train }
        ZooHost { size, abi_major, abi_minor, max_level, reporter }
        ZooPlugin { magic, abi_major, abi_minor, size, init, describe, model, dataset, backend, trainer }
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn what_was_recorded_has_not_moved() {
    let today = today();
    for (table, fields) in recorded() {
        for (field, offset) in fields {
            let now = today.get(&table).and_then(|fields| fields.get(&field)).copied();
            if field == "sizeof" {
                // Structures that start with their size may grow; those passed by value may not.
                let grows = today[&table].contains_key("size");
                assert!(now.is_some_and(|now| if grows { now >= offset } else { now == offset }), "{table}: {now:?}, was {offset}");
            } else {
                assert_eq!(now, Some(offset), "{table}.{field}");
            }
        }
    }
}

/// The record is what a C compiler makes of the frozen header, not what Rust made of itself.
#[test]
#[cfg(target_pointer_width = "64")]
fn the_record_is_that_of_the_c_header() {
    let recorded = recorded();
    let mut source = "#include <stdio.h>\n#include \"zoo_plugin.h\"\nint main(void) {\n".to_string();
    for (table, fields) in &recorded {
        for field in fields.keys() {
            let value = if field == "sizeof" { format!("sizeof({table})") } else { format!("offsetof({table}, {field})") };
            writeln!(source, "  printf(\"{table} {field} %zu\\n\", {value});").unwrap();
        }
    }
    source.push_str("  return 0;\n}\n");
    let folder = tempfile::tempdir().unwrap();
    let (file, program) = (folder.path().join("layout.c"), folder.path().join("layout"));
    std::fs::write(&file, source).unwrap();
    assert!(Command::new("cc").arg("-I").arg(frozen()).arg("-o").args([&program, &file]).status().unwrap().success());
    let printed = String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap();
    let mut found = Layout::new();
    for line in printed.lines() {
        let [table, field, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        found.entry(table.into()).or_default().insert(field.into(), value.parse().unwrap());
    }
    assert_eq!(found, recorded);
    assert!(recorded.len() >= 34);
}

#[test]
fn a_plugin_built_against_the_first_header_works_with_this_host() {
    let library = compile(&frozen().join("plugin.c"), &frozen(), &[], &[]);
    let plugin = common::load(&library.path);
    let dataset = plugin.datasets[0].open("numbers", "test", &DataFiles::default(), &Config::default()).unwrap();
    assert_eq!(dataset.get(3).unwrap(), [Tensor::from_vec([2], vec![3.0f32, 1.0]).unwrap()]);
    let model = plugin.models[0].as_ref();
    let artifact = model.export(&ExportRequest::new(ArtifactKind::Onnx), &Weights::new(), &Config::default()).unwrap();
    let artifact = Artifact { files: vec![artifact.files[0].clone()], ..artifact };
    let mut session = plugin.backends[0].compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    let tensor = Tensor::from_vec([2], vec![0.25f32, 4.0]).unwrap();
    assert_eq!(session.run(std::slice::from_ref(&tensor)).unwrap(), [tensor]);
}
