use super::PreprocessError;

/// What the published processor assumes when it is not told at which rate frames were taken.
pub const DEFAULT_FRAMES_PER_SECOND: f64 = 2.0;

/// Seconds from one pair of frames to the next, for the positions in time: 2 over the rate the frames were taken at.
///
/// The published processor uses [`DEFAULT_FRAMES_PER_SECOND`] unless told otherwise, whatever the frames' true rate was;
/// here the caller says which.
pub fn video_second_per_grid(frames_per_second: f64) -> Result<f32, PreprocessError> {
    if frames_per_second.is_finite() && frames_per_second > 0.0 {
        Ok((2.0 / frames_per_second) as f32)
    } else {
        Err(PreprocessError::FrameRate(frames_per_second))
    }
}
