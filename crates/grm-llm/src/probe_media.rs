//! A picture, a clip and a sound to ask servers with, small and made here: a red disc, a white second, a second's silence.

use std::sync::Arc;

use grm_core::{MediaKind, MediaLibrary, MediaRef, ModelError, Span};
use sha2::{Digest, Sha256};

/// 64 × 64 pixels: models of 28-pixel patches refuse less.
const DISC: &[u8] = include_bytes!("probe_media/disc.png");
/// H.264, 64 × 64 pixels, 4 frames in a second.
const WHITE: &[u8] = include_bytes!("probe_media/white.mp4");

/// Gives the three by their kind's name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProbeMedia;

impl ProbeMedia {
    /// The medium of a kind, to be put into a message.
    pub(crate) fn span(kind: MediaKind) -> Span {
        let media = MediaRef { sha256: format!("{:x}", Sha256::digest(bytes(kind))), path: kind.as_str().to_owned() };
        match kind {
            MediaKind::Image => Span::Image(media),
            MediaKind::Video => Span::Video(media),
            MediaKind::Audio => Span::Audio(media),
        }
    }
}

impl MediaLibrary for ProbeMedia {
    fn bytes(&self, media: &MediaRef) -> Result<Arc<[u8]>, ModelError> {
        let kinds = [MediaKind::Image, MediaKind::Video, MediaKind::Audio];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == media.path);
        kind.map(|kind| bytes(kind).into()).ok_or_else(|| ModelError::Media {
            path: media.path.clone(),
            reason: "it is none of the probe's own; this is a fault of the program".to_owned(),
        })
    }
}

fn bytes(kind: MediaKind) -> Vec<u8> {
    match kind {
        MediaKind::Image => DISC.to_vec(),
        MediaKind::Video => WHITE.to_vec(),
        MediaKind::Audio => silence(),
    }
}

/// A second of silence as WAV: 16 kHz, one channel, 16 bits.
fn silence() -> Vec<u8> {
    const SAMPLES: u32 = 16_000;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + 2 * SAMPLES).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(SAMPLES.to_le_bytes());
    file.extend((2 * SAMPLES).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend((2 * SAMPLES).to_le_bytes());
    file.resize(44 + 2 * SAMPLES as usize, 0);
    file
}
