//! Pinning a library in the registry.

use super::discover::open;
use super::discover::{Pin, pin_of};
use super::library::inspect;
use crate::isolation::Isolation;
use std::path::Path;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};
use zoo_core::{Error, Result};

/// Pins a library's SHA-256 in a registry, under the name the plugin gives itself and its bare file name. A plugin that is
/// pinned already gets the new sum. The rest of the file keeps its order, comments and spacing; it is replaced in one step.
/// The plugin tells its name in a process of its own, if `isolation` says how.
///
/// # Errors
/// What keeps the library from being loaded (nothing is written then), or why the registry can't be read or written.
pub fn trust(library: &Path, registry: &Path, isolation: Option<&Isolation>) -> Result<Pin> {
    let inspected = inspect(library).map_err(|why| why.at(library))?;
    let plugin = open(&inspected, isolation).map_err(|why| why.at(library))?;
    let mut pin = pin_of(&plugin.info.name, &inspected.path).map_err(Error::io(library))?;
    pin.path = inspected.path.file_name().map(Into::into).unwrap_or_default();
    if pin.sha256 != inspected.sha256 {
        return Err(Error::Plugin {
            plugin: library.display().to_string(),
            message: "the file changed while it was read; try again".into(),
        });
    }
    let text = match std::fs::read_to_string(registry) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "schema = 1\n".into(),
        other => other.map_err(Error::io(registry))?,
    };
    let broken = |at: String, found: String| Error::Data {
        path: registry.into(),
        at,
        expected: "a registry in TOML".into(),
        found,
        mend: "mend the file first; nothing was written".into(),
    };
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| broken("TOML".into(), e.to_string()))?;
    let tables = document.entry("plugin").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let tables = tables.as_array_of_tables_mut().ok_or_else(|| broken("plugin".into(), "something else than [[plugin]] tables".into()))?;
    let known = tables.iter().position(|table| table.get("name").and_then(Item::as_str) == Some(pin.name.as_str()));
    match known.and_then(|index| tables.get_mut(index)) {
        Some(table) => fill(table, &pin),
        None => {
            let mut table = Table::new();
            fill(&mut table, &pin);
            tables.push(table);
        }
    }
    crate::files::write_atomically(registry, document.to_string().as_bytes())?;
    Ok(pin)
}

fn fill(table: &mut Table, pin: &Pin) {
    table["name"] = value(&pin.name);
    table["path"] = value(pin.path.to_string_lossy().as_ref());
    table["sha256"] = value(&pin.sha256);
}
