//! What is known of a row's pictures, clips and sounds when only their sizes matter.

use super::grid::Grid;

/// The media of one row, each kind in the order in which its tokens come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Media {
    /// Pictures.
    pub images: Vec<Grid>,
    /// Clips, with or without sound.
    pub videos: Vec<VideoGrid>,
    /// Tokens of each sound, those of clips included ([`AudioTower::token_count`](super::AudioTower::token_count)).
    pub sounds: Vec<usize>,
}

/// A clip's patches and how long a pair of frames lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoGrid {
    /// Its patches.
    pub grid: Grid,
    /// From one pair of frames to the next: 2 / (frames a second as really sampled).
    pub seconds_per_grid: f64,
}

/// A kind of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A clip.
    Video,
    /// A sound.
    Sound,
}

impl std::fmt::Display for MediaKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Image => "picture",
            Self::Video => "clip",
            Self::Sound => "sound",
        })
    }
}
