//! Several journals joined into one, as if one run had made all their calls.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::disk::FileSystem;
use crate::journal::segment_paths;
use crate::lock;
use crate::log::{Log, Rhythm};
use crate::reading::places_of;
use crate::record;
use crate::segments::{Place, Segments};
use crate::{CallKey, JournalError, JournalOptions};

/// What to do when two journals hold different replies to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// Stop with an error that names both.
    #[default]
    Refuse,
    /// Keep the reply of the journal named first, and count.
    KeepFirst,
}

/// What a merge came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    /// Different calls in the joined journal.
    pub records: u64,
    /// Records left out because an earlier one has the same call and the same reply.
    pub duplicates: u64,
    /// Records left out although their reply is another.
    pub conflicts: u64,
}

/// Joins the journals in `folders`, in that order, into the one in `out`. What `out` holds already counts as first, so
/// that a merge that was interrupted is continued by doing it again.
pub fn merge(out: &Path, folders: &[PathBuf], on_conflict: OnConflict) -> Result<Merged, JournalError> {
    let at_out = |source| JournalError::Folder { path: out.to_owned(), source };
    std::fs::create_dir_all(out).map_err(at_out)?;
    let _lock = lock::acquire(out)?;
    let JournalOptions { segment_bytes, sync_records, sync_interval, .. } = JournalOptions::default();
    let rhythm = Rhythm { segment_bytes, sync_records, sync_interval };
    let mut joining =
        Joining { on_conflict, segments: Segments::default(), seen: HashMap::new(), merged: Merged::default() };
    joining.take(out, None)?;
    let log = Log::start(out, Arc::new(FileSystem), rhythm, Arc::new(Segments::default())).map_err(at_out)?;
    for folder in folders {
        joining.take(folder, Some(&log))?;
    }
    log.sync()?;
    Ok(joining.merged)
}

struct Joining {
    on_conflict: OnConflict,
    segments: Segments,
    seen: HashMap<CallKey, Place>,
    merged: Merged,
}

impl Joining {
    /// Copies a journal's records into the log; without a log they are there already.
    fn take(&mut self, folder: &Path, log: Option<&Log>) -> Result<(), JournalError> {
        for path in segment_paths(folder)? {
            let number = self.segments.add(path.clone());
            for (key, place) in places_of(&path, number)? {
                match self.seen.get(&key) {
                    Some(first) => self.compare(key, *first, place)?,
                    None => self.copy(key, place, log)?,
                }
            }
        }
        Ok(())
    }

    fn copy(&mut self, key: CallKey, place: Place, log: Option<&Log>) -> Result<(), JournalError> {
        if let Some(log) = log {
            let mut line = self.line(place)?;
            line.push(b'\n');
            log.append(&line)?;
        }
        self.seen.insert(key, place);
        self.merged.records += 1;
        Ok(())
    }

    fn compare(&mut self, key: CallKey, first: Place, second: Place) -> Result<(), JournalError> {
        let [one, other] = [self.reply(first)?, self.reply(second)?];
        if one == other {
            self.merged.duplicates += 1;
            return Ok(());
        }
        if self.on_conflict == OnConflict::KeepFirst {
            self.merged.conflicts += 1;
            return Ok(());
        }
        let [first, second] = [first, second].map(|place| (self.segments.path(place.segment), place.offset));
        Err(JournalError::Conflict { key, first: first.0, first_at: first.1, second: second.0, second_at: second.1 })
    }

    fn reply(&self, place: Place) -> Result<Value, JournalError> {
        record::reply(&self.line(place)?).map_err(|source| JournalError::Reply {
            path: self.segments.path(place.segment),
            offset: place.offset,
            source,
        })
    }

    fn line(&self, place: Place) -> Result<Vec<u8>, JournalError> {
        let read = |source| JournalError::Read { path: self.segments.path(place.segment), source };
        self.segments.read(place).map_err(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use grm_core::{CallOrigin, ModelIdentity, Prompt, Response, RewardRequest, Step};

    use super::*;
    use crate::record::{Kind, encode};
    use crate::{each_call, reward_key};

    /// A journal whose records are these responses with these replies, in a segment of this name.
    fn journal(folder: &Path, segment: &str, records: &[(&str, &str)]) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let model = ModelIdentity { name: "m".into(), revision: String::new(), adapter: String::new() };
        let line = |(response, reply): &(&str, &str)| {
            let origin = CallOrigin { pair: (*response).into(), step: Step::Scoring, sample: 0, template: "".into() };
            let request = RewardRequest {
                prompt: Prompt::from_text("q"),
                response: Response::from_text(*response),
                origin: origin.clone(),
            };
            encode(reward_key(&model, &request), Kind::Reward, &origin, reply).unwrap()
        };
        let bytes: Vec<u8> = records.iter().flat_map(line).collect();
        fs::write(folder.join(format!("{segment}.jsonl")), bytes).unwrap();
        folder.to_owned()
    }

    fn replies(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        each_call(folder, |call| found.push((call.pair.to_owned(), call.reply.as_str().unwrap().to_owned()))).unwrap();
        found
    }

    #[test]
    fn journals_are_joined_in_order_and_duplicates_left_out() {
        let place = tempfile::tempdir().unwrap();
        let one = journal(&place.path().join("1"), "x", &[("a", "1"), ("b", "2")]);
        let two = journal(&place.path().join("2"), "x", &[("c", "3"), ("a", "1")]);
        let out = place.path().join("out");
        let merged = merge(&out, &[one.clone(), two.clone()], OnConflict::Refuse).unwrap();
        assert_eq!(merged, Merged { records: 3, duplicates: 1, conflicts: 0 });
        let expected = [("a", "1"), ("b", "2"), ("c", "3")].map(|(pair, reply)| (pair.into(), reply.into()));
        assert_eq!(replies(&out), expected);
        let again = merge(&out, &[one, two], OnConflict::Refuse).unwrap();
        assert_eq!(again, Merged { records: 3, duplicates: 4, conflicts: 0 });
        assert_eq!(replies(&out), expected);
    }

    #[test]
    fn two_replies_to_one_call_are_named() {
        let place = tempfile::tempdir().unwrap();
        let one = journal(&place.path().join("1"), "x", &[("a", "1")]);
        let two = journal(&place.path().join("2"), "y", &[("b", "2"), ("a", "9")]);
        let folders = [one, two];
        let error = merge(&place.path().join("out"), &folders, OnConflict::Refuse).unwrap_err().to_string();
        for part in ["1/x.jsonl at byte 0", "2/y.jsonl at byte ", "--keep-first"] {
            assert!(error.contains(part), "{error}");
        }
        let out = place.path().join("kept");
        let merged = merge(&out, &folders, OnConflict::KeepFirst).unwrap();
        assert_eq!(merged, Merged { records: 2, duplicates: 0, conflicts: 1 });
        assert_eq!(replies(&out)[0], ("a".into(), "1".into()));
    }
}
