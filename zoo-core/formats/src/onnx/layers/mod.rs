//! Methods of [`Graph`](super::Graph) for common layers.
//!
//! They hide what differs between opsets: axes as attribute or input, operators that a later opset brought.

mod arithmetic;
mod conv;
mod linear;
mod normalize;
mod reduce;
mod shape;

pub use conv::{Conv, Pool, ResizeMode};
