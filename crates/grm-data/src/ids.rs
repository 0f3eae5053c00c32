//! Ids that are unique within a run, because seeds are derived from them.

use std::collections::HashMap;

/// Ids given so far. Keeps a few bytes for each, the one thing of a reader that grows.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    uses: HashMap<u64, u32>,
    /// How many ids had been given before and were changed.
    pub(crate) repeated: u64,
}

impl Ids {
    /// The id itself, or with `#2`, `#3`, … when it was given before.
    pub(crate) fn unique(&mut self, id: String) -> String {
        let mut number = self.count(&id);
        if number == 1 {
            return id;
        }
        self.repeated += 1;
        loop {
            let numbered = format!("{id}#{number}");
            if self.count(&numbered) == 1 {
                return numbered;
            }
            number = self.count(&id);
        }
    }

    fn count(&mut self, id: &str) -> u32 {
        let hash = blake3::hash(id.as_bytes());
        let fingerprint = u64::from_le_bytes(std::array::from_fn(|place| hash.as_bytes()[place]));
        let uses = self.uses.entry(fingerprint).or_default();
        *uses += 1;
        *uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_id_gets_the_next_free_number() {
        let mut ids = Ids::default();
        let given = ["a", "b", "a", "a#3", "a", "a", "b"].map(|id| ids.unique(id.to_owned()));
        assert_eq!(given, ["a", "b", "a#2", "a#3", "a#4", "a#5", "b#2"]);
        assert_eq!(ids.repeated, 4);
    }
}
