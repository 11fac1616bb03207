/* A plugin in C for the tests of the ABI: it behaves, unless a macro tells it to break one rule. */
#include "zoo_plugin.h"
#include <stdlib.h>
#include <string.h>

static ZooStr str(const char *text) {
  ZooStr s = {(const uint8_t *)text, strlen(text)};
  return s;
}

static int same(ZooStr s, const char *text) { return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0; }

static int32_t fail(const ZooReturn *out, int32_t code, const char *message) { return out->error(out->ctx, code, str(message)); }

/* Tensors. */

typedef struct {
  DLManagedTensorVersioned managed;
  int64_t shape[2];
  float data[4];
} Item;

static void item_free(DLManagedTensorVersioned *tensor) { free(tensor->manager_ctx); }

static DLManagedTensorVersioned *item_new(int64_t index) {
  Item *item = calloc(1, sizeof *item);
  DLTensor *t = &item->managed.dl_tensor;
  item->managed.version.major = DLPACK_MAJOR;
  item->managed.manager_ctx = item;
  item->managed.deleter = item_free;
  item->data[0] = (float)index;
  item->data[1] = (float)index / 3.0f;
  item->shape[0] = 2;
  item->shape[1] = 1;
  t->data = item->data;
  t->device.device_type = DLPACK_CPU;
  t->ndim = 1;
  t->dtype.code = DLPACK_FLOAT;
  t->dtype.bits = 32;
  t->dtype.lanes = 1;
  t->shape = item->shape;
#ifdef WRONG_SHAPE
  t->ndim = 2;
#endif
#ifdef WRONG_DTYPE
  t->dtype.code = DLPACK_INT;
#endif
#ifdef UNKNOWN_DTYPE
  t->dtype.bits = 7;
#endif
#ifdef NEGATIVE_SHAPE
  item->shape[0] = -2;
#endif
  return &item->managed;
}

/* The data set. */

static int32_t data_describe(void *self, const ZooReturn *out) {
  return out->text(out->ctx, str("{\"info\":{\"name\":\"numbers\",\"description\":\"Numbers.\",\"splits\":[{\"name\":\"test\",\"len\":4}],"
                                 "\"features\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[2]}],"
                                 "\"licence\":\"CC0-1.0\",\"provenance\":\"computed\"},\"split\":\"test\"}"));
}

static uint64_t data_len(void *self) { return 4; }

static int inside = 0, crowded = 0;

static int32_t data_get(void *self, uint64_t index, const ZooReturn *out) {
  if (index >= 4) return fail(out, ZOO_FAILED, "no such item");
#ifdef ONE_THREAD
  /* Without the host's lock two threads would meet here. */
  if (__sync_add_and_fetch(&inside, 1) > 1) crowded = 1;
  for (volatile int i = 0; i < 20000; i++) {
  }
  __sync_sub_and_fetch(&inside, 1);
  if (crowded) return fail(out, ZOO_FAILED, "two threads at once");
#endif
#ifdef NULL_TENSOR
  return out->tensor(out->ctx, str(""), NULL);
#endif
#ifdef NAME_NOT_UTF8
  return out->tensor(out->ctx, str("x\xff"), item_new((int64_t)index));
#endif
#ifdef NO_REASON
  return ZOO_FAILED;
#endif
#ifdef CANCELS
  return ZOO_CANCELLED;
#endif
#ifdef UNAVAILABLE
  return fail(out, ZOO_UNAVAILABLE, "the drive is asleep");
#endif
#ifdef LYING_PANIC
  return fail(out, ZOO_PANIC, "index out of bounds");
#endif
#ifdef JSON_ERROR
  return out->error_json(out->ctx, ZOO_FAILED, str("{\"error\":\"data\",\"path\":\"a/b\",\"at\":\"byte 3\",\"expected\":\"x\",\"found\":\"y\",\"mend\":\"z\"}"));
#endif
#ifdef ERROR_THEN_OK
  fail(out, ZOO_FAILED, "said so");
  return ZOO_OK;
#endif
  return out->tensor(out->ctx, str(""), item_new((int64_t)index));
}

static const ZooDatasetTable data_table = {sizeof(ZooDatasetTable), NULL, data_describe, data_len, data_get, NULL};

static int32_t factory_infos(void *self, const ZooReturn *out) {
  return out->text(out->ctx, str("[{\"name\":\"numbers\",\"description\":\"Numbers.\",\"splits\":[{\"name\":\"test\",\"len\":4}],"
                                 "\"features\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[2]}],"
                                 "\"licence\":\"CC0-1.0\",\"provenance\":\"computed\"}]"));
}

