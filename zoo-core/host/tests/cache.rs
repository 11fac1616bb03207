//! The cache and the local source.

use crate::loopback::{Heard, Place, entry, noise, sum};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::Write;
use zoo_core::Silent;
use zoo_host::Error;
use zoo_host::fetch::{FetchOptions, Fetcher, verify_file};

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// A data set of one local file; `extra` adds keys to the file, `more` to the data set.
fn registry(content: &[u8], extra: &str, more: &str) -> String {
    let (bytes, sum) = (content.len(), sum(content));
    format!(
        "schema = 1\n[[dataset]]\nname = \"scans\"\nplugin = \"medical\"\nlicence = \"by agreement\"\n{more}\nfiles = [{{ name = \"x.bin\", \
         bytes = {bytes}, sha256 = \"{sum}\"{extra} }}]\nsources = [{{ dir = \"lost\" }}, {{ dir = \"scans\" }}]\n"
    )
}

fn provide(place: &Place, name: &str, bytes: &[u8]) {
    fs::create_dir_all(place.path("data/scans")).unwrap();
    fs::write(place.path("data/scans").join(name), bytes).unwrap();
}

/// The error of the folder that has the file.
#[track_caller]
fn fault(place: &Place, registry: &str) -> Error {
    match place.fetcher("").dataset(&entry(registry), &Silent).unwrap_err() {
        Error::AllSourcesFailed { mut failures, .. } => {
            assert!(
                matches!(&failures[0].1, Error::NoSuchFile { path } if *path == place.path("data/lost").join(path.file_name().unwrap()))
            );
            failures.pop().unwrap().1
        }
        other => other,
    }
}

#[test]
fn local_files_packed_or_not() {
    let content = noise(70_000);
    for (name, bytes, extra) in [
        ("x.bin", content.clone(), ""),
        ("x.bin.gz", gz(&content), ", unpack = \"gz\""),
        ("x.bin", content.clone(), ", unpack = \"gz\""),
        ("other", content.clone(), ", path = \"other\""),
    ] {
        let place = Place::new();
        provide(&place, name, &bytes);
        let entry = entry(&registry(&content, extra, ""));
        let files = place.fetcher("").dataset(&entry, &Silent).unwrap();
        assert_eq!(fs::read(files.get("x.bin").unwrap()).unwrap(), content);
        assert_eq!(place.blobs(), [sum(&content)]);
        // From the cache alone, once the folder is gone; offline or not.
        fs::remove_dir_all(place.path("data")).unwrap();
        let offline = Fetcher::new(place.options("").offline(true)).unwrap();
        assert_eq!(offline.dataset(&entry, &Silent).unwrap(), files);
    }
}

