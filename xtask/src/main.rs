//! The command line of the zoo.
fn main() {}
