//! Reads the options this backend knows.

use crate::NAME;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tract_linalg::multithread::Executor;
use zoo_core::{Error, Options, Result};

/// Most threads that may be asked for; a greater number is taken for a slip.
const MAX_THREADS: usize = 256;

/// Options in the form the session needs.
pub(crate) struct Settings {
    /// Who computes; `None` is tract's default, one thread.
    pub(crate) executor: Option<Executor>,
    /// Workers among which independent items may be shared out.
    pub(crate) workers: Option<usize>,
    /// Batch size to plan for.
    pub(crate) batch_hint: Option<usize>,
    /// Plans kept.
    pub(crate) plans: usize,
}

/// Checks and converts the options. Keys of other backends are skipped.
pub(crate) fn parse(options: &Options) -> Result<Settings> {
    let mut plans = 8;
    for (key, value) in &options.extra {
        let Some(own) = key.strip_prefix("tract.") else { continue };
        match own {
            "plans" => {
                plans = value
                    .parse()
                    .ok()
                    .filter(|n| (1..=1024).contains(n))
                    .ok_or_else(|| Error::argument("option `tract.plans`", "a whole number from 1 to 1024", value))?;
            }
            _ => return Err(Error::Unknown { kind: "option", name: key.clone(), hint: "tract has `tract.plans`".into() }),
        }
    }
    if options.batch_hint == Some(0) {
        return Err(Error::argument("batch hint", "at least 1", 0));
    }
    let all = || std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Settings {
        executor: options.threads.map(executor).transpose()?,
        workers: options.independent_items.then(|| options.threads.unwrap_or_else(all)),
        batch_hint: options.batch_hint,
        plans,
    })
}

/// A thread pool of that many threads. Sessions that ask for the same number share one.
fn executor(threads: usize) -> Result<Executor> {
    static POOLS: Mutex<BTreeMap<usize, Executor>> = Mutex::new(BTreeMap::new());
    match threads {
        1 => Ok(Executor::SingleThread),
        2..=MAX_THREADS => {
            let mut pools = POOLS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(pool) = pools.get(&threads) {
                return Ok(pool.clone());
            }
            let pool = crate::guard::guard("starting threads", || Ok(Executor::multithread_with_name(threads, NAME)))?;
            pools.insert(threads, pool.clone());
            Ok(pool)
        }
        _ => Err(Error::argument("threads", format!("1 to {MAX_THREADS}"), threads)),
    }
}
