//! Prints the rows of the training benchmark: `bench_train [PYTHON] [ROUNDS]`.

use std::path::PathBuf;
use zoo_core::Silent;
use zoo_train::bench::{Effort, bench_train};

#[global_allocator]
static ALLOCATOR: zoo_train::Allocator = zoo_train::Allocator;

fn main() -> zoo_core::Result<()> {
    let mut args = std::env::args().skip(1);
    let python = args.next().filter(|path| path != "-").map(PathBuf::from);
    let rounds = args.next().and_then(|n| n.parse().ok()).unwrap_or(Effort::default().rounds);
    for row in bench_train(python.as_deref(), Effort { rounds, ..Effort::default() }, &Silent)? {
        println!("{row}");
    }
    Ok(())
}
