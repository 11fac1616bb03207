//! A backend is shared between threads, a session moves between them.

use super::{compile as compiled, fixtures, verify};
use crate::failure::Failure;
use crate::fixture::Suite;
use zoo_core::Backend;

pub(super) fn interleaved(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    let all = fixtures(suite, |_| true)?;
    let mut sessions = Vec::new();
    for fixture in &all {
        sessions.push((fixture, compiled(backend, fixture)?));
        sessions.push((fixture, compiled(backend, fixture)?));
    }
    for round in 0..2 {
        for (fixture, session) in &mut sessions {
            verify(fixture, &fixture.cases[round % fixture.cases.len()], &mut **session)?;
        }
    }
    Ok(())
}

pub(super) fn threads(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    let mut sessions = Vec::new();
    for fixture in fixtures(suite, |_| true)? {
        sessions.push((fixture, compiled(backend, fixture)?));
        sessions.push((fixture, compiled(backend, fixture)?));
    }
    std::thread::scope(|scope| {
        let run = |(fixture, mut session): (&crate::fixture::Fixture, Box<dyn zoo_core::Session>)| {
            (0..8).try_for_each(|_| fixture.cases.iter().try_for_each(|case| verify(fixture, case, &mut *session)))
        };
        let started: Vec<_> = sessions.into_iter().map(|s| scope.spawn(move || run(s))).collect();
        started.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Failure::Panicked { what: "a thread".into() })))
    })
}

pub(super) fn compile_all(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    for fixture in fixtures(suite, |_| true)? {
        let mut session = compiled(backend, fixture)?;
        fixture.cases.iter().try_for_each(|case| verify(fixture, case, &mut *session))?;
    }
    Ok(())
}

pub(super) fn compile(backend: &dyn Backend, suite: &Suite) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..4).map(|_| scope.spawn(|| compile_all(backend, suite))).collect();
        started.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Failure::Panicked { what: "a thread".into() })))
    })
}
