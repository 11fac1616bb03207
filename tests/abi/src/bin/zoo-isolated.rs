//! The process of an isolated plugin, for tests that must not wait for the whole command line.

fn main() -> std::io::Result<()> {
    zoo_host::isolation::serve()
}
