//! Bytes that are not what they should be.

use super::fixtures;
use crate::failure::Failure;
use crate::fixture::Suite;
use std::panic::{AssertUnwindSafe, catch_unwind};
use zoo_core::{Artifact, ArtifactFile, Backend, Device, Error, Options, Result as ZooResult, Session};

/// The artifact with another main file.
fn with_main(artifact: &Artifact, bytes: Vec<u8>) -> Artifact {
    let mut files = artifact.files.clone();
    files[0] = ArtifactFile { name: files[0].name.clone(), bytes: bytes.into() };
    Artifact { files, ..artifact.clone() }
}

fn compile(backend: &dyn Backend, artifact: &Artifact, what: &str) -> Result<ZooResult<Box<dyn Session>>, Failure> {
    let options = Options { threads: Some(1), ..Options::default() };
    catch_unwind(AssertUnwindSafe(|| backend.compile(artifact, &Device::Cpu, &options)))
        .map_err(|_| Failure::Panicked { what: what.into() })
}

pub(super) fn other_bytes(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    let artifact = &fixtures(suite, |_| true)?[0].artifact;
    let html = b"<!DOCTYPE html><html><body>404 Not Found</body></html>".to_vec();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n".to_vec();
    let kinds: [(&str, Vec<u8>); 6] = [
        ("no bytes", Vec::new()),
        ("a web page", html),
        ("a pointer file", pointer),
        ("zeros", vec![0; 4096]),
        ("ones", vec![0xFF; 4096]),
        ("a library", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".repeat(8)),
    ];
    for (what, bytes) in kinds {
        match compile(backend, &with_main(artifact, bytes), what)? {
            Err(Error::Artifact { .. }) => {}
            Err(other) => return Err(Failure::Refusal { what: what.into(), expected: "Error::Artifact", found: format!("{other:?}") }),
            Ok(_) => return Err(Failure::Refusal { what: what.into(), expected: "Error::Artifact", found: "success".into() }),
        }
    }
    Ok(())
}

pub(super) fn missing_data(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |f| f.artifact.files.len() > 1)? {
        let alone = Artifact { files: fixture.artifact.files[..1].to_vec(), ..fixture.artifact.clone() };
        let mut short = fixture.artifact.clone();
        for file in &mut short.files[1..] {
            file.bytes = file.bytes[..file.bytes.len() / 2].into();
        }
        for (artifact, how) in [(alone, "without its data"), (short, "with half of its data")] {
            let what = format!("{} {how}", fixture.name);
            if compile(backend, &artifact, &what)?.is_ok() {
                return Err(Failure::Refusal { what, expected: "an error", found: "success".into() });
            }
        }
    }
    Ok(())
}

pub(super) fn truncated(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let bytes = &fixture.artifact.files[0].bytes;
        let step = (bytes.len() / 64).max(1);
        for end in (0..bytes.len()).step_by(step) {
            let what = format!("{} cut to {end} bytes", fixture.name);
            // A cut at the end of a field can be a whole, shorter artifact, so success is no failure.
            let _ = compile(backend, &with_main(&fixture.artifact, bytes[..end].to_vec()), &what)?;
        }
    }
    Ok(())
}

pub(super) fn damaged(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let bytes = &fixture.artifact.files[0].bytes;
        let step = (bytes.len() / 400).max(1);
        for at in (0..bytes.len()).step_by(step) {
            for mask in [0x01, 0x80, 0xFF] {
                let mut bytes = bytes.to_vec();
                bytes[at] ^= mask;
                let what = format!("{}, byte {at} changed by {mask:#04x}", fixture.name);
                let _ = compile(backend, &with_main(&fixture.artifact, bytes), &what)?;
            }
        }
    }
    Ok(())
}
