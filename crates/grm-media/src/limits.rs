//! How big a medium may be, and what its decoder may use.

use std::path::PathBuf;

/// Bounds on what is opened and decoded; each is checked before the bytes it bounds are read or allocated.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Bytes of a file. 256 MiB.
    pub file_bytes: u64,
    /// Pixels of a picture's or frame's longer side. 16,384.
    pub side_pixels: u32,
    /// Pixels of a picture or frame. 64,000,000.
    pub pixels: u64,
    /// Seconds of a sound. 1,800: 115 MB of samples, and more than the 1,310 s that fill a context of 32,768 tokens at 25
    /// tokens a second.
    pub sound_seconds: f64,
    /// The shortest sound or sound track, in samples at 16 kHz. 321: two hops of 160 give two feature frames, of which an
    /// audio tower makes no token at all.
    pub sound_samples_min: usize,
    /// Seconds of a clip, whatever part of its frames is asked for. 3,600.
    pub clip_seconds: f64,
    /// Bytes of all frames taken from a clip, three a pixel. 1 GiB.
    pub clip_bytes: u64,
    /// The child process for what is not decoded here.
    pub helper: Helper,
}

/// Where `ffmpeg` and `ffprobe` are and what each run of them may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helper {
    /// The folder with both programs; none means they are looked up on the `PATH`.
    pub folder: Option<PathBuf>,
    /// Seconds on the clock; then it is killed. 60.
    pub seconds: u32,
    /// Bytes of address space. 1 GiB.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 256 << 20,
            side_pixels: 16_384,
            pixels: 64_000_000,
            sound_seconds: 1_800.0,
            sound_samples_min: 321,
            clip_seconds: 3_600.0,
            clip_bytes: 1 << 30,
            helper: Helper::default(),
        }
    }
}

impl Default for Helper {
    fn default() -> Self {
        Self { folder: None, seconds: 60, memory_bytes: 1 << 30 }
    }
}
