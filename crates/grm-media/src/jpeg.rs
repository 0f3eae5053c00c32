//! Whether a JPEG file has its end, by walking its markers (ITU T.81, annex B) without decoding.

use std::io::{self, BufRead, Read};

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Refuses a file whose end-of-image marker is missing, saying where it stops. Nothing of it is kept in memory.
pub(crate) fn check_whole(mut reader: impl BufRead) -> Result<(), String> {
    walk(&mut reader).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut off before its end-of-image marker".to_owned(),
        _ => error.to_string(),
    })
}

fn walk(reader: &mut impl BufRead) -> io::Result<()> {
    let mut marker = next_marker(reader)?;
    loop {
        marker = match marker {
            END => return Ok(()),
            // Markers that stand alone.
            START | 0x01 | 0xd0..=0xd7 => next_marker(reader)?,
            SCAN => {
                skip_segment(reader)?;
                end_of_scan(reader)?
            }
            _ => {
                skip_segment(reader)?;
                next_marker(reader)?
            }
        };
    }
}

/// The next byte that is not `ff` after one that is; what is before it is skipped.
fn next_marker(reader: &mut impl BufRead) -> io::Result<u8> {
    loop {
        skip_to_ff(reader)?;
        let mut marker = byte(reader)?;
        while marker == 0xff {
            marker = byte(reader)?;
        }
        if marker != 0 {
            return Ok(marker);
        }
    }
}

/// The first marker after entropy-coded data, in which `ff 00` is a byte and restart markers are no end.
fn end_of_scan(reader: &mut impl BufRead) -> io::Result<u8> {
    loop {
        let marker = next_marker(reader)?;
        if !(0xd0..=0xd7).contains(&marker) {
            return Ok(marker);
        }
    }
}

fn skip_segment(reader: &mut impl BufRead) -> io::Result<()> {
    let length = u64::from(u16::from_be_bytes([byte(reader)?, byte(reader)?]));
    let body = length.checked_sub(2).ok_or_else(|| io::Error::other("a segment has an impossible length"))?;
    match io::copy(&mut reader.take(body), &mut io::sink())? {
        skipped if skipped == body => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn skip_to_ff(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let found = buffer.iter().position(|&byte| byte == 0xff);
        let used = found.map_or(buffer.len(), |place| place + 1);
        reader.consume(used);
        if found.is_some() {
            return Ok(());
        }
    }
}

fn byte(reader: &mut impl BufRead) -> io::Result<u8> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    Ok(byte[0])
}
