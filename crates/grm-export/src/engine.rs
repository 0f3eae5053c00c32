//! Who the records are for.

use serde::{Deserialize, Serialize};

/// A training engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// LLaMA-Factory: text, pictures, clips, sounds.
    #[serde(rename = "llamafactory")]
    LlamaFactory,
    /// ms-swift: the same.
    MsSwift,
    /// TRL: text and pictures.
    Trl,
}

impl Engine {
    /// As the command line names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LlamaFactory => "llamafactory",
            Self::MsSwift => "ms-swift",
            Self::Trl => "trl",
        }
    }

    /// Packages of a virtual environment of its own, in versions that import together. torch and torchaudio must match,
    /// and LLaMA-Factory imports torchaudio even for text.
    #[must_use]
    pub fn requirements(self) -> &'static [&'static str] {
        match self {
            Self::LlamaFactory => &[
                "llamafactory==0.9.5",
                "torch==2.8.0",
                "torchaudio==2.8.0",
                "torchvision==0.23.0",
                "transformers==4.57.6",
                "trl==0.24.0",
                "peft==0.18.1",
                "accelerate==1.11.0",
                "datasets==4.0.0",
                "deepspeed==0.19.8",
            ],
            Self::MsSwift => &[
                "ms-swift==4.6.0",
                "torch==2.8.0",
                "torchvision==0.23.0",
                "transformers==4.57.6",
                "trl==0.29.1",
                "datasets==4.8.4",
                "qwen-omni-utils==0.0.9",
                "soundfile",
                "decord==0.6.0",
                "deepspeed==0.19.8",
            ],
            Self::Trl => &["trl==1.16.0", "torch==2.8.0", "torchvision==0.23.0", "peft==0.21.2", "deepspeed==0.19.8"],
        }
    }
}
