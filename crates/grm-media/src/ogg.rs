//! Whether an Ogg file has its end, by walking its pages (RFC 3533) without decoding.

use std::io::{self, BufReader, Read};

use crate::source::Reader;

/// Bytes of a page's header before the lengths of its segments.
const HEADER: usize = 27;
const LAST_PAGE: u8 = 4;

/// Refuses a file whose pages do not follow one another to a last one.
pub(crate) fn check_whole(reader: Reader) -> Result<(), String> {
    let bytes = reader.length();
    let (mut reader, mut place, mut ended) = (BufReader::new(reader), 0, false);
    while place < bytes {
        let mut header = [0; HEADER];
        let read = reader.read_exact(&mut header).and_then(|()| body_length(&mut reader, header[HEADER - 1]));
        let body = read.map_err(|_| format!("it is cut off in the page at byte {place}"))?;
        if !header.starts_with(b"OggS") {
            return Err(format!("at byte {place} there is no page"));
        }
        place += HEADER as u64 + u64::from(header[HEADER - 1]) + body;
        if place > bytes {
            return Err(format!("it is cut off in its last page, {} bytes before its end", place - bytes));
        }
        ended = header[5] & LAST_PAGE != 0;
        reader.seek_relative(i64::try_from(body).expect("at most 65,025 bytes")).map_err(|error| error.to_string())?;
    }
    if ended { Ok(()) } else { Err("it is cut off before its last page".to_owned()) }
}

/// The sum of the lengths of a page's segments.
fn body_length(reader: &mut impl Read, segments: u8) -> io::Result<u64> {
    let mut lengths = vec![0; segments.into()];
    reader.read_exact(&mut lengths)?;
    Ok(lengths.iter().map(|length| u64::from(*length)).sum())
}
