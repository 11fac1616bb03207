//! Reading models.

use super::external::External;
use super::model::Model;
use super::proto::ModelProto;
use super::scan::{Limits, Refusal, scan};
use super::sound;
use crate::error::{Error, Result};
use crate::mmap::Map;
use crate::sniff::sniff;
use prost::Message;
use std::path::Path;
use zoo_core::{Artifact, ArtifactKind};

/// IR versions that the messages cover.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=14;

/// Reads a model from memory. Its external data, if it has any, can't be reached.
///
/// # Errors
/// [`Error::NotOnnx`] if the bytes are something else, saying what; [`Error::Version`] if the IR version is not
/// supported; [`Error::Limit`] if decoding would take too much; [`Error::Malformed`] if there is no graph or a message
/// is broken.
pub fn read(bytes: &[u8]) -> Result<Model> {
    read_from("onnx model", bytes, &Limits::default(), External::None)
}

/// Reads a model from memory within other limits.
///
/// # Errors
/// As [`read`].
pub fn read_within(bytes: &[u8], limits: &Limits) -> Result<Model> {
    read_from("onnx model", bytes, limits, External::None)
}

/// Reads a model from a file; external data is looked for in the file's folder and nowhere else.
///
/// # Errors
/// As [`read`], and [`zoo_core::Error::Io`] if the file can't be read.
pub fn read_file(path: impl AsRef<Path>) -> Result<Model> {
    let path = path.as_ref();
    let map = Map::open(path).map_err(Error::io(path))?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    read_from(&path.display().to_string(), map.as_bytes(), &Limits::default(), External::Folder(folder.into()))
}

/// Reads the model of an artifact, which is to be run; external data is looked for among the artifact's files.
///
/// # Errors
/// As [`read`], and [`zoo_core::Error::Artifact`] if the artifact is of another kind; [`Error::Version`] for an opset that no runtime
/// knows; [`Error::Malformed`] for a graph with a cycle and for external data in a file that the artifact has not.
pub fn read_artifact(artifact: &Artifact) -> Result<Model> {
    if artifact.kind != ArtifactKind::Onnx {
        let why = format!("expected an ONNX artifact, found {}", artifact.kind);
        return Err(zoo_core::Error::artifact(artifact.kind.name(), "kind", why).into());
    }
    let main = artifact.main()?;
    let model = read_from(&main.name, &main.bytes, &Limits::default(), External::Files(artifact.files[1..].to_vec()))?;
    sound::check(&model)?;
    Ok(model)
}

fn read_from(source_name: &str, bytes: &[u8], limits: &Limits, external: External) -> Result<Model> {
    let limit = |what, limit, found| Error::Limit { source_name: source_name.into(), what, limit, found };
    if bytes.len() as u64 > limits.bytes {
        return Err(limit("bytes", limits.bytes, bytes.len() as u64));
    }
    let foreign = |found: String| {
        let looks = sniff(bytes);
        Error::NotOnnx {
            source_name: source_name.into(),
            found: looks.as_ref().map_or(found, |looks| looks.found.into()),
            mend: looks.map_or("the file is damaged or of another kind; fetch or export it again", |looks| looks.mend).into(),
        }
    };
    let scan = scan(bytes, limits).map_err(|refusal| match refusal {
        Refusal::Wire(at) => foreign(format!("bytes that are no protobuf message from offset {at} on")),
        Refusal::Messages(found) => limit("bytes of decoded messages", limits.messages, found),
        Refusal::Depth => limit("nested messages", limits.depth.into(), u64::from(limits.depth) + 1),
    })?;
    let Some(ir_version) = scan.ir_version else {
        return Err(foreign("a message without an IR version".into()));
    };
    if !IR_VERSIONS.contains(&ir_version) {
        let supported = format!("{} to {}", IR_VERSIONS.start(), IR_VERSIONS.end());
        return Err(Error::Version { source_name: source_name.into(), what: "IR version", supported, found: ir_version });
    }
    if !scan.has_graph {
        return Err(Error::malformed(source_name, "graph", "expected a graph, found none"));
    }
    if !scan.has_opset {
        return Err(Error::malformed(source_name, "opset_import", "expected at least one operator set, found none"));
    }
    let proto = ModelProto::decode(bytes).map_err(|error| Error::malformed(source_name, "message", error.to_string()))?;
    Ok(Model::new(source_name, proto, external))
}
