//! A lock that its holder may take again: for plugins that must not be entered by two threads at once.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::ThreadId;

/// A re-entrant lock.
#[derive(Debug, Default)]
pub struct Serial {
    holder: Mutex<Option<(ThreadId, u32)>>,
    freed: Condvar,
}

/// Holds the lock.
pub struct Held<'a> {
    serial: &'a Serial,
    /// Keeps the guard on the thread that took it.
    _thread: std::marker::PhantomData<Cell<*const ()>>,
}

impl Serial {
    /// Waits until no other thread holds the lock. The thread that holds it passes at once: a plugin may be entered
    /// again from the host's callbacks.
    pub fn enter(&self) -> Held<'_> {
        let me = std::thread::current().id();
        let mut holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match holder.as_mut() {
                None => {
                    *holder = Some((me, 1));
                    break;
                }
                Some((thread, depth)) if *thread == me => {
                    *depth += 1;
                    break;
                }
                Some(_) => holder = self.freed.wait(holder).unwrap_or_else(PoisonError::into_inner),
            }
        }
        Held { serial: self, _thread: std::marker::PhantomData }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut holder = self.serial.holder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, depth)) = holder.as_mut() {
            *depth -= 1;
            if *depth == 0 {
                *holder = None;
                self.serial.freed.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Serial;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_thread_at_a_time_and_again_from_inside() {
        let (serial, inside, most) = (Serial::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _held = serial.enter();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let _again = serial.enter();
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }
}
