/* The plugin ABI of the zoo, version 1.1.
 *
 * Generated from zoo-core/api/src/abi/raw.rs and zoo-core/api/src/dlpack/raw.rs; do not edit.
 * To write it anew: cargo run --release -p zoo-abi-tests --bin zoo-header
 */
#ifndef ZOO_PLUGIN_H
#define ZOO_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tensors. Define ZOO_HAVE_DLPACK if dlpack.h is included before. */
#ifndef ZOO_HAVE_DLPACK

typedef struct DLPackVersion DLPackVersion;
typedef struct DLDevice DLDevice;
typedef struct DLDataType DLDataType;
typedef struct DLTensor DLTensor;
typedef struct DLManagedTensorVersioned DLManagedTensorVersioned;

// Major version of the tensor structure; a consumer refuses another one.
#define DLPACK_MAJOR 1

// Minor version of the tensor structure.
#define DLPACK_MINOR 0

// Device type of ordinary memory, the only one that crosses this ABI.
#define DLPACK_CPU 1

// Type code of signed integers.
#define DLPACK_INT 0

// Type code of unsigned integers.
#define DLPACK_UINT 1

// Type code of IEEE floats.
#define DLPACK_FLOAT 2

// Type code of brain floats.
#define DLPACK_BFLOAT 4

// Type code of booleans, one byte each.
#define DLPACK_BOOL 6

// Flag: the consumer must not write to the memory.
#define DLPACK_READ_ONLY 1

// Version of the tensor structure.
struct DLPackVersion {
  // Breaking changes.
  uint32_t major;
  // Additions.
  uint32_t minor;
};

// Where the memory is.
struct DLDevice {
  // Kind of device; 1 is ordinary memory.
  int32_t device_type;
  // Index of the device, 0 for ordinary memory.
  int32_t device_id;
};

// Type of an element.
struct DLDataType {
  // Type code.
  uint8_t code;
  // Bits of an element.
  uint8_t bits;
  // Vector lanes, 1 for scalars.
  uint16_t lanes;
};

// A view of memory as an array.
struct DLTensor {
  // Start of the allocation.
  void *data;
  // Where it is.
  struct DLDevice device;
  // Number of axes.
  int32_t ndim;
  // Type of an element.
  struct DLDataType dtype;
  // Length of each axis, outermost first.
  int64_t *shape;
  // Elements between neighbours of each axis; NULL means row-major.
  int64_t *strides;
  // Bytes from `data` to the first element.
  uint64_t byte_offset;
};

// A tensor whose owner is told by `deleter` when nobody needs it any more.
struct DLManagedTensorVersioned {
  // Version of this structure.
  struct DLPackVersion version;
  // The owner's own data.
  void *manager_ctx;
  // Gives the tensor back; called exactly once, from any thread. NULL where nothing needs to be given back.
  void (*deleter)(struct DLManagedTensorVersioned *tensor);
  // Bit 0: read-only. Bit 1: the owner copied. Others are reserved.
  uint64_t flags;
  // The tensor.
  struct DLTensor dl_tensor;
};

#endif /* ZOO_HAVE_DLPACK */

typedef struct ZooStr ZooStr;
typedef struct ZooNamedTensor ZooNamedTensor;
typedef struct ZooTensors ZooTensors;
typedef struct ZooWeights ZooWeights;
typedef struct ZooFile ZooFile;
typedef struct ZooArtifact ZooArtifact;
typedef struct ZooBatch ZooBatch;
typedef struct ZooReturn ZooReturn;
typedef struct ZooReporter ZooReporter;
typedef struct ZooReporterTable ZooReporterTable;
typedef struct ZooSession ZooSession;
typedef struct ZooSessionTable ZooSessionTable;
typedef struct ZooDataset ZooDataset;
typedef struct ZooDatasetTable ZooDatasetTable;
typedef struct ZooDatasetFactory ZooDatasetFactory;
typedef struct ZooDatasetFactoryTable ZooDatasetFactoryTable;
typedef struct ZooBackend ZooBackend;
typedef struct ZooBackendTable ZooBackendTable;
typedef struct ZooMetric ZooMetric;
typedef struct ZooMetricTable ZooMetricTable;
typedef struct ZooWorkbench ZooWorkbench;
typedef struct ZooWorkbenchTable ZooWorkbenchTable;
typedef struct ZooModel ZooModel;
typedef struct ZooModelTable ZooModelTable;
typedef struct ZooTrainSink ZooTrainSink;
typedef struct ZooTrainSinkTable ZooTrainSinkTable;
typedef struct ZooTrainer ZooTrainer;
typedef struct ZooTrainerTable ZooTrainerTable;
typedef struct ZooHost ZooHost;
typedef struct ZooPlugin ZooPlugin;

