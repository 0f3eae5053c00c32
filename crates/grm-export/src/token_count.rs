//! How many tokens LLaMA-Factory's `qwen2_omni` template and ms-swift's make of a conversation.
//!
//! Each turn is one string with its markers, cut as a whole, so that a line break of the template and one that a text
//! begins with may become one token; each answer is cut on its own.

use std::path::Path;

use grm_core::Role;
use grm_text::{Stretch, Tokenizer, TokenizerError};

use crate::{error::ExportError, media::MediaKind, row::RowMessage};

/// The trained model's tokenizer.
#[derive(Debug)]
pub struct TokenCounter {
    tokenizer: Tokenizer,
}

impl TokenCounter {
    /// Reads `tokenizer.json`, or the one in a model's folder.
    ///
    /// # Errors
    /// A file that is no tokenizer.
    pub fn open(path: &Path) -> Result<Self, ExportError> {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        Ok(Self { tokenizer: Tokenizer::from_file(&file)? })
    }

    /// Tokens of the prompt up to where an answer begins; media count as their two markers.
    pub(crate) fn prompt(&self, messages: &[RowMessage]) -> Result<usize, TokenizerError> {
        let mut total = 0;
        for message in messages {
            let content = marked(&message.content);
            total += match message.role {
                Role::System => self.count(format!("<|im_start|>system\n{content}<|im_end|>\n"))?,
                Role::User => self.count(format!("<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"))?,
                Role::Assistant => self.answer(&content)?,
            };
        }
        Ok(total)
    }

    /// Tokens of an answer with what ends its turn.
    pub(crate) fn answer(&self, text: &str) -> Result<usize, TokenizerError> {
        self.count(format!("{text}<|im_end|>\n"))
    }

    fn count(&self, text: String) -> Result<usize, TokenizerError> {
        Ok(self.tokenizer.encode_more(&[Stretch { text, special: true }])?.len())
    }

    /// A control token written out in a text, which the engines would take for the real one.
    pub(crate) fn control_token<'a>(&self, text: &'a str) -> Option<&'a str> {
        let starts = text.match_indices("<|").map(|(at, _)| at);
        let written = starts.filter_map(|at| text[at..].find("|>").map(|length| &text[at..at + length + 2]));
        let is_control = |word: &&str| self.tokenizer.token_id(word).is_some_and(|id| self.tokenizer.is_control(id));
        written.into_iter().find(is_control)
    }
}

/// The text with the markers that surround media; what is between them is counted apart.
fn marked(content: &str) -> String {
    content
        .replace(MediaKind::Image.placeholder(), "<|vision_bos|><|vision_eos|>")
        .replace(MediaKind::Video.placeholder(), "<|vision_bos|><|vision_eos|>")
        .replace(MediaKind::Audio.placeholder(), "<|audio_bos|><|audio_eos|>")
}
