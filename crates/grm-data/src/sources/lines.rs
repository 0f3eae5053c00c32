//! JSON lines: one object a line.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use super::BYTE_ORDER_MARK;
use crate::row::Row;
use crate::{Place, ReadError, Spot};

/// Rows of a JSONL file. Blank lines and a byte-order mark at the start are passed over.
pub(crate) struct Lines<R> {
    reader: R,
    file: PathBuf,
    limit: u64,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, file: &Path, limit: u64) -> Self {
        Self { reader, file: file.to_owned(), limit, number: 0, line: Vec::new() }
    }

    /// The next line that is not blank, and where it lies.
    pub(crate) fn next_line(&mut self) -> Result<Option<(Place, &[u8])>, ReadError> {
        loop {
            self.line.clear();
            self.number += 1;
            let place = || Place { file: self.file.clone(), spot: Spot::Line(self.number) };
            let read = self.reader.by_ref().take(self.limit.saturating_add(1)).read_until(b'\n', &mut self.line);
            let read = read.map_err(|source| ReadError::Io { place: place(), source })?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 > self.limit && self.line.last() != Some(&b'\n') {
                return Err(ReadError::TooLong { place: place(), limit: self.limit });
            }
            if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((place(), self.line.trim_ascii())));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().and_then(|line| line.map(|(place, bytes)| Row::parse(place, bytes)).transpose()).transpose()
    }
}
