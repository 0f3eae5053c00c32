//! Frames as an uncompressed `QuickTime` file: nothing is lost, and every engine's decoder reads it.
//!
//! The order of its parts is `ftyp`, `mdat` (the frames), `moov` (their table), as in Apple's `QuickTime` File Format
//! Specification; numbers are big-endian, the length of a box comes before its name.

/// Ticks a second; all usual frame rates divide it.
const TICKS: f64 = 90_000.0;

/// An identity transform, in fixed point.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// What all frames have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Film {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) frames_per_second: f64,
}

impl Film {
    /// The file's bytes, of frames with three bytes a pixel.
    pub(crate) fn mov(self, frames: &[&[u8]]) -> Vec<u8> {
        let kind = boxed(b"ftyp", &[b"qt  ", &[0; 4][..], b"qt  "].concat());
        let data: Vec<u8> = frames.iter().flat_map(|frame| self.rows(frame)).collect();
        let (at, size) = (kind.len() + 8, data.len() / frames.len().max(1));
        [kind, boxed(b"mdat", &data), self.moov(frames.len(), size, at)].concat()
    }

    /// Rows have an even number of bytes.
    fn rows(self, frame: &[u8]) -> Vec<u8> {
        let row = 3 * usize::from(self.width);
        let padding = vec![0; row % 2];
        frame.chunks(row.max(1)).flat_map(|row| [row, &padding].concat()).collect()
    }

    /// What a frame lasts. Rounded up: engines that multiply the length by a rate and round down must not lose a frame.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; a frame lasts less")]
    fn ticks(self) -> u32 {
        (TICKS / self.frames_per_second).ceil() as u32
    }

    fn moov(self, frames: usize, size: usize, data_at: usize) -> Vec<u8> {
        let length = self.ticks().saturating_mul(short(frames));
        let head = [&[0, 0, 0, TICKS as u32, length, 0x1_0000, 0x0100_0000, 0, 0][..], &MATRIX, &[0; 6], &[2]].concat();
        let sides = [u32::from(self.width) << 16, u32::from(self.height) << 16];
        // Flags 7: the track counts, in the movie and in its preview.
        let track = [&[7, 0, 0, 1, 0, length, 0, 0, 0, 0][..], &MATRIX, &sides].concat();
        let media = [
            boxed(b"mdhd", &words(&[0, 0, 0, TICKS as u32, length, 0])),
            boxed(b"hdlr", &[&[0; 4][..], b"mhlrvide", &[0; 12], b"\0"].concat()),
            boxed(b"minf", &self.tables(short(frames), size, data_at)),
        ];
        let track = [boxed(b"tkhd", &words(&track)), boxed(b"mdia", &media.concat())].concat();
        boxed(b"moov", &[boxed(b"mvhd", &words(&head)), boxed(b"trak", &track)].concat())
    }

    fn tables(self, count: u32, size: usize, data_at: usize) -> Vec<u8> {
        let tables = [
            boxed(b"stsd", &[words(&[0, 1]), self.entry()].concat()),
            boxed(b"stts", &words(&[0, 1, count, self.ticks()])),
            boxed(b"stsc", &words(&[0, 1, 1, count, 1])),
            boxed(b"stsz", &words(&[0, short(size), count])),
            boxed(b"stco", &words(&[0, 1, short(data_at)])),
        ];
        let place = boxed(b"dinf", &boxed(b"dref", &[words(&[0, 1]), boxed(b"url ", &words(&[1]))].concat()));
        [boxed(b"vmhd", &words(&[1, 0x40_8000, 0x8000_8000])), place, boxed(b"stbl", &tables.concat())].concat()
    }

    /// The sample entry: `raw ` of 24 bits at 72 dots an inch.
    fn entry(self) -> Vec<u8> {
        let sides = u32::from(self.width) << 16 | u32::from(self.height);
        let start = words(&[0, 1, 0, 0, 0, 0, sides, 0x48_0000, 0x48_0000, 0]);
        boxed(b"raw ", &[&start[..], &[0, 1], &[0; 32], &[0, 24, 0xff, 0xff]].concat())
    }
}

fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&short(body.len() + 8).to_be_bytes()[..], name, body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Lengths here are bounded far below 4 GiB by the limits on decoding.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
