//! Tokenizer and chat template of a model folder as Hugging Face lays it out.

use std::path::Path;

use serde_json::Value;

use crate::{
    chat_tokens::{ChatTokens, ChatTokensError},
    tokenizer::{SpecialIds, Tokenizer, TokenizerError, read_limited},
};

const CONFIG_BYTES_MAX: u64 = 16 << 20;

impl ChatTokens {
    /// Reads `tokenizer.json` and what stands beside it, where it does: `tokenizer_config.json` with the names of special
    /// tokens and the chat template, and `chat_template.jinja`, which comes before the template in the config.
    pub fn from_folder(folder: &Path) -> Result<Self, ChatTokensError> {
        let tokenizer = Tokenizer::from_file(&folder.join("tokenizer.json"))?;
        let config = config(&folder.join("tokenizer_config.json"))?;
        let id = |key: &str| token_text(&config[key]).and_then(|text| tokenizer.token_id(text));
        let special = SpecialIds { bos: id("bos_token"), eos: id("eos_token"), pad: id("pad_token") };
        let template = match template_file(&folder.join("chat_template.jinja"))? {
            Some(template) => Some(template),
            None => default_template(&config["chat_template"]).map(str::to_owned),
        };
        let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
        Self::new(&name, tokenizer.with_special(special), template.as_deref())
    }
}

fn config(path: &Path) -> Result<Value, TokenizerError> {
    if !path.exists() {
        return Ok(Value::Null);
    }
    let format = |source: serde_json::Error| TokenizerError::Format { path: path.to_owned(), source: source.into() };
    serde_json::from_slice(&read_limited(path, CONFIG_BYTES_MAX)?).map_err(format)
}

fn template_file(path: &Path) -> Result<Option<String>, TokenizerError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = String::from_utf8(read_limited(path, CONFIG_BYTES_MAX)?);
    text.map(Some).map_err(|error| TokenizerError::Format { path: path.to_owned(), source: error.into() })
}

/// A token is written as its text or as an object with its text as `content`.
fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

/// A template is written as its text or as a list of named ones, of which `default` is for chat.
fn default_template(value: &Value) -> Option<&str> {
    let named = || value.as_array()?.iter().find(|entry| entry["name"] == "default")?["template"].as_str();
    value.as_str().or_else(named)
}
