//! What a WAV file holds, from its header.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _},
    path::Path,
};

/// The rate trained models hear at: samples a second.
pub const SOUND_RATE: u32 = 16_000;

/// A WAV's form and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundFacts {
    /// Samples a second.
    pub rate: u32,
    /// 1 is mono.
    pub channels: u16,
    /// Bits of a sample.
    pub bits: u16,
    /// Samples of one channel.
    pub samples: usize,
}

impl SoundFacts {
    /// Mono, 16 kHz, 16 bits: what every engine reads without a codec and without resampling.
    #[must_use]
    pub fn is_ready(self) -> bool {
        (self.rate, self.channels, self.bits) == (SOUND_RATE, 1, 16)
    }
}

/// `None` where it is no WAV of whole-number PCM.
pub(super) fn read(path: &Path) -> io::Result<Option<SoundFacts>> {
    let mut file = BufReader::new(File::open(path)?);
    let size = file.get_ref().metadata()?.len();
    let mut riff = [0; 12];
    if file.read_exact(&mut riff).is_err() || !riff.starts_with(b"RIFF") || &riff[8..] != b"WAVE" {
        return Ok(None);
    }
    let mut format = None;
    let mut head = [0; 8];
    while file.read_exact(&mut head).is_ok() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        match &head[..4] {
            b"fmt " => format = read_format(&mut file, length)?,
            b"data" => {
                let there = size.saturating_sub(file.stream_position()?);
                return Ok(format.and_then(|format: Format| format.facts(u64::from(length).min(there))));
            }
            _ => file.seek_relative(i64::from(length.next_multiple_of(2)))?,
        }
    }
    Ok(None)
}

/// The bytes of a WAV every engine reads: samples from -1 to 1 at [`SOUND_RATE`], one channel, 16 bits.
pub(crate) fn wav(samples: &[f32]) -> Vec<u8> {
    let bytes = u32::try_from(2 * samples.len()).unwrap_or(u32::MAX);
    let mut wav = b"RIFF".to_vec();
    wav.extend(bytes.saturating_add(36).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(SOUND_RATE.to_le_bytes());
    wav.extend((2 * SOUND_RATE).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(bytes.to_le_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "a float outside the range becomes the nearest end of it")]
    wav.extend(samples.iter().flat_map(|sample| ((sample * 32_768.0).round() as i16).to_le_bytes()));
    wav
}

struct Format {
    rate: u32,
    channels: u16,
    bits: u16,
}

impl Format {
    fn facts(self, bytes: u64) -> Option<SoundFacts> {
        let frame = u64::from(self.channels) * u64::from(self.bits / 8);
        let samples = usize::try_from(bytes.checked_div(frame)?).ok()?;
        Some(SoundFacts { rate: self.rate, channels: self.channels, bits: self.bits, samples })
    }
}

fn read_format(file: &mut BufReader<File>, length: u32) -> io::Result<Option<Format>> {
    const PCM: u16 = 1;
    const EXTENSIBLE: u16 = 0xfffe;
    let mut bytes = [0; 16];
    if length < 16 || file.read_exact(&mut bytes).is_err() {
        return Ok(None);
    }
    file.seek_relative(i64::from(length.next_multiple_of(2)) - 16)?;
    let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let rate = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let is_pcm = matches!(short(0), PCM | EXTENSIBLE);
    Ok(is_pcm.then_some(Format { rate, channels: short(2), bits: short(14) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_form_and_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut wav = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x02\0".to_vec();
        wav.extend(44_100_u32.to_le_bytes());
        wav.extend([0, 0, 0, 0, 4, 0, 16, 0]);
        wav.extend(b"data\x08\0\0\0\0\0\0\0\0\0\0\0");
        std::fs::write(&path, &wav).unwrap();
        let facts = read(&path).unwrap().unwrap();
        assert_eq!(facts, SoundFacts { rate: 44_100, channels: 2, bits: 16, samples: 2 });
        assert!(!facts.is_ready());
        std::fs::write(&path, &wav[..wav.len() - 4]).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().samples, 1, "what is cut off is not counted");
        std::fs::write(&path, b"OggS").unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }
}
