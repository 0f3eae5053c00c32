//! The file of replies: where each lies, and what became of its call.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use grm_core::{ChatReply, ModelError};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::trouble;
use crate::{chat_reply, transport::Unreadable};

/// The longest line read.
const LINE_MAX: u64 = 64 << 20;
/// Unreadable lines that are named; the rest are counted.
const NAMED: u64 = 5;
/// Characters shown of a server's own words.
const SHOWN: usize = 300;

/// What a file of replies holds, by the calls' names.
#[derive(Debug)]
pub(super) struct Replies {
    path: PathBuf,
    file: Option<Mutex<File>>,
    places: HashMap<String, Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    line: u64,
    offset: u64,
    length: usize,
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Found {
    /// It was answered.
    Reply(ChatReply),
    /// It was refused for what it is, or answered in another form; asking again would bring the same.
    Refused(ModelError),
    /// It failed for a reason that may pass.
    Failed(String),
    /// Nobody knows of it.
    Nothing,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    custom_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(default = "well")]
    status_code: u16,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

fn well() -> u16 {
    200
}

impl Replies {
    /// Notes where replies lie; a file that is not there holds none.
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        let none = Self { path: path.to_owned(), file: None, places: HashMap::new() };
        match File::open(path) {
            Ok(file) => none.index(file).map_err(|error| trouble("could not read", path, error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(none),
            Err(error) => Err(trouble("could not read", path, error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Of two replies to one call the later one counts: files of several batches may be put together.
    fn index(mut self, file: File) -> std::io::Result<Self> {
        let (mut reader, mut line, mut offset, mut unreadable) = (BufReader::new(file), Vec::new(), 0, 0);
        for number in 1.. {
            line.clear();
            let length = (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line)?;
            if length == 0 {
                break;
            }
            match serde_json::from_slice::<Named<'_>>(&line) {
                Ok(named) => {
                    self.places.insert(named.custom_id.into_owned(), Place { line: number, offset, length });
                }
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(error) => self.warn(number, &error, &mut unreadable),
            }
            offset += length as u64;
        }
        self.file = Some(Mutex::new(reader.into_inner()));
        Ok(self)
    }

    fn warn(&self, line: u64, error: &serde_json::Error, unreadable: &mut u64) {
        *unreadable += 1;
        if *unreadable <= NAMED {
            tracing::warn!("{}:{line} is no reply: {error}; its call is asked again", self.path.display());
        }
    }

    /// What became of the call of this name.
    pub(super) fn find(&self, name: &str) -> Result<Found, ModelError> {
        let (Some(place), Some(file)) = (self.places.get(name), &self.file) else { return Ok(Found::Nothing) };
        let line = read(file, *place).map_err(|error| trouble("could not read", &self.path, error))?;
        let at = format!("{}:{} (call {name})", self.path.display(), place.line);
        Ok(judged(&line, &at))
    }
}

fn read(file: &Mutex<File>, place: Place) -> std::io::Result<Vec<u8>> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(place.offset))?;
    let mut line = vec![0; place.length];
    file.read_exact(&mut line)?;
    Ok(line)
}

fn judged(line: &[u8], at: &str) -> Found {
    let line: Line<'_> = match serde_json::from_slice(line) {
        Ok(line) => line,
        Err(error) => return Found::Failed(format!("{at} is no reply: {error}")),
    };
    let Line { response, error } = line;
    let status = response.as_ref().map_or(0, |response| response.status_code);
    match (status, response.and_then(|response| response.body), error) {
        (200, Some(body), None) => decoded(body, at),
        (400..=499, body, error) if !matches!(status, 408 | 429) => {
            let reason = error.or(body).map_or_else(|| "no reason is given".to_owned(), reason);
            let hint = "its batch line holds what was asked".to_owned();
            Found::Refused(ModelError::Rejected { place: at.to_owned(), status, reason, hint })
        }
        (_, body, error) => {
            let reason = error.or(body).map_or_else(|| "it holds no response".to_owned(), reason);
            Found::Failed(format!("{at}: {reason}"))
        }
    }
}

fn decoded(body: &RawValue, at: &str) -> Found {
    match chat_reply::decode(body.get().as_bytes()) {
        Ok(reply) => Found::Reply(reply),
        Err(Unreadable::Broken(reason)) => Found::Failed(format!("{at}: {reason}")),
        Err(Unreadable::Shape(reason)) => Found::Refused(ModelError::BadReply { place: at.to_owned(), reason }),
        Err(Unreadable::Refused(error)) => Found::Refused(error),
    }
}

/// The message of an error as vLLM, its older versions, and OpenAI write it; else the beginning of what is there.
fn reason(error: &RawValue) -> String {
    let value: Value = serde_json::from_str(error.get()).unwrap_or_default();
    let message = ["/error/message", "/message"].iter().find_map(|path| value.pointer(path)?.as_str());
    let text = message.or(value.as_str()).unwrap_or(error.get());
    text.chars().take(SHOWN).collect()
}
