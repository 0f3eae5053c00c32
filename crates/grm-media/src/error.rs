//! Why a medium cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use crate::format::Kind;

/// What is wrong with a medium; each message names the file, the fault or limit, and the cure.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Its path leads out of the root, by `..`, from the root of the file system or through a link.
    #[error("{} leads out of the folder of the data; copy the file into it and correct the path", shown(path))]
    Outside {
        /// The path as given.
        path: PathBuf,
    },
    /// It cannot be opened or read.
    #[error("could not read {}: {source}; put the file there or correct the path", shown(path))]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something that reading may never end of, or nothing to read.
    #[error("{} is {what}, and only regular files are read; replace it by a copy of the medium", shown(path))]
    NotAFile {
        /// The path as given.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It has no bytes.
    #[error("{} has 0 bytes, and a medium has at least 1; download it again or leave its record out", shown(path))]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
    /// It is bigger than a limit.
    #[error("{} {what}, over the limit of {limit}; {cure}", shown(path))]
    OverLimit {
        /// The path as given.
        path: PathBuf,
        /// What is too much, with its size.
        what: String,
        /// The limit, with its unit.
        limit: String,
        /// What can be done.
        cure: &'static str,
    },
    /// It is shorter than anything a model can see or hear.
    #[error("{} has {what}, under the least of {least}; leave its record out and count it", shown(path))]
    TooShort {
        /// The path as given.
        path: PathBuf,
        /// What is too little, with its size.
        what: String,
        /// The least, with its unit.
        least: String,
    },
    /// Its content is not of the kind that was asked for, whatever its name says.
    #[error(
        "{} was to be {wanted}, but its content is {found}; correct the record, or replace the file by the right one",
        shown(path)
    )]
    WrongKind {
        /// The path as given.
        path: PathBuf,
        /// What was asked for.
        wanted: Kind,
        /// What the first bytes say.
        found: String,
    },
    /// It ends early or its content contradicts itself.
    #[error("{} is damaged: {fault}; download it again or leave its record out", shown(path))]
    Damaged {
        /// The path as given.
        path: PathBuf,
        /// What does not fit.
        fault: String,
    },
    /// It needs a program that is not there.
    #[error(
        "{} needs {program}, which was not found; install it with `apt-get install ffmpeg` or `brew install ffmpeg`",
        shown(path)
    )]
    NoProgram {
        /// The path as given.
        path: PathBuf,
        /// What was looked for.
        program: String,
    },
    /// The child process failed on it.
    #[error(
        "{program} could not decode {} within {seconds} s and {megabytes} MiB: {said}; convert it to an ordinary MP4 file \
         or leave its record out",
        shown(path)
    )]
    Child {
        /// The path as given.
        path: PathBuf,
        /// Which program.
        program: &'static str,
        /// What it said, shortened.
        said: String,
        /// Its time.
        seconds: u32,
        /// Its memory.
        megabytes: u64,
    },
}

/// A path without control characters, as names in downloaded data are not ours.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// Text with control characters escaped.
pub(crate) fn printable(text: &str) -> String {
    let escape = |letter: char| match letter.is_control() {
        true => letter.escape_default().collect::<String>(),
        false => letter.to_string(),
    };
    text.chars().map(escape).collect()
}
