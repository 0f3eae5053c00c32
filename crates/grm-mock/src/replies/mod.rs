//! Replies as a function of the request.
//!
//! *Recognition.* A prompt's material stands in sections (`[Response A]` … `[End of Response A]`); the task comes
//! after the last of them. The task's own words say which of our questions it is.
//!
//! *Quality.* Every response has a latent quality: a hash of its first eight words, plus a fixed step for each of
//! the mock's own improvements it holds ([`latent_quality`]). Judgments prefer the higher one, except for a share
//! turned round by hash; refinements add one improvement; reward scores follow it. So criteria disagree now and
//! then, refinements help as a rule, and everything is the same again on the next run.

mod criteria;
mod judgment;
mod malformed;
mod quality;
mod refinement;
mod task;

pub use quality::latent_quality;

use crate::{canonical::Key, config::MockConfig};
use task::Task;

/// The text of a reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// True when it stops short, as at a token limit.
    pub(crate) cut: bool,
    /// How far the reply leans towards A: above 0 it says `[[A]]`.
    pub(crate) lean: f64,
}

/// Writes the reply to a prompt. Grammars are not read; under one, a question that is none of ours gets a verdict.
pub(crate) fn write(prompt: &str, grammar: bool, key: &Key, config: &MockConfig) -> Written {
    let task = Task::recognise(prompt);
    let (text, lean) = match &task {
        Task::Criteria { count, given } => (criteria::write(*count, given, key), 0.0),
        Task::Judgment { responses, criteria } => {
            let lean = quality::lean(*responses, key, config);
            (judgment::sections(lean, criteria, key), lean)
        }
        Task::Thinking { responses } => {
            let lean = quality::lean(*responses, key, config);
            (judgment::thinking(lean, key), lean)
        }
        Task::Verdict { responses } => {
            let lean = quality::lean(*responses, key, config);
            (judgment::verdict(lean).to_owned(), lean)
        }
        Task::Refinement { response } => (refinement::write(response, key), 0.0),
        Task::Other if grammar => {
            let lean = quality::lean(["", ""], key, config);
            (judgment::verdict(lean).to_owned(), lean)
        }
        Task::Other => (format!("This is a mock reply to a prompt of {} bytes.", prompt.len()), 0.0),
    };
    malformed::spoil(Written { text, cut: false, lean }, &task, key, config.malformed)
}

/// The reward logit of a response to a prompt.
pub(crate) fn logit(prompt: &str, response: &str, seed: u64) -> f64 {
    quality::logit(prompt, response, seed)
}
