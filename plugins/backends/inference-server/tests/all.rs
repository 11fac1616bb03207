//! The tests of this crate in one program: each more would be built and linked anew.

mod grpc;
mod loopback;
mod tls;
mod token;
mod wire;
