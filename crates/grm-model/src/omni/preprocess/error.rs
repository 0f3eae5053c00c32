/// Why pixels or samples cannot become a tower's input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    /// A picture without pixels.
    #[error("a picture of {width} x {height} pixels has nothing in it; leave the record out and count it")]
    EmptyPicture {
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
    },
    /// A picture more than 200 times as long as wide, which the published processors refuse.
    #[error("a picture of {width} x {height} pixels is more than 200 times as long as wide; crop it or leave it out")]
    AspectRatio {
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
    },
    /// Bounds no picture can meet.
    #[error("pixel bounds {min} to {max}: the lower must be at least 1, the upper at least the lower and 784")]
    Bounds {
        /// Fewest pixels.
        min: usize,
        /// Most pixels.
        max: usize,
    },
    /// Bytes that are not `height × width × 3`.
    #[error("frame {frame} has {found} bytes where {expected} make its RGB pixels; decode it again as RGB of 8 bits")]
    Bytes {
        /// Which frame of the clip, from 0; 0 for a picture.
        frame: usize,
        /// `height × width × 3`.
        expected: usize,
        /// Bytes there were.
        found: usize,
    },
    /// A clip without frames.
    #[error("a clip without frames; leave the record out and count it")]
    NoFrames,
    /// Frames per second from which no time follows.
    #[error("a clip of {0} frames per second; give the rate its frames were taken at, above 0")]
    FrameRate(f64),
    /// A sound that would become no token.
    #[error("a sound of {samples} samples becomes no token; use one of at least {min} samples ({min} / 16000 s)")]
    TooShort {
        /// Samples there were, at 16 kHz.
        samples: usize,
        /// Fewest samples that give a token.
        min: usize,
    },
    /// A sound the published processor would cut off without a word.
    #[error("a sound of {samples} samples is longer than 300 s ({max} samples at 16 kHz); cut it, or leave it out")]
    TooLong {
        /// Samples there were, at 16 kHz.
        samples: usize,
        /// Most samples the features cover.
        max: usize,
    },
    /// A sample that is no finite number.
    #[error("sample {0} of the sound is no finite number; decode it again")]
    NotFinite(usize),
}
