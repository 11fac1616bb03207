/* A data set plugin in plain C: short clips without speech.
 *
 * A plugin is one exported table. The table hands out factories of data sets, a factory opens splits, a split returns items.
 * Texts go to `out->text`, tensors to `out->tensor`, errors to `out->error`; nothing that is returned has to be kept. */

#include "zoo_plugin.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CLIPS 16
#define SAMPLES 16384
#define RATE 16000.0

#define CARD                                                                                                     \
  "{\"name\":\"tones\",\"description\":\"Clips of 1.024 s at 16 kHz without speech: silence, a sine, a rising "   \
  "tone and white noise, four loudnesses each.\",\"splits\":[{\"name\":\"test\",\"len\":16}],"                   \
  "\"features\":[{\"name\":\"audio\",\"dtype\":\"f32\",\"shape\":[16384],\"range\":[-1,1],"                      \
  "\"meaning\":\"samples at 16 kHz\"},{\"name\":\"label\",\"dtype\":\"i64\",\"shape\":[]}],"                     \
  "\"classes\":[\"silence\",\"sine\",\"rising\",\"noise\"],\"licence\":\"CC0-1.0\",\"provenance\":\"computed\"}"

static ZooStr str(const char *text) {
  ZooStr s = {(const uint8_t *)text, strlen(text)};
  return s;
}

static int same(ZooStr s, const char *text) { return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0; }

static int32_t fail(const ZooReturn *out, const char *message) { return out->error(out->ctx, ZOO_FAILED, str(message)); }

/* A tensor with its shape and elements in one allocation, which the deleter frees. */
typedef struct {
  DLManagedTensorVersioned managed;
  int64_t shape;
  int64_t stride;
} Tensor;

static void tensor_free(DLManagedTensorVersioned *tensor) { free(tensor->manager_ctx); }

static DLManagedTensorVersioned *tensor_new(int32_t axes, int64_t length, uint8_t code, uint8_t bits) {
  size_t bytes = (size_t)length * bits / 8;
  Tensor *tensor = calloc(1, sizeof *tensor + bytes);
  if (tensor == NULL) return NULL;
  tensor->shape = length;
  tensor->stride = 1;
  tensor->managed.version.major = DLPACK_MAJOR;
  tensor->managed.version.minor = DLPACK_MINOR;
  tensor->managed.manager_ctx = tensor;
  tensor->managed.deleter = tensor_free;
  tensor->managed.dl_tensor.data = tensor + 1;
  tensor->managed.dl_tensor.device.device_type = DLPACK_CPU;
  tensor->managed.dl_tensor.ndim = axes;
  tensor->managed.dl_tensor.dtype.code = code;
  tensor->managed.dl_tensor.dtype.bits = bits;
  tensor->managed.dl_tensor.dtype.lanes = 1;
  tensor->managed.dl_tensor.shape = &tensor->shape;
  tensor->managed.dl_tensor.strides = &tensor->stride;
  return &tensor->managed;
}

static void fill(float *audio, uint64_t index) {
  const double pi = 3.14159265358979323846;
  double loudness = 0.8 / (double)(1 << 2 * (index / 4));
  uint32_t noise = 2463534242u + (uint32_t)index;
  for (int i = 0; i < SAMPLES; i++) {
    double t = i / RATE, value = 0.0;
    switch (index % 4) {
    case 1:
      value = sin(2 * pi * 440.0 * t);
      break;
    case 2:
      value = sin(2 * pi * (200.0 * t + 1500.0 * t * t));
      break;
    case 3: /* Marsaglia's xorshift. */
      noise ^= noise << 13;
      noise ^= noise >> 17;
      noise ^= noise << 5;
      value = noise / 2147483648.0 - 1.0;
      break;
    }
    audio[i] = (float)(loudness * value);
  }
}

/* The opened split. It has no state, so `self_` is not used. */

static int32_t split_describe(void *self, const ZooReturn *out) {
  return out->text(out->ctx, str("{\"info\":" CARD ",\"split\":\"test\"}"));
}

static uint64_t split_len(void *self) { return CLIPS; }

static int32_t split_get(void *self, uint64_t index, const ZooReturn *out) {
  if (index >= CLIPS) return fail(out, "index of a clip: expected less than 16");
  DLManagedTensorVersioned *audio = tensor_new(1, SAMPLES, DLPACK_FLOAT, 32);
  DLManagedTensorVersioned *label = tensor_new(0, 1, DLPACK_INT, 64);
  if (audio == NULL || label == NULL) {
    if (audio != NULL) tensor_free(audio);
    if (label != NULL) tensor_free(label);
    return fail(out, "out of memory");
  }
  fill(audio->dl_tensor.data, index);
  *(int64_t *)label->dl_tensor.data = (int64_t)(index % 4);
  /* From here on the tensors belong to the caller, whatever it answers. */
  int32_t first = out->tensor(out->ctx, str(""), audio);
  int32_t second = out->tensor(out->ctx, str(""), label);
  return first != ZOO_OK ? first : second;
}

static const ZooDatasetTable split_table = {
    .size = sizeof(ZooDatasetTable), .describe = split_describe, .len = split_len, .get = split_get};

/* The factory. */

static int32_t factory_infos(void *self, const ZooReturn *out) { return out->text(out->ctx, str("[" CARD "]")); }

static int32_t factory_open(void *self, ZooStr name, ZooStr split, ZooStr files, ZooStr config, ZooDataset *opened,
                            const ZooReturn *out) {
  if (!same(name, "tones") || !same(split, "test")) return fail(out, "there is the data set `tones` with the split `test`");
  opened->self_ = NULL;
  opened->table = &split_table;
  return ZOO_OK;
}

static const ZooDatasetFactoryTable factory_table = {
    .size = sizeof(ZooDatasetFactoryTable), .infos = factory_infos, .open = factory_open};

/* The plugin. */

static int32_t plugin_describe(const ZooReturn *out) {
  return out->text(out->ctx, str("{\"name\":\"tones\",\"version\":\"1.0.0\",\"threads\":\"any\",\"datasets\":1,"
                                 "\"registry\":\"schema = 1\\n\\n[[dataset]]\\nname = \\\"tones\\\"\\nplugin = \\\"tones\\\"\\n"
                                 "licence = \\\"CC0-1.0\\\"\\nfiles = []\\nsources = []\\n\"}"));
}

static int32_t plugin_dataset(size_t index, ZooDatasetFactory *factory, const ZooReturn *out) {
  factory->self_ = NULL;
  factory->table = &factory_table;
  return ZOO_OK;
}

ZOO_EXPORT const ZooPlugin zoo_plugin_table = {
    .magic = ZOO_MAGIC,
    .abi_major = ZOO_ABI_MAJOR,
    .abi_minor = ZOO_ABI_MINOR,
    .size = sizeof(ZooPlugin),
    .describe = plugin_describe,
    .dataset = plugin_dataset,
};
