//! SIGKILL at any point: after so many bytes from the hub, before, in the middle of and after so many file operations.

use crate::Effort;
use crate::check::{Moment, fetched, sound};
use crate::kit::{Job, Kit, TARGET};
use crate::sandbox::{End, Sandbox};
use crate::table::Row;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use zoo_test_support::hub::Server;

/// How often it is looked whether a process that should come to a point has ended without.
const LOOK: Duration = Duration::from_millis(50);

/// Seeded numbers.
pub struct Points(ChaCha12Rng);

impl Points {
    /// A stream of its own for each kind of fault.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number from 0 to `below - 1`.
    pub fn draw(&mut self, below: usize) -> usize {
        usize::try_from(self.0.next_u64() % (below.max(1) as u64)).unwrap_or_default()
    }
}

/// Rows of processes that are killed, and of those that are asked to stop.
pub fn rows(kit: &Kit, effort: Effort, keep: &mut dyn FnMut(Row)) {
    // Fetching has the most states; training and exporting share the rest.
    let bytes = effort.kills / 5;
    let share = |tenths: usize| effort.kills * tenths / 10;
    let fetch = share(2).max(1);
    let (train, onnx) = (share(3).max(1), share(1).max(1));
    let event = effort.kills.saturating_sub(bytes + fetch + train + onnx).max(1);
    keep(after_bytes(kit, effort.seed, bytes.max(1)));
    for (job, count) in [(Job::Fetch, fetch), (Job::Train, train), (Job::ExportOnnx, onnx), (Job::ExportEvent, event)] {
        keep(at_operations(kit, effort.seed, job, count));
    }
    for job in Job::ALL {
        keep(interrupted(kit, effort.seed, job, effort.points));
    }
}

/// Runs the command again, undisturbed, and looks at what is there then.
///
/// # Errors
/// What is not as an undisturbed run leaves it.
pub fn again(kit: &Kit, sandbox: &Sandbox, job: Job, hub: &str) -> Result<(), String> {
    let end = sandbox.run(&mut sandbox.command(kit, job, hub));
    if end.status != Some(0) {
        return Err(format!("the next run ends with {}: {}", end.name(), end.said));
    }
    sound(sandbox, kit, job, Moment::End)?;
    if job == Job::Fetch { fetched(sandbox, kit) } else { Ok(()) }
}

/// What must hold after a fault, and after the next run.
///
/// # Errors
/// The first that does not.
pub fn survived(kit: &Kit, sandbox: &Sandbox, job: Job, hub: &str) -> Result<(), String> {
    sound(sandbox, kit, job, Moment::Between).map_err(|why| format!("after the fault: {why}"))?;
    again(kit, sandbox, job, hub).map_err(|why| format!("after the next run: {why}"))
}

fn after_bytes(kit: &Kit, seed: u64, count: usize) -> Row {
    let mut row = Row::new("SIGKILL in fetch, after so many bytes of a file");
    let mut points = Points::new(seed, 1);
    for _ in 0..count {
        let after = points.draw(kit.served[TARGET].len());
        let (reached, waiting) = channel();
        let honest = kit.honest();
        let slow = Server::new(move |request| {
            let reply = honest(request);
            if request.is_download() && request.path.ends_with(TARGET) { reply.stall(after, Some(reached.clone())) } else { reply }
        });
        let sandbox = Sandbox::new(kit);
        let mut running = sandbox.start(&mut sandbox.command(kit, Job::Fetch, &slow.url));
        let came = loop {
            match waiting.recv_timeout(LOOK) {
                Ok(()) => break true,
                Err(RecvTimeoutError::Timeout) if running.child.try_wait().is_ok_and(|ended| ended.is_none()) => {}
                Err(_) => break false,
            }
        };
        let end = running.kill();
        let verdict = if came { survived(kit, &sandbox, Job::Fetch, &kit.hub().url) } else { Err(format!("it never asked: {}", end.said)) };
        row.count(end.name(), verdict.map_err(|why| format!("after {after} bytes: {why}")));
    }
    row
}

