//! Backend: ONNX through [tract](https://github.com/sonos/tract), embedded, nothing to install.
//!
//! A session keeps the analysed graph and one optimised plan for each combination of free axes it has met (usually one
//! per batch size), the least recently used one making room: tract's kernels are chosen for concrete shapes, and a plan
//! over symbolic shapes runs slower. What tract does not implement is reported when compiling, by node and operator.
//!
//! Options: `Options::threads` and, by name,
//!
//! | key | value | default |
//! |---|---|---|
//! | `tract.plans` | plans kept per session, 1 to 1024 | 8 |
//!
//! Where the items of a batch are independent ([`Options::independent_items`]) and the graph has convolutions, items run
//! one by one, shared out among the threads (all cores, if no number is given). Elsewhere threads split matrix products
//! and large element-wise operators, nodes run one after another, and without a number of threads one is used, which is
//! tract's own default. Results do not depend on the number of threads.

mod convert;
mod guard;
mod hazards;
mod options;
mod plans;
mod session;
mod signature;

#[cfg(test)]
mod tests;

use session::TractSession;
use zoo_core::{Artifact, ArtifactKind, Availability, Backend, Device, Error, Options, Result, Session};

/// Name on the command line, in options and in messages.
pub const NAME: &str = "tract";

/// Version of tract that is compiled in.
pub const TRACT_VERSION: &str = "0.23.9";

/// The tract backend. It holds nothing; every session is its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tract;

impl Backend for Tract {
    fn name(&self) -> &str {
        NAME
    }

    fn description(&self) -> &str {
        "ONNX through tract: pure Rust, compiled in, processor only"
    }

    fn probe(&self) -> Availability {
        Availability::Ready { version: format!("{NAME} {TRACT_VERSION}"), devices: vec![Device::Cpu.to_string()] }
    }

    fn accepts(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx]
    }

    /// Compiles an ONNX model.
    ///
    /// The plan is built at once if every free axis is the first axis of an input: for [`Options::batch_hint`] if there
    /// is one, else for a batch of one. Other plans are built when a run first asks for them.
    ///
    /// # Errors
    /// [`Error::NotOffered`] for another kind of artifact, [`Error::Unavailable`] for another device than the processor,
    /// [`Error::Argument`] or [`Error::Unknown`] for options, [`Error::Artifact`] for a malformed model,
    /// [`Error::UnsupportedOperator`], [`Error::DType`] for element types tract has not, [`Error::Runtime`] for whatever
    /// else tract finds.
    fn compile(&self, artifact: &Artifact, device: &Device, options: &Options) -> Result<Box<dyn Session>> {
        if artifact.kind != ArtifactKind::Onnx {
            return Err(Error::NotOffered {
                who: NAME.into(),
                what: format!("{} artifacts", artifact.kind),
                hint: "export the model as onnx".into(),
            });
        }
        if *device != Device::Cpu {
            return Err(Error::Unavailable {
                what: format!("device {device} on {NAME}"),
                why: "this backend runs on the processor only".into(),
                mend: "use --device cpu, or --backend onnxruntime".into(),
            });
        }
        let settings = options::parse(options)?;
        Ok(Box::new(TractSession::compile(artifact, &settings)?))
    }
}

zoo_core::zoo_plugin! { name: "tract", backends: [Tract] }
