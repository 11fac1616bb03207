//! Errors across the boundary: the variant and its fields as JSON, so that both doors give the same error.

use super::raw::*;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// [`Error`] on the wire, tagged by variant.
#[derive(Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "kebab-case")]
enum Wire {
    Shape { what: String, expected: String, found: String },
    Dtype { what: String, expected: String, found: String },
    Unknown { kind: String, name: String, hint: String },
    Keys { what: String, missing: Vec<String>, unexpected: Vec<String> },
    Config { key: String, expected: String, found: String },
    Data { path: String, at: String, expected: String, found: String, mend: String },
    Unavailable { what: String, why: String, mend: String },
    UnsupportedOperator { backend: String, op: String, node: String, why: String },
    Artifact { artifact: String, place: String, why: String },
    NotOffered { who: String, what: String, hint: String },
    Argument { what: String, expected: String, found: String },
    Runtime { backend: String, stage: String, message: String },
    Plugin { plugin: String, message: String },
    Io { path: String, kind: String, os: Option<i32>, message: String },
    Cancelled,
}

/// The status code and JSON object of an error.
pub fn encode(error: &Error) -> (i32, String) {
    let code = match error {
        Error::Cancelled => ZOO_CANCELLED,
        Error::Unavailable { .. } => ZOO_UNAVAILABLE,
        _ => ZOO_FAILED,
    };
    // Strings and numbers alone: this can't fail, and if it did the code still says what kind of error it was.
    (code, serde_json::to_string(&to_wire(error)).unwrap_or_default())
}

/// The error of a JSON object, if it is one.
pub fn decode(object: &str) -> Option<Error> {
    serde_json::from_str::<Wire>(object).ok().map(from_wire)
}

/// The error of a status code and a message in words.
pub(super) fn plain(plugin: &str, code: i32, what: &str, message: &str) -> Error {
    match code {
        ZOO_CANCELLED => Error::Cancelled,
        ZOO_UNAVAILABLE => Error::Unavailable {
            what: format!("{what} of plugin {plugin}"),
            why: message.into(),
            mend: "see the plugin's documentation".into(),
        },
        ZOO_PANIC => Error::Plugin { plugin: plugin.into(), message: format!("{what} panicked: {message}") },
        _ => Error::Runtime { backend: plugin.into(), stage: what.into(), message: message.into() },
    }
}

fn to_wire(error: &Error) -> Wire {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    match error {
        Error::Shape { what, expected, found } => Wire::Shape { what: what.clone(), expected: expected.clone(), found: found.clone() },
        Error::DType { what, expected, found } => Wire::Dtype { what: what.clone(), expected: expected.clone(), found: found.clone() },
        Error::Unknown { kind, name, hint } => Wire::Unknown { kind: (*kind).into(), name: name.clone(), hint: hint.clone() },
        Error::Keys { what, missing, unexpected } => {
            Wire::Keys { what: what.clone(), missing: missing.clone(), unexpected: unexpected.clone() }
        }
        Error::Config { key, expected, found } => Wire::Config { key: key.clone(), expected: expected.clone(), found: found.clone() },
        Error::Data { path, at, expected, found, mend } => {
            Wire::Data { path: text(path), at: at.clone(), expected: expected.clone(), found: found.clone(), mend: mend.clone() }
        }
        Error::Unavailable { what, why, mend } => Wire::Unavailable { what: what.clone(), why: why.clone(), mend: mend.clone() },
        Error::UnsupportedOperator { backend, op, node, why } => {
            Wire::UnsupportedOperator { backend: backend.clone(), op: op.clone(), node: node.clone(), why: why.clone() }
        }
        Error::Artifact { artifact, place, why } => Wire::Artifact { artifact: artifact.clone(), place: place.clone(), why: why.clone() },
        Error::NotOffered { who, what, hint } => Wire::NotOffered { who: who.clone(), what: what.clone(), hint: hint.clone() },
        Error::Argument { what, expected, found } => {
            Wire::Argument { what: what.clone(), expected: expected.clone(), found: found.clone() }
        }
        Error::Runtime { backend, stage, message } => {
            Wire::Runtime { backend: backend.clone(), stage: stage.clone(), message: message.clone() }
        }
        Error::Plugin { plugin, message } => Wire::Plugin { plugin: plugin.clone(), message: message.clone() },
        Error::Io { path, source } => {
            Wire::Io { path: text(path), kind: format!("{:?}", source.kind()), os: source.raw_os_error(), message: source.to_string() }
        }
        Error::Cancelled => Wire::Cancelled,
    }
}

fn from_wire(wire: Wire) -> Error {
    match wire {
        Wire::Shape { what, expected, found } => Error::Shape { what, expected, found },
        Wire::Dtype { what, expected, found } => Error::DType { what, expected, found },
        Wire::Unknown { kind, name, hint } => Error::Unknown { kind: lasting(kind), name, hint },
        Wire::Keys { what, missing, unexpected } => Error::Keys { what, missing, unexpected },
        Wire::Config { key, expected, found } => Error::Config { key, expected, found },
        Wire::Data { path, at, expected, found, mend } => Error::Data { path: path.into(), at, expected, found, mend },
        Wire::Unavailable { what, why, mend } => Error::Unavailable { what, why, mend },
        Wire::UnsupportedOperator { backend, op, node, why } => Error::UnsupportedOperator { backend, op, node, why },
        Wire::Artifact { artifact, place, why } => Error::Artifact { artifact, place, why },
        Wire::NotOffered { who, what, hint } => Error::NotOffered { who, what, hint },
        Wire::Argument { what, expected, found } => Error::Argument { what, expected, found },
        Wire::Runtime { backend, stage, message } => Error::Runtime { backend, stage, message },
        Wire::Plugin { plugin, message } => Error::Plugin { plugin, message },
        Wire::Io { path, kind, os, message } => Error::Io { path: PathBuf::from(path), source: io_error(&kind, os, message) },
        Wire::Cancelled => Error::Cancelled,
    }
}

