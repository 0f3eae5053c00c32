//! What a media file is, told by its first bytes and never by its name.

use crate::Span;

/// What kind of thing a medium is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// A clip, with its sound or without.
    Video,
    /// A sound.
    Audio,
}

impl MediaKind {
    /// The word used on the wire and in messages to programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }

    /// The word used in messages to people.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Image => "a picture",
            Self::Video => "a clip",
            Self::Audio => "a sound",
        }
    }
}

impl Span {
    /// The medium in this place, if it is one.
    #[must_use]
    pub fn media(&self) -> Option<(MediaKind, &crate::MediaRef)> {
        match self {
            Self::Template(_) | Self::Content(_) => None,
            Self::Image(media) => Some((MediaKind::Image, media)),
            Self::Video(media) => Some((MediaKind::Video, media)),
            Self::Audio(media) => Some((MediaKind::Audio, media)),
        }
    }
}

/// The media type (`image/png`) of a file that begins with these bytes and is shown as `kind`; `None` where they are
/// nothing of that kind.
#[must_use]
pub fn media_type(bytes: &[u8], kind: MediaKind) -> Option<&'static str> {
    use MediaKind::{Audio, Image, Video};
    Some(match (kind, bytes) {
        (Image, [0x89, b'P', b'N', b'G', ..]) => "image/png",
        (Image, [0xff, 0xd8, 0xff, ..]) => "image/jpeg",
        (Image, [b'G', b'I', b'F', b'8', ..]) => "image/gif",
        (Image, [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..]) => "image/webp",
        (Audio, [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..]) => "audio/wav",
        (Audio, [b'I', b'D', b'3', ..]) => "audio/mpeg",
        // A frame's eleven bits of ones; layer 0 would be no MPEG audio.
        (Audio, [0xff, second, ..]) if second & 0xe0 == 0xe0 && second & 0x06 != 0 => "audio/mpeg",
        (Audio, [b'f', b'L', b'a', b'C', ..]) => "audio/flac",
        (Audio, [b'O', b'g', b'g', b'S', ..]) => "audio/ogg",
        (Audio, [_, _, _, _, b'f', b't', b'y', b'p', ..]) => "audio/mp4",
        (Audio, [0x1a, 0x45, 0xdf, 0xa3, ..]) => "audio/webm",
        (Video, [_, _, _, _, b'f', b't', b'y', b'p', ..]) => "video/mp4",
        (Video, [0x1a, 0x45, 0xdf, 0xa3, ..]) => "video/webm",
        (Video, [b'G', b'I', b'F', b'8', ..]) => "image/gif",
        (Video, [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..]) => "video/x-msvideo",
        _ => return None,
    })
}

/// What a file that begins with these bytes is shown as when nobody says: of a moving GIF, a picture.
#[must_use]
pub fn media_kind(bytes: &[u8]) -> Option<MediaKind> {
    let is_sound_alone = matches!(bytes, [_, _, _, _, b'f', b't', b'y', b'p', b'M', b'4', b'A', ..]);
    let kinds =
        if is_sound_alone { [MediaKind::Audio; 3] } else { [MediaKind::Image, MediaKind::Video, MediaKind::Audio] };
    kinds.into_iter().find(|kind| media_type(bytes, *kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        for (bytes, kind, name) in [
            (&b"\x89PNG\r\n\x1a\n"[..], MediaKind::Image, "image/png"),
            (b"\xff\xd8\xff\xe0", MediaKind::Image, "image/jpeg"),
            (b"GIF89a", MediaKind::Image, "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", MediaKind::Image, "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", MediaKind::Audio, "audio/wav"),
            (b"RIFF\0\0\0\0AVI LIST", MediaKind::Video, "video/x-msvideo"),
            (b"ID3\x04", MediaKind::Audio, "audio/mpeg"),
            (b"\xff\xfb\x90\x00", MediaKind::Audio, "audio/mpeg"),
            (b"fLaC", MediaKind::Audio, "audio/flac"),
            (b"OggS", MediaKind::Audio, "audio/ogg"),
            (b"\0\0\0\x20ftypisom", MediaKind::Video, "video/mp4"),
            (b"\0\0\0\x20ftypM4A ", MediaKind::Audio, "audio/mp4"),
            (b"\x1a\x45\xdf\xa3", MediaKind::Video, "video/webm"),
        ] {
            assert_eq!(media_kind(bytes), Some(kind), "{name}");
            assert_eq!(media_type(bytes, kind), Some(name));
        }
        for nothing in [&b""[..], b"<html>", b"\xff", b"\xff\xff\xff", b"plain text"] {
            assert!(media_type(nothing, MediaKind::Image).is_none(), "{nothing:?}");
        }
        assert_eq!(media_kind(b"%PDF-1.7"), None);
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n", MediaKind::Audio), None, "a picture is no sound");
    }
}
