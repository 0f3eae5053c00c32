//! Qwen2.5-Omni's thinker and Qwen2.5-VL: towers for pictures, clips and sounds in front of a Qwen2 decoder.
//!
//! [`expand`] writes a row's placeholders, [`positions`] says where each token stands in time, height and width, and
//! the towers give the states that take the placeholders' places.

mod audio;
mod build;
mod config;
mod expected;
mod grid;
mod media;
mod medium;
mod placeholders;
mod positions;
pub mod preprocess;
mod segments;
pub(crate) mod senses;
mod tower;
mod vision;
mod window_order;

pub use audio::{AudioTower, MelInput};
pub use config::{AudioConfig, AudioTokens, OmniKind, SpecialTokens, ThinkerConfig, VisionConfig};
pub use expected::expected_tensors;
pub use grid::{Grid, GridError};
pub use media::{Media, MediaKind, VideoGrid};
pub use medium::{LogMel, Medium, Visual};
pub use placeholders::{Expanded, Piece, PlaceholderError, expand};
pub use positions::{PositionError, Positions, positions};
pub use tower::TowerError;
pub use vision::VisionTower;
