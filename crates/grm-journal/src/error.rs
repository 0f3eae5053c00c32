//! Why the journal could not do its part.

use std::path::PathBuf;

use grm_core::{ModelError, Step};

use crate::CallKey;

/// A journal that cannot be opened, read or written. Each message ends with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be made or listed.
    #[error(
        "could not open the journal folder {path}; check that it exists and may be written, then run the same command again"
    )]
    Folder {
        /// The journal folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process holds the folder.
    #[error(
        "the journal {path} is in use by process {pid} on {host}; let it finish or stop it, then run the same command again"
    )]
    Locked {
        /// The journal folder.
        path: PathBuf,
        /// The holder's process id; 0 when it did not say.
        pid: u32,
        /// The holder's host name.
        host: String,
    },
    /// An intact record of a format this program does not know.
    #[error(
        "{path}: the record at byte {offset} has format version {found}, but this program reads version {known}; use the grm that wrote it, or a newer one"
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// The version it names.
        found: u64,
        /// The version this program reads and writes.
        known: u64,
    },
    /// A segment cannot be read.
    #[error("could not read the journal segment {path}; check the disk, then run the same command again")]
    Read {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A segment cannot be written or flushed, and neither can a new one.
    #[error(
        "could not write the journal in {path}; free some space or mend the disk, then run the same command again: finished calls are not repeated"
    )]
    Write {
        /// The journal folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A reply too long to be recorded.
    #[error(
        "a reply for {step} of pair {pair} takes {bytes} bytes in the journal, and a record holds at most {limit}; lower max_tokens"
    )]
    TooLong {
        /// The step that asked.
        step: &'static str,
        /// The pair it asked for.
        pair: String,
        /// Bytes the line would take.
        bytes: usize,
        /// The most a line may take.
        limit: usize,
    },
    /// An intact record whose reply does not have the expected fields.
    #[error(
        "{path}: the reply recorded at byte {offset} does not have the expected fields; move that segment away, then run the same command again"
    )]
    Reply {
        /// The segment.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// What is missing.
        source: serde_json::Error,
    },
    /// A reply that cannot be put into a line.
    #[error("could not encode a reply for the journal")]
    Encode(#[source] serde_json::Error),
    /// A journal opened for replay alone was asked for a call that never finished.
    #[error(
        "{path} holds no answer of {model} for {} of pair {pair}, sample {sample}; run the command that made this run again to ask for it",
        step.as_str()
    )]
    Missing {
        /// The journal folder.
        path: PathBuf,
        /// The model whose answer is wanted.
        model: String,
        /// The step.
        step: Step,
        /// The pair.
        pair: String,
        /// The sample index.
        sample: u32,
    },
    /// Journals to be joined disagree.
    #[error(
        "{first} at byte {first_at} and {second} at byte {second_at} hold different replies to one call, {key}; merge with --keep-first to take the first, or leave out the pair that is in both"
    )]
    Conflict {
        /// The call.
        key: CallKey,
        /// The segment read first.
        first: PathBuf,
        /// Where its record begins.
        first_at: u64,
        /// The other segment.
        second: PathBuf,
        /// Where its record begins.
        second_at: u64,
    },
    /// The loaded model is not the one the journal was told to expect.
    #[error(
        "the loaded model is {loaded}, but this run records answers of {promised}; name the same model, or start a new run"
    )]
    WrongModel {
        /// Name, revision and adapter the keys were made with.
        promised: String,
        /// Name, revision and adapter of what was loaded.
        loaded: String,
    },
}

impl From<JournalError> for ModelError {
    fn from(error: JournalError) -> Self {
        Self::Engine { context: "the call could not be replayed or recorded".into(), source: Box::new(error) }
    }
}
