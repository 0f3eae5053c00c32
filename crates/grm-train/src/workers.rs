//! Micro-batches side by side.
//!
//! A step's micro-batches do not depend on each other. Working on several at once, each on its own share of the cores,
//! keeps cores busy that would wait for each other inside every single tensor operation. Results are handed back in the
//! order of the micro-batches, so no number depends on how many were worked on at once.

use std::num::NonZeroUsize;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Pools of threads, one for each micro-batch worked on at once.
pub(crate) struct Workers {
    pools: Vec<ThreadPool>,
}

impl Workers {
    /// `count` workers that share the cores between them; 0 makes one for each core.
    pub(crate) fn new(count: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let count = if count == 0 { cores } else { count };
        let threads = (cores / count).max(1);
        let pool = |_| ThreadPoolBuilder::new().num_threads(threads).build().ok();
        Self { pools: (0..count).map_while(pool).collect() }
    }

    /// `work(0)`, …, `work(count - 1)`, in that order whoever does them.
    pub(crate) fn map<T: Send>(&self, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        if self.pools.len() < 2 || count < 2 {
            return (0..count).map(work).collect();
        }
        let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
        std::thread::scope(|scope| {
            let mut shares: Vec<Vec<(usize, &mut Option<T>)>> = self.pools.iter().map(|_| Vec::new()).collect();
            for (index, slot) in results.iter_mut().enumerate() {
                shares[index % self.pools.len()].push((index, slot));
            }
            let work = &work;
            for (pool, share) in self.pools.iter().zip(shares) {
                scope.spawn(move || {
                    pool.install(|| share.into_iter().for_each(|(index, slot)| *slot = Some(work(index))));
                });
            }
        });
        results.into_iter().map(|result| result.expect("every share was worked off")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whoever_works() {
        for count in [1, 2, 3] {
            assert_eq!(Workers::new(count).map(7, |index| index * index), [0, 1, 4, 9, 16, 25, 36]);
        }
    }
}
