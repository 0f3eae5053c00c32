//! What a row shows between its words, as the towers take it.

use std::hash::{Hash, Hasher};

use super::{AudioTower, Grid, Media, MelInput, VideoGrid};

/// A picture, clip or sound, named by its content: media of one name are taken to be one medium, and their features
/// are computed once.
#[derive(Debug, Clone)]
pub struct Medium {
    /// A hash of the file and of how it was prepared.
    pub name: String,
    /// What is shown, if anything.
    pub visual: Option<Visual>,
    /// What is heard, if anything; a clip may have both.
    pub sound: Option<LogMel>,
}

/// Patches of a picture or of the frames of a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Visual {
    /// `[frame pairs · height · width, 1176]`, row-major, in merge order.
    pub patches: Vec<f32>,
    /// Frame pairs (1 for a picture), and patches down and across.
    pub grid: Grid,
    /// Seconds from one frame pair to the next; `None` for a picture.
    pub seconds_per_grid: Option<f64>,
}

/// Log-mel features of a sound.
#[derive(Debug, Clone, PartialEq)]
pub struct LogMel {
    /// `[128, frames]`, row-major.
    pub values: Vec<f32>,
    /// A hundred a second.
    pub frames: usize,
}

impl Medium {
    /// Features of what is shown and of what is heard.
    #[must_use]
    pub fn feature_counts(&self) -> [usize; 2] {
        let shown = self.visual.as_ref().map_or(0, |visual| visual.grid.token_count());
        [shown, self.sound.as_ref().map_or(0, |sound| AudioTower::token_count(sound.frames))]
    }

    /// Adds its sizes to those of the media before it.
    pub(crate) fn add_to(&self, media: &mut Media) {
        match self.visual.as_ref().map(|visual| (visual.grid, visual.seconds_per_grid)) {
            Some((grid, Some(seconds_per_grid))) => media.videos.push(VideoGrid { grid, seconds_per_grid }),
            Some((grid, None)) => media.images.push(grid),
            None => {}
        }
        media.sounds.extend(self.sound.as_ref().map(|_| self.feature_counts()[1]));
    }
}

impl LogMel {
    pub(crate) fn input(&self) -> MelInput<'_> {
        MelInput { values: &self.values, frames: self.frames }
    }
}

impl PartialEq for Medium {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Medium {}

impl Hash for Medium {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
