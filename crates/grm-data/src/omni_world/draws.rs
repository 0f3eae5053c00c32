//! Chance out of a seed: the same on every machine and in every version.

use blake3::OutputReader;

/// A stream of draws named by seed and label.
pub(super) struct Draws(OutputReader);

impl Draws {
    pub(super) fn new(seed: u64, label: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"omni world 2\n").update(&seed.to_le_bytes()).update(label.as_bytes());
        Self(hasher.finalize_xof())
    }

    /// A number from 0 to `end - 1`; `end` is small, so the remainder favours no value that could be noticed.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % end as u64) as usize
    }

    pub(super) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A number from 0 to 1 in steps of 1/1000.
    pub(super) fn share(&mut self) -> f64 {
        self.below(1001) as f64 / 1000.0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Any but `not`.
    pub(super) fn pick_other<T: Copy + PartialEq>(&mut self, from: &[T], not: T) -> T {
        let others: Vec<T> = from.iter().copied().filter(|&value| value != not).collect();
        self.pick(&others)
    }

    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for end in (1..values.len()).rev() {
            values.swap(end, self.below(end + 1));
        }
    }
}

/// Cards dealt in random order, shuffled anew when all are dealt: after every round each was dealt equally often.
pub(super) struct Deck<T> {
    cards: Vec<T>,
    left: Vec<T>,
}

impl<T: Clone> Deck<T> {
    pub(super) fn new(cards: Vec<T>) -> Self {
        Self { cards, left: Vec::new() }
    }

    pub(super) fn deal(&mut self, draws: &mut Draws) -> T {
        if self.left.is_empty() {
            self.left.clone_from(&self.cards);
            draws.shuffle(&mut self.left);
        }
        self.left.pop().expect("a deck is made of at least one card")
    }
}
