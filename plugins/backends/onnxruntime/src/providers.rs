//! Execution providers: asked for, there, or an error that names what is missing.

use crate::options::{Provider, Settings};
use crate::runtime::Runtime;
use ort::ep::{CUDA, ExecutionProviderDispatch, TensorRT};
use zoo_core::{Device, Error, Result};

/// The command that gets a library with GPU support.
const MEND_GPU: &str = "run `cargo xtask setup onnxruntime --gpu` on a machine with an NVIDIA driver, or use --device cpu";

/// The providers to register, in order; the processor needs no registration.
pub(crate) fn dispatches(settings: &Settings, runtime: &Runtime) -> Result<Vec<ExecutionProviderDispatch>> {
    let gpu = settings.gpu.unwrap_or(0);
    let index = i32::try_from(gpu).map_err(|_| Error::argument("device", "a GPU index that fits 31 bits", gpu))?;
    let mut list = Vec::new();
    for provider in &settings.providers {
        let (there, name, file) = match provider {
            Provider::Cpu => continue,
            Provider::Cuda => (runtime.has_cuda(), "CUDA", "onnxruntime_providers_cuda"),
            Provider::TensorRt => (runtime.has_tensorrt(), "TensorRT", "onnxruntime_providers_tensorrt"),
        };
        if !there {
            let why = format!("{} (version {}) was built without the {name} provider", runtime.path.display(), runtime.version);
            return Err(absent(gpu, why));
        }
        let file = format!("{}{file}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        if let Some(folder) = runtime.path.parent().filter(|_| runtime.path.is_absolute())
            && !folder.join(&file).is_file()
        {
            return Err(absent(gpu, format!("{file} is missing beside {}", runtime.path.display())));
        }
        list.push(match provider {
            Provider::TensorRt => TensorRT::default().with_device_id(index).build().error_on_failure(),
            _ => CUDA::default().with_device_id(index).build().error_on_failure(),
        });
    }
    Ok(list)
}

/// The error for a provider that is built in but can't start, naming the library that the loader misses.
pub(crate) fn failed(settings: &Settings, message: &str) -> Error {
    absent(
        settings.gpu.unwrap_or(0),
        missing_library(message).map_or_else(|| message.to_string(), |lib| format!("{lib} is missing ({message})")),
    )
}

fn absent(gpu: u32, why: String) -> Error {
    Error::Unavailable { what: format!("device {} on onnxruntime", Device::Cuda(gpu)), why, mend: MEND_GPU.into() }
}

/// The file in the loader's "NAME: cannot open shared object file".
fn missing_library(message: &str) -> Option<&str> {
    let (before, _) = message.split_once(": cannot open shared object file")?;
    before.split_whitespace().next_back().filter(|name| name.contains(".so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_library_is_named() {
        let message = "/onnxruntime/core/session/provider_bridge.cc:1 onnxruntime::ProviderLibrary::Get() Failed to load library \
                       libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file: No such file";
        assert_eq!(missing_library(message), Some("libcublasLt.so.12"));
        assert_eq!(missing_library("CUDA failure 100: no CUDA-capable device is detected"), None);
    }
}
