//! Orders that depend on a seed and nothing else.

/// `SplitMix64` (Steele, Lea & Flood 2014): small, and the same on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A stream of its own for each epoch of a seed.
    pub(crate) fn new(seed: u64, epoch: u64) -> Self {
        let mut random = Self(seed);
        let start = random.next();
        Self(start ^ epoch.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, all values alike but for a bias of bound/2⁶⁴.
    fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> 64).expect("a number below a usize fits one")
    }

    /// Fisher–Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_an_epoch_fix_the_order() {
        let order = |seed, epoch| {
            let mut items: Vec<u32> = (0..20).collect();
            Random::new(seed, epoch).shuffle(&mut items);
            items
        };
        assert_eq!(order(42, 0), order(42, 0));
        assert_ne!(order(42, 0), order(42, 1));
        assert_ne!(order(42, 0), order(43, 0));
        let mut sorted = order(7, 3);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn every_item_reaches_every_place() {
        let mut counts = [[0; 4]; 4];
        let mut random = Random::new(1, 0);
        for _ in 0..4000 {
            let mut items = [0, 1, 2, 3];
            random.shuffle(&mut items);
            for (place, item) in items.into_iter().enumerate() {
                counts[item][place] += 1;
            }
        }
        // 1000 expected each; 5 standard deviations are 137.
        assert!(counts.iter().flatten().all(|count| (863..=1137).contains(count)), "{counts:?}");
    }
}