// First eight bytes of the table: `ZOOPLUG1`, as a little-endian number.
#define ZOO_MAGIC 3550900617458175834

// Major version of the ABI. A host refuses another one.
#define ZOO_ABI_MAJOR 1

// Minor version of the ABI. It only ever adds members at the ends of tables.
#define ZOO_ABI_MINOR 1

// The call did what it should.
#define ZOO_OK 0

// The call failed; the message was handed to `error` or `error_json`.
#define ZOO_FAILED 1

// The callee panicked and caught it.
#define ZOO_PANIC 2

// The callee stopped because `cancelled` said so.
#define ZOO_CANCELLED 3

// Something the callee needs is not there.
#define ZOO_UNAVAILABLE 4

// Something failed.
#define ZOO_LEVEL_ERROR 1

// Something is odd.
#define ZOO_LEVEL_WARN 2

// Progress a user wants to see.
#define ZOO_LEVEL_INFO 3

// Detail for authors.
#define ZOO_LEVEL_DEBUG 4

// Everything.
#define ZOO_LEVEL_TRACE 5

// Borrowed bytes, valid during the call: UTF-8 text wherever a text, name or JSON document is meant. Never NUL-terminated.
struct ZooStr {
  // Start; may be NULL if `len` is 0.
  const uint8_t *ptr;
  // Number of bytes.
  size_t len;
};

// A tensor with its name. An argument tensor belongs to the callee, which calls its deleter exactly once, also on failure.
struct ZooNamedTensor {
  // Name; empty where order alone tells tensors apart.
  struct ZooStr name;
  // The tensor, row-major and in ordinary memory.
  DLManagedTensorVersioned *tensor;
};

// A list of tensors.
struct ZooTensors {
  // The tensors; may be NULL if `len` is 0.
  const struct ZooNamedTensor *items;
  // Number of tensors.
  size_t len;
};

// Named tensors with string metadata, as a safetensors file holds them.
struct ZooWeights {
  // Tensors by name.
  struct ZooTensors tensors;
  // JSON object of strings.
  struct ZooStr metadata;
};

// One file of an artifact.
struct ZooFile {
  // File name, without folders.
  struct ZooStr name;
  // Content.
  struct ZooStr bytes;
};

// A model in a portable form.
struct ZooArtifact {
  // Bytes of this structure.
  size_t size;
  // `onnx`, `event`, `nir` or `safetensors`.
  struct ZooStr kind;
  // Which of the model's graphs this is.
  struct ZooStr variant;
  // JSON object of strings.
  struct ZooStr metadata;
  // Files, the main one first.
  const struct ZooFile *files;
  // Number of files.
  size_t file_count;
};

// Consecutive items of a data set, stacked along a first axis.
struct ZooBatch {
  // Bytes of this structure.
  size_t size;
  // JSON array of tensor specs, one for each field.
  struct ZooStr features;
  // Index of the first item in the split.
  uint64_t start;
  // One tensor for each field.
  struct ZooTensors fields;
};

// Functions of a metric; one thread at a time.
struct ZooMetricTable {
  // Bytes of this table.
  size_t size;
  // Frees the metric. May be NULL.
  void (*drop)(void *self_);
  // Text: name in results.
  int32_t (*name)(void *self_, const struct ZooReturn *out);
  // Takes in a batch and the prediction for it.
  int32_t (*update)(void *self_, struct ZooTensors prediction, const struct ZooBatch *batch, const struct ZooReturn *out);
  // Text: all that was seen, as JSON.
  int32_t (*state)(void *self_, const struct ZooReturn *out);
  // Takes in another shard's state.
  int32_t (*merge)(void *self_, struct ZooStr state, const struct ZooReturn *out);
  // Text: `{"value":98.7,"ci95":[98.5,98.9],"unit":"%"}`, or no text before any item.
  int32_t (*estimate)(void *self_, const struct ZooReturn *out);
};

// A streaming metric.
struct ZooMetric {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooMetricTable *table;
};

