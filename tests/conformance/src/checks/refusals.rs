//! Wrong use gives the error that the contract names, and a session is as good after it as before.

use super::{compile, feed, fixtures, verify};
use crate::failure::Failure;
use crate::fixture::Suite;
use zoo_core::{Artifact, ArtifactKind, Backend, DType, Device, Error, Options, Result as ZooResult, Tensor};

/// Fails unless `result` is an error that passes `fits`.
fn refused<T>(what: String, result: ZooResult<T>, expected: &'static str, fits: impl Fn(&Error) -> bool) -> Result<(), Failure> {
    match result {
        Err(error) if fits(&error) => Ok(()),
        Err(error) => Err(Failure::Refusal { what, expected, found: format!("{error:?}") }),
        Ok(_) => Err(Failure::Refusal { what, expected, found: "success".into() }),
    }
}

pub(super) fn count(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let mut session = compile(backend, fixture)?;
        let case = &fixture.cases[0];
        let inputs = feed(fixture, case, &*session)?;
        let fits = |e: &Error| matches!(e, Error::Argument { .. });
        refused(format!("{}, no input", fixture.name), session.run(&[]), "Error::Argument", fits)?;
        let more: Vec<_> = inputs.iter().chain(&inputs[..1]).cloned().collect();
        refused(format!("{}, one input more", fixture.name), session.run(&more), "Error::Argument", fits)?;
        verify(fixture, case, &mut *session)?;
    }
    Ok(())
}

pub(super) fn dtype(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let mut session = compile(backend, fixture)?;
        let case = &fixture.cases[0];
        let inputs = feed(fixture, case, &*session)?;
        for (i, input) in inputs.iter().enumerate() {
            for other in DType::ALL.into_iter().filter(|&d| d != input.dtype()) {
                let mut wrong = inputs.clone();
                wrong[i] = Tensor::zeros(other, input.shape()).map_err(Failure::backend("making an input"))?;
                let what = format!("{}, input {i} as {other}", fixture.name);
                refused(what, session.run(&wrong), "Error::DType", |e| matches!(e, Error::DType { .. }))?;
            }
        }
        verify(fixture, case, &mut *session)?;
    }
    Ok(())
}

pub(super) fn shape(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let mut session = compile(backend, fixture)?;
        let case = &fixture.cases[0];
        let inputs = feed(fixture, case, &*session)?;
        for (i, input) in inputs.iter().enumerate() {
            let fixed = session.inputs()[i].shape.iter().map(|d| d.fixed().is_some()).collect::<Vec<_>>();
            let mut shapes: Vec<Vec<usize>> = vec![[input.shape(), &[1]].concat(), input.shape().iter().skip(1).copied().collect()];
            for axis in (0..fixed.len()).filter(|&a| fixed[a]) {
                for length in [0, input.shape()[axis] + 1] {
                    let mut shape = input.shape().to_vec();
                    shape[axis] = length;
                    shapes.push(shape);
                }
            }
            for shape in shapes {
                let what = format!("{}, input {i} of shape {shape:?}", fixture.name);
                let mut wrong = inputs.clone();
                wrong[i] = Tensor::zeros(input.dtype(), shape).map_err(Failure::backend("making an input"))?;
                refused(what, session.run(&wrong), "Error::Shape", |e| matches!(e, Error::Shape { .. }))?;
            }
        }
        verify(fixture, case, &mut *session)?;
    }
    Ok(())
}

pub(super) fn disagreeing_axes(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |f| f.batched && f.cases[0].inputs.len() > 1)? {
        let mut session = compile(backend, fixture)?;
        let case = &fixture.cases[0];
        let mut inputs = feed(fixture, case, &*session)?;
        let last = inputs.len() - 1;
        inputs[last] = Tensor::concat(&[inputs[last].clone(), inputs[last].clone()]).map_err(Failure::backend("making an input"))?;
        refused(format!("{}, two batch sizes", fixture.name), session.run(&inputs), "Error::Shape", |e| matches!(e, Error::Shape { .. }))?;
        verify(fixture, case, &mut *session)?;
    }
    Ok(())
}

pub(super) fn kind(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    let bytes = fixtures(suite, |_| true)?[0].artifact.files[0].bytes.clone();
    for kind in [ArtifactKind::Onnx, ArtifactKind::EventGraph, ArtifactKind::Nir, ArtifactKind::Safetensors] {
        if !backend.accepts().contains(&kind) {
            let artifact = Artifact::single(kind, "wrong", "file", bytes.clone());
            let result = backend.compile(&artifact, &Device::Cpu, &Options::default());
            refused(format!("a {kind} artifact"), result, "Error::NotOffered", |e| matches!(e, Error::NotOffered { .. }))?;
        }
    }
    Ok(())
}

pub(super) fn no_files(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    let artifact = Artifact { files: Vec::new(), ..fixtures(suite, |_| true)?[0].artifact.clone() };
    let result = backend.compile(&artifact, &Device::Cpu, &Options::default());
    refused("no files".into(), result, "Error::Artifact", |e| matches!(e, Error::Artifact { .. }))
}

pub(super) fn options(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    let fixture = fixtures(suite, |_| true)?[0];
    let with = |key: String| Options { extra: [(key, "1".into())].into(), ..Options::default() };
    let unknown = format!("{}.no-such-option", backend.name());
    let result = backend.compile(&fixture.artifact, &Device::Cpu, &with(unknown.clone()));
    refused(unknown.clone(), result, "Error::Unknown with the key", |e| matches!(e, Error::Unknown { name, .. } if *name == unknown))?;
    let other = backend.compile(&fixture.artifact, &Device::Cpu, &with("another-backend.option".into()));
    other.map_err(Failure::backend("an option of another backend"))?;
    let none = Options { threads: Some(0), ..Options::default() };
    let result = backend.compile(&fixture.artifact, &Device::Cpu, &none);
    refused("no threads".into(), result, "Error::Argument", |e| matches!(e, Error::Argument { .. }))
}

pub(super) fn device(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    let fixture = fixtures(suite, |_| true)?[0];
    let result = backend.compile(&fixture.artifact, &Device::Cuda(77), &Options::default());
    refused("device cuda:77".into(), result, "Error::Unavailable", |e| matches!(e, Error::Unavailable { .. }))
}

pub(super) fn operator(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    let Some(unsupported) = &suite.unsupported else { return Err(Failure::NoFixture) };
    let result = backend.compile(&unsupported.artifact, &Device::Cpu, &Options::default());
    refused(
        "an unknown operator".into(),
        result,
        "Error::UnsupportedOperator with node and operator",
        |e| matches!(e, Error::UnsupportedOperator { node, op, .. } if *node == unsupported.node && op.contains(&unsupported.op)),
    )
}
