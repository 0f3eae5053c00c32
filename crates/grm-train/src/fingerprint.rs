//! Which data a run was started on, in 64 hexadecimal digits.

use crate::task::{Example, Split};

/// BLAKE3 over all that training reads of the examples, in their order, before any is dropped.
pub(crate) fn fingerprint(examples: &Split<Example>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [&examples.train, &examples.held_out] {
        number(&mut hasher, part.len());
        for example in part {
            number(&mut hasher, example.id.len());
            hasher.update(example.id.as_bytes());
            hasher.update(&example.margin.to_bits().to_le_bytes());
            number(&mut hasher, example.rows.len());
            for row in &example.rows {
                number(&mut hasher, row.targets_from);
                number(&mut hasher, row.tokens.len());
                let bytes: Vec<u8> = row.tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
                hasher.update(&bytes);
            }
        }
    }
    hasher.finalize().to_hex().to_string()
}

fn number(hasher: &mut blake3::Hasher, number: usize) {
    hasher.update(&(number as u64).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use grm_model::TokenRow;

    use super::*;
    use crate::task::{RewardPair, Task};

    #[test]
    fn every_part_counts() {
        let pair = RewardPair {
            id: "a".into(),
            chosen: TokenRow::new(&[1], &[2, 3]),
            rejected: TokenRow::new(&[1], &[4]),
            margin: 0.0,
        };
        let of = |train: Vec<RewardPair>, held_out: Vec<RewardPair>| {
            fingerprint(&Task::BradleyTerry(Split { train, held_out }).examples())
        };
        let base = of(vec![pair.clone()], vec![]);
        assert_eq!(base, of(vec![pair.clone()], vec![]));
        let others = [
            of(vec![], vec![pair.clone()]),
            of(vec![RewardPair { id: "b".into(), ..pair.clone() }], vec![]),
            of(vec![RewardPair { margin: 1.0, ..pair.clone() }], vec![]),
            of(vec![RewardPair { chosen: TokenRow::new(&[1, 2], &[3]), ..pair.clone() }], vec![]),
            of(vec![RewardPair { chosen: pair.rejected.clone(), rejected: pair.chosen.clone(), ..pair }], vec![]),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
