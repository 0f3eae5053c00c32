//! Decoders in burn, for training and for rewards: Qwen2, Qwen3 and Llama, with an output layer or a scalar head, with or
//! without low-rank adapters.
//!
//! Modules are named as checkpoints name them. Training sees a network through [`Network`]: rows of tokens in, a few
//! numbers a row out, derivatives back in.

mod build;
mod causal;
pub mod config;
pub mod decoder;
pub mod export;
pub mod families;
mod forest;
mod generate;
mod log_probs;
pub mod lora;
pub mod network;
pub mod omni;
mod parameters;
mod reward;
mod tape;
mod trunk;
pub mod weights;

pub use causal::CausalLm;
pub use config::{ConfigError, DecoderConfig};
pub use export::{
    AdapterError, ExportError, MergedExport, PeftAdapter, Precision, read_peft, write_gguf_adapter, write_peft,
};
pub use families::Family;
pub use forest::Forest;
pub use generate::{Grown, Leaf, Planted};
pub use lora::{LoraConfig, LoraError};
pub use network::{Gradients, Network, Outputs, ParameterInfo, RowError, TokenRow};
pub use parameters::HostParameters;
pub use reward::{Pooling, RewardModel};
pub use tape::Checkpointing;
pub use trunk::Execution;
pub use weights::{HostTensor, OpenError, WeightError, Weights, open};
