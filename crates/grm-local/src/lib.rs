//! Embedded generation and reward scoring on llama.cpp.
//!
//! [`Engine`] is a chat model in process: calls about one pair share their prefix, all running calls advance in one
//! batch, and replies can be held to a grammar. [`HiddenStates`] reads a model's last hidden states, and [`HeadReward`]
//! lays a small trained head over them: a reward model that fits a laptop. The crate opens no connection; where a file
//! has to be fetched, the caller passes a [`Fetcher`] or asks [`pull`].

mod cells;
mod cores;
mod engine;
mod features;
mod grammar;
mod head;
mod hidden;
mod hub;
mod lookup;
mod models;
mod pull;
mod reward;
mod scheduler;
#[cfg(test)]
mod tokens_agree;
mod weights;
mod worker;

pub use engine::{Engine, EngineConfig, SLOTS_MAX};
pub use features::{FeatureError, FeatureProgress, features};
pub use grm_gguf as gguf;
pub use head::{BUILTIN_ADAPTER, BUILTIN_HEAD, Head, HeadError};
pub use hidden::{HiddenState, HiddenStates, TEXT_TOKENS_MAX, TextForm};
pub use hub::{FetchRequest, Fetched, Fetcher, HubCache, HubError, HubFile};
pub use models::{KNOWN_MODELS, KnownModel, ModelFileError, Places, ResolvedModel, file_sha256, known_model, resolve};
pub use pull::{PullProgress, pull};
pub use reward::HeadReward;
pub use scheduler::EngineStats;
