//! Exit codes scripts can rely on.

use std::process::ExitCode;

/// How a verb ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Done,
    /// Finished, but more pairs failed than allowed.
    TooManyFailures,
    /// Calls wait for a batch; the same command continues when it is answered.
    Waiting,
    /// Stopped by the user; the same command continues.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::TooManyFailures => 3,
            Exit::Waiting => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// The run folder is in use by another process.
pub(crate) const LOCKED: u8 = 5;
/// The disk is full or cannot be written.
pub(crate) const DISK: u8 = 6;

/// Prints an error with its causes and gives its exit code: 5 locked, 6 disk, a failed step's own, else 1. (clap itself uses 2.)
#[expect(clippy::print_stderr, reason = "the command's error output")]
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", crate::terminal::plain(&chain(error)));
    ExitCode::from(code(error))
}

/// The message with causes that add something: a cause already quoted by its parent is left out.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(grm_journal::JournalError::Locked { .. }) = cause.downcast_ref() {
            return LOCKED;
        }
        if let Some(step) = cause.downcast_ref::<crate::training_loop::StepFailed>() {
            return step.code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 2).unwrap_or(1);
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
            if matches!(io.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem) {
                return DISK;
            }
        }
    }
    1
}
