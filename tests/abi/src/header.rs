//! The C header, generated from the Rust declarations by cbindgen.

use std::path::{Path, PathBuf};

/// The folder of `zoo_plugin.h`.
pub fn include_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo-core/api/include")
}

/// The text of `zoo_plugin.h`.
///
/// The DLPack part stands apart and can be left out, for programs that bring `dlpack.h` themselves.
///
/// # Panics
/// If the declarations can't be read as Rust.
pub fn generate() -> String {
    let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo-core/api/src");
    let dlpack = part(&api.join("dlpack/raw.rs"));
    let zoo = part(&api.join("abi/raw.rs"));
    format!(
        "/* The plugin ABI of the zoo, version {}.{}.\n\
         \x20*\n\
         \x20* Generated from zoo-core/api/src/abi/raw.rs and zoo-core/api/src/dlpack/raw.rs; do not edit.\n\
         \x20* To write it anew: cargo run --release -p zoo-abi-tests --bin zoo-header\n\
         \x20*/\n\
         #ifndef ZOO_PLUGIN_H\n#define ZOO_PLUGIN_H\n\n\
         #include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         /* Tensors. Define ZOO_HAVE_DLPACK if dlpack.h is included before. */\n\
         #ifndef ZOO_HAVE_DLPACK\n\n{dlpack}\n#endif /* ZOO_HAVE_DLPACK */\n\n{zoo}\n\
         #if defined(_WIN32)\n#define ZOO_EXPORT __declspec(dllexport)\n#else\n\
         #define ZOO_EXPORT __attribute__((visibility(\"default\")))\n#endif\n\n\
         /* The table a plugin written in C defines. */\n\
         extern ZOO_EXPORT const ZooPlugin zoo_plugin_table;\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif /* ZOO_PLUGIN_H */\n",
        zoo_core::abi::ZOO_ABI_MAJOR,
        zoo_core::abi::ZOO_ABI_MINOR,
    )
}

/// Structures refer to each other in circles, so each is named before any is declared.
fn part(source: &Path) -> String {
    let code = std::fs::read_to_string(source).expect("the source is there");
    let names: Vec<_> = code.lines().filter_map(|line| line.strip_prefix("pub struct ")?.split([' ', '{', '(']).next()).collect();
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        style: cbindgen::Style::Tag,
        documentation_style: cbindgen::DocumentationStyle::C99,
        usize_is_size_t: true,
        no_includes: true,
        line_length: 140,
        ..Default::default()
    };
    config.export.include = names.iter().map(ToString::to_string).collect();
    let bindings = cbindgen::Builder::new().with_config(config).with_src(source).generate().expect("the declarations are Rust");
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).expect("C is UTF-8");
    let typedefs = names.iter().map(|name| format!("typedef struct {name} {name};\n")).collect::<String>();
    format!("{typedefs}\n{}\n", text.trim())
}
