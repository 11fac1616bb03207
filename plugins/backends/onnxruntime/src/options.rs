//! Reads the options this backend knows.

use ort::session::builder::GraphOptimizationLevel;
use std::path::PathBuf;
use zoo_core::{Device, Error, Options, Result};

const MAX_THREADS: usize = 256;

/// An execution provider that may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Cpu,
    Cuda,
    TensorRt,
}

/// Options in the form the session needs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) lib: Option<PathBuf>,
    pub(crate) threads: Option<usize>,
    pub(crate) optimization: GraphOptimizationLevel,
    /// In order of preference; never empty.
    pub(crate) providers: Vec<Provider>,
    /// Index of the GPU, if a provider needs one.
    pub(crate) gpu: Option<u32>,
}

/// Checks and converts the options. Keys of other backends are skipped.
pub(crate) fn parse(options: &Options, device: Device) -> Result<Settings> {
    let gpu = match device {
        Device::Cpu => None,
        Device::Cuda(index) => Some(index),
    };
    let default_providers = if gpu.is_some() { vec![Provider::Cuda, Provider::Cpu] } else { vec![Provider::Cpu] };
    let mut settings =
        Settings { lib: None, threads: options.threads, optimization: GraphOptimizationLevel::All, providers: default_providers, gpu };
    if let Some(threads) = options.threads
        && !(1..=MAX_THREADS).contains(&threads)
    {
        return Err(Error::argument("threads", format!("1 to {MAX_THREADS}"), threads));
    }
    for (key, value) in &options.extra {
        match key.strip_prefix("onnxruntime.") {
            None => {}
            Some("lib") => settings.lib = Some(value.into()),
            Some("graph-optimization") => settings.optimization = level(value)?,
            Some("providers") => settings.providers = providers(value, device)?,
            Some(_) => {
                let hint = "onnxruntime has `onnxruntime.lib`, `onnxruntime.graph-optimization` and `onnxruntime.providers`";
                return Err(Error::Unknown { kind: "option", name: key.clone(), hint: hint.into() });
            }
        }
    }
    Ok(settings)
}

fn level(value: &str) -> Result<GraphOptimizationLevel> {
    Ok(match value {
        "disable" => GraphOptimizationLevel::Disable,
        "basic" => GraphOptimizationLevel::Level1,
        "extended" => GraphOptimizationLevel::Level2,
        "all" => GraphOptimizationLevel::All,
        _ => return Err(Error::argument("option `onnxruntime.graph-optimization`", "disable, basic, extended or all", value)),
    })
}

fn providers(value: &str, device: Device) -> Result<Vec<Provider>> {
    let fail = |expected: &str| Error::argument("option `onnxruntime.providers`", expected, value);
    let mut list = Vec::new();
    for name in value.split(',').map(str::trim) {
        let provider = match name {
            "cpu" => Provider::Cpu,
            "cuda" => Provider::Cuda,
            "tensorrt" => Provider::TensorRt,
            _ => return Err(fail("a list of tensorrt, cuda and cpu")),
        };
        if list.contains(&provider) {
            return Err(fail("each provider once"));
        }
        list.push(provider);
    }
    let wants_gpu = list.iter().any(|p| *p != Provider::Cpu);
    match device {
        Device::Cpu if wants_gpu => Err(fail("cpu alone, since the device is the processor (ask for device cuda:N)")),
        Device::Cuda(_) if !wants_gpu => Err(fail("cuda or tensorrt among the providers, since the device is a GPU")),
        _ => Ok(list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str, device: Device) -> Result<Settings> {
        parse(&Options { extra: [(key.to_string(), value.to_string())].into(), ..Options::default() }, device)
    }

    #[test]
    fn providers_follow_the_device() {
        let parsed = |value, device| with("onnxruntime.providers", value, device).map(|s| s.providers);
        assert_eq!(parse(&Options::default(), Device::Cpu).unwrap().providers, [Provider::Cpu]);
        assert_eq!(parse(&Options::default(), Device::Cuda(1)).unwrap().providers, [Provider::Cuda, Provider::Cpu]);
        assert_eq!(parsed("tensorrt, cuda,cpu", Device::Cuda(0)).unwrap(), [Provider::TensorRt, Provider::Cuda, Provider::Cpu]);
        for (value, device) in
            [("cuda", Device::Cpu), ("cpu", Device::Cuda(0)), ("cpu,cpu", Device::Cpu), ("", Device::Cpu), ("metal", Device::Cpu)]
        {
            assert!(matches!(parsed(value, device), Err(Error::Argument { .. })), "{value} on {device}");
        }
    }

    #[test]
    fn levels_and_unknown_keys() {
        assert!(with("onnxruntime.graph-optimization", "extended", Device::Cpu).is_ok());
        assert!(matches!(with("onnxruntime.graph-optimization", "99", Device::Cpu), Err(Error::Argument { .. })));
        let error = with("onnxruntime.threads", "1", Device::Cpu).unwrap_err();
        assert!(matches!(&error, Error::Unknown { name, .. } if name == "onnxruntime.threads"), "{error}");
        assert!(with("tract.plans", "1", Device::Cpu).is_ok());
    }
}
