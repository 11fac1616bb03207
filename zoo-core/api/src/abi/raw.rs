//! The plugin ABI, version 1, as C sees it. `include/zoo_plugin.h` is generated from this file.

use crate::dlpack::DLManagedTensorVersioned;
use std::ffi::c_void;

/// First eight bytes of the table: `ZOOPLUG1`, as a little-endian number.
pub const ZOO_MAGIC: u64 = 0x3147_554c_504f_4f5a;
/// Major version of the ABI. A host refuses another one.
pub const ZOO_ABI_MAJOR: u32 = 1;
/// Minor version of the ABI. It only ever adds members at the ends of tables.
pub const ZOO_ABI_MINOR: u32 = 1;

/// The call did what it should.
pub const ZOO_OK: i32 = 0;
/// The call failed; the message was handed to `error` or `error_json`.
pub const ZOO_FAILED: i32 = 1;
/// The callee panicked and caught it.
pub const ZOO_PANIC: i32 = 2;
/// The callee stopped because `cancelled` said so.
pub const ZOO_CANCELLED: i32 = 3;
/// Something the callee needs is not there.
pub const ZOO_UNAVAILABLE: i32 = 4;

/// Something failed.
pub const ZOO_LEVEL_ERROR: i32 = 1;
/// Something is odd.
pub const ZOO_LEVEL_WARN: i32 = 2;
/// Progress a user wants to see.
pub const ZOO_LEVEL_INFO: i32 = 3;
/// Detail for authors.
pub const ZOO_LEVEL_DEBUG: i32 = 4;
/// Everything.
pub const ZOO_LEVEL_TRACE: i32 = 5;

/// Borrowed bytes, valid during the call: UTF-8 text wherever a text, name or JSON document is meant. Never NUL-terminated.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooStr {
    /// Start; may be NULL if `len` is 0.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: usize,
}

/// A tensor with its name. An argument tensor belongs to the callee, which calls its deleter exactly once, also on failure.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooNamedTensor {
    /// Name; empty where order alone tells tensors apart.
    pub name: ZooStr,
    /// The tensor, row-major and in ordinary memory.
    pub tensor: *mut DLManagedTensorVersioned,
}

/// A list of tensors.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooTensors {
    /// The tensors; may be NULL if `len` is 0.
    pub items: *const ZooNamedTensor,
    /// Number of tensors.
    pub len: usize,
}

/// Named tensors with string metadata, as a safetensors file holds them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooWeights {
    /// Tensors by name.
    pub tensors: ZooTensors,
    /// JSON object of strings.
    pub metadata: ZooStr,
}

/// One file of an artifact.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooFile {
    /// File name, without folders.
    pub name: ZooStr,
    /// Content.
    pub bytes: ZooStr,
}

/// A model in a portable form.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooArtifact {
    /// Bytes of this structure.
    pub size: usize,
    /// `onnx`, `event`, `nir` or `safetensors`.
    pub kind: ZooStr,
    /// Which of the model's graphs this is.
    pub variant: ZooStr,
    /// JSON object of strings.
    pub metadata: ZooStr,
    /// Files, the main one first.
    pub files: *const ZooFile,
    /// Number of files.
    pub file_count: usize,
}

/// Consecutive items of a data set, stacked along a first axis.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooBatch {
    /// Bytes of this structure.
    pub size: usize,
    /// JSON array of tensor specs, one for each field.
    pub features: ZooStr,
    /// Index of the first item in the split.
    pub start: u64,
    /// One tensor for each field.
    pub fields: ZooTensors,
}

/// Where a callee leaves its results. The caller copies texts and owns them; nobody frees the other's memory.
///
/// Every function takes one of these last. A member returns nonzero if the caller does not want what it was given; the
/// callee then stops and returns `ZOO_FAILED`. `ctx` goes first in each call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooReturn {
    /// Bytes of this structure.
    pub size: usize,
    /// The caller's own data.
    pub ctx: *mut c_void,
    /// The result as text or JSON; a second call replaces the first.
    pub text: Option<unsafe extern "C" fn(ctx: *mut c_void, text: ZooStr) -> i32>,
    /// The next resulting tensor, which from here on belongs to the caller, whatever this returns.
    pub tensor: Option<unsafe extern "C" fn(ctx: *mut c_void, name: ZooStr, tensor: *mut DLManagedTensorVersioned) -> i32>,
    /// The next file of a resulting artifact.
    pub file: Option<unsafe extern "C" fn(ctx: *mut c_void, name: ZooStr, bytes: ZooStr) -> i32>,
    /// The next resulting metric, which from here on belongs to the caller.
    pub metric: Option<unsafe extern "C" fn(ctx: *mut c_void, metric: ZooMetric) -> i32>,
    /// Why the call failed, in words. The callee returns what this returns.
    pub error: Option<unsafe extern "C" fn(ctx: *mut c_void, code: i32, message: ZooStr) -> i32>,
    /// Why the call failed, as an object such as `{"error":"shape","what":"image","expected":"[1, 28, 28]","found":"[28]"}`.
    /// The callee returns what this returns.
    pub error_json: Option<unsafe extern "C" fn(ctx: *mut c_void, code: i32, object: ZooStr) -> i32>,
}

