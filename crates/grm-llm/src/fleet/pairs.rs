//! Which server a pair is at home at, and which servers answered its calls.

use std::collections::BTreeMap;

/// Pairs remembered at most, in two halves: when the younger is full the older is counted up and forgotten.
const HALF: usize = 8192;

/// Names a pair.
pub(super) type PairKey = u64;

#[derive(Debug, Default)]
pub(super) struct Pairs {
    young: BTreeMap<PairKey, Pair>,
    old: BTreeMap<PairKey, Pair>,
    forgotten: Answered,
}

#[derive(Debug, Clone)]
struct Pair {
    home: usize,
    /// Calls answered, by server.
    calls: Box<[u32]>,
}

/// Calls answered, and those answered by the server that answered most of their pair's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Answered {
    pub(super) calls: u64,
    pub(super) on_majority: u64,
}

impl Answered {
    fn with(self, pair: &Pair) -> Self {
        let most = pair.calls.iter().copied().max().unwrap_or(0);
        let sum: u64 = pair.calls.iter().map(|calls| u64::from(*calls)).sum();
        Self { calls: self.calls + sum, on_majority: self.on_majority + u64::from(most) }
    }
}

impl Pairs {
    /// The server a pair is at home at.
    pub(super) fn home(&self, pair: PairKey) -> Option<usize> {
        self.young.get(&pair).or_else(|| self.old.get(&pair)).map(|pair| pair.home)
    }

    /// Gives a pair a home among `servers` servers, or another one.
    pub(super) fn settle(&mut self, pair: PairKey, home: usize, servers: usize) {
        self.entry(pair, home, servers).home = home;
    }

    /// Counts a call that `server` answered.
    pub(super) fn answered(&mut self, pair: PairKey, server: usize, servers: usize) {
        let entry = self.entry(pair, server, servers);
        if let Some(calls) = entry.calls.get_mut(server) {
            *calls = calls.saturating_add(1);
        }
    }

    /// All calls so far.
    pub(super) fn totals(&self) -> Answered {
        self.young.values().chain(self.old.values()).fold(self.forgotten, Answered::with)
    }

    fn entry(&mut self, pair: PairKey, home: usize, servers: usize) -> &mut Pair {
        let found = self.young.remove(&pair).or_else(|| self.old.remove(&pair));
        if self.young.len() >= HALF {
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.forgotten = old.values().fold(self.forgotten, Answered::with);
        }
        let known = found.unwrap_or_else(|| Pair { home, calls: vec![0; servers].into() });
        self.young.entry(pair).or_insert(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_pair_whether_remembered_or_not() {
        let mut pairs = Pairs::default();
        for pair in 0..40_000 {
            pairs.settle(pair, 1, 2);
            for server in [1, 1, 0, 1] {
                pairs.answered(pair, server, 2);
            }
        }
        assert_eq!(pairs.totals(), Answered { calls: 160_000, on_majority: 120_000 });
        assert!(pairs.young.len() + pairs.old.len() <= 2 * HALF);
        assert_eq!((pairs.home(39_999), pairs.home(0)), (Some(1), None));
    }
}
