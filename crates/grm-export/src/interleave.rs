//! An order of rows in which every stretch holds about the same mix of modalities, so that the ranks of a cluster see
//! similar batches.

use std::collections::BTreeMap;

use crate::row::Row;

/// Shuffles within each modality by the seed, then deals them out evenly over the whole length.
pub(crate) fn interleave(rows: Vec<Row>, seed: u64) -> Vec<Row> {
    let mut groups: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.modality()).or_default().push(row);
    }
    let mut random = SplitMix(seed);
    let mut placed = Vec::new();
    for (group, rows) in groups.into_values().enumerate() {
        let count = rows.len();
        for (index, row) in shuffled(rows, &mut random).into_iter().enumerate() {
            // Row i of n belongs at (2i + 1) / 2n of the way; compared as fractions, exactly.
            placed.push((2 * index as u64 + 1, 2 * count as u64, group, row));
        }
    }
    placed.sort_by(|(a, of_a, group_a, _), (b, of_b, group_b, _)| {
        (u128::from(*a) * u128::from(*of_b)).cmp(&(u128::from(*b) * u128::from(*of_a))).then(group_a.cmp(group_b))
    });
    placed.into_iter().map(|(.., row)| row).collect()
}

fn shuffled(mut rows: Vec<Row>, random: &mut SplitMix) -> Vec<Row> {
    for last in (1..rows.len()).rev() {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is at most `last`")]
        let other = (random.next() % (last as u64 + 1)) as usize;
        rows.swap(last, other);
    }
    rows
}

/// Steele, Lea and Flood's `SplitMix64`.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::RowAnswer;

    fn rows(texts: usize, pictures: usize) -> Vec<Row> {
        let row = |index: usize| Row {
            id: index.to_string(),
            form: "thinking",
            prompt: Vec::new(),
            answer: RowAnswer::Target("x".into()),
            media: [if index < texts { vec![] } else { vec!["a.png".into()] }, vec![], vec![]],
            tokens: 1,
        };
        (0..texts + pictures).map(row).collect()
    }

    #[test]
    fn every_stretch_has_the_same_mix() {
        let mixed = interleave(rows(30, 10), 7);
        for stretch in mixed.chunks(4) {
            assert_eq!(stretch.iter().filter(|row| row.modality() == "image").count(), 1);
        }
        let ids = |rows: &[Row]| rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&mixed), ids(&interleave(rows(30, 10), 7)));
        assert_ne!(ids(&mixed), ids(&interleave(rows(30, 10), 8)));
        let mut sorted = ids(&mixed);
        sorted.sort_by_key(|id| id.parse::<usize>().unwrap());
        assert_eq!(sorted, ids(&rows(30, 10)));
    }
}
