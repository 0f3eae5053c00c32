//! `[plan]` of a recipe: how much is wanted, and figures of one's own machines. Nothing here has a default: what is not
//! given is not made up.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What is wanted, and what is known of the machines.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PlanSettings {
    /// SFT examples wanted.
    pub(crate) sft_examples: Option<u64>,
    /// DPO pairs wanted.
    pub(crate) dpo_pairs: Option<u64>,
    /// Labelled pairs to go through, where it is not examples that are wanted.
    pub(crate) pairs: Option<u64>,
    /// A finished run over some fifty pairs.
    pub(crate) pilot: Option<PathBuf>,
    pub(crate) speed: Speed,
    pub(crate) training: Training,
}

/// What one server does, all its calls together, and what it costs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Speed {
    /// Prompt tokens a second.
    pub(crate) prompt_tokens_per_second: Option<f64>,
    /// Generated tokens a second.
    pub(crate) reply_tokens_per_second: Option<f64>,
    /// Reward scores a second.
    pub(crate) scores_per_second: Option<f64>,
    /// Chat servers that work side by side [1].
    pub(crate) servers: Option<u64>,
    /// GPUs a chat server takes [1].
    pub(crate) gpus_per_server: Option<u64>,
    /// Price of an hour of one GPU.
    pub(crate) gpu_hour_price: Option<f64>,
    /// Price of a million prompt tokens, where a service is paid by the token.
    pub(crate) million_prompt_tokens_price: Option<f64>,
    /// Price of a million generated tokens.
    pub(crate) million_reply_tokens_price: Option<f64>,
}

/// The training that follows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Training {
    /// GPUs.
    pub(crate) gpus: Option<u64>,
    /// Examples on one GPU in a micro-batch.
    pub(crate) batch: Option<u64>,
    /// Micro-batches in an update.
    pub(crate) accumulation: Option<u64>,
    /// Examples a second in SFT, all GPUs together.
    pub(crate) sft_examples_per_second: Option<f64>,
    /// Pairs a second in DPO, all GPUs together.
    pub(crate) dpo_pairs_per_second: Option<f64>,
}

impl PlanSettings {
    /// True where a recipe has no plan; it is then not written either.
    pub(crate) fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}