// Where a callee leaves its results. The caller copies texts and owns them; nobody frees the other's memory.
//
// Every function takes one of these last. A member returns nonzero if the caller does not want what it was given; the
// callee then stops and returns `ZOO_FAILED`. `ctx` goes first in each call.
struct ZooReturn {
  // Bytes of this structure.
  size_t size;
  // The caller's own data.
  void *ctx;
  // The result as text or JSON; a second call replaces the first.
  int32_t (*text)(void *ctx, struct ZooStr text);
  // The next resulting tensor, which from here on belongs to the caller, whatever this returns.
  int32_t (*tensor)(void *ctx, struct ZooStr name, DLManagedTensorVersioned *tensor);
  // The next file of a resulting artifact.
  int32_t (*file)(void *ctx, struct ZooStr name, struct ZooStr bytes);
  // The next resulting metric, which from here on belongs to the caller.
  int32_t (*metric)(void *ctx, struct ZooMetric metric);
  // Why the call failed, in words. The callee returns what this returns.
  int32_t (*error)(void *ctx, int32_t code, struct ZooStr message);
  // Why the call failed, as an object such as `{"error":"shape","what":"image","expected":"[1, 28, 28]","found":"[28]"}`.
  // The callee returns what this returns.
  int32_t (*error_json)(void *ctx, int32_t code, struct ZooStr object);
};

// Functions of a reporter; any thread may call them.
struct ZooReporterTable {
  // Bytes of this table.
  size_t size;
  // A log line: level, the part of the program that speaks, message.
  void (*log)(void *self_, int32_t level, struct ZooStr target, struct ZooStr message);
  // Progress of a named task: `done` of `total` (0 if not known) in `unit`.
  void (*progress)(void *self_, struct ZooStr task, uint64_t done, uint64_t total, struct ZooStr unit);
  // Nonzero once the user asked to stop.
  int32_t (*cancelled)(void *self_);
};

// Log, progress and cancellation.
struct ZooReporter {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooReporterTable *table;
};

// Functions of a session; one thread at a time.
struct ZooSessionTable {
  // Bytes of this table.
  size_t size;
  // Frees the session. NULL if it is only lent.
  void (*drop)(void *self_);
  // Text: `{"inputs":[spec],"outputs":[spec],"metadata":{}}`.
  int32_t (*describe)(void *self_, const struct ZooReturn *out);
  // Runs once; the outputs, in order, go to `out`. NULL if the session is only lent for looking at.
  int32_t (*run)(void *self_, struct ZooTensors inputs, const struct ZooReturn *out);
  // Text: counters, at least `{"runs":0}`.
  int32_t (*stats)(void *self_, const struct ZooReturn *out);
  // Forgets state kept between runs. May be NULL.
  int32_t (*reset)(void *self_, const struct ZooReturn *out);
};

// A compiled model.
struct ZooSession {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooSessionTable *table;
};

// Functions of an opened split.
struct ZooDatasetTable {
  // Bytes of this table.
  size_t size;
  // Closes the split. NULL if it is only lent.
  void (*drop)(void *self_);
  // Text: `{"info":{...},"split":"test"}`.
  int32_t (*describe)(void *self_, const struct ZooReturn *out);
  // Number of items.
  uint64_t (*len)(void *self_);
  // The tensors of an item, in the order of the features, without a batch axis.
  int32_t (*get)(void *self_, uint64_t index, const struct ZooReturn *out);
  // Items `start` to `end`, stacked. NULL: the caller stacks what `get` returns.
  int32_t (*batch)(void *self_, uint64_t start, uint64_t end, const struct ZooReturn *out);
};

// An opened split of a data set.
struct ZooDataset {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooDatasetTable *table;
};

// Functions of a factory of data sets.
struct ZooDatasetFactoryTable {
  // Bytes of this table.
  size_t size;
  // Frees the factory. May be NULL.
  void (*drop)(void *self_);
  // Text: array of data set cards.
  int32_t (*infos)(void *self_, const struct ZooReturn *out);
  // Opens a split; `files` is a JSON object from file name to path, `config` a JSON object.
  int32_t (*open)(void *self_,
                  struct ZooStr name,
                  struct ZooStr split,
                  struct ZooStr files,
                  struct ZooStr config,
                  struct ZooDataset *opened,
                  const struct ZooReturn *out);
};

// Opens data sets.
struct ZooDatasetFactory {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooDatasetFactoryTable *table;
};

