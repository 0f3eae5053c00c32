//! How many replies were usable, by step: the denominator nobody should have to ask for.

use std::collections::BTreeMap;

use grm_core::{Invalid, Step};
use serde::{Deserialize, Serialize};

/// Counts of one step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTally {
    /// Replies read.
    pub replies: u64,
    /// Replies that met their contract in full.
    pub valid: u64,
    /// The rest, by reason.
    pub invalid: BTreeMap<Invalid, u64>,
}

/// Counts of all steps; adding two tallies is adding their counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(pub BTreeMap<Step, StepTally>);

impl Tally {
    /// Counts one reply.
    pub fn count(&mut self, step: Step, problem: Option<Invalid>) {
        let counts = self.0.entry(step).or_default();
        counts.replies += 1;
        match problem {
            None => counts.valid += 1,
            Some(reason) => *counts.invalid.entry(reason).or_default() += 1,
        }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        for (step, theirs) in &other.0 {
            let ours = self.0.entry(*step).or_default();
            ours.replies += theirs.replies;
            ours.valid += theirs.valid;
            for (reason, count) in &theirs.invalid {
                *ours.invalid.entry(*reason).or_default() += count;
            }
        }
    }

    /// Usable and all replies over the given steps.
    #[must_use]
    pub fn valid_of(&self, steps: &[Step]) -> (u64, u64) {
        let counts = steps.iter().filter_map(|step| self.0.get(step));
        counts.fold((0, 0), |(valid, replies), step| (valid + step.valid, replies + step.replies))
    }
}
