//! Which server software answers, where that changes what is sent.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Chat servers that differ in how they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Decide from what the server's model list says.
    #[default]
    Auto,
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// llama.cpp's server.
    LlamaServer,
    /// Any other server that speaks the OpenAI form; nothing beyond it is sent.
    #[serde(rename = "openai")]
    OpenAi,
}

impl Dialect {
    /// The name used in recipes and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::LlamaServer => "llama-server",
            Self::OpenAi => "openai",
        }
    }

    /// What the `owned_by` field of a model list gives away.
    pub(crate) fn from_owner(owned_by: &str) -> Option<Self> {
        match owned_by {
            "vllm" => Some(Self::Vllm),
            "sglang" => Some(Self::Sglang),
            "llamacpp" => Some(Self::LlamaServer),
            _ => None,
        }
    }
}

/// Routes a reward model can be asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RewardKind {
    /// Decide from what the server says about itself.
    #[default]
    Auto,
    /// vLLM `POST /classify` with messages.
    VllmClassify,
    /// SGLang's native `POST /classify` with rendered text (its `/v1/classify` loses the score).
    SglangClassify,
    /// Text Embeddings Inference `POST /predict`.
    TeiPredict,
}

impl RewardKind {
    /// The name used in recipes and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::VllmClassify => "vllm-classify",
            Self::SglangClassify => "sglang-classify",
            Self::TeiPredict => "tei-predict",
        }
    }
}

/// A name that is none of those known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    name: String,
    known: &'static str,
}

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unknown name {:?}; use one of {}", self.name, self.known)
    }
}

impl std::error::Error for UnknownName {}

impl FromStr for Dialect {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        [Self::Auto, Self::Vllm, Self::Sglang, Self::LlamaServer, Self::OpenAi]
            .into_iter()
            .find(|dialect| dialect.as_str() == name)
            .ok_or_else(|| UnknownName { name: name.to_owned(), known: "auto, vllm, sglang, llama-server, openai" })
    }
}

impl FromStr for RewardKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        [Self::Auto, Self::VllmClassify, Self::SglangClassify, Self::TeiPredict]
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownName {
                name: name.to_owned(),
                known: "auto, vllm-classify, sglang-classify, tei-predict",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_recipes_and_on_the_command_line() {
        for dialect in [Dialect::Auto, Dialect::Vllm, Dialect::Sglang, Dialect::LlamaServer, Dialect::OpenAi] {
            assert_eq!(serde_json::to_value(dialect).unwrap(), dialect.as_str());
            assert_eq!(dialect.as_str().parse(), Ok(dialect));
        }
        for kind in [RewardKind::Auto, RewardKind::VllmClassify, RewardKind::SglangClassify, RewardKind::TeiPredict] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        let error = "vlm".parse::<Dialect>().unwrap_err().to_string();
        assert!(error.contains("vlm") && error.contains("llama-server"), "{error}");
    }
}