// Functions of a backend.
struct ZooBackendTable {
  // Bytes of this table.
  size_t size;
  // Frees the backend. May be NULL.
  void (*drop)(void *self_);
  // Text: `{"name":"...","description":"...","accepts":["onnx"]}`.
  int32_t (*describe)(void *self_, const struct ZooReturn *out);
  // Text: `{"Ready":{"version":"...","devices":["cpu"]}}` or `{"Unavailable":{"why":"...","mend":"..."}}`.
  int32_t (*probe)(void *self_, const struct ZooReturn *out);
  // Compiles an artifact for a device (`cpu`, `cuda:0`); `options` is a JSON object.
  int32_t (*compile)(void *self_,
                     const struct ZooArtifact *artifact,
                     struct ZooStr device,
                     struct ZooStr options,
                     struct ZooSession *session,
                     const struct ZooReturn *out);
};

// Turns artifacts into sessions.
struct ZooBackend {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooBackendTable *table;
};

// Functions of a workbench; one thread at a time.
struct ZooWorkbenchTable {
  // Bytes of this table.
  size_t size;
  // Log, progress and cancellation, valid as long as the workbench.
  struct ZooReporter (*reporter)(void *self_);
  // Text: `{"seed":0,"limit":100,"backend":"tract"}`; no limit, no key.
  int32_t (*describe)(void *self_, const struct ZooReturn *out);
  // Opens a split of a registered data set.
  int32_t (*dataset)(void *self_, struct ZooStr name, struct ZooStr split, struct ZooDataset *opened, const struct ZooReturn *out);
  // Compiles an artifact on the named backend, or on the chosen one if the name is empty.
  int32_t (*compile)(void *self_,
                     struct ZooStr backend,
                     const struct ZooArtifact *artifact,
                     struct ZooSession *session,
                     const struct ZooReturn *out);
  // Weights of a registered model: tensors, and text `{"metadata":{},"config":{}}`. `seed` is NULL for the default run.
  int32_t (*weights)(void *self_, struct ZooStr model, const uint64_t *seed, const struct ZooReturn *out);
};

// What the host offers while a protocol of the plugin's own runs.
struct ZooWorkbench {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooWorkbenchTable *table;
};

// Functions of a model family. Those that may be NULL then behave as the default of the Rust trait.
struct ZooModelTable {
  // Bytes of this table.
  size_t size;
  // Frees the model. May be NULL.
  void (*drop)(void *self_);
  // Text: `{"card":{...},"artifact_kinds":["onnx"],"actions":[{"name":"...","help":"..."}]}`.
  int32_t (*describe)(void *self_, const struct ZooReturn *out);
  // Text: array of graph names in a format, the evaluated one first. May be NULL.
  int32_t (*variants)(void *self_, struct ZooStr kind, const struct ZooReturn *out);
  // Exports a graph: files, and text `{"kind":"onnx","variant":"model","metadata":{}}`.
  // `request` is `{"kind":"onnx","variant":"...","opset":17,"steps":4,"options":{}}`; all but the kind may be absent.
  int32_t (*export_artifact)(void *self_,
                             struct ZooStr request,
                             struct ZooWeights weights,
                             struct ZooStr config,
                             const struct ZooReturn *out);
  // Takes weights with names of a dialect (`zoo` or `authors`): named tensors, and their metadata as text.
  int32_t (*import_weights)(void *self_, struct ZooWeights file, struct ZooStr dialect, struct ZooStr config, const struct ZooReturn *out);
  // Turns a batch into the session's inputs. May be NULL.
  int32_t (*preprocess)(void *self_, const struct ZooBatch *batch, struct ZooSession session, const struct ZooReturn *out);
  // Predicts a batch: named tensors. May be NULL.
  int32_t (*predict)(void *self_, struct ZooSession session, const struct ZooBatch *batch, const struct ZooReturn *out);
  // Fresh metrics. May be NULL.
  int32_t (*metrics)(void *self_, const struct ZooReturn *out);
  // Evaluates by a protocol of its own; no text asks for the host's loop. May be NULL.
  int32_t (*evaluate)(void *self_,
                      struct ZooSession session,
                      struct ZooDataset dataset,
                      struct ZooStr config,
                      struct ZooWorkbench bench,
                      const struct ZooReturn *out);
  // Re-measures the claims of the registered model: text, an array of outcomes. May be NULL.
  int32_t (*claims)(void *self_, struct ZooStr model, struct ZooStr config, struct ZooWorkbench bench, const struct ZooReturn *out);
  // Runs a command of its own; `args` is a JSON array of strings, the text is JSON. May be NULL.
  int32_t (*act)(void *self_,
                 struct ZooStr action,
                 struct ZooStr args,
                 struct ZooStr model,
                 struct ZooStr config,
                 struct ZooWorkbench bench,
                 const struct ZooReturn *out);
  // Draws pictures of the counted runs from their outcomes, an array as `claims` gives it: text, an array of
  // `{"title":"","alt":"","mime":"image/svg+xml","bytes":[...]}`. May be NULL. Since 1.1.
  int32_t (*figures)(void *self_, struct ZooStr model, struct ZooStr config, struct ZooStr outcomes, const struct ZooReturn *out);
};

