//! Why a tower cannot take what it is given.

/// Input that does not fit its own description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TowerError {
    /// More or fewer patches than the grids say.
    #[error(
        "got patches of shape {given:?} for grids of shape {expected:?}; give each picture's patches with its own grid"
    )]
    Patches {
        /// As given.
        given: [usize; 2],
        /// As the grids say.
        expected: [usize; 2],
    },
    /// A spectrogram that is not bins × frames.
    #[error(
        "sound {index} has {given} mel values, {expected} were announced; give 128 bins of as many frames as it says"
    )]
    Mels {
        /// Which of the sounds.
        index: usize,
        /// As given.
        given: usize,
        /// As the frames say.
        expected: usize,
    },
    /// A sound of which nothing is left after pooling.
    #[error("sound {index} is too short to be heard ({frames} frames of 10 ms); it takes at least 30 ms")]
    TooShort {
        /// Which of the sounds.
        index: usize,
        /// Its frames.
        frames: usize,
    },
    /// Nothing to do.
    #[error("there is no sound to hear; leave the audio tower out where there is none")]
    NoSound,
}