static int32_t factory_open(void *self, ZooStr name, ZooStr split, ZooStr files, ZooStr config, ZooDataset *opened, const ZooReturn *out) {
  if (!same(name, "numbers") || !same(split, "test")) return fail(out, ZOO_FAILED, "there is numbers/test");
#ifndef FORGETS_HANDLE
  opened->self_ = NULL;
  opened->table = &data_table;
#endif
  return ZOO_OK;
}

static const ZooDatasetFactoryTable factory_table = {sizeof(ZooDatasetFactoryTable), NULL, factory_infos, factory_open};

static int32_t plugin_dataset(size_t index, ZooDatasetFactory *factory, const ZooReturn *out) {
  factory->self_ = NULL;
  factory->table = &factory_table;
  return ZOO_OK;
}

/* The backend: its session hands its input back as it came. */

static int32_t session_describe(void *self, const ZooReturn *out) {
  return out->text(out->ctx, str("{\"inputs\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[\"batch\"]}],"
                                 "\"outputs\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[\"batch\"]}]}"));
}

static int32_t session_run(void *self, ZooTensors inputs, const ZooReturn *out) {
  if (inputs.len != 1) {
    for (size_t i = 0; i < inputs.len; i++) inputs.items[i].tensor->deleter(inputs.items[i].tensor);
    return fail(out, ZOO_FAILED, "expected one input");
  }
  DLManagedTensorVersioned *x = inputs.items[0].tensor;
#ifdef DELETES_TWICE
  x->deleter(x);
  x->deleter(x);
  return out->tensor(out->ctx, str(""), item_new(0));
#endif
#ifdef KEEPS_TENSORS
  return out->tensor(out->ctx, str(""), item_new(0));
#endif
  return out->tensor(out->ctx, str(""), x);
}

static int32_t session_stats(void *self, const ZooReturn *out) { return out->text(out->ctx, str("{\"runs\":3}")); }

/* A table of a later minor version: it ends with a function this version does not know. */
typedef struct {
  ZooSessionTable now;
  void (*later)(void);
} LaterSessionTable;

static void later(void) { abort(); }

