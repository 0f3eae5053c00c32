//! One criterion followed to its meta-reward.

use serde::{Deserialize, Serialize};

use crate::{
    Choice, Criterion, CriterionSource, Invalid, Judgment, MetaReward, Outcome, RewardScore, agreement, meta_reward,
};

/// A response as the policy revised it under one critique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refinement {
    /// The whole revised response.
    pub text: String,
    /// The DisRM's score of it, or why there is none.
    pub score: Outcome<RewardScore>,
}

/// What a trajectory's place in the ranking rests on.
///
/// Media responses cannot be revised by a policy that writes text, so Eq. 1 has no value for them. What is left is
/// how far the DisRM agrees with the judgment about the responses as they came; where it cannot score them either,
/// criteria keep the order they were proposed in.
///
/// Records: [`Self::Refinement`] is not written, so trajectories of text are the same bytes as before this field, and
/// files from before it read as that. A reader from before it refuses trajectories of the other two, which it would
/// misread as failed refinements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankedBy {
    /// Eq. 1: both responses revised and scored again.
    #[default]
    Refinement,
    /// Without revisions: `s(preferred) − s(other)`, the DisRM's scores of the originals. Consistent above 0.
    OriginalScores,
    /// Without scores: the order of proposal. There is no meta-reward.
    Proposal,
}

impl RankedBy {
    /// The name used in records and summaries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refinement => "refinement",
            Self::OriginalScores => "original_scores",
            Self::Proposal => "proposal",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_refinement(&self) -> bool {
        *self == Self::Refinement
    }
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
    /// What `meta`, and with it the trajectory's rank, rests on.
    #[serde(default, skip_serializing_if = "RankedBy::is_refinement")]
    pub ranked_by: RankedBy,
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

    /// [`RankedBy::OriginalScores`]: how far the DisRM agrees with the judgment, or which step leaves that open.
    pub fn agreement(judgment: &Outcome<Judgment>, originals: &[Outcome<RewardScore>; 2]) -> Outcome<MetaReward> {
        let preferred = judgment.as_ref().map_err(|reason| *reason)?.preferred;
        agreement(preferred, [originals[0]?, originals[1]?]).map_err(|_| Invalid::MissingRewardScore)
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

    #[test]
    fn without_refinements_the_agreement_with_the_disrm_is_what_counts() {
        let agreed = Trajectory::agreement(&judgment(), &[score(3.0), score(1.5)]);
        assert_eq!(agreed, Ok(MetaReward { value: 1.5, consistent: true }));
        let opposed = Trajectory::agreement(&judgment(), &[score(1.0), score(1.5)]);
        assert_eq!(opposed, Ok(MetaReward { value: -0.5, consistent: false }));
        let unscored = Trajectory::agreement(&judgment(), &[score(1.0), Err(Invalid::Unscorable)]);
        assert_eq!(unscored, Err(Invalid::Unscorable), "never a silent zero");
        assert_eq!(Trajectory::agreement(&Err(Invalid::Empty), &[score(1.0), score(2.0)]), Err(Invalid::Empty));
    }

    #[test]
    fn records_of_text_are_the_bytes_they_were_and_old_ones_are_read() {
        let text = Trajectory {
            index: 0,
            criterion: Criterion { name: "n".into(), explanation: "e".into() },
            source: CriterionSource::Initial,
            judgment: Err(Invalid::Empty),
            refinements: [Err(Invalid::Upstream), Err(Invalid::Upstream)],
            meta: Err(Invalid::Empty),
            ranked_by: RankedBy::Refinement,
        };
        let json = serde_json::to_string(&text).unwrap();
        assert!(!json.contains("ranked_by"), "{json}");
        assert_eq!(serde_json::from_str::<Trajectory>(&json).unwrap(), text);
        let media = Trajectory { ranked_by: RankedBy::OriginalScores, ..text };
        let json = serde_json::to_string(&media).unwrap();
        assert!(json.contains(r#""ranked_by":"original_scores""#), "{json}");
        assert_eq!(serde_json::from_str::<Trajectory>(&json).unwrap(), media);
    }
}
