//! The two ways to a server.

use crate::answer::Metadata;
use crate::grpc::Grpc;
use crate::http::Http;
use crate::settings::{Scheme, Settings};
use zoo_core::{Result, Tensor, TensorSpec};

/// A way to one model on one server.
pub(crate) trait Transport: Send {
    /// Whether the server is ready.
    fn ready(&self) -> Result<()>;

    /// Inputs and outputs of the model.
    fn metadata(&self) -> Result<Metadata>;

    /// One inference: `inputs` name `tensors`, and `outputs` are what is wanted, in that order.
    fn infer(&self, inputs: &[TensorSpec], tensors: &[Tensor], outputs: &[TensorSpec]) -> Result<Vec<Tensor>>;
}

/// The way that the address names. Nothing is sent yet.
pub(crate) fn transport(settings: Settings) -> Result<Box<dyn Transport>> {
    Ok(match settings.scheme {
        Scheme::Http => Box::new(Http::new(settings)?),
        Scheme::Grpc { tls } => Box::new(Grpc::new(settings, tls)?),
    })
}
