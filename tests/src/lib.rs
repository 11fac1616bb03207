//! Tests that cross crates: end to end, plugin ABI, interop and hostile input. Here is what several of them need.

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
///
/// # Panics
/// Never.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_path_buf()
}

/// The binary that `cargo xtask` runs; built by the same command that built the test that calls this.
///
/// # Panics
/// Outside a test.
pub fn xtask() -> Command {
    let binary = std::env::current_exe().expect("a test has a path").ancestors().nth(2).expect("target/release/deps").join("xtask");
    let mut command = Command::new(binary);
    command.current_dir(root());
    command
}

/// An IDX file of bytes.
fn idx(dimensions: &[u32], bytes: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut file = vec![0, 0, 8, u8::try_from(dimensions.len()).expect("few dimensions")];
    file.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
    file.extend(bytes);
    file
}

/// Which of a paper's two models is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// The spiking network, with state.
    Spiking,
    /// Its source, without.
    Source,
}

/// A registry of its own with one paper's model, `paper/digits`, on made-up digits in a folder, which is to be `ZOO_DATA`.
///
/// # Panics
/// If the folder can't be written to.
pub fn digits(folder: &Path, which: Digits) -> PathBuf {
    let data = folder.join("digits");
    std::fs::create_dir(&data).expect("a folder");
    let pixels = (0u32..40 * 784).map(|i| if (i % 784) / 28 % 9 < 3 + i / 784 % 5 { 200 } else { 0 });
    let images = idx(&[40, 28, 28], pixels);
    let labels = idx(&[40], (0..40).map(|i| i % 10));
    let mut files = String::new();
    for (name, bytes) in [("t10k-images-idx3-ubyte", images), ("t10k-labels-idx1-ubyte", labels)] {
        files.push_str(&format!("{{ name = \"{name}\", bytes = {} }}, ", bytes.len()));
        std::fs::write(data.join(name), bytes).expect("a small file");
    }
    let (family, weights, backends) = match which {
        Digits::Spiking => ("snn", "vgg-mini-mnist", "\"events\", \"tract\""),
        Digits::Source => ("ann", "vgg-mini-mnist-ann", "\"tract\""),
    };
    let paper = root().join("plugins/papers/snn-calibration");
    std::fs::copy(paper.join(format!("weights/{weights}-seed1000.safetensors")), folder.join("weights.safetensors")).expect("the weights");
    std::fs::copy(paper.join("config/vgg-mini-mnist.toml"), folder.join("config.toml")).expect("the configuration");
    let sum = zoo_host::plugins::sha256_of(&folder.join("weights.safetensors")).expect("the weights are there");
    let registry = format!(
        "schema = 1\n[[dataset]]\nname = \"mnist\"\nplugin = \"vision\"\nlicence = \"made up\"\nfiles = [{files}]\nsources = [{{ dir = \"digits\" }}]\n\
         [[model]]\nname = \"paper/digits\"\nplugin = \"snn-calibration\"\nfamily = \"{family}\"\nconfig = \"config.toml\"\ndataset = \"mnist\"\nbackends = [{backends}]\n\
         [[model.seed]]\nseed = 1000\nweights = {{ path = \"weights.safetensors\", sha256 = \"{sum}\" }}\n"
    );
    let path = folder.join("registry.toml");
    std::fs::write(&path, registry).expect("a small file");
    path
}
