//! Records of the method and the two traits every model stands behind.
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows an async runtime. The method's one
//! equation is in [`meta_reward`]; everything else is data that flows past it:
//!
//! ```text
//! Comparison → Criterion → Judgment → refinement → RewardScore → MetaReward → Verdict
//! ```
//!
//! A [`Comparison`] is all a judge ever sees. The label lives one level up, in [`Preference`], so no code path
//! leads from a label to a prompt.

mod agreement;
mod chat;
mod comparison;
mod criterion;
mod error;
mod example;
mod invalid;
mod judgment;
mod media;
mod media_type;
pub mod meta_reward;
mod reward;
mod trajectory;
mod verdict;

pub use agreement::agreement;
pub use chat::{
    CallOrigin, ChatModel, ChatReply, ChatRequest, Finish, Grammar, Message, ModelIdentity, Sampling, Span, Step,
    Usage, VerdictLogprobs,
};
pub use comparison::{Choice, Comparison, MediaRef, Part, Preference, Prompt, Response, Role, Turn};
pub use criterion::{Criterion, CriterionSource};
pub use error::ModelError;
pub use example::{DpoExample, Form, SftExample};
pub use invalid::{Invalid, Outcome};
pub use judgment::{Judgment, Votes};
pub use media::{MediaLibrary, NoMedia};
pub use media_type::{MediaKind, media_kind, media_type};
pub use meta_reward::{MetaReward, MetaRewardError, meta_reward};
pub use reward::{NonFiniteScore, RewardModel, RewardRequest, RewardScore, ScorerId};
pub use trajectory::{RankedBy, Refinement, Trajectory};
pub use verdict::{Decision, Verdict};

/// A boxed future, so that the traits can be used as `&dyn`.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
