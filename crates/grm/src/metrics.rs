//! What a run comes to: verdicts, failures and baselines counted apart, with intervals.

use std::collections::BTreeMap;

use grm_core::{Choice, Decision, Invalid, RankedBy};
pub(crate) use grm_eval::statistics::wilson;
use grm_judge::{RouteCounts, Tally};
use serde::{Deserialize, Serialize};

use crate::record::{PairOutcome, PairRecord};

/// Counts over all pairs of a run, updated one record at a time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metrics {
    /// Format version: 1.
    pub(crate) version: u32,
    /// Records read and used.
    pub(crate) pairs: u64,
    /// Records that could not be used, by problem.
    pub(crate) skipped: BTreeMap<String, u64>,
    /// Pairs with a call that had no reply, by kind.
    pub(crate) failed: BTreeMap<String, u64>,
    /// Verdicts for one of the two.
    pub(crate) decided: u64,
    /// Verdicts "level".
    pub(crate) ties: u64,
    /// Verdicts that could not be read, by reason.
    pub(crate) invalid: BTreeMap<Invalid, u64>,
    /// Against labels, for pairs that have one.
    pub(crate) labelled: Labelled,
    /// Answers asked in both orders, and how many agreed.
    pub(crate) both_orders: u64,
    /// Of those, answers that agree.
    pub(crate) consistent: u64,
    /// Trajectories followed, and those that have a meta-reward.
    pub(crate) trajectories: u64,
    /// Of those, with a meta-reward.
    pub(crate) with_meta_reward: u64,
    /// Pairs whose criteria could not be ranked by Eq. 1, by what they were ranked by instead.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) ranked_otherwise: BTreeMap<RankedBy, u64>,
    /// What became of pairs in synthesis.
    pub(crate) routes: RouteCounts,
    /// Usable and unusable replies by step.
    pub(crate) replies: Tally,
}

/// Right answers of the judge and of two baselines on the same pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Labelled {
    /// Pairs with a label that were judged.
    pub(crate) pairs: u64,
    /// Verdicts equal to the label.
    pub(crate) right: u64,
    /// The DisRM alone: the response it scores higher is the label's.
    pub(crate) disrm_right: u64,
    /// Pairs where the DisRM scored both originals.
    pub(crate) disrm_scored: u64,
    /// "The longer response wins" is right (equal lengths count half, so it is doubled here).
    pub(crate) longer_right_doubled: u64,
}

impl Metrics {
    /// Counts one pair.
    pub(crate) fn count(&mut self, record: &PairRecord) {
        self.version = 1;
        self.pairs += 1;
        let judged = match &record.outcome {
            PairOutcome::Judged(judged) => judged,
            PairOutcome::Failed(failure) => {
                *self.failed.entry(failure.kind.clone()).or_default() += 1;
                return;
            }
        };
        self.replies.add(&judged.tally);
        match judged.verdict.decision {
            Decision::Prefer(_) => self.decided += 1,
            Decision::Tie => self.ties += 1,
            Decision::Invalid(reason) => *self.invalid.entry(reason).or_default() += 1,
        }
        self.both_orders += u64::from(judged.verdict.votes.both_orders);
        self.consistent += u64::from(judged.verdict.votes.consistent);
        self.trajectories += judged.trajectories.len() as u64;
        self.with_meta_reward += judged.trajectories.iter().filter(|t| t.meta.is_ok()).count() as u64;
        if let Some(otherwise) = judged.ranked_by().filter(|by| *by != RankedBy::Refinement) {
            *self.ranked_otherwise.entry(otherwise).or_default() += 1;
        }
        if let Some(label) = record.label {
            self.labelled.count(record, label);
        }
    }

    /// A line for each way of ranking other than Eq. 1.
    pub(crate) fn ranking_lines(&self) -> impl Iterator<Item = String> {
        self.ranked_otherwise.iter().map(|(by, pairs)| match by {
            RankedBy::Refinement => format!("ranked by revisions: {pairs} pairs"),
            RankedBy::OriginalScores => {
                format!("responses that are no text: {pairs} pairs ranked by the DisRM's scores of the originals")
            }
            RankedBy::Proposal => {
                format!("media the DisRM cannot score: {pairs} pairs with their criteria in the order of proposal")
            }
        })
    }

    /// Pairs that failed.
    pub(crate) fn failed_pairs(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Verdicts that could not be read.
    pub(crate) fn invalid_verdicts(&self) -> u64 {
        self.invalid.values().sum()
    }
}

impl Labelled {
    fn count(&mut self, record: &PairRecord, label: Choice) {
        let Some(judged) = record.judged() else { return };
        self.pairs += 1;
        self.right += u64::from(judged.verdict.decision.preferred() == Some(label));
        if let [Ok(first), Ok(second)] = judged.originals {
            self.disrm_scored += 1;
            let better = if first.value() > second.value() { Choice::First } else { Choice::Second };
            self.disrm_right += u64::from(first.value() != second.value() && better == label);
        }
        let [first, second] =
            record.comparison.responses.each_ref().map(|response| response.joined_text().chars().count());
        self.longer_right_doubled += match first.cmp(&second) {
            std::cmp::Ordering::Equal => 1,
            std::cmp::Ordering::Greater => 2 * u64::from(label == Choice::First),
            std::cmp::Ordering::Less => 2 * u64::from(label == Choice::Second),
        };
    }
}

/// "7 of 12 (58 %, 95 % interval 32–81 %)".
pub(crate) fn share(right: u64, trials: u64) -> String {
    match wilson(right, trials) {
        None => "none".to_owned(),
        Some((low, high)) => {
            #[expect(clippy::cast_precision_loss, reason = "counts of pairs")]
            let percent = 100.0 * right as f64 / trials as f64;
            format!("{right} of {trials} ({percent:.0} %, 95 % interval {:.0}–{:.0} %)", 100.0 * low, 100.0 * high)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_told_with_its_interval() {
        assert_eq!(share(7, 12), "7 of 12 (58 %, 95 % interval 32–81 %)");
        assert_eq!(share(0, 0), "none");
    }
}
