//! Which calls have an answer, and where it lies.

use std::collections::{HashMap, VecDeque};

use crate::CallKey;
use crate::segments::Place;

/// Records found when the journal was opened: 24 bytes each, sorted by the first 64 bits of their key.
#[derive(Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    fingerprint: u64,
    place: Place,
}

impl Index {
    /// Takes a record, in the order records are found; [`Index::seal`] must follow the last.
    pub(crate) fn push(&mut self, key: CallKey, place: Place) {
        self.entries.push(Entry { fingerprint: key.fingerprint(), place });
    }

    /// Makes the records findable; of those with one fingerprint the first found stays first.
    pub(crate) fn seal(&mut self) {
        let order = |entry: &Entry| (entry.fingerprint, entry.place.segment, entry.place.offset);
        self.entries.sort_unstable_by_key(order);
        self.entries.shrink_to_fit();
    }

    /// Records whose key may be this one, first found first; only the record itself can tell.
    pub(crate) fn candidates(&self, key: CallKey) -> impl Iterator<Item = Place> + '_ {
        let fingerprint = key.fingerprint();
        let start = self.entries.partition_point(|entry| entry.fingerprint < fingerprint);
        self.entries[start..].iter().take_while(move |entry| entry.fingerprint == fingerprint).map(|entry| entry.place)
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Records this process wrote, the latest only: a run of millions of calls asks again only for what it asked lately.
pub(crate) struct Recent {
    places: HashMap<CallKey, Place>,
    order: VecDeque<CallKey>,
    capacity: usize,
}

impl Recent {
    /// Room for `capacity` records.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { places: HashMap::new(), order: VecDeque::new(), capacity: capacity.max(1) }
    }

    /// Remembers a record, and forgets the oldest when full.
    pub(crate) fn insert(&mut self, key: CallKey, place: Place) {
        if self.places.contains_key(&key) {
            return;
        }
        if self.order.len() == self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
        self.places.insert(key, place);
        self.order.push_back(key);
    }

    /// Where the record of this very key lies.
    pub(crate) fn get(&self, key: CallKey) -> Option<Place> {
        self.places.get(&key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> CallKey {
        CallKey::from_hex(text.as_bytes()).unwrap()
    }

    fn place(segment: u32, offset: u64) -> Place {
        Place { offset, segment, length: 1 }
    }

    #[test]
    fn an_indexed_record_takes_24_bytes() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn candidates_come_in_the_order_they_were_found() {
        let [one, two] = [key("00112233445566778899aabbccddeeff"), key("0011223344556677ffffffffffffffff")];
        let other = key("ff112233445566778899aabbccddeeff");
        let mut index = Index::default();
        for (key, place) in [(other, place(0, 0)), (two, place(0, 9)), (one, place(1, 0)), (one, place(1, 5))] {
            index.push(key, place);
        }
        index.seal();
        // `one` and `two` share 64 bits: both are candidates for either.
        let found: Vec<Place> = index.candidates(one).collect();
        assert_eq!(found, [place(0, 9), place(1, 0), place(1, 5)]);
        assert_eq!(index.candidates(other).count(), 1);
        assert_eq!(index.candidates(key("01000000000000000000000000000000")).count(), 0);
    }

    #[test]
    fn the_oldest_recent_record_is_forgotten() {
        let keys = ["0", "1", "2"].map(|digit| key(&digit.repeat(32)));
        let mut recent = Recent::new(2);
        for (offset, key) in keys.into_iter().enumerate() {
            recent.insert(key, place(0, offset as u64));
            recent.insert(key, place(9, 9));
        }
        assert_eq!(recent.get(keys[0]), None);
        assert_eq!(recent.get(keys[1]), Some(place(0, 1)));
        assert_eq!(recent.get(keys[2]), Some(place(0, 2)));
    }
}
