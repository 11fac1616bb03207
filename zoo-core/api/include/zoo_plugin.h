/* The plugin ABI of the zoo, version 1.0.
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

/*
 Major version of the tensor structure; a consumer refuses another one.
 */
#define DLPACK_MAJOR 1

/*
 Minor version of the tensor structure.
 */
#define DLPACK_MINOR 0

/*
 Device type of ordinary memory, the only one that crosses this ABI.
 */
#define DLPACK_CPU 1

/*
 Type code of signed integers.
 */
#define DLPACK_INT 0

/*
 Type code of unsigned integers.
 */
#define DLPACK_UINT 1

/*
 Type code of IEEE floats.
 */
#define DLPACK_FLOAT 2

/*
 Type code of brain floats.
 */
#define DLPACK_BFLOAT 4

/*
 Type code of booleans, one byte each.
 */
#define DLPACK_BOOL 6

/*
 Flag: the consumer must not write to the memory.
 */
#define DLPACK_READ_ONLY 1

#endif /* ZOO_HAVE_DLPACK */

/*
 First eight bytes of the table: `ZOOPLUG1`, as a little-endian number.
 */
#define ZOO_MAGIC 3550900617458175834

/*
 Major version of the ABI. A host refuses another one.
 */
#define ZOO_ABI_MAJOR 1

/*
 Minor version of the ABI. It only ever adds members at the ends of tables.
 */
#define ZOO_ABI_MINOR 0

/*
 The call did what it should.
 */
#define ZOO_OK 0

/*
 The call failed; the message was handed to `error` or `error_json`.
 */
#define ZOO_FAILED 1

/*
 The callee panicked and caught it.
 */
#define ZOO_PANIC 2

/*
 The callee stopped because `cancelled` said so.
 */
#define ZOO_CANCELLED 3

/*
 Something the callee needs is not there.
 */
#define ZOO_UNAVAILABLE 4

/*
 Something failed.
 */
#define ZOO_LEVEL_ERROR 1

/*
 Something is odd.
 */
#define ZOO_LEVEL_WARN 2

/*
 Progress a user wants to see.
 */
#define ZOO_LEVEL_INFO 3

/*
 Detail for authors.
 */
#define ZOO_LEVEL_DEBUG 4

/*
 Everything.
 */
#define ZOO_LEVEL_TRACE 5

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
