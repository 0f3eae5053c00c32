//! Criteria-based test-time scaling: prompts and parsers of the method's steps, and the pipeline that joins them.

mod asking;
pub mod criteria;
pub mod direct;
mod final_line;
mod gbnf;
pub mod judgment;
mod pipeline;
mod prompts;
mod ranking;
pub mod refinement;
mod refusal;
mod reply;
mod sanitize;
mod settings;
mod synthesis;
mod tags;
mod tally;
pub mod verdict;
mod verdict_examples;

pub use pipeline::{JudgedPair, Pipeline};
pub use prompts::{PairContext, PromptError, Prompts, Rendered, ResponseContext};
pub use ranking::rank;
pub use sanitize::{Sanitize, neutralise, restore};
pub use settings::{Explore, JudgeSettings, MaxTokens, Rejected, SettingsError, VerdictRule};
pub use synthesis::{Route, RouteCounts, Synthesised};
pub use tally::{StepTally, Tally};
pub use verdict_examples::VerdictExamples;
