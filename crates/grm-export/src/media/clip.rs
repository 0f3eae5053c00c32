//! Size, frames and length of a clip, from the boxes of an MP4 or MOV file. Nothing is decoded.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

const MOOV_BYTES_MAX: u64 = 64 << 20;

/// A clip's first video track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipFacts {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Frames of the track.
    pub frames: usize,
    /// Length of the track.
    pub seconds: f64,
}

/// `None` where there is no such track, or its tables are not in front of or behind the data as one whole.
pub(super) fn read(path: &Path) -> io::Result<Option<ClipFacts>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut at = 0;
    while at + 8 <= size {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 16];
        let got = usize::try_from((size - at).min(16)).unwrap_or(16);
        file.read_exact(&mut head[..got])?;
        let short = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let (length, body) = match short {
            0 => (size - at, 8),
            1 => {
                (u64::from_be_bytes([head[8], head[9], head[10], head[11], head[12], head[13], head[14], head[15]]), 16)
            }
            _ => (short, 8),
        };
        if length < body || length > size - at {
            return Ok(None);
        }
        if &head[4..8] == b"moov" {
            if length > MOOV_BYTES_MAX {
                return Ok(None);
            }
            let mut moov = vec![0; usize::try_from(length - body).unwrap_or(0)];
            file.seek(SeekFrom::Start(at + body))?;
            file.read_exact(&mut moov)?;
            return Ok(boxes(&moov).filter(|(name, _)| name == b"trak").find_map(|(_, trak)| track(trak)));
        }
        at += length;
    }
    Ok(None)
}

type Name = [u8; 4];

/// The boxes that lie side by side in `bytes`, as far as they are whole.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = (Name, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::try_from(number(bytes, 0)?).ok()?;
        let name: Name = bytes.get(4..8)?.try_into().ok()?;
        let body = bytes.get(8..length)?;
        bytes = &bytes[length..];
        Some((name, body))
    })
}

fn inside<'a>(bytes: &'a [u8], path: &[&Name]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, name| boxes(bytes).find(|(found, _)| found == *name).map(|(_, body)| body))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn track(trak: &[u8]) -> Option<ClipFacts> {
    if inside(trak, &[b"mdia", b"hdlr"])?.get(8..12)? != b"vide" {
        return None;
    }
    let sizes = inside(trak, &[b"mdia", b"minf", b"stbl", b"stsz"])?;
    let frames = usize::try_from(number(sizes, 8)?).ok()?;
    // Version and flags, count of entries, then the first entry: length, name, 24 bytes, width and height.
    let entry = inside(trak, &[b"mdia", b"minf", b"stbl", b"stsd"])?;
    let side = |at: usize| Some(usize::from(u16::from_be_bytes(entry.get(at..at + 2)?.try_into().ok()?)));
    let facts = ClipFacts { width: side(40)?, height: side(42)?, frames, seconds: seconds(trak)? };
    (facts.width > 0 && facts.height > 0 && frames > 0).then_some(facts)
}

fn seconds(trak: &[u8]) -> Option<f64> {
    let header = inside(trak, &[b"mdia", b"mdhd"])?;
    let (scale, ticks) = match header.first()? {
        0 => (number(header, 12)?, u64::from(number(header, 16)?)),
        _ => (number(header, 20)?, u64::from(number(header, 24)?) << 32 | u64::from(number(header, 28)?)),
    };
    #[expect(clippy::cast_precision_loss, reason = "ticks of a clip are far below 2^52")]
    (scale > 0).then_some(ticks as f64 / f64::from(scale))
}

/// A clip's boxes without any data, for tests.
#[cfg(test)]
pub(crate) fn mp4(facts: ClipFacts, rate: u32) -> Vec<u8> {
    let wrap =
        |name: &Name, body: &[u8]| [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], name, body].concat();
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers of tests")]
    let ticks = (facts.seconds * f64::from(rate)) as u32;
    let sides = (u32::try_from(facts.width).unwrap() << 16) | u32::try_from(facts.height).unwrap();
    let entry = [&words(&[0, 1])[..], &words(&[36]), b"avc1", &[0; 24], &words(&[sides])].concat();
    let tables = [wrap(b"stsd", &entry), wrap(b"stsz", &words(&[0, 100, u32::try_from(facts.frames).unwrap()]))];
    let handler = [&[0; 8][..], b"vide", &[0; 12]].concat();
    let media = [
        wrap(b"mdhd", &words(&[0, 0, 0, rate, ticks, 0])),
        wrap(b"hdlr", &handler),
        wrap(b"minf", &wrap(b"stbl", &tables.concat())),
    ];
    let moov = wrap(b"moov", &wrap(b"trak", &wrap(b"mdia", &media.concat())));
    [wrap(b"ftyp", b"isom\0\0\0\0"), wrap(b"mdat", b"frames"), moov].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_tell_frames_and_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let facts = ClipFacts { width: 320, height: 240, frames: 75, seconds: 3.0 };
        let whole = mp4(facts, 600);
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(read(&path).unwrap(), Some(facts));
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(read(&path).unwrap(), None, "cut at {length}");
        }
    }
}
