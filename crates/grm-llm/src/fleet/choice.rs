//! Where a pair's calls go: rendezvous hashing with bounded loads.
//!
//! Every server draws a lot for every pair and the highest wins, so that a server that comes or goes moves only its own
//! pairs, and several processes send one pair to the same server. Of the drawn order the first server with room is
//! taken (Mirrokni, Thorup and Zadimoghaddam, 2018: loads stay within a factor of the mean).

/// What is known of one server when a choice is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its place in the fleet.
    pub(super) index: usize,
    /// The lot it drew for the pair.
    pub(super) lot: u64,
    /// Calls it has.
    pub(super) load: usize,
}

/// The lot a server draws for a pair.
pub(super) fn lot(place: &str, pair: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(place.len() as u64).to_le_bytes()).update(place.as_bytes()).update(pair.as_bytes());
    let hash = hasher.finalize();
    u64::from_le_bytes(std::array::from_fn(|place| hash.as_bytes()[place]))
}

/// The home of a new pair: the highest lot among servers whose load is within `factor` of the mean.
pub(super) fn home(candidates: &[Candidate], factor: f64) -> Option<usize> {
    let total: usize = candidates.iter().map(|candidate| candidate.load).sum();
    let bound = (factor.max(1.0) * (total + 1) as f64 / candidates.len().max(1) as f64).ceil() as usize;
    let roomy = candidates.iter().filter(|candidate| candidate.load < bound);
    roomy.max_by_key(|candidate| candidate.lot).map(|candidate| candidate.index)
}

/// Where a call of a pair at home at a full server goes: the highest lot among those with half of their `places` free,
/// so that a pair's calls away from home are together too. A server at work on more than that would not get faster by
/// another call, and the call would have left its warm prefix for nothing.
pub(super) fn elsewhere(candidates: &[Candidate], places: usize) -> Option<usize> {
    let idle = candidates.iter().filter(|candidate| 2 * candidate.load <= places);
    idle.max_by_key(|candidate| candidate.lot).map(|candidate| candidate.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(places: &[&str], pair: &str, loads: &[usize]) -> Vec<Candidate> {
        let all = places.iter().zip(loads).enumerate();
        all.map(|(index, (place, load))| Candidate { index, lot: lot(place, pair), load: *load }).collect()
    }

    #[test]
    fn a_server_that_goes_moves_only_its_own_pairs() {
        let (three, mut counts) = (["a", "b", "c"], [0; 3]);
        for number in 0..3000 {
            let pair = format!("pair-{number}");
            let before = home(&candidates(&three, &pair, &[0; 3]), 1.25).unwrap();
            let after = home(&candidates(&three[..2], &pair, &[0; 2]), 1.25).unwrap();
            assert!(before == 2 || before == after, "{pair} moved from {before} to {after}");
            counts[before] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn no_new_pair_goes_to_a_server_with_more_than_its_share() {
        let mut loads = [0; 4];
        for number in 0..10_000 {
            let found = candidates(&["a", "b", "c", "d"], &format!("{number}"), &loads);
            loads[home(&found, 1.25).unwrap()] += 1;
        }
        assert!(loads.iter().all(|load| *load <= 3126), "{loads:?}");
        assert_eq!(home(&candidates(&["a", "b"], "p", &[50, 10]), 1.25), Some(1));
        assert_eq!(home(&[], 1.25), None);
    }

    #[test]
    fn a_call_leaves_home_only_for_a_server_that_is_half_idle() {
        let found = candidates(&["a", "b", "c"], "p", &[64, 17, 16]);
        assert_eq!(elsewhere(&found, 32), Some(2));
        assert_eq!(elsewhere(&found[..2], 32), None, "much less than at home, and yet at work");
    }
}