/// Log, progress and cancellation.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooReporter {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooReporterTable,
}

/// Functions of a reporter; any thread may call them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooReporterTable {
    /// Bytes of this table.
    pub size: usize,
    /// A log line: level, the part of the program that speaks, message.
    pub log: Option<unsafe extern "C" fn(self_: *mut c_void, level: i32, target: ZooStr, message: ZooStr)>,
    /// Progress of a named task: `done` of `total` (0 if not known) in `unit`.
    pub progress: Option<unsafe extern "C" fn(self_: *mut c_void, task: ZooStr, done: u64, total: u64, unit: ZooStr)>,
    /// Nonzero once the user asked to stop.
    pub cancelled: Option<unsafe extern "C" fn(self_: *mut c_void) -> i32>,
}

/// A compiled model.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooSession {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooSessionTable,
}

/// Functions of a session; one thread at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooSessionTable {
    /// Bytes of this table.
    pub size: usize,
    /// Frees the session. NULL if it is only lent.
    pub drop: Option<unsafe extern "C" fn(self_: *mut c_void)>,
    /// Text: `{"inputs":[spec],"outputs":[spec],"metadata":{}}`.
    pub describe: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Runs once; the outputs, in order, go to `out`. NULL if the session is only lent for looking at.
    pub run: Option<unsafe extern "C" fn(self_: *mut c_void, inputs: ZooTensors, out: *const ZooReturn) -> i32>,
    /// Text: counters, at least `{"runs":0}`.
    pub stats: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Forgets state kept between runs. May be NULL.
    pub reset: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
}

/// An opened split of a data set.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooDataset {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooDatasetTable,
}

/// Functions of an opened split.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooDatasetTable {
    /// Bytes of this table.
    pub size: usize,
    /// Closes the split. NULL if it is only lent.
    pub drop: Option<unsafe extern "C" fn(self_: *mut c_void)>,
    /// Text: `{"info":{...},"split":"test"}`.
    pub describe: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Number of items.
    pub len: Option<unsafe extern "C" fn(self_: *mut c_void) -> u64>,
    /// The tensors of an item, in the order of the features, without a batch axis.
    pub get: Option<unsafe extern "C" fn(self_: *mut c_void, index: u64, out: *const ZooReturn) -> i32>,
    /// Items `start` to `end`, stacked. NULL: the caller stacks what `get` returns.
    pub batch: Option<unsafe extern "C" fn(self_: *mut c_void, start: u64, end: u64, out: *const ZooReturn) -> i32>,
}

/// Opens data sets.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooDatasetFactory {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooDatasetFactoryTable,
}

/// Functions of a factory of data sets.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooDatasetFactoryTable {
    /// Bytes of this table.
    pub size: usize,
    /// Frees the factory. May be NULL.
    pub drop: Option<unsafe extern "C" fn(self_: *mut c_void)>,
    /// Text: array of data set cards.
    pub infos: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Opens a split; `files` is a JSON object from file name to path, `config` a JSON object.
    pub open: Option<
        unsafe extern "C" fn(
            self_: *mut c_void,
            name: ZooStr,
            split: ZooStr,
            files: ZooStr,
            config: ZooStr,
            opened: *mut ZooDataset,
            out: *const ZooReturn,
        ) -> i32,
    >,
}

/// Turns artifacts into sessions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooBackend {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooBackendTable,
}

/// Functions of a backend.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooBackendTable {
    /// Bytes of this table.
    pub size: usize,
    /// Frees the backend. May be NULL.
    pub drop: Option<unsafe extern "C" fn(self_: *mut c_void)>,
    /// Text: `{"name":"...","description":"...","accepts":["onnx"]}`.
    pub describe: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Text: `{"Ready":{"version":"...","devices":["cpu"]}}` or `{"Unavailable":{"why":"...","mend":"..."}}`.
    pub probe: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Compiles an artifact for a device (`cpu`, `cuda:0`); `options` is a JSON object.
    pub compile: Option<
        unsafe extern "C" fn(
            self_: *mut c_void,
            artifact: *const ZooArtifact,
            device: ZooStr,
            options: ZooStr,
            session: *mut ZooSession,
            out: *const ZooReturn,
        ) -> i32,
    >,
}

/// A streaming metric.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooMetric {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooMetricTable,
}

