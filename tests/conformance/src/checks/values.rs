//! Right results: values, specs, determinism, batches, reset, threads.

use super::{compile, feed, fixtures, run_case, same, verify};
use crate::failure::Failure;
use crate::fixture::{Fixture, Suite};
use crate::tolerance::Op;
use zoo_core::{Backend, Device, Options, Session, Tensor};

pub(super) fn expected(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let mut session = compile(backend, fixture)?;
        fixture.cases.iter().try_for_each(|case| verify(fixture, case, &mut *session))?;
    }
    Ok(())
}

pub(super) fn specs(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let mut artifact = fixture.artifact.clone();
        artifact.metadata.insert("conformance".into(), "kept".into());
        let session = compile(backend, &Fixture { artifact, ..fixture.clone() })?;
        if session.metadata().get("conformance").map(String::as_str) != Some("kept") {
            let found = format!("{:?}", session.metadata());
            return Err(Failure::Refusal { what: format!("{}, metadata", fixture.name), expected: "what the artifact carries", found });
        }
        for case in &fixture.cases {
            let what = format!("{}/{}", fixture.name, case.name);
            let inputs = feed(fixture, case, &*session)?;
            let outputs = case.want(&*session).map_err(Failure::backend(&what))?;
            for (specs, tensors, all) in [(session.inputs(), inputs, &case.inputs), (session.outputs(), outputs, &case.outputs)] {
                if specs.len() != all.len() {
                    let difference = format!("expected {} tensors, found {}", all.len(), specs.len());
                    return Err(Failure::Differs { what, difference });
                }
                zoo_core::spec::check_all(&what, specs, &tensors).map_err(Failure::backend(&what))?;
            }
        }
    }
    Ok(())
}

pub(super) fn deterministic(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let (mut session, mut other) = (compile(backend, fixture)?, compile(backend, fixture)?);
        for case in &fixture.cases {
            let what = format!("{}/{}", fixture.name, case.name);
            let first = run_case(fixture, case, &mut *session)?;
            // Other work in between must leave no trace.
            fixture.cases.iter().try_for_each(|c| run_case(fixture, c, &mut *session).map(|_| ()))?;
            let again = run_case(fixture, case, &mut *session)?;
            same(&what, &*session, &again, &first, Op::Exact)?;
            let fresh = run_case(fixture, case, &mut *other)?;
            same(&format!("{what}, another session"), &*session, &fresh, &first, Op::Exact)?;
        }
    }
    Ok(())
}

/// The tensors of one item of a batch.
fn item(tensors: &[Tensor], index: usize) -> Result<Vec<Tensor>, Failure> {
    tensors.iter().map(|t| t.rows(index..index + 1)).collect::<zoo_core::Result<_>>().map_err(Failure::backend("slicing a batch"))
}

fn batch_len(tensors: &[Tensor]) -> usize {
    tensors.first().and_then(|t| t.shape().first().copied()).unwrap_or(0)
}

fn run_raw(fixture: &Fixture, session: &mut dyn Session, inputs: &[Tensor]) -> Result<Vec<Tensor>, Failure> {
    session.run(inputs).map_err(Failure::backend(format!("{}, running", fixture.name)))
}

pub(super) fn batch_invariant(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |f| f.batched)? {
        let mut session = compile(backend, fixture)?;
        for case in &fixture.cases {
            let inputs = feed(fixture, case, &*session)?;
            let whole = run_case(fixture, case, &mut *session)?;
            for i in 0..batch_len(&inputs) {
                let alone = run_raw(fixture, &mut *session, &item(&inputs, i)?)?;
                same(&format!("{}/{}, item {i}", fixture.name, case.name), &*session, &alone, &item(&whole, i)?, fixture.op)?;
            }
        }
    }
    Ok(())
}

pub(super) fn any_batch(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |f| f.batched)? {
        let mut session = compile(backend, fixture)?;
        for case in &fixture.cases {
            let one = item(&feed(fixture, case, &*session)?, 0)?;
            let want = item(&run_case(fixture, case, &mut *session)?, 0)?;
            // More sizes than a backend that plans by shape is likely to keep plans for, then the first again.
            for size in (1..=20).chain([1, 2]) {
                let copies = |t: &Tensor| Tensor::concat(&vec![t.clone(); size]);
                let batch = one.iter().map(copies).collect::<zoo_core::Result<Vec<_>>>().map_err(Failure::backend("making a batch"))?;
                let found = run_raw(fixture, &mut *session, &batch)?;
                for i in [0, size - 1] {
                    same(&format!("{}, batch of {size}, item {i}", fixture.name), &*session, &item(&found, i)?, &want, fixture.op)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) fn reset(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let mut session = compile(backend, fixture)?;
        let case = &fixture.cases[0];
        let first = run_case(fixture, case, &mut *session)?;
        session.reset();
        session.reset();
        let again = run_case(fixture, case, &mut *session)?;
        same(&fixture.name, &*session, &again, &first, Op::Exact)?;
        let runs = session.stats().runs;
        if runs != 2 {
            return Err(Failure::Differs {
                what: format!("{}, stats", fixture.name),
                difference: format!("expected 2 runs, found {runs}"),
            });
        }
    }
    Ok(())
}

pub(super) fn threads(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        for threads in [None, Some(2), Some(3)] {
            let options = Options { threads, ..Options::default() };
            let compiled = backend.compile(&fixture.artifact, &Device::Cpu, &options);
            let mut session = compiled.map_err(Failure::backend(format!("{}, {threads:?} threads", fixture.name)))?;
            fixture.cases.iter().try_for_each(|case| verify(fixture, case, &mut *session))?;
        }
    }
    Ok(())
}
