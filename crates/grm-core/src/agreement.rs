//! What stands in for Eq. 1 where nothing can be revised: how far the DisRM agrees with a judgment of the originals.

use crate::{Choice, MetaReward, MetaRewardError, RewardScore};

/// `s(preferred) − s(other)` of the originals, consistent above 0.
///
/// It shares Eq. 1's scale, its sign where judgment and DisRM are at odds, and its symmetry under swapping; a constant
/// bias cancels. It is no substitute for it: a pair has one such difference, so it only parts the criteria that agree
/// with the DisRM from those that do not.
pub fn agreement(preferred: Choice, originals: [RewardScore; 2]) -> Result<MetaReward, MetaRewardError> {
    let [first, second] = originals.map(RewardScore::scorer);
    if first != second {
        return Err(MetaRewardError::MixedScorers(first, second));
    }
    let value = originals[preferred.index()].value() - originals[preferred.other().index()].value();
    if value.is_finite() { Ok(MetaReward { value, consistent: value > 0.0 }) } else { Err(MetaRewardError::NonFinite) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ScorerId;

    fn scores(values: [f32; 2]) -> [RewardScore; 2] {
        values.map(|value| RewardScore::new(value, ScorerId(7)).unwrap())
    }

    #[test]
    fn two_reward_models_or_an_overflow_are_refused() {
        let stranger = RewardScore::new(0.0, ScorerId(8)).unwrap();
        let mixed = agreement(Choice::First, [scores([1.0, 2.0])[0], stranger]);
        assert!(matches!(mixed, Err(MetaRewardError::MixedScorers(..))));
        assert_eq!(agreement(Choice::First, scores([f32::MAX, f32::MIN])), Err(MetaRewardError::NonFinite));
    }

    proptest! {
        #[test]
        fn swapping_leaves_it_alone_and_the_other_judgment_turns_it_round(
            s in [-50f32..50.0, -50f32..50.0],
        ) {
            let here = agreement(Choice::First, scores(s)).unwrap();
            prop_assert_eq!(Ok(here), agreement(Choice::Second, scores([s[1], s[0]])));
            prop_assert_eq!(here.value, -agreement(Choice::Second, scores(s)).unwrap().value);
            prop_assert_eq!(here.consistent, s[0] > s[1]);
        }
    }
}
