//! Sharing the machine's cores: with other processes when an engine starts, and among this process's engines always.
//!
//! llama.cpp's threads spin while they wait for each other, so a thread that is not running holds up all the others.
//! Two engines computing at once, or one computing beside a busy process, would be many times slower than in turn.

use std::{
    fs,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

static TURN: Mutex<()> = Mutex::new(());

/// Held while an engine of several threads computes. An engine of one thread needs no turn: it waits for nobody.
pub(crate) fn turn(threads: usize) -> Option<MutexGuard<'static, ()>> {
    (threads > 1).then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The cores nobody else is busy on right now, at least one.
pub(crate) fn idle() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let busy = (0..5).filter_map(|_| {
        thread::sleep(Duration::from_millis(4));
        running(&fs::read_to_string("/proc/loadavg").ok()?)
    });
    // The least of a few looks: a process that ran for a moment is not load. One of those running is this thread.
    let others = busy.min().map_or(0, |running| running.saturating_sub(1));
    cores.saturating_sub(others).max(1)
}

/// Threads running at this moment: the figure before the slash in `0.20 0.18 0.12 3/512 11206`.
fn running(loadavg: &str) -> Option<usize> {
    loadavg.split_whitespace().nth(3)?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_threads_are_read_from_loadavg() {
        assert_eq!(running("0.20 0.18 0.12 3/512 11206\n"), Some(3));
        assert_eq!(running("garbage"), None);
        assert!(idle() >= 1);
    }

    #[test]
    fn one_thread_needs_no_turn() {
        let held = turn(2);
        assert!(held.is_some() && turn(1).is_none());
    }
}
