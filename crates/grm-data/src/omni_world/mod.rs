//! A small world to see, hear and judge: pictures, sounds and clips made from a seed, with what is true of each.
//!
//! A *picture* (PNG, 56, 84 or 112 pixels a side) has one to four shapes of a colour in one half. A *sound* (mono WAV
//! of 16 kHz, 1.6 to 2 s) is two to five beeps: low or high, rising, falling or steady, slow or fast, smooth or
//! rough. A *clip* (GIF of eight frames over two seconds, 56 or 84 pixels a side) is one shape that moves, grows,
//! shrinks or changes colour. Each is told in a few words, most of which are facts: `It has color red, shape circle,
//! count two, place left.`
//!
//! [`OmniWorld::write`] makes a folder:
//!
//! ```text
//! describe.jsonl     scenes shown or told, each with its description: to learn seeing, hearing and the language
//! text_pairs.jsonl   pairs about a scene told in words: the same questions, nothing to see or hear
//! image_pairs.jsonl  audio_pairs.jsonl  video_pairs.jsonl   pairs about a medium
//! scenes.jsonl       by record id: what is true, what was asked, the medium's SHA-256
//! media/             the files
//! manifest.json      seed, sizes, SHA-256 of the record files
//! ```
//!
//! Both answers of a pair are a fact but for its value, `color red` and `color blue`; of any two values each is as
//! often the true one, so that neither words nor length tell which answer is better. A quarter of all combinations of
//! facts, the same for every seed, is only in worlds made with [`OmniWorld::held_out`], whatever the medium or the
//! question.
//!
//! What that does not exclude: told scenes name their true values, so a pair about one is decided by which answer
//! stands in its prompt. Nothing of the kind helps where the scene is shown.
//!
//! # Vocabulary
//!
//! Every word there is ([`VOCABULARY`]): blue, bottom, change, circle, clip, color, count, cross, describe, direction,
//! down, falling, fast, five, four, green, grows, has, high, is, it, later, left, low, moves, one, picture, pink,
//! pitch, place, recolors, red, right, rising, rough, shape, shrinks, slow, smooth, sound, speed, square, steady, the,
//! three, tone, top, triangle, two, up, what, which, white, yellow.

mod canvas;
mod clip;
mod draws;
mod picture;
mod question;
mod recall;
mod records;
mod scene;
mod sound;
mod stream;
#[cfg(test)]
mod tests;
mod words;
mod writing;

use std::path::Path;

pub use recall::{RecallLesson, recall_lessons};
pub use records::{DescribeRecord, FileDigest, Manifest, PairRecord, SceneRecord, Sizes, VERSION};
pub use words::VOCABULARY;
pub use writing::WorldError;

/// A world to be written. The same seed and sizes give the same bytes; larger sizes only add records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OmniWorld {
    seed: u64,
    held_out: bool,
}

impl OmniWorld {
    /// A world of scenes to train on.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, held_out: false }
    }

    /// The world of the same seed made of scenes kept for tests, none of which is in any [`OmniWorld::new`].
    #[must_use]
    pub fn held_out(self) -> Self {
        Self { held_out: true, ..self }
    }

    /// Makes `folder` (its parent is made when missing), whole or not at all; refuses one that is there.
    pub fn write(self, folder: &Path, sizes: &Sizes) -> Result<Manifest, WorldError> {
        writing::write(self, folder, sizes)
    }
}
