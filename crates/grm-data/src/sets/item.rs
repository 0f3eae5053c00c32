//! One preference of a public data set, before media are looked for and responses are placed.

use std::path::PathBuf;

use grm_core::{Choice, MediaKind, Role};
use serde::{Deserialize, Serialize};

/// What people (or the set's own judge) said of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// The first response is better.
    First,
    /// The second is.
    Second,
    /// Both are good and level, or the set does not say which kind of level.
    Tie,
    /// Both are bad.
    BothBad,
}

impl Truth {
    /// The better response, where one is.
    #[must_use]
    pub fn preferred(self) -> Option<Choice> {
        match self {
            Self::First => Some(Choice::First),
            Self::Second => Some(Choice::Second),
            Self::Tie | Self::BothBad => None,
        }
    }

    /// The same with the responses exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
            level => level,
        }
    }
}

impl From<Choice> for Truth {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::First => Self::First,
            Choice::Second => Self::Second,
        }
    }
}

/// One comparison of a set with its truth, in the record's own order; sets of chosen and rejected give chosen first.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Unique within the set.
    pub id: String,
    /// The finest part of the set it names itself, such as `llmbar-natural`; empty where it names none.
    pub subset: String,
    /// Items that are scored together share it: the pairs of one best-of-n question, the nine of RM-Bench.
    pub group: Option<String>,
    /// The conversation; its last turn is the user's.
    pub prompt: Vec<ItemTurn>,
    /// The two responses.
    pub responses: [Vec<ItemPart>; 2],
    /// Which is better.
    pub truth: Truth,
    /// The criterion the preference was given under, where a set has one for each pair.
    pub criterion: Option<String>,
}

/// One turn of an item's conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemTurn {
    /// Who speaks.
    pub role: Role,
    /// What is said or shown, in the order of the record.
    pub parts: Vec<ItemPart>,
}

/// A piece of a turn or response.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemPart {
    /// Text.
    Text(String),
    /// A picture, clip or sound.
    Media(MediaKind, MediaSource),
}

/// Where a medium is, by reference.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaSource {
    /// A path relative to the set's folder; it may be absent.
    File(PathBuf),
    /// An address; never fetched by a reader.
    Url(String),
    /// Bytes of a file inside the record, as parquet columns hold them.
    Bytes(Vec<u8>),
    /// Decoded sound inside the record: mono samples and their rate in Hz.
    Samples(Vec<f32>, u32),
}
