//! Criteria vote; the order of the votes never matters.

use grm_core::{Choice, Decision, Invalid, Trajectory, Verdict, Votes};

use crate::VerdictRule;

/// What a criterion's vote counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// One each.
    Equal,
    /// max(`s_meta`, 0). When no meta-reward is positive the evidence ranks nothing, and votes are equal.
    PositiveMetaReward,
}

/// Counts the usable judgments. Level weights are a tie; no usable judgment is invalid.
#[must_use]
pub fn vote(trajectories: &[Trajectory], weights: Weights, rule: VerdictRule) -> Verdict {
    let mut ballots: Vec<(Choice, f64)> = trajectories.iter().filter_map(|t| ballot(t, weights)).collect();
    if ballots.iter().all(|(_, weight)| *weight == 0.0) {
        ballots = trajectories.iter().filter_map(|t| ballot(t, Weights::Equal)).collect();
    }
    let mut votes = Votes::default();
    for (choice, _) in &ballots {
        match choice {
            Choice::First => votes.first += 1,
            Choice::Second => votes.second += 1,
        }
    }
    votes.invalid = u32::try_from(trajectories.len() - ballots.len()).unwrap_or(u32::MAX);
    let [first, second] = Choice::BOTH.map(|choice| total(&ballots, choice));
    let rule = rule.as_str().to_owned();
    if ballots.is_empty() {
        return Verdict { decision: Decision::Invalid(Invalid::Upstream), confidence: None, rule, votes };
    }
    let decision = match first.total_cmp(&second) {
        std::cmp::Ordering::Greater => Decision::Prefer(Choice::First),
        std::cmp::Ordering::Less => Decision::Prefer(Choice::Second),
        std::cmp::Ordering::Equal => Decision::Tie,
    };
    #[expect(clippy::cast_possible_truncation, reason = "a share between 0.5 and 1")]
    let confidence = Some((first.max(second) / (first + second)) as f32);
    Verdict { decision, confidence, rule, votes }
}

fn ballot(trajectory: &Trajectory, weights: Weights) -> Option<(Choice, f64)> {
    let judgment = trajectory.judgment.as_ref().ok()?;
    let weight = match weights {
        Weights::Equal => 1.0,
        Weights::PositiveMetaReward => trajectory.meta.map_or(0.0, |meta| f64::from(meta.value.max(0.0))),
    };
    Some((judgment.preferred, weight))
}

/// Summed from the smallest weight up, so that the order of the criteria cannot change the last bit.
fn total(ballots: &[(Choice, f64)], choice: Choice) -> f64 {
    let mut weights: Vec<f64> = ballots.iter().filter(|(c, _)| *c == choice).map(|(_, weight)| *weight).collect();
    weights.sort_by(f64::total_cmp);
    weights.iter().sum()
}

#[cfg(test)]
mod tests {
    use grm_core::{Criterion, CriterionSource, Judgment, MetaReward};
    use proptest::prelude::*;

    use super::*;

    fn trajectory(preferred: Option<Choice>, meta: Option<f32>) -> Trajectory {
        let judgment = preferred.map(|preferred| Judgment {
            preferred,
            scores: [5, 5],
            critiques: [String::new(), String::new()],
            logprobs: None,
            votes: Votes::default(),
        });
        Trajectory {
            index: 0,
            criterion: Criterion { name: String::new(), explanation: String::new() },
            source: CriterionSource::Initial,
            judgment: judgment.ok_or(Invalid::MissingVerdict),
            refinements: [Err(Invalid::Upstream), Err(Invalid::Upstream)],
            meta: meta.map(|value| MetaReward { value, consistent: true }).ok_or(Invalid::Upstream),
            ranked_by: grm_core::RankedBy::Refinement,
        }
    }

    fn ballots() -> impl Strategy<Value = Vec<Trajectory>> {
        let choice = prop_oneof![Just(None), Just(Some(Choice::First)), Just(Some(Choice::Second))];
        prop::collection::vec((choice, prop::option::of(-3f32..3.0)).prop_map(|(c, m)| trajectory(c, m)), 0..12)
    }

    fn swapped(trajectories: &[Trajectory]) -> Vec<Trajectory> {
        let mut all = trajectories.to_vec();
        for judgment in all.iter_mut().filter_map(|t| t.judgment.as_mut().ok()) {
            judgment.preferred = judgment.preferred.other();
        }
        all
    }

    #[test]
    fn weights_can_overrule_the_majority() {
        use Choice::{First, Second};
        let all = [(First, 0.1), (First, 0.2), (Second, 5.0)].map(|(c, m)| trajectory(Some(c), Some(m)));
        assert_eq!(vote(&all, Weights::Equal, VerdictRule::Vote).decision, Decision::Prefer(First));
        assert_eq!(
            vote(&all, Weights::PositiveMetaReward, VerdictRule::MetaWeighted).decision,
            Decision::Prefer(Second)
        );
    }

    #[test]
    fn nothing_usable_is_invalid_and_level_is_a_tie() {
        let none = vote(&[trajectory(None, None)], Weights::Equal, VerdictRule::Vote);
        assert_eq!((none.decision, none.votes.invalid), (Decision::Invalid(Invalid::Upstream), 1));
        let level = [Choice::First, Choice::Second].map(|c| trajectory(Some(c), None));
        assert_eq!(vote(&level, Weights::Equal, VerdictRule::Vote).decision, Decision::Tie);
    }

    proptest! {
        #[test]
        fn order_never_matters(all in ballots(), seed in any::<u64>()) {
            let mut shuffled = all.clone();
            shuffled.sort_by_key(|t| (t.index as u64 ^ seed, t.meta.map_or(0, |m| m.value.to_bits().wrapping_mul(seed as u32))));
            for weights in [Weights::Equal, Weights::PositiveMetaReward] {
                prop_assert_eq!(vote(&all, weights, VerdictRule::Vote), vote(&shuffled, weights, VerdictRule::Vote));
            }
        }

        #[test]
        fn swapping_the_responses_swaps_the_verdict(all in ballots()) {
            for weights in [Weights::Equal, Weights::PositiveMetaReward] {
                let here = vote(&all, weights, VerdictRule::Vote).decision.preferred();
                let there = vote(&swapped(&all), weights, VerdictRule::Vote).decision.preferred();
                prop_assert_eq!(here.map(Choice::other), there);
            }
        }
    }
}