/// Names of the file operations of an undisturbed run, in their order.
///
/// # Errors
/// Why they can't be counted.
pub fn operations(kit: &Kit, job: Job) -> Result<Vec<String>, String> {
    kit.reference(job)?;
    let sandbox = Sandbox::new(kit);
    let log = sandbox.outside("operations");
    let hub = kit.hub();
    let mut command = sandbox.command(kit, job, &hub.url);
    sandbox.counted(kit, &mut command)?;
    let end = sandbox.run(command.env("ZOO_FAULT_LOG", &log));
    let text = std::fs::read_to_string(log).unwrap_or_default();
    if end.status != Some(0) || text.is_empty() {
        return Err(format!("its file operations can't be counted: {}", end.said));
    }
    Ok(text.lines().filter_map(|line| Some(line.split_once(' ')?.1.replace(&sandbox.path().display().to_string(), ""))).collect())
}

/// A run that gets a signal at the `number`-th file operation, counted from 1.
fn struck(kit: &Kit, sandbox: &Sandbox, job: Job, hub: &str, number: usize, signal: i32, when: &str) -> Result<End, String> {
    let mut command = sandbox.command(kit, job, hub);
    sandbox.counted(kit, &mut command)?;
    Ok(sandbox.run(command.env("ZOO_FAULT_SIGNAL", format!("{number}:{signal}:{when}"))))
}

fn at_operations(kit: &Kit, seed: u64, job: Job, count: usize) -> Row {
    let fault = format!("SIGKILL in {}, at a file operation", job.name());
    let operations = match operations(kit, job) {
        Ok(operations) => operations,
        Err(why) => return Row::skipped(fault, why),
    };
    let mut row = Row::new(fault);
    let mut points = Points::new(seed, 10 + job as u64);
    let hub = kit.hub();
    // How many writes a file takes depends on how its bytes come in, so that a late point may not be reached.
    for turn in 0..2 * count {
        if row.injected == count {
            break;
        }
        let number = points.draw(operations.len()) + 1;
        let when = ["before", "half", "after"][points.draw(3)];
        let sandbox = Sandbox::new(kit);
        let mut reached = true;
        let verdict = struck(kit, &sandbox, job, &hub.url, number, 9, when).and_then(|end| {
            if end.status == Some(0) {
                reached = false;
                return sound(&sandbox, kit, job, Moment::End);
            }
            if end.signal != Some(9) {
                return Err(format!("it was not killed but ended with {}: {}", end.name(), end.said));
            }
            sound(&sandbox, kit, job, Moment::Between).map_err(|why| format!("after the fault: {why}"))?;
            // Every fourth is killed once more, where it goes on.
            if turn % 4 == 3 {
                struck(kit, &sandbox, job, &hub.url, points.draw(number) + 1, 9, "after")?;
            }
            survived(kit, &sandbox, job, &hub.url)
        });
        if !reached && verdict.is_ok() {
            continue;
        }
        row.count("killed", verdict.map_err(|why| format!("{when} operation {number} ({}): {why}", operations[number - 1])));
    }
    row
}

/// One SIGINT, as from Ctrl-C: 130 and nothing half written, or 0 if there was nothing left to stop.
fn interrupted(kit: &Kit, seed: u64, job: Job, count: usize) -> Row {
    let fault = format!("Ctrl-C in {}, at a file operation", job.name());
    let operations = match operations(kit, job) {
        Ok(operations) => operations,
        Err(why) => return Row::skipped(fault, why),
    };
    let mut row = Row::new(fault);
    let mut points = Points::new(seed, 20 + job as u64);
    let hub = kit.hub();
    for _ in 0..count {
        let number = points.draw(operations.len()) + 1;
        let sandbox = Sandbox::new(kit);
        let at = |why| format!("at operation {number} ({}): {why}", operations[number - 1]);
        match struck(kit, &sandbox, job, &hub.url, number, 2, "before") {
            Ok(end) => {
                let verdict = match end.status {
                    Some(0) => sound(&sandbox, kit, job, Moment::End),
                    Some(130) => survived(kit, &sandbox, job, &hub.url),
                    _ => Err(format!("ended with {}: {}", end.name(), end.said)),
                };
                row.count(end.name(), verdict.map_err(at));
            }
            Err(why) => row.count("none", Err(at(why))),
        }
    }
    row
}