// A model family.
struct ZooModel {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooModelTable *table;
};

// Functions of a sink; one thread at a time.
struct ZooTrainSinkTable {
  // Bytes of this table.
  size_t size;
  // One line of the training log, as JSON.
  int32_t (*log)(void *self_, struct ZooStr line, const struct ZooReturn *out);
  // Keeps a checkpoint in place of the last one.
  int32_t (*save)(void *self_, struct ZooWeights checkpoint, const struct ZooReturn *out);
  // The last checkpoint: tensors, and their metadata as text; no text, no checkpoint.
  int32_t (*resume)(void *self_, const struct ZooReturn *out);
};

// Where a trainer leaves its traces.
struct ZooTrainSink {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooTrainSinkTable *table;
};

// Functions of a trainer.
struct ZooTrainerTable {
  // Bytes of this table.
  size_t size;
  // Frees the trainer. May be NULL.
  void (*drop)(void *self_);
  // Text: name of the model family this trains.
  int32_t (*model)(void *self_, const struct ZooReturn *out);
  // Trains with one seed: named tensors, and their metadata as text.
  int32_t (*train)(void *self_,
                   struct ZooStr config,
                   uint64_t seed,
                   struct ZooWorkbench bench,
                   struct ZooTrainSink sink,
                   const struct ZooReturn *out);
};

// Trains a model family.
struct ZooTrainer {
  // First argument of every function.
  void *self_;
  // Functions.
  const struct ZooTrainerTable *table;
};

// What the host tells a plugin about itself, once.
struct ZooHost {
  // Bytes of this structure.
  size_t size;
  // Major version of the host's ABI.
  uint32_t abi_major;
  // Minor version of the host's ABI.
  uint32_t abi_minor;
  // Greatest log level that is worth sending.
  int32_t max_level;
  // Where log lines go; valid until the process ends.
  struct ZooReporter reporter;
};

// The one thing a plugin exports: a constant table named `zoo_plugin_table`.
//
// (Plugins written in Rust with the authoring macro add `__CRATE` to the name, so that several can be linked into one
// program.) The first four members never move, in any version.
struct ZooPlugin {
  // `ZOO_MAGIC`.
  uint64_t magic;
  // `ZOO_ABI_MAJOR` of the header the plugin was built with.
  uint32_t abi_major;
  // `ZOO_ABI_MINOR` of the header the plugin was built with.
  uint32_t abi_minor;
  // `sizeof(ZooPlugin)`.
  size_t size;
  // Called once, first. May be NULL.
  int32_t (*init)(const struct ZooHost *host, const struct ZooReturn *out);
  // Text: `{"name":"...","version":"...","threads":"any","models":0,"datasets":0,"backends":0,"trainers":0}`. With
  // `"threads":"one"` the host never enters the plugin from two threads at once. `"registry"` may hold, as TOML text,
  // registry tables of what the plugin brings.
  int32_t (*describe)(const struct ZooReturn *out);
  // Hands over a model. May be NULL if there is none.
  int32_t (*model)(size_t index, struct ZooModel *model, const struct ZooReturn *out);
  // Hands over a factory of data sets. May be NULL if there is none.
  int32_t (*dataset)(size_t index, struct ZooDatasetFactory *factory, const struct ZooReturn *out);
  // Hands over a backend. May be NULL if there is none.
  int32_t (*backend)(size_t index, struct ZooBackend *backend, const struct ZooReturn *out);
  // Hands over a trainer. May be NULL if there is none.
  int32_t (*trainer)(size_t index, struct ZooTrainer *trainer, const struct ZooReturn *out);
};

#if defined(_WIN32)
#define ZOO_EXPORT __declspec(dllexport)
#else
#define ZOO_EXPORT __attribute__((visibility("default")))
#endif

/* The table a plugin written in C defines. */
extern ZOO_EXPORT const ZooPlugin zoo_plugin_table;

#ifdef __cplusplus
}
#endif

#endif /* ZOO_PLUGIN_H */
