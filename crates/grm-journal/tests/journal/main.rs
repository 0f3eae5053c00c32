//! What the journal promises, seen from outside.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod models;
mod recovery;
mod replay;
mod sharing;
