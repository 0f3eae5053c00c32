//! What engines will read of media files, told from their first bytes without decoding them.

pub(crate) mod clip;
pub(crate) mod mov;
mod picture;
mod sound;

use std::path::Path;

pub use clip::ClipFacts;
pub use picture::PictureFacts;
pub(crate) use sound::wav;
pub use sound::{SOUND_RATE, SoundFacts};

/// The kinds of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// A clip.
    Video,
    /// A sound.
    Audio,
}

impl MediaKind {
    /// All, in the order engines name them.
    pub const ALL: [Self; 3] = [Self::Image, Self::Video, Self::Audio];

    /// What stands for a file of this kind in the text of a message, in LLaMA-Factory and in ms-swift.
    #[must_use]
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Image => "<image>",
            Self::Video => "<video>",
            Self::Audio => "<audio>",
        }
    }

    /// The column that lists the files: `images`, `videos`, `audios`.
    #[must_use]
    pub fn column(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Video => "videos",
            Self::Audio => "audios",
        }
    }

    /// As in `"image"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// What a file holds, as far as its length in tokens depends on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MediaFacts {
    /// Of a picture.
    Picture(PictureFacts),
    /// Of a clip.
    Clip(ClipFacts),
    /// Of a sound.
    Sound(SoundFacts),
}

impl MediaFacts {
    /// Reads a file's headers; in words, what it would have to be, where it is something else.
    ///
    /// # Errors
    /// A file that is not of this kind, or of a form that cannot be told without decoding it.
    pub fn read(kind: MediaKind, path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("it cannot be read: {error}");
        match kind {
            MediaKind::Image => picture::read(path).map_err(failed)?.map(Self::Picture),
            MediaKind::Video => clip::read(path).map_err(failed)?.map(Self::Clip),
            MediaKind::Audio => sound::read(path).map_err(failed)?.map(Self::Sound),
        }
        .ok_or_else(|| {
            match kind {
                MediaKind::Image => "it is no PNG, JPEG, GIF, WebP or BMP; convert it to PNG",
                MediaKind::Video => "it is no MP4 or MOV with a table of frames; convert it to MP4 (H.264)",
                MediaKind::Audio => "it is no PCM WAV; convert it to mono 16 kHz WAV",
            }
            .to_owned()
        })
    }
}
