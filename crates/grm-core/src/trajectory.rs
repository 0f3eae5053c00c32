//! One criterion followed to its meta-reward.

use serde::{Deserialize, Serialize};

use crate::{Choice, Criterion, CriterionSource, Invalid, Judgment, MetaReward, Outcome, RewardScore, meta_reward};

/// A response as the policy revised it under one critique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refinement {
    /// The whole revised response.
    pub text: String,
    /// The DisRM's score of it, or why there is none.
    pub score: Outcome<RewardScore>,
}

/// `τ_i`: a criterion, the judgment under it, both refinements with their scores, and what Eq. 1 makes of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trajectory {
    /// 0-based place in the order the criteria were proposed.
    pub index: usize,
    /// What was judged by.
    pub criterion: Criterion,
    /// Where the criterion came from.
    pub source: CriterionSource,
    /// The judgment, or why there is none.
    pub judgment: Outcome<Judgment>,
    /// Both refinements, in the comparison's order.
    pub refinements: [Outcome<Refinement>; 2],
    /// `s_meta`; a trajectory without one ranks last and is counted.
    pub meta: Outcome<MetaReward>,
}

impl Trajectory {
    /// Applies Eq. 1, or says which earlier step leaves it without a value.
    pub fn meta_of(
        judgment: &Outcome<Judgment>,
        originals: &[Outcome<RewardScore>; 2],
        refinements: &[Outcome<Refinement>; 2],
    ) -> Outcome<MetaReward> {
        let preferred = judgment.as_ref().map_err(|reason| *reason)?.preferred;
        let score = |choice: Choice| -> Outcome<RewardScore> {
            refinements[choice.index()].as_ref().map_err(|reason| *reason)?.score
        };
        let refined = [score(Choice::First)?, score(Choice::Second)?];
        meta_reward(preferred, [originals[0]?, originals[1]?], refined).map_err(|_| Invalid::MissingRewardScore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ScorerId, Votes};

    fn score(value: f32) -> Outcome<RewardScore> {
        Ok(RewardScore::new(value, ScorerId(1)).unwrap())
    }

    fn judgment() -> Outcome<Judgment> {
        Ok(Judgment {
            preferred: Choice::First,
            scores: [8, 4],
            critiques: [String::new(), String::new()],
            logprobs: None,
            votes: Votes::default(),
        })
    }

    fn refined(value: f32) -> Outcome<Refinement> {
        Ok(Refinement { text: "x".into(), score: score(value) })
    }

    #[test]
    fn every_missing_value_leaves_no_meta_reward() {
        let originals = [score(1.0), score(2.0)];
        let both = [refined(4.0), refined(3.0)];
        assert_eq!(Trajectory::meta_of(&judgment(), &originals, &both).unwrap().value, 1.0);

        let none = Err(Invalid::MissingVerdict);
        assert_eq!(Trajectory::meta_of(&none, &originals, &both), Err(Invalid::MissingVerdict));
        for place in 0..2 {
            let mut broken = originals;
            broken[place] = Err(Invalid::MissingRewardScore);
            assert_eq!(Trajectory::meta_of(&judgment(), &broken, &both), Err(Invalid::MissingRewardScore));
            let mut broken = both.clone();
            broken[place] = Err(Invalid::Empty);
            assert_eq!(Trajectory::meta_of(&judgment(), &originals, &broken), Err(Invalid::Empty));
            let mut broken = both.clone();
            broken[place] = Ok(Refinement { text: "x".into(), score: Err(Invalid::MissingRewardScore) });
            assert_eq!(Trajectory::meta_of(&judgment(), &originals, &broken), Err(Invalid::MissingRewardScore));
        }
    }
}
