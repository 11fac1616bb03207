//! Event data: the [`Events`] type, readers of event files, framing, and data sets made of them.
//!
//! | data set | files | item |
//! | --- | --- | --- |
//! | `nmnist-small` | N-MNIST recordings (`N.bs2`) and the lists `train1K.txt`, `test100.txt` | events of one digit, 34 x 34 |
//! | `nmnist-folds` | the same | the same, all 1,100 recordings in five splits |
//! | `saccade-mnist` | MNIST's IDX files | events of a digit moved along three saccades, 34 x 34 |
//! | `event-files` | any recordings [`Format`] knows | the events of one file; no label |
//!
//! The first two also go by the names `nmnist-small-frames` and `saccade-mnist-frames`, so that a registry can offer them
//! raw and framed side by side.
//!
//! An item is `events` i64 `[n, 4]` with columns x, y, t (microseconds) and p (1 brighter, 0 darker), or, with a `frames`
//! key in the configuration, `frames` f32 `[T, 2, H, W]` with channel 0 darker and channel 1 brighter. See [`Framing`].

mod dataset;
mod events;
mod format;
mod framing;
mod input;
mod resize;
pub mod saccade;

pub use dataset::NeuromorphicFactory;
pub use events::{Event, Events, MAX_EVENTS};
pub use format::Format;
pub use framing::{Framing, Scale, Slicing};
pub use input::MAX_FILE;

zoo_core::zoo_plugin! { name: "neuromorphic", datasets: [NeuromorphicFactory::new()] }
