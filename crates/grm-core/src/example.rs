//! Training examples, engine-neutral: exporters rename, they do not decide.

use serde::{Deserialize, Serialize};

use crate::{Choice, Message};

/// Which of the two trained output forms a target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `<think>` reasoning, then the verdict.
    Thinking,
    /// The verdict alone.
    NonThinking,
}

/// A supervised example: the direct-judgment prompt and the text to learn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftExample {
    /// The pair it came from.
    pub pair: String,
    /// The prompt, as a judge would be asked at inference.
    pub messages: Vec<Message>,
    /// The assistant turn to learn.
    pub target: String,
    /// Thinking or not.
    pub form: Form,
    /// The response the target prefers; equals the pair's label.
    pub preferred: Choice,
}

/// A preference between two judgments of one pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpoExample {
    /// The pair it came from.
    pub pair: String,
    /// The prompt both answers were given to.
    pub messages: Vec<Message>,
    /// The improved judgment; its verdict equals the pair's label.
    pub chosen: String,
    /// What the current GenRM said itself to the same prompt.
    pub rejected: String,
}
