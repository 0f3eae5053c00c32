//! Append-only journal of model calls: replay is resume.
//!
//! A run's `journal/` folder holds segments, each a file of checksummed JSON lines, one a finished call. A model wrapped
//! by [`Journal::chat`] or [`Journal::reward`] asks the journal first and the model second, and what the model answers
//! is written before it is used. Running a command again therefore repeats no finished call, and nothing else in the
//! system knows about resuming.
//!
//! What holds whatever happens to the process or the machine:
//! - a killed process loses only calls still in flight; a power cut also the last 200 ms;
//! - a torn or damaged line costs that one record, and is counted and reported, never guessed at;
//! - several processes may write one folder: segment names are unique, and of two records of one call the first in
//!   name order counts. The lock only keeps people from doing so by accident.

mod decorators;
mod disk;
mod error;
#[cfg(test)]
mod faults;
mod flights;
mod index;
mod journal;
mod key;
mod lock;
mod log;
mod merge;
mod reading;
mod record;
mod scan;
mod segments;

pub use error::JournalError;
pub use journal::{Journal, JournalOptions, JournalStats};
pub use key::{CallKey, chat_key, reward_key};
pub use merge::{Merged, OnConflict, merge};
pub use reading::{RecordedCall, each_call};
