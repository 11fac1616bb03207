//! Looking at a library without opening it.

use super::refusal::Refusal;
use object::read::{NameOrOrdinal, ReadCache};
use object::{Architecture, BinaryFormat, Object, ObjectKind};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zoo_core::abi::SYMBOL;

/// A library that could be a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The file, absolute.
    pub path: PathBuf,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// Name of the exported plugin table.
    pub symbol: String,
}

/// Looks at a file: is it a library for this machine, and does it export a plugin table?
///
/// # Errors
/// [`Refusal`] saying what it is instead.
pub fn inspect(path: &Path) -> Result<Inspected, Refusal> {
    let path = path.canonicalize().map_err(Refusal::Unreadable)?;
    let symbol = table_of(&path)?;
    let sha256 = sha256_of(&path).map_err(Refusal::Unreadable)?;
    Ok(Inspected { path, sha256, symbol })
}

/// SHA-256 of a file, in lower-case hex.
///
/// # Errors
/// If it can't be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Sha256::new(), vec![0u8; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// Name of the plugin table that a library exports.
pub(super) fn table_of(path: &Path) -> Result<String, Refusal> {
    let file = File::open(path).map_err(Refusal::Unreadable)?;
    if !file.metadata().map_err(Refusal::Unreadable)?.is_file() {
        return Err(Refusal::NotALibrary { expected: HERE, found: "no ordinary file".into() });
    }
    let not = |found: String| Refusal::NotALibrary { expected: HERE, found };
    let cache = ReadCache::new(file);
    let library = object::File::parse(&cache).map_err(|e| not(format!("something else ({e})")))?;
    if library.format() != FORMAT {
        return Err(not(format!("a file of format {:?}", library.format())));
    }
    if library.architecture() != architecture() {
        return Err(Refusal::WrongArchitecture {
            expected: std::env::consts::ARCH.into(),
            found: format!("{:?}", library.architecture()).to_lowercase(),
        });
    }
    if library.kind() != ObjectKind::Dynamic {
        return Err(not(format!("a file of kind {:?}", library.kind()).to_lowercase()));
    }
    let exports = library.exports().map_err(|e| not(format!("a library whose export list can't be read ({e})")))?;
    let mut tables: Vec<String> = exports
        .filter_map(|export| match export.ok()?.into_name() {
            NameOrOrdinal::Name(name) => String::from_utf8(name.into_owned()).ok(),
            NameOrOrdinal::Ordinal(_) => None,
        })
        .filter_map(|name| is_table(&name))
        .collect();
    tables.sort();
    tables.dedup();
    match tables.len() {
        0 => Err(Refusal::MissingSymbol),
        1 => Ok(tables.swap_remove(0)),
        _ => Err(Refusal::SeveralSymbols(tables)),
    }
}

/// The name to look up, if `export` is a plugin table.
fn is_table(export: &str) -> Option<String> {
    // Mach-O puts an underscore before every C name; the lookup puts it back.
    let name = if FORMAT == BinaryFormat::MachO { export.strip_prefix('_').unwrap_or(export) } else { export };
    let rest = name.strip_prefix(SYMBOL)?;
    (rest.is_empty() || rest.starts_with("__")).then(|| name.to_string())
}

const FORMAT: BinaryFormat = if cfg!(target_os = "macos") {
    BinaryFormat::MachO
} else if cfg!(windows) {
    BinaryFormat::Pe
} else {
    BinaryFormat::Elf
};
const HERE: &str = if cfg!(target_os = "macos") {
    "macOS (Mach-O)"
} else if cfg!(windows) {
    "Windows (PE)"
} else {
    "this system (ELF)"
};

fn architecture() -> Architecture {
    match std::env::consts::ARCH {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "riscv64" => Architecture::Riscv64,
        "x86" => Architecture::I386,
        "arm" => Architecture::Arm,
        _ => Architecture::Unknown,
    }
}
