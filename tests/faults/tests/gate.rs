//! A seeded few of the faults that `cargo xtask test --faults` injects.

use zoo_faults::kit::Kit;
use zoo_faults::{Effort, all};

#[test]
fn nothing_is_lost() {
    let kit = match Kit::new() {
        Ok(kit) => kit,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let rows = all(&kit, Effort { seed: 1, kills: 10, points: 1 }, &mut |row| println!("{row}"));
    let lost: Vec<_> = rows.iter().filter(|row| row.lost > 0).map(ToString::to_string).collect();
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    assert!(rows.iter().any(|row| row.injected > 0));
}
