//! Results on their way to the caller: [`Out`] is the callee's end, [`Collector`] the caller's.

use super::args::bytes;
use super::call::Peer;
use super::error;
use super::import::Metrics;
use super::raw::*;
use crate::artifact::ArtifactFile;
use crate::dlpack::{self, DLManagedTensorVersioned};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::c_void;

/// Most tensors, files or metrics one call may return.
const MOST_PARTS: usize = 1 << 16;
/// Longest text one call may return, in bytes.
const LONGEST_TEXT: usize = 1 << 28;

impl From<&str> for ZooStr {
    fn from(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() }
    }
}

impl From<&[u8]> for ZooStr {
    fn from(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }
}

/// Where the callee leaves results.
pub(super) struct Out(pub(super) ZooReturn);

impl Out {
    pub(super) fn text(&self, text: &str) -> Result<()> {
        // SAFETY: the caller's function with the caller's context, during the call.
        self.accepted("text", self.0.text.map(|f| unsafe { f(self.0.ctx, text.into()) }))
    }

    pub(super) fn json(&self, value: &impl Serialize) -> Result<()> {
        self.text(&super::wire::to_json(value)?)
    }

    pub(super) fn tensor(&self, name: &str, tensor: Tensor) -> Result<()> {
        let tensor = dlpack::export(tensor)?;
        // SAFETY: as above; the tensor belongs to the caller from here on.
        self.accepted("tensor", self.0.tensor.map(|f| unsafe { f(self.0.ctx, name.into(), tensor.release()) }))
    }

    pub(super) fn tensors(&self, tensors: impl IntoIterator<Item = Tensor>) -> Result<()> {
        tensors.into_iter().try_for_each(|tensor| self.tensor("", tensor))
    }

    pub(super) fn file(&self, file: &ArtifactFile) -> Result<()> {
        // SAFETY: as above.
        self.accepted("file", self.0.file.map(|f| unsafe { f(self.0.ctx, file.name.as_str().into(), file.bytes.as_ref().into()) }))
    }

    pub(super) fn metric(&self, metric: Box<dyn Metric>) -> Result<()> {
        let Some(f) = self.0.metric else { return self.accepted("metric", None) };
        // SAFETY: as above; the metric belongs to the caller from here on.
        self.accepted("metric", Some(unsafe { f(self.0.ctx, super::export::metric(metric)) }))
    }

    pub(super) fn fail(&self, error: &Error) -> i32 {
        let (code, object) = error::encode(error);
        // SAFETY: as above.
        self.0.error_json.map_or(code, |f| unsafe { f(self.0.ctx, code, object.as_str().into()) })
    }

    pub(super) fn panicked(&self, message: &str) -> i32 {
        // SAFETY: as above.
        self.0.error.map_or(ZOO_PANIC, |f| unsafe { f(self.0.ctx, ZOO_PANIC, message.into()) })
    }

    fn accepted(&self, what: &str, status: Option<i32>) -> Result<()> {
        match status {
            Some(ZOO_OK) => Ok(()),
            // The caller knows why it refused and says so; this one is only seen if it does not.
            _ => Err(Error::Plugin { plugin: "(caller)".into(), message: format!("refused a returned {what}") }),
        }
    }
}

/// What a call returned.
pub(super) struct Answer {
    text: Option<Vec<u8>>,
    pub(super) tensors: Vec<(String, Tensor)>,
    pub(super) files: Vec<ArtifactFile>,
    pub(super) metrics: Metrics,
    peer: Peer,
    what: String,
}

impl Answer {
    /// The text, if there is one.
    pub(super) fn text(&self) -> Result<Option<&str>> {
        let utf8 = |bytes| std::str::from_utf8(bytes).map_err(|e| self.broke(format!("text is not UTF-8 at byte {}", e.valid_up_to())));
        self.text.as_deref().map(utf8).transpose()
    }

    /// The text, which must be there.
    pub(super) fn needed(&self) -> Result<&str> {
        self.text()?.ok_or_else(|| self.broke("returned no text"))
    }

    /// The text as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        super::wire::from_json(self.needed()?).map_err(|e| self.broke(e))
    }

    /// The text as JSON, or `None` if there is no text.
    pub(super) fn json_if_any<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        self.text()?.map(|text| super::wire::from_json(text).map_err(|e| self.broke(e))).transpose()
    }

    /// The tensors without their names.
    pub(super) fn unnamed(self) -> Vec<Tensor> {
        self.tensors.into_iter().map(|(_, tensor)| tensor).collect()
    }

    fn broke(&self, message: impl std::fmt::Display) -> Error {
        self.peer.broke(format!("{}: {message}", self.what))
    }
}

/// Takes in what a call returns.
pub(super) struct Collector {
    answer: Answer,
    error: Option<Error>,
}

impl Collector {
    pub(super) fn new(peer: &Peer, what: &str) -> Self {
        let answer = Answer {
            text: None,
            tensors: Vec::new(),
            files: Vec::new(),
            metrics: Metrics::default(),
            peer: peer.clone(),
            what: what.into(),
        };
        Self { answer, error: None }
    }

    pub(super) fn receiver(&mut self) -> ZooReturn {
        ZooReturn {
            size: size_of::<ZooReturn>(),
            ctx: std::ptr::from_mut(self).cast(),
            text: Some(text),
            tensor: Some(tensor),
            file: Some(file),
            metric: Some(metric),
            error: Some(plain_error),
            error_json: Some(json_error),
        }
    }

