//! The answer to a comparison.

use serde::{Deserialize, Serialize};

use crate::{Choice, Invalid, Votes};

/// What a judge decided. Ties and failures are outcomes of their own, never a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// This response is better.
    Prefer(Choice),
    /// Neither is: the evidence is level.
    Tie,
    /// No usable answer, and why.
    Invalid(Invalid),
}

impl Decision {
    /// The preferred response, if there is one.
    #[must_use]
    pub fn preferred(self) -> Option<Choice> {
        match self {
            Self::Prefer(choice) => Some(choice),
            Self::Tie | Self::Invalid(_) => None,
        }
    }
}

/// A decision with how sure it is and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// 0.5 to 1: share of votes, or verdict-token probability where known; `None` when undefined.
    pub confidence: Option<f32>,
    /// The rule that decided, by its name in recipes.
    pub rule: String,
    /// How samples and orders of the deciding call voted.
    pub votes: Votes,
}
