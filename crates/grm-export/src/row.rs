//! A record in the form the engines share: texts with placeholders, and the files they stand for.

use grm_core::Role;
use serde::{Deserialize, Serialize};

use crate::{digest::sha256, media::MediaKind};

/// One message, media written as placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// What is to be learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowAnswer {
    /// SFT.
    Target(String),
    /// DPO: the better and the worse text.
    Preference([String; 2]),
}

impl RowAnswer {
    /// Every text of it.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Target(text) => (text, None),
            Self::Preference([chosen, rejected]) => (chosen, Some(rejected)),
        };
        std::iter::once(first.as_str()).chain(second.map(String::as_str))
    }
}

/// A record that can be handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Unique within its file: the pair, and what tells its records apart.
    pub id: String,
    /// `thinking`, `non_thinking` or `preference`.
    pub form: &'static str,
    /// The prompt: a system message, then turns that begin and end with the user's.
    pub prompt: Vec<RowMessage>,
    /// What is to be learnt.
    pub answer: RowAnswer,
    /// Media files by kind, relative to the data folder, each list in the order of its placeholders.
    pub media: [Vec<String>; 3],
    /// Tokens of the longest row the engine makes of it.
    pub tokens: usize,
}

impl Row {
    /// Files of one kind.
    #[must_use]
    pub fn files(&self, kind: MediaKind) -> &[String] {
        &self.media[kind as usize]
    }

    /// `text`, or the kinds of media joined by `+`.
    #[must_use]
    pub fn modality(&self) -> String {
        let kinds: Vec<&str> =
            MediaKind::ALL.into_iter().filter(|&kind| !self.files(kind).is_empty()).map(MediaKind::as_str).collect();
        if kinds.is_empty() { "text".to_owned() } else { kinds.join("+") }
    }
}

/// What a record says, whatever it is called: records that say the same have the same.
pub(crate) fn content(prompt: &[RowMessage], answer: &RowAnswer, media: &[Vec<String>; 3]) -> String {
    sha256(format!("{prompt:?}{answer:?}{media:?}").as_bytes())
}
