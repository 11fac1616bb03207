//! The tests of this crate in one program: each more would be built and linked anew.

mod command_line;
mod exports;
mod imports;
mod inference_server;
#[cfg(target_os = "linux")]
mod isolation;
mod registered;
#[cfg(unix)]
mod report_site;
mod tidy;
