//! What the readers accept, refuse and promise.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod containers;
mod dev_data;
mod media;
mod shapes;
mod table;
mod trouble;

use std::path::{Path, PathBuf};

use grm_core::{Choice, Role};
use grm_data::ReadError;
use grm_data::records::{self, ReadOptions, Record};

/// A file that lives as long as its folder.
struct Sample {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn sample(name: &str, bytes: impl AsRef<[u8]>) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    Sample { _folder: folder, path }
}

fn read_with(path: &Path, options: &ReadOptions) -> Vec<Result<Record, ReadError>> {
    match records::open(path, options) {
        Ok(records) => records.collect(),
        Err(error) => vec![Err(error)],
    }
}

/// All records of a file without a fault.
fn read(name: &str, bytes: impl AsRef<[u8]>) -> Vec<Record> {
    let sample = sample(name, bytes);
    read_with(&sample.path, &ReadOptions::default()).into_iter().map(Result::unwrap).collect()
}

/// A record as its id, its prompt's turns, and its responses with the better one first where that is known.
fn plain(record: &Record) -> (String, Vec<(Role, String)>, [String; 2]) {
    let comparison = record.comparison();
    let turns = comparison.prompt.turns.iter().map(|turn| (turn.role, turn.joined_text())).collect();
    let better = record.label().unwrap_or(Choice::First);
    let responses = [better, better.other()].map(|choice| comparison.response(choice).joined_text());
    (comparison.id.clone(), turns, responses)
}

/// The message of the first error, in a file called `x.jsonl`, and whether it may be skipped.
fn fault(bytes: impl AsRef<[u8]>) -> (String, bool) {
    let sample = sample("x.jsonl", bytes);
    let error = read_with(&sample.path, &ReadOptions::default()).into_iter().find_map(Result::err).unwrap();
    let folder = format!("{}/", sample.path.parent().unwrap().display());
    (error.to_string().replace(&folder, ""), error.is_skippable())
}
