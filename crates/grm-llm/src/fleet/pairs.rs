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
    /// Calls answered by the server that was the pair's home then.
    at_home: u32,
    /// Times it lost its home and got another.
    moves: u32,
}

/// Calls answered, those answered by the server that answered most of their pair's, those answered at home, and pairs
/// that had more than one home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Answered {
    pub(super) calls: u64,
    pub(super) on_majority: u64,
    pub(super) at_home: u64,
    pub(super) rehomed: u64,
}

impl Answered {
    fn with(self, pair: &Pair) -> Self {
        let most = pair.calls.iter().copied().max().unwrap_or(0);
        let sum: u64 = pair.calls.iter().map(|calls| u64::from(*calls)).sum();
        Self {
            calls: self.calls + sum,
            on_majority: self.on_majority + u64::from(most),
            at_home: self.at_home + u64::from(pair.at_home),
            rehomed: self.rehomed + u64::from(pair.moves > 0),
        }
    }
}

impl Pairs {
    /// The server a pair is at home at.
    pub(super) fn home(&self, pair: PairKey) -> Option<usize> {
        self.young.get(&pair).or_else(|| self.old.get(&pair)).map(|pair| pair.home)
    }

    /// Gives a pair a home among `servers` servers, or another one.
    pub(super) fn settle(&mut self, pair: PairKey, home: usize, servers: usize) {
        let entry = self.entry(pair, home, servers);
        entry.moves += u32::from(entry.home != home);
        entry.home = home;
    }

    /// Counts a call that `server` answered.
    pub(super) fn answered(&mut self, pair: PairKey, server: usize, servers: usize) {
        let entry = self.entry(pair, server, servers);
        if let Some(calls) = entry.calls.get_mut(server) {
            *calls = calls.saturating_add(1);
            entry.at_home += u32::from(entry.home == server);
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
        let known = found.unwrap_or_else(|| Pair { home, calls: vec![0; servers].into(), at_home: 0, moves: 0 });
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
        let expected = Answered { calls: 160_000, on_majority: 120_000, at_home: 120_000, rehomed: 0 };
        assert_eq!(pairs.totals(), expected);
        assert!(pairs.young.len() + pairs.old.len() <= 2 * HALF);
        assert_eq!((pairs.home(39_999), pairs.home(0)), (Some(1), None));
    }

    #[test]
    fn a_pair_whose_home_died_is_at_home_at_the_next() {
        let mut pairs = Pairs::default();
        pairs.settle(7, 0, 3);
        (0..4).for_each(|_| pairs.answered(7, 0, 3));
        pairs.settle(7, 2, 3);
        (0..6).for_each(|_| pairs.answered(7, 2, 3));
        assert_eq!(pairs.totals(), Answered { calls: 10, on_majority: 6, at_home: 10, rehomed: 1 });
    }
}
