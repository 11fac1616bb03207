//! The one library and environment of this process.

use crate::guard::{guard, runtime};
use crate::library::{Library, MEND};
use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProvider, TensorRT};
use std::path::PathBuf;
use std::sync::Mutex;
use zoo_core::{Error, Result};

/// A loaded library with its environment.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub(crate) environment: Environment,
    pub(crate) path: PathBuf,
    pub(crate) version: String,
    cuda: bool,
    tensorrt: bool,
}

impl Runtime {
    /// Devices that the library was built for.
    pub(crate) fn devices(&self) -> Vec<String> {
        let gpu = (self.cuda || self.tensorrt).then(|| "cuda:N".to_string());
        std::iter::once("cpu".to_string()).chain(gpu).collect()
    }

    pub(crate) fn has_cuda(&self) -> bool {
        self.cuda
    }

    pub(crate) fn has_tensorrt(&self) -> bool {
        self.tensorrt
    }
}

/// Loads a library that was checked. The first one is kept for the life of the process.
pub(crate) fn load(library: &Library) -> Result<Runtime> {
    static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(runtime) = &*loaded {
        if runtime.path == library.path {
            return Ok(runtime.clone());
        }
        return Err(Error::Unavailable {
            what: format!("ONNX Runtime at {}", library.path.display()),
            why: format!("this process already uses {}, and can't change", runtime.path.display()),
            mend: "use one library in a process".into(),
        });
    }
    let environment = start(library)?;
    let built_for = |available: ort::Result<bool>| available.unwrap_or(false);
    let runtime = guard("asking for providers", || {
        Ok(Runtime {
            environment,
            path: library.path.clone(),
            version: library.version.clone(),
            cuda: built_for(CUDA::is_available()),
            tensorrt: built_for(TensorRT::is_available()),
        })
    })?;
    *loaded = Some(runtime.clone());
    Ok(runtime)
}

fn start(library: &Library) -> Result<Environment> {
    let stage = "starting";
    let mut refused = None;
    let started = guard(stage, || match ort::init_from(&library.path) {
        Ok(builder) => builder.with_name("zoo").with_telemetry(false).build().map(Some),
        Err(error) => {
            refused = Some(error.to_string());
            Ok(None)
        }
    })?;
    match (started, refused) {
        (Some(environment), _) => {
            // Errors come back as values; the library need not print them too.
            guard(stage, || {
                environment.set_log_level(ort::logging::LogLevel::Fatal);
                Ok(())
            })?;
            Ok(environment)
        }
        (None, Some(why)) => Err(Error::Unavailable { what: "ONNX Runtime".into(), why, mend: MEND.into() }),
        (None, None) => Err(runtime(stage, "no environment was made")),
    }
}
