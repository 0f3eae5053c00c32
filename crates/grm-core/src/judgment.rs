//! The GenRM's opinion under one or more criteria.

use serde::{Deserialize, Serialize};

use crate::{Choice, VerdictLogprobs};

/// A judgment `j_i`, in the comparison's own order whatever order the model saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgment {
    /// The response the judgment prefers.
    pub preferred: Choice,
    /// The two integer scores, 1 to 10.
    pub scores: [u8; 2],
    /// What was said about each response; the policy refines by it.
    pub critiques: [String; 2],
    /// log P of the two verdict letters where the engine reports it.
    pub logprobs: Option<VerdictLogprobs>,
    /// How the samples and orders behind this judgment voted.
    pub votes: Votes,
}

/// A tally over samples and presentation orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Votes {
    /// Replies preferring the first response.
    pub first: u32,
    /// Replies preferring the second response.
    pub second: u32,
    /// Replies that could not be used.
    pub invalid: u32,
    /// Samples asked in both orders and answered in both.
    pub both_orders: u32,
    /// Of those, samples whose two answers agree.
    pub consistent: u32,
}

impl Votes {
    /// The majority; `None` when level or when nothing could be used.
    #[must_use]
    pub fn majority(&self) -> Option<Choice> {
        match self.first.cmp(&self.second) {
            std::cmp::Ordering::Greater => Some(Choice::First),
            std::cmp::Ordering::Less => Some(Choice::Second),
            std::cmp::Ordering::Equal => None,
        }
    }
}
