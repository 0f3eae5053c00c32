//! Pictures, clips and sounds: files to pixels and samples, with every limit checked before memory is asked for.
//!
//! A [`Source`] is one file inside a root folder, or bytes a record holds. [`picture`], [`sound`] and [`clip`] decode it,
//! [`probe`] says what it is without decoding. What a file is, its content says; its name is only printed.
//! PNG, JPEG, WebP, GIF, WAV, MP3, FLAC and Ogg Vorbis are decoded in this process, everything else by ffmpeg as a child
//! process without network, bounded in memory and time.

mod animation;
mod child;
mod clip;
mod container;
mod error;
mod ffmpeg;
mod format;
mod jpeg;
mod limits;
mod mp3;
mod ogg;
mod picture;
mod probe;
mod resample;
mod sound;
mod source;

pub use clip::{Sampling, clip, frame_indices};
pub use error::MediaError;
pub use format::{Format, Kind};
pub use limits::{Helper, Limits};
pub use picture::picture;
pub use probe::{Facts, probe};
pub use sound::{RATE, sound};
pub use source::{Source, open_inside, read_bounded};

/// A still picture: `width * height` pixels, rows from the top, three bytes (red, green, blue) each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `height * width * 3` bytes.
    pub pixels: Vec<u8>,
}

/// A sound of one channel at 16 kHz. Full scale is -1 to 1; files of floats and resampling may go a little beyond.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// 16,000 a second.
    pub samples: Vec<f32>,
}

/// A clip: frames at an even pace, all of one size, and its sound track.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// In order of time.
    pub frames: Vec<Picture>,
    /// How many of `frames` make a second.
    pub frames_per_second: f64,
    /// The sound track, where the file has one and it was asked for.
    pub sound: Option<Sound>,
}
