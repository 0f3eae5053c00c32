//! One line of `trajectories.jsonl`: a pair and everything said about it.

use grm_core::{Choice, Comparison};
use grm_judge::JudgedPair;
use serde::{Deserialize, Serialize};

/// A pair with its outcome; self-contained, so that views need neither data file nor model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PairRecord {
    /// Format version: 1.
    pub(crate) version: u32,
    /// What was compared.
    pub(crate) comparison: Comparison,
    /// The known preference; no judge saw it.
    pub(crate) label: Option<Choice>,
    /// What came of it.
    pub(crate) outcome: PairOutcome,
}

/// How a pair ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PairOutcome {
    /// Judged; the verdict inside may still be a tie or invalid.
    Judged(Box<JudgedPair>),
    /// A call had no reply: counted apart from verdicts, asked again by the next run.
    Failed(Failure),
}

/// Why a pair has no judgment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    /// Short stable name.
    pub(crate) kind: String,
    /// The message with its cure.
    pub(crate) message: String,
}

impl PairRecord {
    /// The judged pair, if it was judged.
    pub(crate) fn judged(&self) -> Option<&JudgedPair> {
        match &self.outcome {
            PairOutcome::Judged(judged) => Some(judged),
            PairOutcome::Failed(_) => None,
        }
    }

    /// True when a call of the pair is left for a batch, so that nothing can be said of the pair yet.
    pub(crate) fn waits(&self) -> bool {
        matches!(&self.outcome, PairOutcome::Failed(failure) if failure.kind == "waits")
    }
}
