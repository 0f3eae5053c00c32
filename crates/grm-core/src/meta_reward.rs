//! Eq. 1 of the paper, and nothing else.
//!
//! With `j` the response a judgment prefers, `s` the DisRM's scores of the originals and `ŝ` of the refinements:
//!
//! | judgment | refined order | case | `s_meta` |
//! |---|---|---|---|
//! | prefers r1 | ŝ1 > ŝ2 | consistent | ŝ2 − s2 |
//! | prefers r1 | ŝ1 ≤ ŝ2 | inconsistent | ŝ1 − ŝ2 |
//! | prefers r2 | ŝ1 < ŝ2 | consistent | ŝ1 − s1 |
//! | prefers r2 | ŝ1 ≥ ŝ2 | inconsistent | ŝ2 − ŝ1 |
//!
//! A consistent criterion is worth what its critique did for the *rejected* response; an inconsistent one costs the
//! gap between judgment and DisRM. The paper leaves ŝ1 = ŝ2 open: here it is inconsistent with gap 0. Every case is a
//! difference of scores of one DisRM, so a constant bias of that DisRM cancels.

use serde::{Deserialize, Serialize};

use crate::{Choice, RewardScore, ScorerId};

/// `s_meta` of one trajectory, and whether the DisRM's order of the refinements agrees with the judgment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaReward {
    /// `s_meta`, on the DisRM's scale; finite.
    pub value: f32,
    /// True in the rows marked "consistent".
    pub consistent: bool,
}

/// Why Eq. 1 has no value for four scores that do exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetaRewardError {
    /// Scores of two reward models met.
    #[error("scores of two reward models ({0:?} and {1:?}) met in one meta-reward")]
    MixedScorers(ScorerId, ScorerId),
    /// The difference of two finite scores left the range of `f32`.
    #[error("the difference of two reward scores is not finite")]
    NonFinite,
}

/// Eq. 1. `originals` and `refined` are in the comparison's order, as is `preferred`.
pub fn meta_reward(
    preferred: Choice,
    originals: [RewardScore; 2],
    refined: [RewardScore; 2],
) -> Result<MetaReward, MetaRewardError> {
    let scorer = originals[0].scorer();
    for score in [originals[1], refined[0], refined[1]] {
        if score.scorer() != scorer {
            return Err(MetaRewardError::MixedScorers(scorer, score.scorer()));
        }
    }
    let (winner, loser) = (preferred.index(), preferred.other().index());
    let consistent = refined[winner].value() > refined[loser].value();
    let value = if consistent {
        refined[loser].value() - originals[loser].value()
    } else {
        refined[winner].value() - refined[loser].value()
    };
    if value.is_finite() { Ok(MetaReward { value, consistent }) } else { Err(MetaRewardError::NonFinite) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores(values: [f32; 2]) -> [RewardScore; 2] {
        values.map(|value| RewardScore::new(value, ScorerId(7)).unwrap())
    }

    fn check(preferred: Choice, originals: [f32; 2], refined: [f32; 2], value: f32, consistent: bool) {
        let got = meta_reward(preferred, scores(originals), scores(refined));
        assert_eq!(got, Ok(MetaReward { value, consistent }));
    }

    #[test]
    fn the_four_cases_of_the_table() {
        check(Choice::First, [1.0, 2.0], [5.0, 4.5], 2.5, true);
        check(Choice::First, [1.0, 2.0], [3.0, 4.5], -1.5, false);
        check(Choice::Second, [1.0, 2.0], [3.0, 4.5], 2.0, true);
        check(Choice::Second, [1.0, 2.0], [5.0, 4.5], -0.5, false);
    }

    #[test]
    fn a_consistent_critique_can_still_do_harm() {
        check(Choice::First, [1.0, 2.0], [5.0, 1.0], -1.0, true);
    }

    #[test]
    fn equal_refinements_are_inconsistent_with_gap_zero() {
        check(Choice::First, [1.0, 2.0], [3.0, 3.0], 0.0, false);
        check(Choice::Second, [1.0, 2.0], [3.0, 3.0], 0.0, false);
    }

    #[test]
    fn scores_of_two_reward_models_never_meet() {
        let stranger = RewardScore::new(0.0, ScorerId(8)).unwrap();
        for place in 0..4 {
            let [mut originals, mut refined] = [scores([1.0, 2.0]), scores([3.0, 4.0])];
            if place < 2 {
                originals[place] = stranger;
            } else {
                refined[place - 2] = stranger;
            }
            assert!(matches!(meta_reward(Choice::First, originals, refined), Err(MetaRewardError::MixedScorers(..))));
        }
    }

    #[test]
    fn a_difference_that_overflows_is_refused() {
        let got = meta_reward(Choice::First, scores([0.0, f32::MIN]), scores([f32::MAX, f32::MAX / 2.0]));
        assert_eq!(got, Err(MetaRewardError::NonFinite));
    }

    fn choice() -> impl Strategy<Value = Choice> {
        prop_oneof![Just(Choice::First), Just(Choice::Second)]
    }

    proptest! {
        #[test]
        fn swapping_responses_and_judgment_changes_nothing(
            preferred in choice(), s in [-50f32..50.0, -50f32..50.0], r in [-50f32..50.0, -50f32..50.0],
        ) {
            let here = meta_reward(preferred, scores(s), scores(r));
            let there = meta_reward(preferred.other(), scores([s[1], s[0]]), scores([r[1], r[0]]));
            prop_assert_eq!(here, there);
        }

        #[test]
        fn a_constant_bias_cancels(
            preferred in choice(), s in [-500i16..500, -500i16..500], r in [-500i16..500, -500i16..500], bias in -500i16..500,
        ) {
            // Integers are exact in f32, so the equality is too.
            let at = |shift: i16| {
                let shifted = |v: [i16; 2]| scores(v.map(|x| f32::from(x) + f32::from(shift)));
                meta_reward(preferred, shifted(s), shifted(r))
            };
            prop_assert_eq!(at(0), at(bias));
        }

        #[test]
        fn inconsistent_is_never_positive(
            preferred in choice(), s in [-50f32..50.0, -50f32..50.0], r in [-50f32..50.0, -50f32..50.0],
        ) {
            let meta = meta_reward(preferred, scores(s), scores(r)).unwrap();
            prop_assert!(meta.consistent || meta.value <= 0.0);
            prop_assert_eq!(meta.consistent, r[preferred.index()] > r[preferred.other().index()]);
        }
    }
}
