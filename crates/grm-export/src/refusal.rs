//! Why a record is left out: named, counted, never guessed around.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why a record is not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Longer than the cut-off: engines would cut it, and may cut media in two.
    OverCutoff,
    /// What is to be learnt says `<image>`, `<video>` or `<audio>`, which engines take for a file.
    LiteralPlaceholder,
    /// A text writes a control token such as `<|im_end|>`, which engines take for the real one.
    ControlToken,
    /// Nothing is to be learnt.
    EmptyAnswer,
    /// The better and the worse answer are the same.
    SameAnswers,
    /// An earlier record says the same.
    Duplicate,
    /// The turns are not the user's and the assistant's in turn, the user's first and last.
    TurnOrder,
    /// A file is in none of the folders.
    MediaMissing,
    /// A file is not the one the run has seen (its SHA-256 differs).
    MediaChanged,
    /// A file whose length in tokens cannot be told, or that the engine cannot take.
    MediaUnusable,
    /// A sound that is not mono 16 kHz WAV and could not be made so.
    SoundForm,
    /// A file that stands in the prompt of an engine that takes no such media.
    EngineLacksKind,
}

impl Refusal {
    /// What the reason means, and the cure where there is one.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::OverCutoff => "longer than the cut-off; raise --cutoff or lower the pixel caps",
            Self::LiteralPlaceholder => "what is to be learnt says <image>, <video> or <audio>",
            Self::ControlToken => "a text writes a control token; synthesize with --sanitize neutralise",
            Self::EmptyAnswer => "nothing is to be learnt",
            Self::SameAnswers => "chosen and rejected are the same",
            Self::Duplicate => "an earlier record says the same",
            Self::TurnOrder => "the turns do not alternate, the user's first and last",
            Self::MediaMissing => "a media file is missing; name its folder with --media",
            Self::MediaChanged => "a media file is not the one the run has seen; restore it",
            Self::MediaUnusable => "a media file the engine cannot take; convert it to PNG, MP4 or WAV",
            Self::SoundForm => "a sound that could not be made 16-bit mono 16 kHz WAV; convert it",
            Self::EngineLacksKind => "media of a kind the engine has no training for; use llamafactory or ms-swift",
        }
    }

    fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: Refusal,
    /// What exactly.
    pub detail: String,
}

/// Counts by reason.
pub(crate) fn counts(refused: &[Refused]) -> BTreeMap<Refusal, usize> {
    refused.iter().fold(BTreeMap::new(), |mut counts, refused| {
        *counts.entry(refused.reason).or_default() += 1;
        counts
    })
}

/// As in `over_cutoff 3, same_answers 1`.
pub(crate) fn summary(refused: &[Refused]) -> String {
    let count = |(reason, count): (Refusal, usize)| format!("{} {count}", reason.name());
    counts(refused).into_iter().map(count).collect::<Vec<_>>().join(", ")
}
