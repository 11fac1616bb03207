//! New plugin crates.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use zoo_core::{Error, Result};

/// What a new plugin offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A model, with a small data set to evaluate it on.
    Model,
    /// A data set.
    Dataset,
    /// A backend.
    Backend,
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "model" => Ok(Self::Model),
            "dataset" => Ok(Self::Dataset),
            "backend" => Ok(Self::Backend),
            other => Err(Error::argument("kind of plugin", "model, dataset or backend", other)),
        }
    }
}

/// Writes a crate for a new plugin into the folder `dir`, which must not exist or be empty, and returns the files.
///
/// The crate stands on its own, outside any workspace. It depends on `zoo-core` of this checkout by path and starts with
/// this checkout's lock file, so that it is built with the versions the zoo is tested with.
///
/// # Errors
/// [`Error::Argument`] for a name that is not in kebab case, a folder that is in use, or a zoo checkout that has moved;
/// [`Error::Io`] if a file can't be written.
pub fn scaffold(kind: Kind, name: &str, dir: &Path) -> Result<Vec<PathBuf>> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if !fits {
        return Err(Error::argument("name of a plugin", "lower-case letters, digits and single dashes, a letter first", name));
    }
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::argument("folder for a new plugin", "one that does not exist or is empty", dir.display()));
    }
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api");
    let core = core.canonicalize().map_err(|_| Error::argument("checkout of the zoo", "where it was built", core.display()))?;
    let manifest = include_str!("manifest.toml.in").replace("@CORE@", &toml_text(&core));
    let source = match kind {
        Kind::Model => include_str!("model.rs.in"),
        Kind::Dataset => include_str!("dataset.rs.in"),
        Kind::Backend => include_str!("backend.rs.in"),
    };
    let mut files = vec![
        ("Cargo.toml", named(&manifest, name).into_bytes()),
        (".gitignore", b"/target\n".to_vec()),
        ("src/lib.rs", named(source, name).into_bytes()),
    ];
    match kind {
        Kind::Model => {
            files.push(("registry.toml", named(include_str!("model.toml.in"), name).into_bytes()));
            files.push(("model.onnx", include_bytes!("../assets/linear.onnx").to_vec()));
        }
        Kind::Dataset => files.push(("registry.toml", named(include_str!("dataset.toml.in"), name).into_bytes())),
        Kind::Backend => {}
    }
    if let Ok(lock) = std::fs::read(core.join("../../Cargo.lock")) {
        files.push(("Cargo.lock", lock));
    }
    files.into_iter().map(|(file, content)| write(&dir.join(file), &content)).collect()
}

fn named(template: &str, name: &str) -> String {
    template.replace("@NAME@", name)
}

/// A path as a TOML string.
fn toml_text(path: &Path) -> String {
    toml::Value::String(path.to_string_lossy().into_owned()).to_string()
}

fn write(path: &Path, content: &[u8]) -> Result<PathBuf> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    std::fs::write(path, content).map_err(Error::io(path))?;
    Ok(path.to_path_buf())
}
