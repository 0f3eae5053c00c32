//! The frames of an MP3 file, counted without decoding: how long it is, and whether it is whole.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// What the header of one frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Bytes with the header.
    pub length: u64,
    /// Samples of each channel.
    pub samples: u32,
    /// Hertz.
    pub rate: u32,
    pub channels: u16,
    /// Bytes from the frame's start to where a Xing tag may be.
    tag: usize,
}

/// What the whole file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    pub samples: u64,
    pub rate: u32,
    pub channels: u16,
    /// Where the first frame begins, behind tags.
    pub start: u64,
}

/// Kilobits a second of layer 3, for MPEG 1 and for MPEG 2 and 2.5 (ISO 11172-3 and 13818-3).
const BIT_RATES: [[u32; 14]; 2] = [
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

impl Frame {
    /// The frame whose first four bytes these are, if they are layer 3 with a stated bit rate.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let &[0xff, second, third, fourth, ..] = head else { return None };
        // Eleven bits of sync, layer 3.
        if second & 0xe0 != 0xe0 || second & 0x06 != 0x02 {
            return None;
        }
        // Divides the rates of MPEG 1.
        let divisor = match second & 0x18 {
            0x18 => 1,
            0x10 => 2,
            0x00 => 4,
            _ => return None,
        };
        let older = usize::from(divisor > 1);
        let bit_rate = BIT_RATES[older].get(usize::from(third >> 4).checked_sub(1)?)? * 1000;
        let rate = RATES.get(usize::from(third >> 2 & 3))? / divisor;
        let samples = if older == 0 { 1152 } else { 576 };
        let padding = u32::from(third >> 1 & 1);
        let channels = if fourth >> 6 == 3 { 1 } else { 2 };
        let tag = match (older, channels) {
            (0, 2) => 36,
            (0, _) | (_, 2) => 21,
            _ => 13,
        };
        Some(Self { length: u64::from(samples / 8 * bit_rate / rate + padding), samples, rate, channels, tag })
    }
}

/// Walks the frames to the end. Refused are files that stop inside a frame, before the number of frames they state, or
/// that hold something else.
pub(crate) fn length(reader: impl Read + Seek, bytes: u64) -> Result<Length, String> {
    let said = |error: io::Error| error.to_string();
    let mut reader = BufReader::new(reader);
    let start = skip_tags(&mut reader, 0).map_err(said)?;
    let mut place = start;
    let (mut found, mut stated) = (None::<Length>, None);
    loop {
        let body = next(&mut reader).map_err(said)?;
        let Some(frame) = Frame::of(&body) else { break };
        if place + frame.length > bytes {
            return Err(format!("its last frame, at byte {place}, is cut off"));
        }
        match &mut found {
            None if tagged_frames(&body, frame).is_some() => {
                stated = tagged_frames(&body, frame);
                found = Some(Length { samples: 0, rate: frame.rate, channels: frame.channels, start });
            }
            None => {
                let samples = u64::from(frame.samples);
                found = Some(Length { samples, rate: frame.rate, channels: frame.channels, start });
            }
            Some(length) => length.samples += u64::from(frame.samples),
        }
        place += frame.length;
        // Frames are longer than a tag's reach or the walk goes back a little; both stay within the buffer.
        let ahead = i64::try_from(frame.length).expect("a frame has at most 1,441 bytes")
            - i64::try_from(body.len()).expect("at most 64 bytes");
        reader.seek_relative(ahead).map_err(said)?;
    }
    let found = found.ok_or("it holds no frame of MP3")?;
    check_tail(&mut reader, place)?;
    check_stated(found, stated)
}

/// A frame count that is stated must be there, but for the last frames of the encoder's own padding.
fn check_stated(found: Length, stated: Option<(u32, u32)>) -> Result<Length, String> {
    match stated {
        Some((frames, samples)) if found.samples < u64::from(frames) * u64::from(samples) => {
            Err(format!("it states {frames} frames and has {}", found.samples / u64::from(samples)))
        }
        _ => Ok(found),
    }
}

/// The number of frames in a Xing or Info tag, and the samples of each.
fn tagged_frames(body: &[u8], frame: Frame) -> Option<(u32, u32)> {
    let tag = body.get(frame.tag..)?;
    match tag {
        [b'X', b'i', b'n', b'g', rest @ ..] | [b'I', b'n', b'f', b'o', rest @ ..] => match rest {
            [_, _, _, flags, a, b, c, d, ..] if flags & 1 == 1 => {
                Some((u32::from_be_bytes([*a, *b, *c, *d]), frame.samples))
            }
            _ => Some((0, frame.samples)),
        },
        _ => None,
    }
}

/// Behind the last frame only tags and zeros may follow.
fn check_tail(reader: &mut (impl BufRead + Seek), place: u64) -> Result<(), String> {
    let said = |error: io::Error| error.to_string();
    reader.seek(SeekFrom::Start(place)).map_err(said)?;
    let tail = next(reader).map_err(said)?;
    match tail.as_slice() {
        [b'T', b'A', b'G', ..] | [b'I', b'D', b'3', ..] | [b'A', b'P', b'E', b'T', ..] | [b'L', b'Y', b'R', ..] => {
            Ok(())
        }
        zeros if zeros.iter().all(|&byte| byte == 0) => Ok(()),
        _ => Err(format!("at byte {place} there is no frame of MP3")),
    }
}

/// The bytes at the reader's place, as many as a tag may need; less at the end.
fn next(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(64);
    reader.take(64).read_to_end(&mut body)?;
    Ok(body)
}

/// Behind the `ID3` tags that stand at `place`.
fn skip_tags(reader: &mut (impl BufRead + Seek), mut place: u64) -> io::Result<u64> {
    loop {
        reader.seek(SeekFrom::Start(place))?;
        let head = next(reader)?;
        match head.as_slice() {
            [b'I', b'D', b'3', _, _, _, a, b, c, d, ..] => {
                let sevens = [a, b, c, d].map(|byte| u64::from(byte & 0x7f));
                place += 10 + sevens.iter().fold(0, |sum, seven| sum << 7 | seven);
            }
            _ => {
                reader.seek(SeekFrom::Start(place))?;
                return Ok(place);
            }
        }
    }
}
