//! Image data sets: MNIST, Fashion-MNIST, CIFAR-10 and the digits of scikit-learn.
//!
//! | name | files | item |
//! | --- | --- | --- |
//! | `mnist`, `fashion-mnist` | IDX (plain or gzip), or Parquet of the hub | `image` u8 `[1, 28, 28]`, `label` u8 `[]` |
//! | `cifar10` | the official binary batches, or Parquet of the hub | `image` u8 `[3, 32, 32]`, `label` u8 `[]` |
//! | `cifar10-jpeg` | zips of JPEG files, one folder a class | as `cifar10`; the pixels are lossy |
//! | `digits` | `digits.csv` of scikit-learn | `image` u8 `[1, 8, 8]` (0..=16), `label` u8 `[]` |
//!
//! Pixels are 0..=255 unless said otherwise, and channels come first (red, green, blue). Every split takes `{"limit": N, "offset": M}` and then
//! holds items `M..M + N` of the fixed order, so a training subset is the same on every machine.
//!
//! The crate knows no network: it opens files that somebody else fetched and verified, and still trusts none of them.

mod cifar;
mod digits;
mod factory;
mod hub;
mod idx;
mod mnist;
mod pixels;
mod source;
mod window;
mod zipped;

pub use factory::VisionFactory;
pub use idx::{IdxHeader, MAX_INFLATED};

zoo_core::zoo_plugin! { name: "vision", datasets: [VisionFactory::new()] }
