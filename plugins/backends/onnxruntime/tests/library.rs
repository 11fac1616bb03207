//! What happens without a usable library. No test here needs ONNX Runtime.

use std::path::{Path, PathBuf};
use std::process::Command;
use zoo_backend_onnxruntime::OnnxRuntime;
use zoo_core::{Artifact, ArtifactKind, Availability, Backend, Device, Error, Options};

/// The error of compiling and the reason of probing, which must both come back as values and both tell the mend.
fn refused(library: &Path) -> (Error, String) {
    let backend = OnnxRuntime::with_library(library);
    let Availability::Unavailable { why, mend } = backend.probe() else { panic!("{} was accepted", library.display()) };
    assert!(mend.contains("cargo xtask setup onnxruntime"), "{mend}");
    let artifact = Artifact::single(ArtifactKind::Onnx, "x", "x.onnx", Vec::new());
    let error = backend.compile(&artifact, &Device::Cpu, &Options::default()).err().unwrap();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    // The option goes before the library that the backend was made with.
    let extra = [("onnxruntime.lib".to_string(), library.display().to_string())].into();
    let options = Options { extra, ..Options::default() };
    let other = OnnxRuntime::with_library("/nonexistent/other.so").compile(&artifact, &Device::Cpu, &options).err().unwrap();
    assert_eq!(other.to_string(), error.to_string());
    (error, why)
}

/// Compiles a C stub that passes for ONNX Runtime; `None` without a C compiler.
fn stub(folder: &Path, version: &str) -> Option<PathBuf> {
    let (source, library) = (folder.join("stub.c"), folder.join("libonnxruntime.so"));
    let code = format!(
        "#include <stddef.h>\n\
         static const void *get_api(unsigned version) {{ (void)version; return NULL; }}\n\
         static const char *get_version(void) {{ return {version}; }}\n\
         static struct {{ const void *(*a)(unsigned); const char *(*v)(void); }} base = {{ get_api, get_version }};\n\
         const void *OrtGetApiBase(void) {{ return &base; }}\n"
    );
    std::fs::write(&source, code).unwrap();
    match Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status() {
        Ok(status) => {
            assert!(status.success());
            Some(library)
        }
        Err(error) => {
            println!("skipped: no C compiler ({error})");
            None
        }
    }
}

#[test]
fn a_missing_library_is_named() {
    let (error, why) = refused(Path::new("/nonexistent/libonnxruntime.so"));
    assert!(why.contains("/nonexistent/libonnxruntime.so") && why.contains("no file"), "{why}");
    assert!(error.to_string().contains("/nonexistent/libonnxruntime.so"), "{error}");
}

#[test]
fn a_folder_is_no_library() {
    let folder = tempfile::tempdir().unwrap();
    let (_, why) = refused(folder.path());
    assert!(why.contains("no file"), "{why}");
}

#[test]
fn a_file_that_is_no_library_is_refused_with_the_loaders_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libonnxruntime.so.1.32.0");
    std::fs::write(&path, b"<html>404</html>").unwrap();
    let (_, why) = refused(&path);
    assert!(why.contains("can't be loaded"), "{why}");
    if cfg!(target_os = "linux") {
        assert!(why.contains("file too short") || why.contains("invalid ELF header"), "{why}");
    }
}

#[test]
fn a_library_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("other.c"), folder.path().join("libonnxruntime.so"));
    std::fs::write(&source, "int other(void) { return 1; }\n").unwrap();
    let Ok(status) = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status() else {
        println!("skipped: no C compiler");
        return;
    };
    assert!(status.success());
    let (_, why) = refused(&library);
    assert!(why.contains("OrtGetApiBase"), "{why}");
}

#[test]
fn an_old_version_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = stub(folder.path(), "\"1.10.0\"") else { return };
    let (_, why) = refused(&library);
    assert!(why.contains("expected version 1.24") && why.contains("found \"1.10.0\""), "{why}");
}

#[test]
fn a_version_that_lies_about_its_api_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = stub(folder.path(), "\"1.99.0\"") else { return };
    let (_, why) = refused(&library);
    assert!(why.contains("without it"), "{why}");
}

#[test]
fn odd_versions_are_refused() {
    for version in ["NULL", "\"\"", "\"2.30.0\"", "\"one.two\"", "\"\\xff\\xfe\""] {
        let folder = tempfile::tempdir().unwrap();
        let Some(library) = stub(folder.path(), version) else { return };
        let (_, why) = refused(&library);
        assert!(why.contains("expected"), "{version}: {why}");
    }
}

#[test]
fn options_are_checked_before_the_library() {
    let artifact = Artifact::single(ArtifactKind::Onnx, "x", "x.onnx", Vec::new());
    let backend = OnnxRuntime::with_library("/nonexistent/libonnxruntime.so");
    let extra = [("onnxruntime.speed".to_string(), "high".to_string())].into();
    let error = backend.compile(&artifact, &Device::Cpu, &Options { extra, ..Options::default() }).err().unwrap();
    assert!(matches!(&error, Error::Unknown { name, .. } if name == "onnxruntime.speed"), "{error}");
    let nir = Artifact { kind: ArtifactKind::Nir, ..artifact };
    let error = backend.compile(&nir, &Device::Cpu, &Options::default()).err().unwrap();
    assert!(matches!(error, Error::NotOffered { .. }), "{error}");
}
