//! The configuration of a network.

use serde::{Deserialize, Serialize};
use zoo_core::{Config, Error, Result};

/// Greatest width, side or number of kernels of a configuration.
const LARGEST: usize = 4096;

/// Which of the parallel kernels share a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskScope {
    /// Each kernel has its own; the mixture is nonzero where any kernel is.
    PerKernel,
    /// One for all, so that the mixture is as sparse as a kernel.
    #[default]
    Shared,
}

/// Sizes of TinySD: stem, then dynamic convolutions with a pooling between them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkConfig {
    /// Channels, rows and columns of an image.
    pub input: [usize; 3],
    /// Channels of the stem and of each dynamic convolution.
    pub widths: Vec<usize>,
    /// Classes.
    pub classes: usize,
    /// Parallel kernels.
    pub kernels: usize,
    /// The attention's hidden width is the input channels over this, at least 1.
    pub reduction: usize,
    /// Which kernels share a mask.
    #[serde(default)]
    pub mask_scope: MaskScope,
}

impl NetworkConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn read(config: &Config) -> Result<Self> {
        let network: Self = config.get("network")?;
        let fail = |key: &str, expected: &str, found: String| {
            Err(Error::Config { key: format!("network.{key}"), expected: expected.into(), found })
        };
        let fits = |n: &usize| (1..=LARGEST).contains(n);
        if !network.input.iter().all(fits) {
            return fail("input", "three numbers from 1 to 4096", format!("{:?}", network.input));
        }
        if network.widths.len() < 2 || network.widths.len() > 64 || !network.widths.iter().all(fits) {
            return fail("widths", "a stem and 1 to 63 dynamic convolutions of 1 to 4096 channels", format!("{:?}", network.widths));
        }
        let halvings = u32::try_from(network.widths.len() - 2).unwrap_or(u32::MAX);
        if network.input[1..].iter().any(|side| side.checked_shr(halvings).unwrap_or(0) == 0) {
            return fail("input", "an image that the poolings leave a pixel of", format!("{:?}", network.input));
        }
        if ![network.classes, network.kernels, network.reduction].iter().all(fits) {
            return fail(
                "classes",
                "classes, kernels and reduction from 1 to 4096",
                format!("{}, {}, {}", network.classes, network.kernels, network.reduction),
            );
        }
        Ok(network)
    }
}
