//! Reading a segment when a journal is opened: what is whole is kept, what is not is counted.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::record::{LINE_MAX, Line, START, inspect};
use crate::{CallKey, JournalError};

/// Something found in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A record, `length` bytes without its line feed.
    Record { key: CallKey, offset: u64, length: u32 },
    /// An intact record of a version this program does not know.
    OtherVersion { offset: u64, version: u64 },
    /// Bytes that are no record.
    Damaged { offset: u64, length: u64, reason: &'static str, bytes: &'a [u8] },
    /// A last line that was never finished.
    Torn { offset: u64 },
}

/// Reads a segment once, in memory bounded by its longest line, and gives back its size.
pub(crate) fn scan(path: &Path, mut found: impl FnMut(Found<'_>)) -> Result<u64, JournalError> {
    let read = |source| JournalError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    let mut offset = 0;
    loop {
        let length = next_line(&mut reader, &mut line).map_err(read)?;
        if length == 0 {
            return Ok(offset);
        }
        if line.len() > LINE_MAX {
            let reason = "longer than 64 MiB";
            found(Found::Damaged { offset, length, reason, bytes: &line });
        } else if let Some(whole) = line.strip_suffix(b"\n") {
            pieces(whole, offset, false, &mut found);
        } else {
            pieces(&line, offset, true, &mut found);
        }
        offset += length;
    }
}

/// The next line with its line feed and its whole length; of a line that is too long only the first part is kept.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    line.clear();
    line.shrink_to(1 << 20);
    let kept = reader.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', line)?;
    let skipped = if kept > LINE_MAX && !line.ends_with(b"\n") { reader.skip_until(b'\n')? } else { 0 };
    Ok((kept + skipped) as u64)
}

/// A line is a record. One that is not may be several run together, when a line feed was damaged or a write was cut
/// short: then each place where a record begins gets its chance.
fn pieces(line: &[u8], offset: u64, last: bool, found: &mut impl FnMut(Found<'_>)) {
    let mut start = 0;
    loop {
        let rest = &line[start..];
        let end = match inspect(rest) {
            Line::Damaged(_) => next_start(rest).map_or(line.len(), |next| start + next),
            Line::Record(_) | Line::OtherVersion(_) => line.len(),
        };
        piece(&line[start..end], offset + start as u64, last && end == line.len(), found);
        start = end;
        if start == line.len() {
            return;
        }
    }
}

fn piece(bytes: &[u8], offset: u64, last: bool, found: &mut impl FnMut(Found<'_>)) {
    found(match inspect(bytes) {
        Line::Record(key) => Found::Record { key, offset, length: length_of(bytes) },
        Line::OtherVersion(version) => Found::OtherVersion { offset, version },
        Line::Damaged(_) if last => Found::Torn { offset },
        Line::Damaged(reason) => Found::Damaged { offset, length: bytes.len() as u64, reason, bytes },
    });
}

fn length_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a line is at most 64 MiB")
}

fn next_start(line: &[u8]) -> Option<usize> {
    let after = line.get(1..)?;
    after.windows(START.len()).position(|window| window == START).map(|place| place + 1)
}
