//! Many calls and many threads.

use super::report::{Recorder, broken};
use zoo_core::{Error, dlpack};

/// Calls of the leak check.
pub(super) const CALLS: usize = 10_000;
/// Threads of the thread check.
pub(super) const THREADS: usize = 4;
/// Growth of resident memory in bytes that counts as noise over [`CALLS`] calls.
const NOISE: u64 = 512 << 10;
/// A leak shows in every round, noise does not.
const ROUNDS: usize = 3;

/// Calls `body` over and over: tensors must all be given back, and memory must not grow.
pub(super) fn leaks(record: &mut Recorder, subject: &str, rule: &str, mut body: impl FnMut() -> Result<(), Error>) {
    let rule = format!("{rule}: no leak over {CALLS} calls");
    let mut least = u64::MAX;
    for _ in 0..ROUNDS {
        let (tensors, memory) = (dlpack::exported(), resident());
        for call in 0..CALLS {
            if let Err(error) = body().or_else(|e| if broken(&e) { Err(e) } else { Ok(()) }) {
                return record.failed(subject, &rule, format!("call {call}: {error}"));
            }
        }
        let kept = dlpack::exported() - tensors;
        if kept != 0 {
            return record.failed(subject, &rule, format!("{kept} tensors that were handed to it were never given back"));
        }
        let (Some(before), Some(after)) = (memory, resident()) else {
            return record.skipped(subject, &rule, "tensors are all given back; memory can't be read on this system");
        };
        least = least.min(after.saturating_sub(before));
        if least <= NOISE {
            return record.passed(subject, &rule);
        }
    }
    record.failed(subject, &rule, format!("memory grew by at least {least} bytes in each of {ROUNDS} rounds, {NOISE} are allowed"));
}

/// Resident memory of this process in bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb << 10)
}

/// Runs `body` on several threads at once; each must find what one thread alone found.
pub(super) fn threads<T: PartialEq + Send + Sync>(
    record: &mut Recorder,
    subject: &str,
    rule: &str,
    body: impl Fn() -> Result<T, Error> + Sync,
) {
    record.check(subject, &format!("{rule}: {THREADS} threads find what one finds"), || {
        let alone = body().map_err(|e| e.to_string())?;
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| (0..8).map(|_| body()).collect::<Result<Vec<_>, _>>())).collect();
            running.into_iter().try_for_each(|thread| match thread.join() {
                Ok(Ok(found)) if found.iter().all(|one| *one == alone) => Ok(()),
                Ok(Ok(_)) => Err("another result than on one thread".into()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("a thread of the suite panicked".into()),
            })
        })
    });
}
