//! A seeded few of the faults that `cargo xtask test --faults` injects.

use zoo_faults::check::{Moment, sound};
use zoo_faults::kit::{Job, Kit};
use zoo_faults::sandbox::Sandbox;
use zoo_faults::{Effort, all};
use zoo_test_support::hub::sum;

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

/// What the suite would call lost, put there by hand.
#[test]
fn what_is_half_written_is_seen() {
    let kit = match Kit::new() {
        Ok(kit) => kit,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let (blob, hub) = (format!("home/.cache/zoo/blobs/sha256/{}", sum(b"whole")), "home/.cache/huggingface/hub/datasets--own--pictures");
    let seen = |path: &str, content: &[u8], moment| {
        let sandbox = Sandbox::new(&kit);
        let path = sandbox.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a small file");
        sound(&sandbox, &kit, Job::Fetch, moment).err().unwrap_or_default()
    };
    assert_eq!(seen(&blob, b"whole", Moment::End), "");
    assert!(seen(&blob, b"who", Moment::Between).contains("content of that sum"));
    assert!(seen(&format!("{blob}.ok"), b"5 17", Moment::Between).contains("size, time and inode"));
    assert!(seen(&format!("{hub}/blobs/{}", sum(b"whole")), b"", Moment::Between).contains("content of that sum"));
    assert!(seen(&format!("{hub}/snapshots/x/a.bin"), b"no link", Moment::Between).contains("a link to a file"));
    assert!(seen("home/stray", b"", Moment::Between).contains("nobody should write"));
    // What is unfinished may lie about until the next run.
    for unfinished in [format!("{blob}.part"), "home/.cache/zoo/tmp/package-x/said".to_string()] {
        assert_eq!(seen(&unfinished, b"wh", Moment::Between), "");
        assert!(seen(&unfinished, b"wh", Moment::End).contains("unfinished work is left"));
    }
    let sandbox = Sandbox::new(&kit);
    let (name, whole) = kit.reference(Job::ExportOnnx).expect("an export").pop_first().expect("a file");
    std::fs::write(sandbox.out().join(&name), &whole[..whole.len() / 2]).expect("a small file");
    let seen = sound(&sandbox, &kit, Job::ExportOnnx, Moment::Between).expect_err("half a file");
    assert!(seen.contains("the bytes of an undisturbed run"), "{seen}");
}
