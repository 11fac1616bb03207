use super::*;
use std::os::unix::fs::PermissionsExt;
use zip::write::SimpleFileOptions;
use zoo_core::Silent;

/// A folder with a fake `python3` that runs `script`, which finds the target folder in `$dest`.
fn fake_python(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("python3");
    let head = "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=\"$2\"; shift; done\n";
    std::fs::write(&path, format!("{head}{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn wheel(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Sets up from a wheel of these entries into `home/onnxruntime`.
fn from_wheel(home: &Path, entries: &[(&str, &[u8])]) -> Result<PathBuf> {
    let made = home.join("made.whl");
    wheel(&made, entries);
    let python = fake_python(home, &format!("cp '{}' \"$dest/onnxruntime-1.32.0-cp311-cp311-any.whl\"", made.display()));
    setup_with(&python, &home.join("onnxruntime"), false, &Silent)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn only_the_libraries_are_unpacked() {
    let home = tempfile::tempdir().unwrap();
    let entries: &[(&str, &[u8])] = &[
        ("onnxruntime/__init__.py", b"import os"),
        ("onnxruntime/capi/libonnxruntime.so.1.32.0", b"library"),
        ("onnxruntime/capi/libonnxruntime_providers_shared.so", b"helper"),
        ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so", b"binding"),
        ("onnxruntime/capi/../../../evil.so", b"evil"),
        ("onnxruntime/capi/libonnxruntime.so.1/../../evil.so", b"evil"),
    ];
    let path = from_wheel(home.path(), entries).unwrap();
    assert_eq!(path, home.path().join("onnxruntime/libonnxruntime.so.1.32.0"));
    assert_eq!(std::fs::read(path).unwrap(), b"library");
    assert_eq!(names(&home.path().join("onnxruntime")), ["libonnxruntime.so.1.32.0", "libonnxruntime_providers_shared.so"]);
    assert_eq!(names(home.path()), ["made.whl", "onnxruntime", "python3"]);
}

#[test]
fn an_older_library_is_replaced_and_kept_on_failure() {
    let home = tempfile::tempdir().unwrap();
    from_wheel(home.path(), &[("onnxruntime/capi/libonnxruntime.so.1.9.0", b"old")]).unwrap();
    let error = from_wheel(home.path(), &[("onnxruntime/capi/readme.txt", b"no library")]).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error}");
    std::fs::write(home.path().join("cut.whl"), b"PK not a wheel").unwrap();
    let python = fake_python(home.path(), &format!("cp '{}' \"$dest/a.whl\"", home.path().join("cut.whl").display()));
    assert!(matches!(setup_with(&python, &home.path().join("onnxruntime"), false, &Silent), Err(Error::Data { .. })));
    assert_eq!(names(&home.path().join("onnxruntime")), ["libonnxruntime.so.1.9.0"]);
    from_wheel(home.path(), &[("onnxruntime/capi/libonnxruntime.so.1.32.0", b"new")]).unwrap();
    assert_eq!(names(&home.path().join("onnxruntime")), ["libonnxruntime.so.1.32.0"]);
}

#[test]
fn absent_python_absent_pip_and_no_network_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("onnxruntime");
    let absent = setup_with(&home.path().join("nowhere/python3"), &folder, false, &Silent).unwrap_err().to_string();
    assert!(absent.contains("install Python 3"), "{absent}");
    let python = fake_python(home.path(), "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    let no_pip = setup_with(&python, &folder, false, &Silent).unwrap_err().to_string();
    assert!(no_pip.contains("install pip") && no_pip.contains("No module named pip"), "{no_pip}");
    let python = fake_python(home.path(), "echo 'ERROR: Could not find a version that satisfies the requirement' >&2; exit 1");
    let offline = setup_with(&python, &folder, true, &Silent).unwrap_err();
    assert!(matches!(&offline, Error::Unavailable { what, .. } if what.contains("onnxruntime-gpu")), "{offline}");
    assert!(offline.to_string().contains("check the network"), "{offline}");
    assert!(!folder.exists());
}

#[test]
fn the_user_can_stop_a_download() {
    struct Stopped;
    impl Reporter for Stopped {
        fn log(&self, _: Level, _: &str, _: &str) {}
        fn progress(&self, _: &str, _: u64, _: Option<u64>, _: &str) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let home = tempfile::tempdir().unwrap();
    let python = fake_python(home.path(), "exec cat /dev/zero > /dev/null");
    let error = setup_with(&python, &home.path().join("onnxruntime"), false, &Stopped).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(names(home.path()), ["python3"]);
}
