//! Hand-over to the engines people train with, and the way back.
//!
//! [`export`] turns a run of `grm synthesize` into a folder that LLaMA-Factory, ms-swift or TRL trains from with one
//! command, and enforces what those engines do not: lengths, placeholders, forms of media. [`mod@check`] is its linter.
//! [`mod@import`] takes what they trained and makes it a model that vLLM serves, without ever holding it in memory.

mod card;
pub mod check;
mod digest;
mod engine;
mod engines;
mod error;
mod export;
mod folder;
pub mod import;
mod interleave;
mod lengths;
mod manifest;
mod media;
mod prepare;
mod refusal;
mod row;
mod sample;
mod script;
mod shards;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod token_count;

pub use engine::Engine;
pub use engines::Set;
pub use error::ExportError;
pub use export::{ExportSettings, Exported, export, export_source};
pub use lengths::Caps;
pub use manifest::{Lengths, MANIFEST, Manifest, ManifestCaps, ManifestFile, ManifestSource, SetCounts};
pub use media::{ClipFacts, MediaFacts, MediaKind, PictureFacts, SOUND_RATE, SoundFacts};
pub use refusal::{Refusal, Refused};
pub use row::{Row, RowAnswer, RowMessage};
pub use sample::{Answer, PromptMessage, Sample};
pub use source::{Source, read_run};
pub use token_count::TokenCounter;