    pub(super) fn finish(self, code: i32) -> Result<Answer> {
        match self.error {
            Some(error) => Err(error),
            None if code == ZOO_OK => Ok(self.answer),
            None if code == ZOO_FAILED => Err(self.answer.broke("failed and gave no reason")),
            None => Err(error::plain(self.answer.peer.name(), code, &self.answer.what, "no reason given")),
        }
    }

    fn refuse(&mut self, why: impl std::fmt::Display) -> i32 {
        let error = self.answer.broke(why);
        self.error.get_or_insert(error);
        ZOO_FAILED
    }

    /// A name or message: text that is mended rather than refused would hide a bug, so it is refused.
    ///
    /// # Safety
    /// `text` is valid during the call.
    unsafe fn utf8(&mut self, text: ZooStr, what: &str) -> Result<String, i32> {
        // SAFETY: passed on.
        let raw = unsafe { bytes(text) };
        match raw.map(|raw| std::str::from_utf8(raw).map(str::to_string)) {
            Some(Ok(text)) => Ok(text),
            Some(Err(e)) => Err(self.refuse(format!("{what} is not UTF-8 at byte {}", e.valid_up_to()))),
            None => Err(self.refuse(format!("{what} is NULL"))),
        }
    }
}

/// # Safety
/// `ctx` is the collector of the running call, used by one thread at a time.
unsafe fn collector<'a>(ctx: *mut c_void) -> &'a mut Collector {
    // SAFETY: by contract.
    unsafe { &mut *ctx.cast::<Collector>() }
}

unsafe extern "C" fn text(ctx: *mut c_void, text: ZooStr) -> i32 {
    // SAFETY: `ctx` is ours and `text` valid during the call, by the ABI.
    let (collector, raw) = unsafe { (collector(ctx), bytes(text)) };
    match raw {
        Some(raw) if raw.len() <= LONGEST_TEXT => {
            collector.answer.text = Some(raw.to_vec());
            ZOO_OK
        }
        Some(raw) => collector.refuse(format!("text has {} bytes, at most {LONGEST_TEXT} are taken", raw.len())),
        None => collector.refuse("text is NULL"),
    }
}

unsafe extern "C" fn tensor(ctx: *mut c_void, name: ZooStr, tensor: *mut DLManagedTensorVersioned) -> i32 {
    // SAFETY: `ctx` is ours by the ABI.
    let collector = unsafe { collector(ctx) };
    let what = format!("returned tensor {}", collector.answer.tensors.len());
    // SAFETY: the tensor belongs to us from here on; import gives it back if it does not like it.
    let tensor = unsafe { dlpack::import(tensor, &what) };
    if collector.answer.tensors.len() >= MOST_PARTS {
        return collector.refuse(format!("more than {MOST_PARTS} tensors"));
    }
    // SAFETY: valid during the call.
    let name = match unsafe { collector.utf8(name, "name of a tensor") } {
        Ok(name) => name,
        Err(status) => return status,
    };
    match tensor {
        Ok(tensor) => {
            collector.answer.tensors.push((name, tensor));
            ZOO_OK
        }
        Err(error) => collector.refuse(error),
    }
}

unsafe extern "C" fn file(ctx: *mut c_void, name: ZooStr, content: ZooStr) -> i32 {
    // SAFETY: `ctx` is ours and the texts valid during the call, by the ABI.
    let (collector, content) = unsafe { (collector(ctx), bytes(content)) };
    if collector.answer.files.len() >= MOST_PARTS {
        return collector.refuse(format!("more than {MOST_PARTS} files"));
    }
    // SAFETY: valid during the call.
    match (unsafe { collector.utf8(name, "name of a file") }, content) {
        (Ok(name), Some(content)) => {
            collector.answer.files.push(ArtifactFile { name, bytes: content.into() });
            ZOO_OK
        }
        (Ok(_), None) => collector.refuse("content of a file is NULL"),
        (Err(status), _) => status,
    }
}

unsafe extern "C" fn metric(ctx: *mut c_void, metric: ZooMetric) -> i32 {
    // SAFETY: `ctx` is ours by the ABI.
    let collector = unsafe { collector(ctx) };
    if collector.answer.metrics.len() >= MOST_PARTS {
        return collector.refuse(format!("more than {MOST_PARTS} metrics"));
    }
    let peer = collector.answer.peer.clone();
    // SAFETY: the metric belongs to us from here on.
    match unsafe { collector.answer.metrics.push(metric, &peer) } {
        Ok(()) => ZOO_OK,
        Err(error) => collector.refuse(error),
    }
}

unsafe extern "C" fn plain_error(ctx: *mut c_void, code: i32, message: ZooStr) -> i32 {
    // SAFETY: `ctx` is ours and the text valid during the call, by the ABI.
    let (collector, raw) = unsafe { (collector(ctx), bytes(message)) };
    // A message is worth showing even if its encoding is off.
    let message = raw.map(String::from_utf8_lossy).unwrap_or_default();
    let error = error::plain(collector.answer.peer.name(), code, &collector.answer.what, &message);
    collector.error.get_or_insert(error);
    if code == ZOO_OK { ZOO_FAILED } else { code }
}

unsafe extern "C" fn json_error(ctx: *mut c_void, code: i32, object: ZooStr) -> i32 {
    // SAFETY: `ctx` is ours and the text valid during the call, by the ABI.
    let (collector, raw) = unsafe { (collector(ctx), bytes(object)) };
    let object = raw.map(String::from_utf8_lossy).unwrap_or_default();
    let error = error::decode(&object).unwrap_or_else(|| error::plain(collector.answer.peer.name(), code, &collector.answer.what, &object));
    collector.error.get_or_insert(error);
    if code == ZOO_OK { ZOO_FAILED } else { code }
}