static const LaterSessionTable session_table = {
#ifdef SHORT_SESSION_TABLE
    {sizeof(size_t) * 3,
#elif defined(NULL_FUNCTION)
    {sizeof(LaterSessionTable),
#else
    {sizeof(LaterSessionTable),
#endif
     NULL,
#ifdef NULL_FUNCTION
     NULL,
#else
     session_describe,
#endif
     session_run, session_stats, NULL},
    later};

static int32_t backend_describe(void *self, const ZooReturn *out) {
  return out->text(out->ctx, str("{\"name\":\"same\",\"description\":\"hands back\",\"accepts\":[\"onnx\",\"holograms\"]}"));
}

static int32_t backend_probe(void *self, const ZooReturn *out) {
  return out->text(out->ctx, str("{\"Ready\":{\"version\":\"1\",\"devices\":[\"cpu\"]}}"));
}

static int32_t backend_compile(void *self, const ZooArtifact *artifact, ZooStr device, ZooStr options, ZooSession *session,
                               const ZooReturn *out) {
  if (!same(artifact->kind, "onnx") || artifact->file_count != 1) return fail(out, ZOO_FAILED, "expected one onnx file");
  session->self_ = NULL;
  session->table = &session_table.now;
  return ZOO_OK;
}

static const ZooBackendTable backend_table = {sizeof(ZooBackendTable), NULL, backend_describe, backend_probe, backend_compile};

static int32_t plugin_backend(size_t index, ZooBackend *backend, const ZooReturn *out) {
  backend->self_ = NULL;
  backend->table = &backend_table;
  return ZOO_OK;
}

/* The model: what may be NULL is. */

static int32_t model_describe(void *self, const ZooReturn *out) {
#ifdef CARD_NOT_JSON
  return out->text(out->ctx, str("Dear host, I am a model."));
#endif
#ifdef CARD_LACKS_NAME
  return out->text(out->ctx, str("{\"card\":{\"title\":\"t\"},\"artifact_kinds\":[\"onnx\"]}"));
#endif
#ifdef CARD_NOT_UTF8
  return out->text(out->ctx, str("{\"card\":\"\xc3\x28\"}"));
#endif
#ifdef NULL_TEXT
  ZooStr none = {NULL, 5};
  return out->text(out->ctx, none);
#endif
  return out->text(out->ctx, str("{\"card\":{\"name\":\"c-model\",\"title\":\"t\",\"description\":\"d\",\"code_licence\":\"MIT\","
                                 "\"weights_licence\":\"MIT\",\"task\":{\"kind\":\"classification\",\"logits\":\"x\",\"label\":\"l\"},"
                                 "\"inputs\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[]}],\"outputs\":[]},"
                                 "\"artifact_kinds\":[\"onnx\",\"holograms\"]}"));
}

static int32_t model_export(void *self, ZooStr request, ZooWeights weights, ZooStr config, const ZooReturn *out) {
  for (size_t i = 0; i < weights.tensors.len; i++) weights.tensors.items[i].tensor->deleter(weights.tensors.items[i].tensor);
  int32_t status = out->file(out->ctx, str("model.onnx"), str("bytes"));
  if (status != ZOO_OK) return status;
  return out->text(out->ctx, str("{\"kind\":\"onnx\",\"variant\":\"model\"}"));
}

static int32_t model_import(void *self, ZooWeights file, ZooStr dialect, ZooStr config, const ZooReturn *out) {
  for (size_t i = 0; i < file.tensors.len; i++) {
    int32_t status = out->tensor(out->ctx, file.tensors.items[i].name, file.tensors.items[i].tensor);
    if (status != ZOO_OK) return status;
  }
  return out->text(out->ctx, str("{}"));
}

static const ZooModelTable model_table = {sizeof(ZooModelTable), NULL, model_describe, NULL, model_export, model_import, NULL, NULL,
                                          NULL,                  NULL, NULL,           NULL, NULL};

static int32_t plugin_model(size_t index, ZooModel *model, const ZooReturn *out) {
  model->self_ = NULL;
  model->table = &model_table;
  return ZOO_OK;
}

/* The table. */

#ifdef BUILD
const int zoo_test_build = BUILD;
#endif

static int32_t plugin_init(const ZooHost *host, const ZooReturn *out) {
  if (host->reporter.table->cancelled(host->reporter.self_)) return ZOO_CANCELLED;
  host->reporter.table->log(host->reporter.self_, ZOO_LEVEL_INFO, str("c-plugin"), str("hello"));
  host->reporter.table->progress(host->reporter.self_, str("start"), 1, 0, str("steps"));
  return ZOO_OK;
}

#ifndef NAME
#define NAME "c-plugin"
#endif

static int32_t plugin_describe(const ZooReturn *out) {
#ifdef FACTS_NOT_JSON
  return out->text(out->ctx, str("name = c-plugin"));
#endif
#ifdef TOO_MANY
  return out->text(out->ctx, str("{\"name\":\"c-plugin\",\"version\":\"1\",\"models\":18446744073709551615}"));
#endif
#ifdef FAILS_TO_DESCRIBE
  return fail(out, ZOO_UNAVAILABLE, "no licence file");
#endif
  return out->text(out->ctx, str("{\"name\":\"" NAME "\",\"version\":\"1.2\","
#ifdef ONE_THREAD
                                 "\"threads\":\"one\","
#endif
                                 "\"later\":{\"fact\":1},\"models\":1,\"datasets\":1,\"backends\":1}"));
}

#ifdef BAD_MAGIC
#define MAGIC 42
#else
#define MAGIC ZOO_MAGIC
#endif
#ifdef OTHER_MAJOR
#define MAJOR 99
#else
#define MAJOR ZOO_ABI_MAJOR
#endif

#if defined(SHORT_TABLE)
const ZooPlugin zoo_plugin_table = {MAGIC, MAJOR, 0, 32, plugin_init, plugin_describe, plugin_model, plugin_dataset, plugin_backend, NULL};
#elif defined(LATER_MINOR)
typedef struct {
  ZooPlugin now;
  void (*later[4])(void);
} LaterPlugin;
#define zoo_plugin_table zoo_plugin_table__later
const LaterPlugin zoo_plugin_table = {
    {MAGIC, MAJOR, 7, sizeof(LaterPlugin), plugin_init, plugin_describe, plugin_model, plugin_dataset, plugin_backend, NULL},
    {later, later, later, later}};
#elif defined(NO_SYMBOL)
const ZooPlugin another_table = {MAGIC, MAJOR, 0, sizeof(ZooPlugin), plugin_init, plugin_describe, plugin_model, plugin_dataset, plugin_backend, NULL};
#else
const ZooPlugin zoo_plugin_table = {MAGIC, MAJOR, 0, sizeof(ZooPlugin), plugin_init, plugin_describe, plugin_model, plugin_dataset, plugin_backend, NULL};
#endif

#ifdef NEEDS_LIBRARY
extern int zoo_test_missing_function(void);
int use_missing(void) { return zoo_test_missing_function(); }
#endif