/// Functions of a metric; one thread at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooMetricTable {
    /// Bytes of this table.
    pub size: usize,
    /// Frees the metric. May be NULL.
    pub drop: Option<unsafe extern "C" fn(self_: *mut c_void)>,
    /// Text: name in results.
    pub name: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Takes in a batch and the prediction for it.
    pub update:
        Option<unsafe extern "C" fn(self_: *mut c_void, prediction: ZooTensors, batch: *const ZooBatch, out: *const ZooReturn) -> i32>,
    /// Text: all that was seen, as JSON.
    pub state: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Takes in another shard's state.
    pub merge: Option<unsafe extern "C" fn(self_: *mut c_void, state: ZooStr, out: *const ZooReturn) -> i32>,
    /// Text: `{"value":98.7,"ci95":[98.5,98.9],"unit":"%"}`, or no text before any item.
    pub estimate: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
}

/// What the host offers while a protocol of the plugin's own runs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooWorkbench {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooWorkbenchTable,
}

/// Functions of a workbench; one thread at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooWorkbenchTable {
    /// Bytes of this table.
    pub size: usize,
    /// Log, progress and cancellation, valid as long as the workbench.
    pub reporter: Option<unsafe extern "C" fn(self_: *mut c_void) -> ZooReporter>,
    /// Text: `{"seed":0,"limit":100,"backend":"tract"}`; no limit, no key.
    pub describe: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Opens a split of a registered data set.
    pub dataset: Option<
        unsafe extern "C" fn(self_: *mut c_void, name: ZooStr, split: ZooStr, opened: *mut ZooDataset, out: *const ZooReturn) -> i32,
    >,
    /// Compiles an artifact on the named backend, or on the chosen one if the name is empty.
    pub compile: Option<
        unsafe extern "C" fn(
            self_: *mut c_void,
            backend: ZooStr,
            artifact: *const ZooArtifact,
            session: *mut ZooSession,
            out: *const ZooReturn,
        ) -> i32,
    >,
    /// Weights of a registered model: tensors, and text `{"metadata":{},"config":{}}`. `seed` is NULL for the default run.
    pub weights: Option<unsafe extern "C" fn(self_: *mut c_void, model: ZooStr, seed: *const u64, out: *const ZooReturn) -> i32>,
}

/// A model family.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooModel {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooModelTable,
}

/// Functions of a model family. Those that may be NULL then behave as the default of the Rust trait.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooModelTable {
    /// Bytes of this table.
    pub size: usize,
    /// Frees the model. May be NULL.
    pub drop: Option<unsafe extern "C" fn(self_: *mut c_void)>,
    /// Text: `{"card":{...},"artifact_kinds":["onnx"],"actions":[{"name":"...","help":"..."}]}`.
    pub describe: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Text: array of graph names in a format, the evaluated one first. May be NULL.
    pub variants: Option<unsafe extern "C" fn(self_: *mut c_void, kind: ZooStr, out: *const ZooReturn) -> i32>,
    /// Exports a graph: files, and text `{"kind":"onnx","variant":"model","metadata":{}}`.
    /// `request` is `{"kind":"onnx","variant":"...","opset":17,"steps":4,"options":{}}`; all but the kind may be absent.
    pub export_artifact: Option<
        unsafe extern "C" fn(self_: *mut c_void, request: ZooStr, weights: ZooWeights, config: ZooStr, out: *const ZooReturn) -> i32,
    >,
    /// Takes weights with names of a dialect (`zoo` or `authors`): named tensors, and their metadata as text.
    pub import_weights:
        Option<unsafe extern "C" fn(self_: *mut c_void, file: ZooWeights, dialect: ZooStr, config: ZooStr, out: *const ZooReturn) -> i32>,
    /// Turns a batch into the session's inputs. May be NULL.
    pub preprocess:
        Option<unsafe extern "C" fn(self_: *mut c_void, batch: *const ZooBatch, session: ZooSession, out: *const ZooReturn) -> i32>,
    /// Predicts a batch: named tensors. May be NULL.
    pub predict:
        Option<unsafe extern "C" fn(self_: *mut c_void, session: ZooSession, batch: *const ZooBatch, out: *const ZooReturn) -> i32>,
    /// Fresh metrics. May be NULL.
    pub metrics: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Evaluates by a protocol of its own; no text asks for the host's loop. May be NULL.
    pub evaluate: Option<
        unsafe extern "C" fn(
            self_: *mut c_void,
            session: ZooSession,
            dataset: ZooDataset,
            config: ZooStr,
            bench: ZooWorkbench,
            out: *const ZooReturn,
        ) -> i32,
    >,
    /// Re-measures the claims of the registered model: text, an array of outcomes. May be NULL.
    pub claims:
        Option<unsafe extern "C" fn(self_: *mut c_void, model: ZooStr, config: ZooStr, bench: ZooWorkbench, out: *const ZooReturn) -> i32>,
    /// Runs a command of its own; `args` is a JSON array of strings, the text is JSON. May be NULL.
    pub act: Option<
        unsafe extern "C" fn(
            self_: *mut c_void,
            action: ZooStr,
            args: ZooStr,
            model: ZooStr,
            config: ZooStr,
            bench: ZooWorkbench,
            out: *const ZooReturn,
        ) -> i32,
    >,
    /// Draws pictures of the counted runs from their outcomes, an array as `claims` gives it: text, an array of
    /// `{"title":"","alt":"","mime":"image/svg+xml","bytes":[...]}`. May be NULL. Since 1.1.
    pub figures:
        Option<unsafe extern "C" fn(self_: *mut c_void, model: ZooStr, config: ZooStr, outcomes: ZooStr, out: *const ZooReturn) -> i32>,
}

