//! Backend: ONNX Runtime on CPU and GPU, its library loaded at run time.
//!
//! The library is looked for in this order; the first place that is set or filled decides, and what is wrong with it is
//! reported rather than passed over:
//!
//! 1. the option `onnxruntime.lib`, or the path given to [`OnnxRuntime::with_library`];
//! 2. the environment variable `ORT_DYLIB_PATH`;
//! 3. the per-user folder that [`setup`] fills ([`library_folder`]);
//! 4. the system's loader.
//!
//! A process loads one library and keeps it. Nothing is reported to anybody: telemetry is off.
//!
//! Options: `Options::threads` (threads within an operator; without it ONNX Runtime takes one a physical core) and, by
//! name,
//!
//! | key | value | default |
//! |---|---|---|
//! | `onnxruntime.lib` | path of the library | see above |
//! | `onnxruntime.graph-optimization` | `disable`, `basic`, `extended` or `all` | `all` |
//! | `onnxruntime.providers` | `tensorrt`, `cuda`, `cpu`, in order of preference | `cpu`, or `cuda,cpu` on a GPU |
//!
//! A list of providers without `cpu` makes a node that has to fall back to the processor an error. Which provider got how
//! many nodes is in [`SessionStats::placement`](zoo_core::SessionStats::placement).

mod convert;
mod guard;
mod library;
mod options;
mod placement;
mod providers;
mod runtime;
mod session;
mod setup;

pub use library::{MIN_VERSION, library_folder};
pub use setup::setup;

use std::path::PathBuf;
use zoo_core::{Artifact, ArtifactKind, Availability, Backend, Device, Error, Options, Result, Session};

/// Name on the command line, in options and in messages.
pub const NAME: &str = "onnxruntime";

/// The ONNX Runtime backend.
#[derive(Clone, Debug, Default)]
pub struct OnnxRuntime {
    lib: Option<PathBuf>,
}

impl OnnxRuntime {
    /// The backend with the library at a path, before any other place.
    pub fn with_library(path: impl Into<PathBuf>) -> Self {
        Self { lib: Some(path.into()) }
    }
}

impl Backend for OnnxRuntime {
    fn name(&self) -> &str {
        NAME
    }

    fn description(&self) -> &str {
        "ONNX through ONNX Runtime, on the processor and on NVIDIA GPUs"
    }

    /// Whether there is a usable library, its version, and the devices that it was built for. A GPU that is listed may
    /// still lack a driver or CUDA library; compiling for it tells.
    fn probe(&self) -> Availability {
        let found = library::find(self.lib.as_deref()).and_then(|library| {
            let devices = runtime::load(&library)?.devices();
            Ok((library.version, devices))
        });
        match found {
            Ok((version, devices)) => Availability::Ready { version: format!("{NAME} {version}"), devices },
            Err(Error::Unavailable { why, mend, .. }) => Availability::Unavailable { why, mend },
            Err(other) => Availability::Unavailable { why: other.to_string(), mend: library::MEND.into() },
        }
    }

    fn accepts(&self) -> &[ArtifactKind] {
        &[ArtifactKind::Onnx]
    }

    /// Compiles an ONNX model.
    ///
    /// # Errors
    /// [`Error::NotOffered`] for another kind of artifact; [`Error::Unavailable`] without a usable library, or for a device
    /// whose libraries are absent, naming them; [`Error::Argument`] or [`Error::Unknown`] for options;
    /// [`Error::Artifact`] for a malformed model; [`Error::UnsupportedOperator`]; [`Error::Runtime`] for whatever else
    /// ONNX Runtime finds.
    fn compile(&self, artifact: &Artifact, device: &Device, options: &Options) -> Result<Box<dyn Session>> {
        if artifact.kind != ArtifactKind::Onnx {
            return Err(Error::NotOffered {
                who: NAME.into(),
                what: format!("{} artifacts", artifact.kind),
                hint: "export the model as onnx".into(),
            });
        }
        let settings = options::parse(options, *device)?;
        let library = library::find(settings.lib.as_deref().or(self.lib.as_deref()))?;
        let runtime = runtime::load(&library)?;
        Ok(Box::new(session::OrtSession::compile(artifact, &settings, &runtime)?))
    }
}

zoo_core::zoo_plugin! { name: "onnxruntime", backends: [OnnxRuntime::default()] }
