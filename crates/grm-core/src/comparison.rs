//! What is compared: a prompt and two responses, with the label kept one level up.

use serde::{Deserialize, Serialize};

/// Who speaks in a turn or a chat message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The person, or the side asking.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The lower-case name used by chat templates and by the OpenAI wire format.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A media file, named by content so that journals and training sets stay valid when folders move.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaRef {
    /// Lower-case hex SHA-256 of the file's bytes.
    pub sha256: String,
    /// Path relative to the data set's root.
    pub path: String,
}

/// One piece of a prompt or response; the order of parts is the order models see them in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Part {
    /// Plain text. It is data: markers and special tokens inside it never act as such.
    Text {
        /// The text as the record holds it.
        text: String,
    },
    /// A still picture.
    Image {
        /// The file.
        media: MediaRef,
    },
    /// A clip.
    Video {
        /// The file.
        media: MediaRef,
    },
    /// A sound.
    Audio {
        /// The file.
        media: MediaRef,
    },
}

impl Part {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

fn joined_text(parts: &[Part]) -> String {
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            Part::Image { .. } | Part::Video { .. } | Part::Audio { .. } => None,
        })
        .collect();
    texts.join("\n")
}

/// One turn of the conversation that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Who spoke.
    pub role: Role,
    /// What was said or shown.
    pub parts: Vec<Part>,
}

impl Turn {
    /// A turn of text alone.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::text(text)] }
    }

    /// The text parts joined by newlines; media are left out.
    #[must_use]
    pub fn joined_text(&self) -> String {
        joined_text(&self.parts)
    }
}

/// What was asked (`q`): a conversation whose last turn is the user's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The turns, oldest first.
    pub turns: Vec<Turn>,
}

impl Prompt {
    /// A single user turn of text.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self { turns: vec![Turn::text(Role::User, text)] }
    }

    /// True when no turn holds an image, video or audio part.
    #[must_use]
    pub fn is_text_only(&self) -> bool {
        self.turns.iter().flat_map(|turn| &turn.parts).all(|part| matches!(part, Part::Text { .. }))
    }
}

/// A candidate reply (`r1` or `r2`): text, or for generation tasks a picture, clip or sound.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The pieces in order.
    pub parts: Vec<Part>,
}

impl Response {
    /// A response of text alone.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::text(text)] }
    }

    /// The text parts joined by newlines; media are left out.
    #[must_use]
    pub fn joined_text(&self) -> String {
        joined_text(&self.parts)
    }

    /// True when every part is text.
    #[must_use]
    pub fn is_text_only(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text { .. }))
    }
}

/// Which of two responses: the first (shown to models as A) or the second (B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The first response, `r1`, "A".
    First,
    /// The second response, `r2`, "B".
    Second,
}

impl Choice {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// 0 for the first, 1 for the second: the paper's `j` and `l`.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// The letter models see: `A` or `B`.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::First => 'A',
            Self::Second => 'B',
        }
    }
}

/// Two responses to one prompt, as a judge receives them: without a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Unique within a run; seeds are derived from it.
    pub id: String,
    /// What was asked.
    pub prompt: Prompt,
    /// The candidates, in the order models see them.
    pub responses: [Response; 2],
}

impl Comparison {
    /// The same comparison shown the other way round; the id stays.
    #[must_use]
    pub fn swapped(&self) -> Self {
        let [first, second] = self.responses.clone();
        Self { id: self.id.clone(), prompt: self.prompt.clone(), responses: [second, first] }
    }

    /// True when neither the prompt nor a response holds a picture, clip or sound.
    #[must_use]
    pub fn is_text_only(&self) -> bool {
        self.prompt.is_text_only() && self.has_text_responses()
    }

    /// True when both responses are text alone; the prompt may hold media.
    #[must_use]
    pub fn has_text_responses(&self) -> bool {
        self.responses.iter().all(Response::is_text_only)
    }

    /// The response a choice points at.
    #[must_use]
    pub fn response(&self, choice: Choice) -> &Response {
        &self.responses[choice.index()]
    }
}

/// A comparison whose better response is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preference {
    /// What a judge may see.
    pub comparison: Comparison,
    /// The response people preferred (`l`).
    pub label: Choice,
}

impl Preference {
    /// The same preference shown the other way round.
    #[must_use]
    pub fn swapped(&self) -> Self {
        Self { comparison: self.comparison.swapped(), label: self.label.other() }
    }
}
