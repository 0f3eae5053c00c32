//! The file of calls that wait, as `vllm run-batch` and OpenAI's batch service read it.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use grm_core::ModelError;
use serde::Serialize;
use serde_json::value::RawValue;

use super::trouble;

/// Written beside its place and put there whole.
#[derive(Debug)]
pub(super) struct Requests {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    file: Option<BufWriter<File>>,
    names: HashSet<String>,
    left: Left,
}

/// What was left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Left {
    pub(super) calls: u64,
    /// Of those, calls that had been asked before and failed.
    pub(super) failed: u64,
    /// The first such failure.
    pub(super) failure: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    custom_id: &'a str,
    method: &'static str,
    url: &'static str,
    body: Box<RawValue>,
}

impl Requests {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, inner: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a call down, once however many ask.
    pub(super) fn leave(&self, name: &str, body: Vec<u8>, failure: Option<String>) -> Result<(), ModelError> {
        let mut inner = self.inner();
        if !inner.names.insert(name.to_owned()) {
            return Ok(());
        }
        inner.left.calls += 1;
        inner.left.failed += u64::from(failure.is_some());
        inner.left.failure = inner.left.failure.take().or(failure);
        self.write(&mut inner, &line(name, body)).map_err(|error| trouble("could not write", &self.partial(), error))
    }

    fn write(&self, inner: &mut Inner, line: &[u8]) -> std::io::Result<()> {
        let file = match &mut inner.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(File::create(self.partial())?)),
        };
        file.write_all(line)
    }

    /// Puts the file in its place. What was there before is of no use any more.
    pub(super) fn close(&self) -> Result<Left, ModelError> {
        let mut inner = self.inner();
        let file = inner.file.take();
        let place = || match file {
            Some(file) => {
                file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
                std::fs::rename(self.partial(), &self.path)
            }
            None if self.path.exists() => std::fs::remove_file(&self.path),
            None => Ok(()),
        };
        place().map_err(|error| trouble("could not write", &self.path, error))?;
        inner.names.clear();
        Ok(std::mem::take(&mut inner.left))
    }

    fn partial(&self) -> PathBuf {
        self.path.with_extension("jsonl.partial")
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(name: &str, body: Vec<u8>) -> Vec<u8> {
    let body = String::from_utf8(body).expect("a body is JSON");
    let body = RawValue::from_string(body).expect("a body is JSON");
    let line = Line { custom_id: name, method: "POST", url: "/v1/chat/completions", body };
    let mut bytes = serde_json::to_vec(&line).expect("writing to memory does not fail");
    bytes.push(b'\n');
    bytes
}
