//! Tokenizer, processor and templates beside the weights: as trained, else the base's.

use std::path::Path;

use super::{error::ImportError, names::Family};

const NAMES: [&str; 15] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "LICENSE",
    SPEAKERS,
];

/// transformers refuses Qwen2.5-Omni without its table of voices, even where speech is off.
const SPEAKERS: &str = "spk_dict.pt";
/// An empty table, as `torch.save` writes it.
const NO_SPEAKERS: &[u8] = include_bytes!("spk_dict.pt");

pub(super) fn copy(trained: &Path, base: &Path, to: &Path, family: Family) -> Result<(), ImportError> {
    for name in NAMES {
        if let Some(from) = [trained, base].map(|folder| folder.join(name)).into_iter().find(|path| path.is_file()) {
            std::fs::copy(&from, to.join(name)).map_err(|source| ImportError::io(&from, source))?;
        }
    }
    let speakers = to.join(SPEAKERS);
    if family == Family::Omni && !speakers.exists() {
        std::fs::write(&speakers, NO_SPEAKERS).map_err(|source| ImportError::io(&speakers, source))?;
    }
    Ok(())
}
