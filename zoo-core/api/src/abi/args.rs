//! Arguments: reading those that came in, laying out those that go out.

use super::call::Peer;
use super::raw::*;
use super::{table, wire};
use crate::artifact::{Artifact, ArtifactFile};
use crate::config::Config;
use crate::dataset::Batch;
use crate::dlpack::{self, Exported};
use crate::error::{Error, Result};
use crate::spec::TensorSpec;
use crate::tensor::Tensor;
use crate::weights::Weights;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::sync::Arc;

/// # Safety
/// The text is valid for `'a`.
pub(super) unsafe fn bytes<'a>(text: ZooStr) -> Option<&'a [u8]> {
    if text.len == 0 {
        return Some(&[]);
    }
    // SAFETY: non-null, valid by contract; a length beyond isize::MAX can't be.
    (!text.ptr.is_null() && text.len <= isize::MAX as usize).then(|| unsafe { std::slice::from_raw_parts(text.ptr, text.len) })
}

/// # Safety
/// The text is valid for `'a`.
pub(super) unsafe fn text<'a>(text: ZooStr, what: &str) -> Result<&'a str> {
    // SAFETY: passed on.
    let raw = unsafe { bytes(text) }.ok_or_else(|| Error::argument(what, "a text", "NULL"))?;
    std::str::from_utf8(raw).map_err(|e| Error::argument(what, "UTF-8", format!("a stray byte at {}", e.valid_up_to())))
}

/// # Safety
/// The text is valid during the call.
pub(super) unsafe fn json<T: DeserializeOwned>(json: ZooStr, what: &str) -> Result<T> {
    // SAFETY: passed on.
    wire::from_json(unsafe { text(json, what) }?).map_err(|e| Error::argument(what, "JSON of the documented form", e))
}

/// # Safety
/// The text is valid during the call.
pub(super) unsafe fn config(config: ZooStr) -> Result<Config> {
    if config.len == 0 {
        return Ok(Config::default());
    }
    // SAFETY: passed on.
    unsafe { json(config, "config") }
}

/// Takes the tensors in, all of them, even if one is refused: they belong to us.
///
/// # Safety
/// The list is valid during the call and its tensors pass to it.
pub(super) unsafe fn tensors(list: ZooTensors, what: &str) -> Result<Vec<(String, Tensor)>> {
    if list.len == 0 {
        return Ok(Vec::new());
    }
    if list.items.is_null() || list.len > isize::MAX as usize / size_of::<ZooNamedTensor>() {
        return Err(Error::argument(what, "a list of tensors", format!("{:p} of {}", list.items, list.len)));
    }
    // SAFETY: non-null and valid by contract.
    let items = unsafe { std::slice::from_raw_parts(list.items, list.len) };
    let taken: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(i, item)| {
            // SAFETY: each tensor passes to this call.
            let tensor = unsafe { dlpack::import(item.tensor, &format!("{what} {i}")) };
            // SAFETY: valid during the call.
            let name = unsafe { text(item.name, "name of a tensor") }?.to_string();
            Ok((name, tensor?))
        })
        .collect();
    taken.into_iter().collect()
}

/// # Safety
/// As [`tensors`].
pub(super) unsafe fn weights(weights: ZooWeights) -> Result<Weights> {
    // SAFETY: passed on.
    let tensors = unsafe { tensors(weights.tensors, "weight") }?;
    // SAFETY: passed on.
    let metadata = if weights.metadata.len == 0 { Default::default() } else { unsafe { json(weights.metadata, "metadata of weights") }? };
    Ok(Weights { tensors: tensors.into_iter().collect(), metadata })
}

/// # Safety
/// As [`tensors`], for the batch's fields; the batch is valid during the call.
pub(super) unsafe fn batch(batch: *const ZooBatch) -> Result<Batch> {
    // SAFETY: passed on.
    let batch = unsafe { table::read(batch, &Peer::caller()) }?;
    // SAFETY: passed on; first of all, since the tensors are ours now.
    let fields = unsafe { tensors(batch.fields, "field") };
    // SAFETY: passed on.
    let features = specs(unsafe { text(batch.features, "features") }?)?;
    let start = usize::try_from(batch.start).unwrap_or(usize::MAX);
    Batch::new(features, fields?.into_iter().map(|(_, tensor)| tensor).collect(), start)
}

/// # Safety
/// The artifact is valid during the call.
pub(super) unsafe fn artifact(artifact: *const ZooArtifact) -> Result<Artifact> {
    // SAFETY: passed on.
    let artifact = unsafe { table::read(artifact, &Peer::caller()) }?;
    if artifact.file_count > 0 && artifact.files.is_null() {
        return Err(Error::argument("files of an artifact", "a list", "NULL"));
    }
    // SAFETY: non-null if there is one, valid during the call.
    let files = if artifact.file_count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(artifact.files, artifact.file_count) } };
    let file = |file: &ZooFile| {
        // SAFETY: valid during the call.
        let content = unsafe { bytes(file.bytes) }.ok_or_else(|| Error::argument("content of a file", "bytes", "NULL"))?;
        // SAFETY: valid during the call.
        Ok(ArtifactFile { name: unsafe { text(file.name, "name of a file") }?.into(), bytes: content.into() })
    };
    Ok(Artifact {
        // SAFETY: texts are valid during the call.
        kind: unsafe { text(artifact.kind, "artifact kind") }?.parse()?,
        // SAFETY: as above.
        variant: unsafe { text(artifact.variant, "variant") }?.into(),
        files: files.iter().map(file).collect::<Result<_>>()?,
        // SAFETY: as above.
        metadata: if artifact.metadata.len == 0 { Default::default() } else { unsafe { json(artifact.metadata, "artifact metadata") }? },
    })
}

