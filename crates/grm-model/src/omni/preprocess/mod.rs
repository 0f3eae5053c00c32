//! From pixels and samples to what the towers take, as the published processors compute it.
//!
//! Plain arrays in, plain arrays out, no network. A failure is an error: nothing is cut, padded with blanks or skipped in
//! silence.

mod bicubic;
mod error;
mod mel;
mod mel_filters;
mod patches;
mod pixel_bounds;
mod video_time;

pub use bicubic::{Bicubic, Size, resize};
pub use error::PreprocessError;
pub use mel::{HOP_SAMPLES, Mel, SAMPLE_RATE_HERTZ, SAMPLES_MAX, SAMPLES_MIN, log_mel};
pub use mel_filters::{FREQUENCY_BINS, MEL_BINS, mel_filters};
pub use patches::{PATCH_VALUES, Patches, image_patches, patches, video_patches};
pub use pixel_bounds::{CELL_PIXELS, PixelBounds, smart_resize};
pub use video_time::{DEFAULT_FRAMES_PER_SECOND, video_second_per_grid};
