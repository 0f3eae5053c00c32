//! Reading a journal call by call, without any model: for counting, planning and joining.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::journal::segment_paths;
use crate::record::VERSION;
use crate::scan::{Found, scan};
use crate::segments::{Place, Segments};
use crate::{CallKey, JournalError};

/// One recorded call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RecordedCall {
    /// `chat` or `reward`.
    pub kind: String,
    /// The pair it was asked for first.
    pub pair: String,
    /// The step of the method.
    pub step: String,
    /// Its index among repeated samples.
    pub sample: u32,
    /// What came back, as recorded: a chat reply or a score.
    pub reply: Value,
}

/// Hands every recorded call to `found`, in the order of the record; of two records of one call only the first, and
/// damaged lines not at all.
pub fn each_call(folder: &Path, mut found: impl FnMut(RecordedCall)) -> Result<(), JournalError> {
    let (segments, mut seen) = (Segments::default(), HashSet::new());
    for path in segment_paths(folder)? {
        let number = segments.add(path.clone());
        for (key, place) in places_of(&path, number)? {
            if !seen.insert(key) {
                continue;
            }
            let line = segments.read(place).map_err(|source| JournalError::Read { path: path.clone(), source })?;
            let offset = place.offset;
            let reply = |source| JournalError::Reply { path: path.clone(), offset, source };
            found(serde_json::from_slice(&line).map_err(reply)?);
        }
    }
    Ok(())
}

/// Where the records of a segment lie.
pub(crate) fn places_of(path: &Path, segment: u32) -> Result<Vec<(CallKey, Place)>, JournalError> {
    let (mut places, mut unknown) = (Vec::new(), None);
    scan(path, |found| match found {
        Found::Record { key, offset, length } => places.push((key, Place { offset, segment, length })),
        Found::OtherVersion { offset, version } => unknown = unknown.or(Some((offset, version))),
        Found::Damaged { .. } | Found::Torn { .. } => {}
    })?;
    match unknown {
        None => Ok(places),
        Some((offset, found)) => Err(JournalError::Version { path: path.to_owned(), offset, found, known: VERSION }),
    }
}
