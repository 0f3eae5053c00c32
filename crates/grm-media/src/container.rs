//! Whether a clip's file is whole, by the lengths its container states; nothing is decoded and no program is needed.

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::MediaError;
use crate::format::Format;
use crate::ogg;
use crate::source::{Reader, Source};

/// More boxes than any file has at its top level.
const BOXES_MAX: usize = 10_000;

/// Refuses a file that ends before its container does.
pub(crate) fn check_whole(source: &Source, format: Format) -> Result<(), MediaError> {
    let mut reader = source.reader();
    let checked = match format {
        Format::Mp4 | Format::M4a | Format::Quicktime => iso(&mut reader),
        Format::Webm | Format::Matroska => matroska(&mut reader),
        Format::Avi => riff(&mut reader),
        Format::Ogg => Ok(ogg::check_whole(source.reader()).err()),
        _ => Ok(None),
    };
    match checked {
        Ok(None) => Ok(()),
        Ok(Some(fault)) => Err(source.damaged(fault)),
        Err(error) => Err(source.damaged(format!("it is cut off: {error}"))),
    }
}

/// ISO 14496-12: boxes one after the other, each with its length, one of them `moov`.
fn iso(reader: &mut Reader) -> io::Result<Option<String>> {
    let (bytes, mut place, mut has_index) = (reader.length(), 0, false);
    for _ in 0..BOXES_MAX {
        if place == bytes {
            return Ok((!has_index).then(|| "it has no `moov` box, which tells what is in it".to_owned()));
        }
        reader.seek(SeekFrom::Start(place))?;
        let [a, b, c, d, name @ ..] = take::<8>(reader)?;
        has_index |= &name == b"moov";
        let length = match u32::from_be_bytes([a, b, c, d]) {
            0 => bytes - place,
            1 => u64::from_be_bytes(take(reader)?),
            length => length.into(),
        };
        if length < 8 || length > bytes - place {
            let name = crate::error::printable(&String::from_utf8_lossy(&name));
            return Ok(Some(cut(&format!("box `{name}`"), length, bytes - place)));
        }
        place += length;
    }
    Ok(Some(format!("it has more than {BOXES_MAX} boxes")))
}

/// RFC 8794 and 9559: a header element and a segment, each with its length; a segment may leave it open.
fn matroska(reader: &mut Reader) -> io::Result<Option<String>> {
    let bytes = reader.length();
    reader.seek(SeekFrom::Start(4))?;
    let header = variable_length(reader)?.unwrap_or(0);
    let place = reader.stream_position()?;
    let segment = place.checked_add(header).filter(|segment| *segment < bytes);
    let Some(segment) = segment else { return Ok(Some(cut("its header", header, bytes - place))) };
    reader.seek(SeekFrom::Start(segment))?;
    if take::<4>(reader)? != [0x18, 0x53, 0x80, 0x67] {
        return Ok(Some("no segment follows its header".to_owned()));
    }
    let length = variable_length(reader)?;
    let left = bytes - reader.stream_position()?;
    Ok(length.filter(|length| *length > left).map(|length| cut("its segment", length, left)))
}

/// A length whose first byte says, by its leading zeros, how many bytes it has; all ones mean it is not known.
fn variable_length(reader: &mut Reader) -> io::Result<Option<u64>> {
    let [first] = take::<1>(reader)?;
    let more = first.leading_zeros();
    if more > 7 {
        return Err(io::Error::other("a length of more than eight bytes"));
    }
    let mut value = u64::from(first) & (0x7f >> more);
    for _ in 0..more {
        value = value << 8 | u64::from(take::<1>(reader)?[0]);
    }
    let unknown = (1 << (7 * (more + 1))) - 1;
    Ok((value != unknown).then_some(value))
}

fn riff(reader: &mut Reader) -> io::Result<Option<String>> {
    reader.seek(SeekFrom::Start(4))?;
    let (length, left) = (u64::from(u32::from_le_bytes(take(reader)?)), reader.length() - 8);
    Ok((length > left).then(|| cut("its RIFF chunk", length, left)))
}

fn cut(what: &str, stated: u64, left: u64) -> String {
    format!("it is cut off: {what} states {stated} bytes, and {left} are there")
}

fn take<const N: usize>(reader: &mut Reader) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