/// Where a trainer leaves its traces.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooTrainSink {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooTrainSinkTable,
}

/// Functions of a sink; one thread at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooTrainSinkTable {
    /// Bytes of this table.
    pub size: usize,
    /// One line of the training log, as JSON.
    pub log: Option<unsafe extern "C" fn(self_: *mut c_void, line: ZooStr, out: *const ZooReturn) -> i32>,
    /// Keeps a checkpoint in place of the last one.
    pub save: Option<unsafe extern "C" fn(self_: *mut c_void, checkpoint: ZooWeights, out: *const ZooReturn) -> i32>,
    /// The last checkpoint: tensors, and their metadata as text; no text, no checkpoint.
    pub resume: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
}

/// Trains a model family.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooTrainer {
    /// First argument of every function.
    pub self_: *mut c_void,
    /// Functions.
    pub table: *const ZooTrainerTable,
}

/// Functions of a trainer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooTrainerTable {
    /// Bytes of this table.
    pub size: usize,
    /// Frees the trainer. May be NULL.
    pub drop: Option<unsafe extern "C" fn(self_: *mut c_void)>,
    /// Text: name of the model family this trains.
    pub model: Option<unsafe extern "C" fn(self_: *mut c_void, out: *const ZooReturn) -> i32>,
    /// Trains with one seed: named tensors, and their metadata as text.
    pub train: Option<
        unsafe extern "C" fn(
            self_: *mut c_void,
            config: ZooStr,
            seed: u64,
            bench: ZooWorkbench,
            sink: ZooTrainSink,
            out: *const ZooReturn,
        ) -> i32,
    >,
}

/// What the host tells a plugin about itself, once.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooHost {
    /// Bytes of this structure.
    pub size: usize,
    /// Major version of the host's ABI.
    pub abi_major: u32,
    /// Minor version of the host's ABI.
    pub abi_minor: u32,
    /// Greatest log level that is worth sending.
    pub max_level: i32,
    /// Where log lines go; valid until the process ends.
    pub reporter: ZooReporter,
}

/// The one thing a plugin exports: a constant table named `zoo_plugin_table`.
///
/// (Plugins written in Rust with the authoring macro add `__CRATE` to the name, so that several can be linked into one
/// program.) The first four members never move, in any version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ZooPlugin {
    /// `ZOO_MAGIC`.
    pub magic: u64,
    /// `ZOO_ABI_MAJOR` of the header the plugin was built with.
    pub abi_major: u32,
    /// `ZOO_ABI_MINOR` of the header the plugin was built with.
    pub abi_minor: u32,
    /// `sizeof(ZooPlugin)`.
    pub size: usize,
    /// Called once, first. May be NULL.
    pub init: Option<unsafe extern "C" fn(host: *const ZooHost, out: *const ZooReturn) -> i32>,
    /// Text: `{"name":"...","version":"...","threads":"any","models":0,"datasets":0,"backends":0,"trainers":0}`. With
    /// `"threads":"one"` the host never enters the plugin from two threads at once. `"registry"` may hold, as TOML text,
    /// registry tables of what the plugin brings.
    pub describe: Option<unsafe extern "C" fn(out: *const ZooReturn) -> i32>,
    /// Hands over a model. May be NULL if there is none.
    pub model: Option<unsafe extern "C" fn(index: usize, model: *mut ZooModel, out: *const ZooReturn) -> i32>,
    /// Hands over a factory of data sets. May be NULL if there is none.
    pub dataset: Option<unsafe extern "C" fn(index: usize, factory: *mut ZooDatasetFactory, out: *const ZooReturn) -> i32>,
    /// Hands over a backend. May be NULL if there is none.
    pub backend: Option<unsafe extern "C" fn(index: usize, backend: *mut ZooBackend, out: *const ZooReturn) -> i32>,
    /// Hands over a trainer. May be NULL if there is none.
    pub trainer: Option<unsafe extern "C" fn(index: usize, trainer: *mut ZooTrainer, out: *const ZooReturn) -> i32>,
}