#[test]
fn an_absent_data_set_says_what_to_put_where() {
    let place = Place::new();
    let text = registry(&noise(40), ", unpack = \"gz\"", "obtain = \"sign the agreement of the hospital\"");
    let error = place.fetcher("").dataset(&entry(&text), &Silent).unwrap_err().to_string();
    let data = place.path("data");
    let expected = format!(
        "data set scans: no source could provide x.bin\n  folder lost: expected a file at {0}/lost/x.bin.gz, found none\n  folder scans: \
         expected a file at {0}/scans/x.bin.gz, found none\nTo get it: sign the agreement of the hospital\nOr put these files into \
         {0}/lost (ZOO_DATA moves it):\n  x.bin.gz (unpacked 40 bytes)",
        data.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn each_local_fault_has_its_own_error() {
    let content = noise(5_000);
    let text = registry(&content, "", "");
    let packed = registry(&content, ", unpack = \"gz\"", "");
    let check = |name: &str, bytes: &[u8], text: &str, fits: fn(&Error) -> bool| {
        let place = Place::new();
        provide(&place, name, bytes);
        let error = fault(&place, text);
        assert!(fits(&error), "{error:?}");
        assert!(place.blobs().is_empty());
        assert_eq!(fs::read(place.path("data/scans").join(name)).unwrap(), bytes, "the user's own file is not touched");
    };
    let mut flipped = content.clone();
    flipped[7] ^= 1;
    check("x.bin", &flipped, &text, |e| matches!(e, Error::WrongHash { .. }));
    check("x.bin", &content[..4_000], &text, |e| matches!(e, Error::Truncated { expected: 5_000, found: 4_000, .. }));
    check("x.bin", &noise(5_001), &text, |e| matches!(e, Error::TooLong { expected: 5_000, .. }));
    check("x.bin", b"version https://git-lfs.github.com/spec/v1\n", &text, |e| matches!(e, Error::LfsPointer { .. }));
    check("x.bin", b"<!DOCTYPE HTML><p>Not found", &text, |e| matches!(e, Error::HtmlPage { .. }));
    check("x.bin.gz", &gz(&content)[..3_000], &packed, |e| matches!(e, Error::Archive { .. }));
    check("x.bin.gz", b"no gzip at all", &packed, |e| matches!(e, Error::Archive { .. }));
    // A bomb: 50 MB from 50 kB; reading stops at the declared size.
    check("x.bin.gz", &gz(&vec![0; 50_000_000]), &packed, |e| matches!(e, Error::TooLong { expected: 5_000, .. }));
}

#[test]
fn files_without_a_sum_are_used_in_place_and_said_to_be_unverified() {
    let text = registry(&noise(10), "", "").replace(&format!(", sha256 = \"{}\"", sum(&noise(10))), "");
    let place = Place::new();
    provide(&place, "x.bin", &[1; 10]);
    let heard = Heard::default();
    let files = place.fetcher("").dataset(&entry(&text), &heard).unwrap();
    assert_eq!(files.get("x.bin").unwrap(), place.path("data/scans/x.bin"));
    assert_eq!(*heard.lines.lock().unwrap(), ["Warn: x.bin of data set scans: unverified (the registry has no SHA-256 for it)"]);
    provide(&place, "x.bin", &[1; 9]);
    assert!(matches!(fault(&place, &text), Error::Truncated { expected: 10, found: 9, .. }));
    provide(&place, "x.bin", b"version https://git-lfs.github.com/spec/v1\n");
    assert!(matches!(fault(&place, &text), Error::LfsPointer { .. }));
}

#[test]
fn verified_files_are_trusted_until_they_change() {
    let content = noise(9_000);
    let place = Place::new();
    provide(&place, "x.bin.gz", &gz(&content));
    let entry = entry(&registry(&content, ", unpack = \"gz\"", ""));
    let files = place.fetcher("").dataset(&entry, &Silent).unwrap();
    let blob = files.get("x.bin").unwrap();
    // Damage that leaves size, time and inode as they were is not seen by the quick look; it is by the full one.
    let time = fs::metadata(blob).unwrap().modified().unwrap();
    fs::write(blob, vec![0; 9_000]).unwrap();
    File::options().write(true).open(blob).unwrap().set_modified(time).unwrap();
    let heard = Heard::default();
    place.fetcher("").dataset(&entry, &heard).unwrap();
    assert_eq!((*heard.most.lock().unwrap(), fs::read(blob).unwrap()), (0, vec![0; 9_000]), "nothing is read");
    let full = Fetcher::new(place.options("").full_check(true)).unwrap();
    full.dataset(&entry, &heard).unwrap();
    assert_eq!(fs::read(blob).unwrap(), content);
    assert!(heard.lines.lock().unwrap()[0].contains("removing a damaged file from the cache"));
    // Damage that shows is mended without being asked for.
    fs::write(blob, b"short").unwrap();
    place.fetcher("").dataset(&entry, &Silent).unwrap();
    assert_eq!(fs::read(blob).unwrap(), content);
    // A file that was put there without a marker is summed once.
    fs::remove_file(blob.with_extension("ok")).unwrap();
    place.fetcher("").dataset(&entry, &Silent).unwrap();
    assert!(blob.with_extension("ok").is_file());
}

#[test]
fn what_a_killed_writer_left_is_overwritten() {
    let content = noise(500);
    let place = Place::new();
    provide(&place, "x.bin", &content);
    let blobs = place.path("cache/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{}.part", sum(&content))), noise(10_000)).unwrap();
    place.fetcher("").dataset(&entry(&registry(&content, "", "")), &Silent).unwrap();
    assert_eq!(place.blobs(), [sum(&content)]);
}

/// A full disk is met by the whole program in `tests/faults`.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_disk_ends_it_at_once() {
    let content = noise(5_000);
    let place = Place::new();
    provide(&place, "x.bin", &content);
    // Nobody, not even root, makes folders there.
    let options = FetchOptions { cache: "/sys/zoo".into(), ..place.options("") };
    let error = Fetcher::new(options).unwrap().dataset(&entry(&registry(&content, "", "")), &Silent).unwrap_err();
    assert!(matches!(error, Error::ReadOnlyCache { .. }), "{error:?}");
    assert!(error.to_string().contains("set ZOO_CACHE to a folder that is"), "{error}");
}

/// A process that is killed while it checks a local file leaves a link to that very file under the blob's temporary name.
#[test]
fn a_link_that_a_killed_process_left_is_not_written_through() {
    let content = noise(5_000);
    let place = Place::new();
    let own = place.path("own.bin");
    fs::write(&own, b"somebody's own file").unwrap();
    provide(&place, "x.bin.gz", &gz(&content));
    let blobs = place.path("cache/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::hard_link(&own, blobs.join(format!("{}.part", sum(&content)))).unwrap();
    place.fetcher("").dataset(&entry(&registry(&content, ", unpack = \"gz\"", "")), &Silent).unwrap();
    assert_eq!(fs::read(&own).unwrap(), b"somebody's own file");
    assert_eq!(place.blobs(), [sum(&content)]);
}

#[test]
fn no_home_names_the_variable() {
    let place = Place::new();
    let options = FetchOptions { data: None, ..place.options("") };
    let error = Fetcher::new(options).unwrap().dataset(&entry(&registry(&noise(5), "", "")), &Silent).unwrap_err();
    assert!(error.to_string().contains("so the folder of local data has no default place; set ZOO_DATA to a folder"), "{error}");
}

#[test]
fn files_of_the_repository_are_checked_in_place() {
    let place = Place::new();
    let path = place.path("w.safetensors");
    let content = noise(3_000);
    let wanted = sum(&content).parse().unwrap();
    assert!(matches!(verify_file(&path, &wanted), Err(Error::Io { .. })));
    fs::write(&path, &content).unwrap();
    verify_file(&path, &wanted).unwrap();
    fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
    assert!(matches!(verify_file(&path, &wanted), Err(Error::LfsPointer { .. })));
    fs::write(&path, noise(2_000)).unwrap();
    let error = verify_file(&path, &wanted).unwrap_err().to_string();
    assert!(error.contains("w.safetensors") && error.contains(&sum(&noise(2_000))), "{error}");
}
