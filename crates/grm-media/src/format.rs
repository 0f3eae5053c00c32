//! What a file is, by its first bytes.

use std::fmt;

/// How many first bytes [`Format::of`] looks at.
pub(crate) const HEAD_BYTES: usize = 64;

/// What a medium is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A still picture.
    Picture,
    /// A sound.
    Sound,
    /// Moving pictures.
    Clip,
}

/// A format that is read here or by ffmpeg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, still or animated.
    Webp,
    /// GIF, still or animated.
    Gif,
    /// RIFF/WAVE.
    Wav,
    /// MPEG audio, layer 3.
    Mp3,
    /// FLAC.
    Flac,
    /// Vorbis in Ogg.
    Vorbis,
    /// Anything else in Ogg, such as Opus.
    Ogg,
    /// An MP4 file whose brand says that it holds sound only.
    M4a,
    /// MP4.
    Mp4,
    /// `QuickTime`.
    Quicktime,
    /// `WebM`.
    Webm,
    /// Matroska.
    Matroska,
    /// AVI.
    Avi,
}

impl Format {
    /// The format of a file that begins like this; 64 bytes are enough. None where it is no format read here.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        Some(match head {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Self::Png,
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Self::Gif,
            [b'R', b'I', b'F', b'F', _, _, _, _, form @ ..] => return riff(form),
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [b'O', b'g', b'g', b'S', ..] if head.get(28..35) == Some(b"\x01vorbis") => Self::Vorbis,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => iso(brand),
            [0x1a, 0x45, 0xdf, 0xa3, ..] if head.windows(4).any(|word| word == b"webm") => Self::Webm,
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Self::Matroska,
            [b'I', b'D', b'3', 2..=4, ..] => Self::Mp3,
            _ if crate::mp3::Frame::of(head).is_some() => Self::Mp3,
            _ => return None,
        })
    }

    /// The IANA media type, as in data URLs.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Flac => "audio/flac",
            Self::Vorbis | Self::Ogg => "audio/ogg",
            Self::M4a => "audio/mp4",
            Self::Mp4 => "video/mp4",
            Self::Quicktime => "video/quicktime",
            Self::Webm => "video/webm",
            Self::Matroska => "video/x-matroska",
            Self::Avi => "video/x-msvideo",
        }
    }

    /// What it usually is; a GIF or WebP may be a clip as well, and clips may be asked for their sound.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Png | Self::Jpeg | Self::Webp | Self::Gif => Kind::Picture,
            Self::Wav | Self::Mp3 | Self::Flac | Self::Vorbis | Self::Ogg | Self::M4a => Kind::Sound,
            Self::Mp4 | Self::Quicktime | Self::Webm | Self::Matroska | Self::Avi => Kind::Clip,
        }
    }

    pub(crate) fn serves(self, kind: Kind) -> bool {
        let moving_picture = matches!(self, Self::Gif | Self::Webp);
        self.kind() == kind
            || (kind == Kind::Clip && moving_picture)
            || (kind == Kind::Sound && self.kind() == Kind::Clip)
    }

    /// The only demuxer ffmpeg may use on it; none where ffmpeg is not used.
    pub(crate) fn demuxer(self) -> Option<&'static str> {
        match self {
            Self::Mp4 | Self::M4a | Self::Quicktime => Some("mov"),
            Self::Webm | Self::Matroska => Some("matroska"),
            Self::Avi => Some("avi"),
            Self::Ogg => Some("ogg"),
            Self::Png | Self::Jpeg | Self::Webp | Self::Gif | Self::Wav | Self::Mp3 | Self::Flac | Self::Vorbis => None,
        }
    }
}

fn riff(form: &[u8]) -> Option<Format> {
    match form {
        [b'W', b'E', b'B', b'P', ..] => Some(Format::Webp),
        [b'W', b'A', b'V', b'E', ..] => Some(Format::Wav),
        [b'A', b'V', b'I', b' ', ..] => Some(Format::Avi),
        _ => None,
    }
}

fn iso(brand: &[u8]) -> Format {
    match brand {
        [b'M', b'4', b'A' | b'B', b' ', ..] => Format::M4a,
        [b'q', b't', b' ', b' ', ..] => Format::Quicktime,
        _ => Format::Mp4,
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Picture => "a picture",
            Self::Sound => "a sound",
            Self::Clip => "a clip",
        })
    }
}

/// What to call content of another kind in a message.
pub(crate) fn described(head: &[u8]) -> String {
    match Format::of(head) {
        Some(format) => format!("{} ({})", format.kind(), format.media_type()),
        None if is_text(head) => "text".to_owned(),
        None => "of no format read here".to_owned(),
    }
}

fn is_text(head: &[u8]) -> bool {
    let whole = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last letter may be cut.
        Err(error) if error.valid_up_to() + 4 > head.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !whole.is_empty() && whole.chars().all(|letter| !letter.is_control() || letter.is_whitespace())
}
