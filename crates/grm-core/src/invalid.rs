//! Why a model's reply could not be used. Never a number, never a tie, always counted.

use serde::{Deserialize, Serialize};

/// A value, or the typed reason there is none.
pub type Outcome<T> = Result<T, Invalid>;

/// The reasons a reply (or what was derived from it) is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Invalid {
    /// Nothing but white space after the thinking text.
    #[error("the reply is empty")]
    Empty,
    /// The generation stopped at its token limit before the contract was complete.
    #[error("the reply was cut off at its token limit")]
    Truncated,
    /// The model declined, or the server filtered the reply.
    #[error("the model declined to answer")]
    Refused,
    /// No verdict on the final line.
    #[error("no verdict [[A]] or [[B]] on the final line")]
    MissingVerdict,
    /// The final line names both.
    #[error("the final line holds both verdicts")]
    BothVerdicts,
    /// The scores point one way and the verdict the other.
    #[error("scores and verdict contradict each other")]
    Contradictory,
    /// A `<Judge A>` or `<Judge B>` section is missing, doubled or not closed.
    #[error("a judge section is missing or malformed")]
    MalformedSections,
    /// A section has no integer score from 1 to 10.
    #[error("a section has no integer score from 1 to 10")]
    MissingScore,
    /// Not a single well-formed criterion.
    #[error("no criterion in the required form")]
    NoCriteria,
    /// Fewer criteria than asked for.
    #[error("fewer criteria than asked for")]
    TooFewCriteria,
    /// More criteria than asked for.
    #[error("more criteria than asked for")]
    TooManyCriteria,
    /// Two criteria share a name, or one repeats a criterion that was given.
    #[error("duplicate criteria")]
    DuplicateCriteria,
    /// Samples or orders disagree and nothing breaks the tie.
    #[error("samples or orders disagree")]
    Undecided,
    /// The DisRM gave no usable score.
    #[error("a reward score is missing")]
    MissingRewardScore,
    /// A response that is a picture, clip or sound: there is nothing the policy could revise.
    #[error("a response that is no text is not revised")]
    NotRefinable,
    /// The DisRM cannot score responses or prompts of this kind.
    #[error("the DisRM cannot score this kind of media")]
    Unscorable,
    /// An earlier step this one needs was itself unusable.
    #[error("an earlier step was unusable")]
    Upstream,
}