/// An I/O error of the same kind and message.
fn io_error(kind: &str, os: Option<i32>, message: String) -> io::Error {
    use io::ErrorKind as Kind;
    const KINDS: [Kind; 14] = [
        Kind::NotFound,
        Kind::PermissionDenied,
        Kind::AlreadyExists,
        Kind::InvalidInput,
        Kind::InvalidData,
        Kind::UnexpectedEof,
        Kind::TimedOut,
        Kind::Interrupted,
        Kind::WriteZero,
        Kind::StorageFull,
        Kind::Unsupported,
        Kind::OutOfMemory,
        Kind::BrokenPipe,
        Kind::WouldBlock,
    ];
    // The system's own errors print themselves; a custom one prints its message.
    if let Some(system) = os.map(io::Error::from_raw_os_error).filter(|system| system.to_string() == message) {
        return system;
    }
    io::Error::new(KINDS.into_iter().find(|k| format!("{k:?}") == kind).unwrap_or(Kind::Other), message)
}

/// A kind of thing as the static text that [`Error::Unknown`] wants. Kinds are few; a plugin that invents them without
/// end gets the word `thing`.
fn lasting(kind: String) -> &'static str {
    const MOST: usize = 256;
    const LONGEST: usize = 64;
    /// The zoo's own, which no plugin can crowd out.
    const OWN: [&str; 13] = [
        "artifact format",
        "backend",
        "command",
        "data file",
        "data set",
        "data set field",
        "dataset",
        "metric",
        "model",
        "output",
        "plugin",
        "seed",
        "split",
    ];
    if let Some(own) = OWN.into_iter().find(|own| *own == kind) {
        return own;
    }
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = known.get(kind.as_str()) {
        return text;
    }
    if known.len() >= MOST || kind.len() > LONGEST {
        return "thing";
    }
    let text: &'static str = Box::leak(kind.into_boxed_str());
    known.insert(text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_variant() -> Vec<Error> {
        let s = |text: &str| text.to_string();
        vec![
            Error::Shape { what: s("a"), expected: s("b"), found: s("c") },
            Error::DType { what: s("a"), expected: s("b"), found: s("c") },
            Error::Unknown { kind: "split", name: s("b"), hint: s("c") },
            Error::Keys { what: s("a"), missing: vec![s("b")], unexpected: vec![s("c"), s("d")] },
            Error::Config { key: s("a"), expected: s("b"), found: s("c") },
            Error::Data { path: "a".into(), at: s("b"), expected: s("c"), found: s("d"), mend: s("e") },
            Error::Unavailable { what: s("a"), why: s("b"), mend: s("c") },
            Error::UnsupportedOperator { backend: s("a"), op: s("b"), node: s("c"), why: s("d") },
            Error::Artifact { artifact: s("a"), place: s("b"), why: s("c") },
            Error::NotOffered { who: s("a"), what: s("b"), hint: s("c") },
            Error::Argument { what: s("a"), expected: s("b"), found: s("c") },
            Error::Runtime { backend: s("a"), stage: s("b"), message: s("c") },
            Error::Plugin { plugin: s("a"), message: s("b") },
            Error::Io { path: "a".into(), source: io::Error::from_raw_os_error(2) },
            Error::Io { path: "a".into(), source: io::Error::new(io::ErrorKind::InvalidData, "cut short") },
            Error::Cancelled,
        ]
    }

    #[test]
    fn every_variant_crosses_with_its_fields() {
        for error in every_variant() {
            let (code, object) = encode(&error);
            let back = decode(&object).unwrap_or_else(|| panic!("{object}"));
            assert_eq!(format!("{back:?}"), format!("{error:?}"));
            assert_eq!(back.to_string(), error.to_string());
            assert_ne!(code, ZOO_OK);
        }
        assert_eq!(encode(&Error::Cancelled).0, ZOO_CANCELLED);
    }

    #[test]
    fn codes_alone_still_tell_the_exit_status() {
        assert!(matches!(plain("p", ZOO_CANCELLED, "predict", ""), Error::Cancelled));
        assert!(matches!(plain("p", ZOO_UNAVAILABLE, "compile", "no GPU"), Error::Unavailable { .. }));
        assert_eq!(plain("p", ZOO_PANIC, "predict", "boom").to_string(), "plugin p: predict panicked: boom");
    }

    #[test]
    fn endless_kinds_do_not_eat_memory() {
        for i in 0..1000 {
            lasting(format!("kind {i}"));
        }
        assert_eq!(lasting("one more".into()), "thing");
        assert_eq!(lasting("kind 3".into()), "kind 3");
    }
}
