//! The decoder families: what each calls itself, and in which switches it differs from the others.

mod llama;
mod qwen2;
mod qwen3;

use crate::config::ConfigError;

/// A decoder family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen3.
    Qwen3,
    /// Llama 2 and 3, and those built like them (SmolLM2).
    Llama,
}

/// What is known of a family.
pub(crate) struct Description {
    /// `model_type` in `config.json`, and `general.architecture` in GGUF.
    pub(crate) model_type: &'static str,
    /// Class that generates text.
    pub(crate) causal: &'static str,
    /// Class that scores.
    pub(crate) classifier: &'static str,
    pub(crate) attention_bias: bool,
    pub(crate) query_key_norm: bool,
    pub(crate) tied_by_default: bool,
    /// Whether GGUF files hold q and k with the two halves of each head interleaved.
    pub(crate) interleaved_in_gguf: bool,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Qwen2, Self::Qwen3, Self::Llama];

    pub(crate) fn describe(self) -> &'static Description {
        match self {
            Self::Qwen2 => &qwen2::DESCRIPTION,
            Self::Qwen3 => &qwen3::DESCRIPTION,
            Self::Llama => &llama::DESCRIPTION,
        }
    }

    /// From `model_type`, or a GGUF's `general.architecture`.
    ///
    /// # Errors
    /// An architecture that is not one of these.
    pub fn from_model_type(name: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|family| family.model_type() == name).ok_or_else(|| ConfigError::Unsupported {
            what: format!("the architecture {name:?}"),
            cure: "use a Qwen2, Qwen2.5, Qwen3 or Llama model".into(),
        })
    }

    /// `model_type` in `config.json`, and `general.architecture` in GGUF.
    #[must_use]
    pub fn model_type(self) -> &'static str {
        self.describe().model_type
    }

    /// The class that generates text, for `architectures`.
    #[must_use]
    pub fn causal_architecture(self) -> &'static str {
        self.describe().causal
    }

    /// The class that scores, for `architectures`.
    #[must_use]
    pub fn classifier_architecture(self) -> &'static str {
        self.describe().classifier
    }

    /// Whether GGUF files hold q and k with the two halves of each head interleaved, for another way to rotate.
    #[must_use]
    pub fn is_interleaved_in_gguf(self) -> bool {
        self.describe().interleaved_in_gguf
    }

    pub(crate) fn has_attention_bias(self) -> bool {
        self.describe().attention_bias
    }

    pub(crate) fn has_query_key_norm(self) -> bool {
        self.describe().query_key_norm
    }

    pub(crate) fn ties_embeddings_by_default(self) -> bool {
        self.describe().tied_by_default
    }
}
