//! Width and height of a picture, from its header: PNG, JPEG, GIF, WebP, BMP.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom},
    path::Path,
};

/// Size of a still picture in pixels, as stored: a rotation noted in EXIF is not applied, as PIL does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureFacts {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

pub(super) fn read(path: &Path) -> io::Result<Option<PictureFacts>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut start = [0; 30];
    let got = fill(&mut file, &mut start)?;
    if start.starts_with(&[0xff, 0xd8]) {
        file.seek(SeekFrom::Start(2))?;
        return jpeg(&mut file);
    }
    Ok(of_start(&start[..got]).filter(|facts| facts.width > 0 && facts.height > 0))
}

fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < bytes.len() {
        match file.read(&mut bytes[got..])? {
            0 => break,
            read => got += read,
        }
    }
    Ok(got)
}

fn of_start(start: &[u8]) -> Option<PictureFacts> {
    let little = |at: usize, count: usize| {
        let bytes = start.get(at..at + count)?;
        Some(bytes.iter().rev().fold(0_usize, |number, &byte| number << 8 | usize::from(byte)))
    };
    let big =
        |at: usize| Some(start.get(at..at + 4)?.iter().fold(0_usize, |number, &byte| number << 8 | usize::from(byte)));
    let facts = |width, height| Some(PictureFacts { width, height });
    if start.starts_with(b"\x89PNG\r\n\x1a\n") {
        return facts(big(16)?, big(20)?);
    }
    if start.starts_with(b"GIF8") {
        return facts(little(6, 2)?, little(8, 2)?);
    }
    if start.starts_with(b"BM") {
        // A negative height means rows from the top.
        let height = i32::from_le_bytes(start.get(22..26)?.try_into().ok()?).unsigned_abs();
        return facts(little(18, 4)?, height as usize);
    }
    if !(start.starts_with(b"RIFF") && start.get(8..12)? == b"WEBP") {
        return None;
    }
    match start.get(12..16)? {
        b"VP8X" => facts(little(24, 3)? + 1, little(27, 3)? + 1),
        b"VP8L" => {
            let bits = little(21, 4)?;
            facts((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
        }
        b"VP8 " => facts(little(26, 2)? & 0x3fff, little(28, 2)? & 0x3fff),
        _ => None,
    }
}

/// Walks the segments to the frame header.
fn jpeg(file: &mut BufReader<File>) -> io::Result<Option<PictureFacts>> {
    loop {
        let mut marker = [0; 2];
        if fill(file, &mut marker)? < 2 || marker[0] != 0xff {
            return Ok(None);
        }
        if marker[1] == 0xff {
            file.seek_relative(-1)?;
            continue;
        }
        let mut rest = [0; 7];
        if fill(file, &mut rest)? < 7 {
            return Ok(None);
        }
        let number = |at: usize| usize::from(rest[at]) << 8 | usize::from(rest[at + 1]);
        let is_frame = matches!(marker[1], 0xc0..=0xcf) && !matches!(marker[1], 0xc4 | 0xc8 | 0xcc);
        if is_frame {
            let facts = PictureFacts { width: number(5), height: number(3) };
            return Ok(Some(facts).filter(|facts| facts.width > 0 && facts.height > 0));
        }
        if number(0) < 2 || marker[1] == 0xda {
            return Ok(None);
        }
        file.seek_relative(number(0) as i64 - 7)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<[usize; 2]> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        std::fs::write(&path, bytes).unwrap();
        read(&path).unwrap().map(|facts| [facts.width, facts.height])
    }

    #[test]
    fn headers_tell_the_size() {
        assert_eq!(of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0"), Some([640, 480]));
        assert_eq!(of(b"GIF89a\x20\0\x10\0\0\0\0"), Some([32, 16]));
        let mut bmp = b"BM".to_vec();
        bmp.extend([0; 16]);
        bmp.extend(7_i32.to_le_bytes());
        bmp.extend((-5_i32).to_le_bytes());
        assert_eq!(of(&bmp), Some([7, 5]));
        assert_eq!(of(b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\x01\0\xef\0\0"), Some([320, 240]));
        let lossless = (320 - 1) | (240 - 1) << 14_u32;
        let webp = [b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f".as_slice(), &u32::to_le_bytes(lossless)].concat();
        assert_eq!(of(&webp), Some([320, 240]));
        let jpeg = b"\xff\xd8\xff\xe0\x00\x04\x01\x02\xff\xff\xc0\x00\x0b\x08\x00\x60\x00\x80\x01\x01\x11\x00";
        assert_eq!(of(jpeg), Some([128, 96]));
    }

    #[test]
    fn what_is_cut_off_or_no_picture_has_no_size() {
        for bytes in
            [&b""[..], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\x00\x04", b"\xff\xd8\xff\xda\0\x02\0\0\0\0", b"hello"]
        {
            assert_eq!(of(bytes), None, "{bytes:?}");
        }
    }
}
