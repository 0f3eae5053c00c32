//! Models that see and hear, in this process: Qwen2.5-Omni's thinker and Qwen2.5-VL behind the traits all others stand
//! behind.
//!
//! [`OmniFolder`] is a model on disk. [`Shelf`] turns files into what the towers take, once for all calls that show them.
//! [`OmniChat`] generates: calls go through the network together and share whatever they begin with, pictures included.
//! [`OmniReward`] scores with a value head (Skywork-VL-Reward).

mod chat;
mod folder;
mod newborn;
mod reply;
mod reward;
mod rows;
mod shelf;
mod worker;

pub use chat::{OmniChat, OmniSettings};
pub use folder::OmniFolder;
pub use newborn::{NewbornSize, write_newborn};
pub use reward::OmniReward;
pub use rows::{Rows, span};
pub use shelf::{MediaSettings, Shelf};
