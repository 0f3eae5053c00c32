//! The sizes parquet pages claim, read before any page is decompressed.
//!
//! A page header is a Thrift compact-protocol struct whose fields 2 and 3 are the page's size after and before
//! decompression; everything else in it is stepped over. Between headers the file is only seeked.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Nesting and length no honest header comes near.
const DEPTH_MAX: u32 = 8;
const HEADER_MAX: u64 = 1 << 20;

/// The first page among `length` bytes from `start` that claims more than `limit` bytes: how many it claims.
pub(super) fn oversized(file: &File, start: u64, length: u64, limit: u64) -> io::Result<Option<u64>> {
    let mut reader = Reader { bytes: BufReader::with_capacity(512, file), left: 0 };
    let end = start.saturating_add(length);
    let mut at = reader.bytes.seek(SeekFrom::Start(start))?;
    while at < end {
        reader.left = HEADER_MAX;
        let [unpacked, packed] = reader.header()?;
        if unpacked > limit {
            return Ok(Some(unpacked));
        }
        let body = at + (HEADER_MAX - reader.left);
        let step = i64::try_from(packed).map_err(|_| malformed())?;
        reader.bytes.seek_relative(step)?;
        at = body.checked_add(packed).ok_or_else(malformed)?;
    }
    Ok(None)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed parquet page header")
}

struct Reader<'a> {
    bytes: BufReader<&'a File>,
    left: u64,
}

impl Reader<'_> {
    fn byte(&mut self) -> io::Result<u8> {
        self.left = self.left.checked_sub(1).ok_or_else(malformed)?;
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(count).ok_or_else(malformed)?;
        self.bytes.seek_relative(i64::try_from(count).map_err(|_| malformed())?)
    }

    fn unsigned(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed())
    }

    fn signed(&mut self) -> io::Result<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// Size after and before decompression.
    fn header(&mut self) -> io::Result<[u64; 2]> {
        let (mut sizes, mut id) = ([None; 2], 0);
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (2 | 3, 5) => {
                    let size = u64::try_from(self.signed()?).map_err(|_| malformed())?;
                    sizes[usize::from(id == 3)] = Some(size);
                }
                _ => self.step_over(kind, 0)?,
            }
        }
        match sizes {
            [Some(unpacked), Some(packed)] => Ok([unpacked, packed]),
            _ => Err(malformed()),
        }
    }

    /// A field's kind, with its id left in `id`; `None` at the end of the struct.
    fn field(&mut self, id: &mut i64) -> io::Result<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *id = match byte >> 4 {
            0 => self.signed()?,
            delta => id.checked_add(i64::from(delta)).ok_or_else(malformed)?,
        };
        Ok(Some(byte & 0x0f))
    }

    fn step_over(&mut self, kind: u8, depth: u32) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(malformed());
        }
        match kind {
            1 | 2 => Ok(()),
            3 => self.skip(1),
            4..=6 => self.unsigned().map(drop),
            7 => self.skip(8),
            8 => {
                let length = self.unsigned()?;
                self.skip(length)
            }
            9 | 10 => self.step_over_list(depth),
            12 => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.step_over(kind, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(malformed()),
        }
    }

    fn step_over_list(&mut self, depth: u32) -> io::Result<()> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.unsigned()?,
            count => u64::from(count),
        };
        for _ in 0..count {
            match byte & 0x0f {
                1 | 2 => self.skip(1)?,
                kind => self.step_over(kind, depth + 1)?,
            }
        }
        Ok(())
    }
}
