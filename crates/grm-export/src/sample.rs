//! What is handed over, before any engine's form: a prompt of text and media, and what is to be learnt from it.

use grm_core::{Form, Part, Role};

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said and shown, in the order a model sees it.
    pub parts: Vec<Part>,
}

/// What is to be learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// SFT: this text.
    Target {
        /// The assistant's turn.
        text: String,
        /// Reasoning and verdict, or the verdict alone.
        form: Form,
    },
    /// DPO: the first rather than the second.
    Preference {
        /// The better answer.
        chosen: String,
        /// The worse one.
        rejected: String,
    },
}

/// A training example of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The pair it came from.
    pub pair: String,
    /// The prompt.
    pub prompt: Vec<PromptMessage>,
    /// What is to be learnt.
    pub answer: Answer,
}
