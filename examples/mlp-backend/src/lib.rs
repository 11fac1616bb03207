//! A backend that runs multilayer perceptrons from a safetensors file, and a model to try it with.

#![forbid(unsafe_code)]

mod engine;
mod xor;

zoo_core::zoo_plugin! {
    name: "mlp-backend",
    models: [xor::xor()],
    backends: [engine::Mlp],
}
