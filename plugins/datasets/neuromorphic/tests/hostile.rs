//! Malformed recordings: a typed error with its place, never a panic, never memory that a header merely declares.

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use zoo_core::Error;
use zoo_data_neuromorphic::{Event, Events, Format, Framing, Slicing};

const FILES: [&str; 8] = ["digit.bin", "events.dat", "evt2.raw", "evt3.raw", "none.aedat4", "lz4.aedat4", "zstd.aedat4", "columns.npz"];

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap()
}

fn read(folder: &Path, name: &str, bytes: &[u8]) -> Result<Events, Error> {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    Format::of_name(name).unwrap().read(&path)
}

#[test]
fn each_fault_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let dat = |tail: &[u8]| [b"% Width 8\n% Height 4\n\x00\x08", tail].concat();
    let evt = |version: &str, tail: &[u8]| [format!("% evt {version}\n% geometry 8x4\n% end\n").as_bytes(), tail].concat();
    let aedat = |tail: &[u8]| [b"#!AER-DAT4.0\r\n", tail].concat();
    for (name, bytes, expected) in [
        ("a.bin", vec![1, 2, 3, 4, 5, 6], "at byte 5: expected events of 5 bytes, found 1 bytes and the end"),
        ("a.bin", vec![1, 2, 3, 4, 5, 34, 0, 0, 0, 0], "at byte 5: expected a pixel of 34 x 34, found (34, 0)"),
        ("a.dat", vec![0, 8], "at byte 0: expected a header line"),
        ("a.dat", b"% Width 8\n\x00\x09".to_vec(), "at byte 10: expected event type 0x00 or 0x0c and event size 8"),
        ("a.dat", dat(&[0; 11]), "at byte 31: expected events of 8 bytes, found 3 bytes"),
        ("a.dat", dat(&[0, 0, 0, 0, 8, 0, 0, 0]), "at byte 27: expected a pixel of 8 x 4"),
        ("a.dat", [b"%", &[b'x'; 5000][..]].concat(), "at byte 0: expected a text line of at most 4096 bytes"),
        ("a.raw", b"% evt 4.0\n% end\n".to_vec(), "at byte 0: expected a header line `% evt 2.0`"),
        ("a.raw", evt("2.0", &[0, 0, 0, 0x80, 5]), "at byte 35: expected words of 4 bytes"),
        ("a.raw", evt("2.0", &[0, 0, 0, 0x30]), "at byte 31: expected a word type of the format, found 0x3"),
        ("a.raw", evt("2.0", &[0, 0, 0, 0x80, 0xff, 0xff, 0, 0]), "at byte 35: expected a pixel of 8 x 4"),
        ("a.raw", evt("3.0", &[0, 0x80, 1, 0x90]), "at byte 33: expected a word type of the format, found 0x9"),
        ("a.raw", evt("3.0", &[0, 0x80, 7, 0x20, 8, 0x20]), "at byte 35: expected a pixel of 8 x 4"),
        ("a.aedat4", b"#!AER-DAT3.1\r\n".to_vec(), "at byte 0: expected the line #!AER-DAT4.0"),
        ("a.aedat4", aedat(&[255, 255, 255, 255, 0]), "at byte 14: expected a FlatBuffers header `IOHE`"),
        ("a.npz", b"PK".to_vec(), "expected a NumPy archive"),
    ] {
        let message = read(folder.path(), name, &bytes).unwrap_err().to_string();
        assert!(message.contains(expected), "expected `{expected}` in `{message}`");
    }
    let hint = Format::of_name("a.mat").unwrap_err().to_string();
    assert!(hint.contains(".aedat4"), "{hint}");
}

#[test]
fn a_zstd_bomb_of_events_is_bounded_by_its_packet() {
    // A packet that claims to be longer than the file.
    let mut bytes = golden("zstd.aedat4");
    let header = u32::from_le_bytes(bytes[14..18].try_into().unwrap()) as usize;
    let packet = 18 + header;
    bytes[packet + 4..packet + 8].copy_from_slice(&i32::MAX.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let message = read(folder.path(), "a.aedat4", &bytes).unwrap_err().to_string();
    assert!(message.contains(&format!("at byte {packet}: expected a packet that ends before the data table")), "{message}");
}

#[test]
fn numpy_arrays_that_do_not_fit_each_other() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let npy = |descr: &str, shape: &str, data: &[u8]| {
        let head = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.as_bytes());
        bytes.extend(data);
        bytes
    };
    let archive = |arrays: [Vec<u8>; 4]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in ["x", "y", "t", "p"].into_iter().zip(arrays) {
            zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let two = || npy("|u1", "(2,)", &[1, 2]);
    assert_eq!(read(folder.path(), "a.npz", &archive([two(), two(), two(), two()])).unwrap().len(), 2);
    for (x, expected) in [
        (npy("|u1", "(1,)", &[1]), "expected equal lengths, found 1 x, 2 y, 2 t, 2 p"),
        (npy("|u1", "(2, 1)", &[1, 2]), "array `x`: expected one axis"),
        (npy("<f4", "(2,)", &[0; 8]), "array `x`: expected an array of integers, found <f4"),
        (npy("|i1", "(2,)", &[255, 0]), "event 0: expected addresses from 0 to 65534"),
        (npy("|u1", "(99999999999,)", &[1, 2]), "array `x`: expected at most 67108864 events"),
        (npy("|u1", "(60000000,)", &[1, 2]), "array `x`: expected an array of integers"),
    ] {
        let message = read(folder.path(), "a.npz", &archive([x, two(), two(), two()])).unwrap_err().to_string();
        assert!(message.contains(expected), "expected `{expected}` in `{message}`");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_files_never_panic(file in 0..FILES.len(), faults in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(), truncate: bool) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = golden(FILES[file]);
        for (at, value) in &faults {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        if truncate { bytes.truncate(cut.index(bytes.len())); }
        if let Ok(events) = read(folder.path(), FILES[file], &bytes) {
            prop_assert!(events.list().is_sorted_by_key(|e| e.t));
            // Times may be anything now; framing must cope.
            if usize::from(events.width()) * usize::from(events.height()) < 1 << 20 {
                for by in [Slicing::Time, Slicing::Count] {
                    let frames = Framing { by, ..Framing::new(3) }.frames(&events);
                    prop_assert!(frames.is_ok());
                }
            }
        }
    }

    #[test]
    fn framing_keeps_every_event(events in proptest::collection::vec((any::<i64>(), 0u16..5, 0u16..4, any::<bool>()), 0..200), steps in 1usize..30) {
        let list: Vec<_> = events.iter().map(|&(t, x, y, p)| Event { t, x, y, p }).collect();
        let events = Events::new(5, 4, list).unwrap();
        for by in [Slicing::Time, Slicing::Count] {
            let frames = Framing { by, ..Framing::new(steps) }.frames(&events).unwrap();
            let frames = frames.as_slice::<f32>().unwrap();
            prop_assert_eq!(frames.iter().sum::<f32>() as usize, events.len());
            if by == Slicing::Count {
                let counts: Vec<_> = frames.chunks(40).map(|f| f.iter().sum::<f32>() as usize).collect();
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            }
        }
    }

    #[test]
    fn order_of_time_is_stable(times in proptest::collection::vec(0i64..4, 0..60)) {
        let list = times.iter().enumerate().map(|(i, &t)| Event { t, x: i as u16, y: 0, p: true }).collect();
        let events = Events::new(60, 1, list).unwrap();
        prop_assert!(events.list().is_sorted_by_key(|e| (e.t, e.x)));
    }
}
