//! What a server says, in whichever form it came: checked before it is believed.

use crate::{NAME, datatype};
use serde::Deserialize;
use zoo_core::{DType, Error, Result, Tensor, TensorSpec};

/// Greatest answer taken, in bytes.
pub(crate) const LONGEST: usize = 1 << 30;
/// Greatest message of the server shown in an error, in characters.
const SHOWN: usize = 300;

/// What a server says of a model.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    #[serde(default)]
    pub(crate) inputs: Vec<Port>,
    #[serde(default)]
    pub(crate) outputs: Vec<Port>,
}

/// An input or output in the metadata.
#[derive(Debug, Deserialize)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) datatype: String,
}

/// A named output that was answered.
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) tensor: Tensor,
}

pub(crate) fn garbage(found: impl std::fmt::Display) -> Error {
    Error::Runtime { backend: NAME.into(), stage: "reading the answer".into(), message: found.to_string() }
}

/// The server's message, in one short line.
pub(crate) fn said(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

/// An answer that is an error of the server's.
pub(crate) fn refused(message: impl std::fmt::Display) -> Error {
    Error::Runtime { backend: NAME.into(), stage: "asking the server".into(), message: message.to_string() }
}

/// The error for a model that the server has not.
pub(crate) fn no_model(model: &str, url: &str, why: String) -> Error {
    let mend = "give --option inference-server.model=NAME".into();
    Error::Unavailable { what: format!("model {model} on server {url}"), why, mend }
}

/// The error for a certificate that is not trusted, or another failure of the handshake.
pub(crate) fn untrusted(url: &str, why: impl std::fmt::Display) -> Error {
    let mend = "check the address and the certificate, or name the authority that signed it with --option inference-server.ca=FILE.pem";
    Error::Unavailable { what: format!("server {url}"), why: format!("TLS: {why}"), mend: mend.into() }
}

/// Element type and shape that an output declares, and its length in bytes.
pub(crate) fn declared<N: Copy + TryInto<usize> + std::fmt::Debug>(
    name: &str,
    type_name: &str,
    shape: &[N],
) -> Result<(DType, Vec<usize>, usize)> {
    let wrong = |why: String| garbage(format!("output `{name}`: {why}"));
    let dtype = datatype::dtype(type_name).ok_or_else(|| wrong(format!("unknown datatype {type_name:?}")))?;
    let axes = shape.iter().map(|&n| n.try_into().ok()).collect::<Option<Vec<usize>>>();
    let sized = axes.and_then(|axes| Some((axes.iter().try_fold(dtype.size(), |all, &n| all.checked_mul(n))?, axes)));
    let (size, shape) = sized.ok_or_else(|| wrong(format!("expected a shape that fits memory, found {shape:?}")))?;
    Ok((dtype, shape, size))
}

/// The outputs of the specs, in their order.
pub(crate) fn in_order(given: &[Given], outputs: &[TensorSpec]) -> Result<Vec<Tensor>> {
    let take = |spec: &TensorSpec| {
        let tensor = given.iter().find(|one| one.name == spec.name).map(|one| one.tensor.clone());
        let tensor = tensor.ok_or_else(|| garbage(format!("expected output `{}`, found none of that name", spec.name)))?;
        spec.check(&tensor)?;
        Ok(tensor)
    };
    outputs.iter().map(take).collect()
}
