//! What a run leaves for people and tools to look at: `metrics.jsonl`, `TensorBoard` events, `report.html`.
//!
//! All of it is a function of the records, so a run that was resumed leaves the same bytes as one that was not.

pub(crate) mod metrics;
pub(crate) mod report;
pub mod tensorboard;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::disk;
use crate::error::FolderError;
use metrics::Record;

/// The growing files of a run.
#[derive(Debug)]
pub(crate) struct Logs {
    records: Vec<Record>,
    text: String,
    metrics: Output,
    events: Output,
}

#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
}

impl Output {
    /// Puts `bytes` in the place of whatever was there, ready for more.
    fn begin(path: PathBuf, bytes: &[u8]) -> Result<Self, FolderError> {
        let open = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            disk::replace(&path, bytes)?;
            OpenOptions::new().append(true).open(&path)
        };
        match open() {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(FolderError { path, source }),
        }
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), FolderError> {
        self.file.write_all(bytes).map_err(|source| FolderError { path: self.path.clone(), source })
    }
}

impl Logs {
    /// Begins with the records a checkpoint holds; lines of steps after it are gone.
    pub(crate) fn open(folder: &Path, text: String) -> Result<Self, FolderError> {
        let path = folder.join("metrics.jsonl");
        let records: Result<Vec<_>, _> = text.lines().map(Record::parse).collect();
        let records = records.map_err(|error| FolderError { path: path.clone(), source: io::Error::other(error) })?;
        let metrics = Output::begin(path, text.as_bytes())?;
        let events = Output::begin(folder.join("tensorboard").join(tensorboard::FILE), &tensorboard::file(&records))?;
        Ok(Self { records, text, metrics, events })
    }

    pub(crate) fn add(&mut self, record: Record) -> Result<(), FolderError> {
        let line = record.line();
        self.metrics.add(line.as_bytes())?;
        self.events.add(&tensorboard::event(&record))?;
        self.text.push_str(&line);
        self.records.push(record);
        Ok(())
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// The whole of `metrics.jsonl`.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}
