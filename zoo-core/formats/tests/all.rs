//! The tests of this crate in one program: each more would be built and linked anew.

mod graphs;
mod nir_clocked;
mod nir_convert;
mod nir_files;
mod onnx_reader;
mod precision;