/// Tensors on their way out; given back if they never leave.
pub(super) struct Parcel<'a> {
    names: Vec<&'a str>,
    tensors: Vec<Exported>,
    items: Vec<ZooNamedTensor>,
}

impl<'a> Parcel<'a> {
    pub(super) fn new(tensors: impl IntoIterator<Item = (&'a str, Tensor)>) -> Result<Self> {
        let (names, tensors): (Vec<_>, Vec<_>) = tensors.into_iter().unzip();
        let tensors = tensors.into_iter().map(dlpack::export).collect::<Result<_>>()?;
        Ok(Self { names, tensors, items: Vec::new() })
    }

    /// Tensors told apart by order alone.
    pub(super) fn unnamed(tensors: &[Tensor]) -> Result<Self> {
        Self::new(tensors.iter().map(|tensor| ("", tensor.clone())))
    }

    /// The list to pass. From here on the tensors belong to the callee.
    pub(super) fn leave(&mut self) -> ZooTensors {
        let tensors = std::mem::take(&mut self.tensors);
        self.items = self.names.iter().zip(tensors).map(|(&name, t)| ZooNamedTensor { name: name.into(), tensor: t.release() }).collect();
        ZooTensors { items: self.items.as_ptr(), len: self.items.len() }
    }
}

/// Weights on their way out.
pub(super) struct WeightParcel<'a> {
    tensors: Parcel<'a>,
    metadata: String,
}

impl<'a> WeightParcel<'a> {
    pub(super) fn new(weights: &'a Weights) -> Result<Self> {
        let tensors = Parcel::new(weights.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())))?;
        Ok(Self { tensors, metadata: wire::to_json(&weights.metadata)? })
    }

    pub(super) fn leave(&mut self) -> ZooWeights {
        ZooWeights { tensors: self.tensors.leave(), metadata: self.metadata.as_str().into() }
    }
}

/// A batch on its way out.
pub(super) struct BatchParcel<'a> {
    features: Arc<str>,
    start: u64,
    fields: Parcel<'a>,
}

impl BatchParcel<'_> {
    pub(super) fn new(batch: &Batch) -> Result<Self> {
        Ok(Self { features: features_text(batch.features())?, start: batch.start() as u64, fields: Parcel::unnamed(batch.fields())? })
    }

    pub(super) fn leave(&mut self) -> ZooBatch {
        ZooBatch { size: size_of::<ZooBatch>(), features: (&*self.features).into(), start: self.start, fields: self.fields.leave() }
    }
}

/// An artifact on its way out.
pub(super) struct ArtifactParcel<'a> {
    artifact: &'a Artifact,
    metadata: String,
    files: Vec<ZooFile>,
}

impl<'a> ArtifactParcel<'a> {
    pub(super) fn new(artifact: &'a Artifact) -> Result<Self> {
        let file = |f: &ArtifactFile| ZooFile { name: f.name.as_str().into(), bytes: f.bytes.as_ref().into() };
        Ok(Self { artifact, metadata: wire::to_json(&artifact.metadata)?, files: artifact.files.iter().map(file).collect() })
    }

    pub(super) fn lend(&self) -> ZooArtifact {
        ZooArtifact {
            size: size_of::<ZooArtifact>(),
            kind: self.artifact.kind.name().into(),
            variant: self.artifact.variant.as_str().into(),
            metadata: self.metadata.as_str().into(),
            files: self.files.as_ptr(),
            file_count: self.files.len(),
        }
    }
}

type Specs = Arc<[TensorSpec]>;

thread_local! {
    /// Features of the batch sent last and their text. Holding the list keeps its address from being used anew.
    static SENT: RefCell<Option<(Specs, Arc<str>)>> = const { RefCell::new(None) };
    /// Text of the features received last and what it says.
    static RECEIVED: RefCell<Option<(String, Specs)>> = const { RefCell::new(None) };
}

/// Batches of one data set share their features, so the text is made once.
fn features_text(features: &Arc<[TensorSpec]>) -> Result<Arc<str>> {
    SENT.with_borrow_mut(|sent| {
        if let Some((_, text)) = sent.as_ref().filter(|(known, _)| Arc::ptr_eq(known, features)) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = wire::to_json(features.as_ref())?.into();
        *sent = Some((Arc::clone(features), Arc::clone(&text)));
        Ok(text)
    })
}

fn specs(text: &str) -> Result<Arc<[TensorSpec]>> {
    RECEIVED.with_borrow_mut(|received| {
        if let Some((_, specs)) = received.as_ref().filter(|(known, _)| known == text) {
            return Ok(Arc::clone(specs));
        }
        let specs: Vec<TensorSpec> = wire::from_json(text).map_err(|e| Error::argument("features of a batch", "tensor specs", e))?;
        let specs: Arc<[TensorSpec]> = specs.into();
        *received = Some((text.to_string(), Arc::clone(&specs)));
        Ok(specs)
    })
}
