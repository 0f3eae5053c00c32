//! A JSON array of objects, taken apart element by element: the file is never in memory as a whole.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::BYTE_ORDER_MARK;
use crate::row::Row;
use crate::{Place, ReadError, Spot};

/// Rows of a JSON array.
pub(crate) struct Elements<R> {
    reader: R,
    file: PathBuf,
    limit: u64,
    number: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Before,
    Within,
    Closed,
}

/// One element's bytes, and whether it was the last.
struct Element {
    bytes: Vec<u8>,
    last: bool,
}

impl<R: BufRead> Elements<R> {
    pub(crate) fn new(reader: R, file: &Path, limit: u64) -> Self {
        Self { reader, file: file.to_owned(), limit, number: 0, state: State::Before }
    }

    fn place(&self) -> Place {
        Place { file: self.file.clone(), spot: Spot::Element(self.number) }
    }

    fn next_row(&mut self) -> Result<Option<Row>, ReadError> {
        if self.state == State::Before {
            self.open_bracket()?;
        }
        if self.state == State::Closed {
            return self.nothing_follows().map(|()| None);
        }
        let Element { bytes, last } = self.element()?;
        if last {
            self.state = State::Closed;
        }
        let bytes = bytes.trim_ascii();
        if last && bytes.is_empty() && self.number == 0 {
            return self.next_row();
        }
        let row = Row::parse(self.place(), bytes)?;
        self.number += 1;
        Ok(Some(row))
    }

    fn open_bracket(&mut self) -> Result<(), ReadError> {
        self.state = State::Within;
        let start = fill(&mut self.reader, &self.file)?;
        let mark = if start.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        // The container was told by this bracket, so it lies in the first buffer.
        let bracket = start.iter().skip(mark).take_while(|byte| byte.is_ascii_whitespace()).count() + mark;
        self.reader.consume(bracket + 1);
        Ok(())
    }

    /// Everything up to the comma or bracket that ends the element.
    fn element(&mut self) -> Result<Element, ReadError> {
        let mut bytes = Vec::new();
        let (mut depth, mut in_string, mut escaped) = (0_u64, false, false);
        loop {
            let chunk = fill(&mut self.reader, &self.file)?;
            if chunk.is_empty() {
                return Err(self.broken("the file ends before the array does", "copy the file again"));
            }
            let end = chunk.iter().position(|byte| {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if in_string => escaped = true,
                    b'"' => in_string = !in_string,
                    _ if in_string => {}
                    b'[' | b'{' => depth += 1,
                    b',' | b']' if depth == 0 => return true,
                    b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                false
            });
            bytes.extend_from_slice(&chunk[..end.unwrap_or(chunk.len())]);
            let last = end.is_some_and(|end| chunk[end] == b']');
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            if bytes.len() as u64 > self.limit {
                return Err(ReadError::TooLong { place: self.place(), limit: self.limit });
            }
            if end.is_some() {
                return Ok(Element { bytes, last });
            }
        }
    }

    fn nothing_follows(&mut self) -> Result<(), ReadError> {
        loop {
            let chunk = fill(&mut self.reader, &self.file)?;
            if chunk.is_empty() {
                return Ok(());
            }
            if !chunk.iter().all(u8::is_ascii_whitespace) {
                return Err(self.broken("more text after the array", "put all records into one array"));
            }
            let used = chunk.len();
            self.reader.consume(used);
        }
    }

    fn broken(&self, found: &str, cure: &str) -> ReadError {
        let expected = "one JSON array of objects".to_owned();
        ReadError::Shape { place: self.place(), expected, found: found.to_owned(), cure: cure.to_owned() }
    }
}

fn fill<'a, R: BufRead>(reader: &'a mut R, file: &Path) -> Result<&'a [u8], ReadError> {
    let place = || Place { file: file.to_owned(), spot: Spot::Whole };
    reader.fill_buf().map_err(|source| ReadError::Io { place: place(), source })
}

impl<R: BufRead> Iterator for Elements<R> {
    type Item = Result<Row, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}
