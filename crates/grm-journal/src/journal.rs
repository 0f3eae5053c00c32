//! Opening, asking and appending.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grm_core::{CallOrigin, ModelError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk::{Disk, FileSystem};
use crate::flights::Flights;
use crate::index::{Index, Recent};
use crate::lock::{self, Lock};
use crate::log::{Log, Rhythm};
use crate::record::{self, Kind, Line, VERSION, inspect};
use crate::scan::{Found, scan};
use crate::segments::{Place, Segments};
use crate::{CallKey, JournalError};

/// How a journal is opened; the default suits a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    /// Only answer from what is there: nothing is written or locked, and a call without a record is an error.
    pub replay_only: bool,
    /// A segment that would grow beyond this is closed and the next begun.
    pub segment_bytes: u64,
    /// Flush after this many records at the latest.
    pub sync_records: u32,
    /// Flush this long after a record at the latest.
    pub sync_interval: Duration,
    /// How many records of this process can be asked for again before it restarts.
    pub recent_records: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            replay_only: false,
            segment_bytes: 64 << 20,
            sync_records: 64,
            sync_interval: Duration::from_millis(200),
            recent_records: 65_536,
        }
    }
}

impl JournalOptions {
    /// Options for reading a run without any model.
    #[must_use]
    pub fn replay_only() -> Self {
        Self { replay_only: true, ..Self::default() }
    }
}

/// What a journal held when it was opened and did since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct JournalStats {
    /// Calls answered from a record.
    pub replayed: u64,
    /// Records written by this process.
    pub appended: u64,
    /// Unfinished last lines found at opening; their calls are made again.
    pub recovered_torn: u64,
    /// Damaged lines found at opening; listed in `quarantine.jsonl`, their calls are made again.
    pub damaged: u64,
    /// Records found at opening.
    pub indexed: u64,
    /// Bytes of all segments.
    pub bytes: u64,
}

/// The journal of one run folder. Wrap models with [`Journal::chat`] and [`Journal::reward`].
pub struct Journal {
    folder: PathBuf,
    segments: Arc<Segments>,
    index: Index,
    recent: Mutex<Recent>,
    // Dropped in this order: the last records are flushed before the lock is let go.
    log: Option<Log>,
    _lock: Option<Lock>,
    pub(crate) flights: Flights,
    opened: JournalStats,
    replayed: AtomicU64,
    appended: AtomicU64,
    appended_bytes: AtomicU64,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Journal").field("folder", &self.folder).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal folder of a run (`runs/NAME/journal`), making it where it is missing, and reads what is there.
    pub fn open(folder: &Path, options: &JournalOptions) -> Result<Arc<Self>, JournalError> {
        Self::open_on(folder, options, Arc::new(FileSystem))
    }

    pub(crate) fn open_on(
        folder: &Path,
        options: &JournalOptions,
        disk: Arc<dyn Disk>,
    ) -> Result<Arc<Self>, JournalError> {
        let at_folder = |source| JournalError::Folder { path: folder.to_owned(), source };
        let lock = if options.replay_only {
            None
        } else {
            std::fs::create_dir_all(folder).map_err(at_folder)?;
            Some(lock::acquire(folder)?)
        };
        let segments = Arc::new(Segments::default());
        let Recovery { index, stats, damages } = recover(folder, &segments)?;
        if !damages.is_empty() {
            tracing::warn!(folder = %folder.display(), damaged = stats.damaged, "damaged journal records are left out; see quarantine.jsonl");
            if !options.replay_only {
                quarantine(folder, &damages)?;
            }
        }
        let rhythm = Rhythm {
            segment_bytes: options.segment_bytes,
            sync_records: options.sync_records,
            sync_interval: options.sync_interval,
        };
        let log = match options.replay_only {
            true => None,
            false => Some(Log::start(folder, disk, rhythm, Arc::clone(&segments)).map_err(at_folder)?),
        };
        Ok(Arc::new(Self {
            folder: folder.to_owned(),
            segments,
            index,
            recent: Mutex::new(Recent::new(options.recent_records)),
            log,
            _lock: lock,
            flights: Flights::default(),
            opened: stats,
            replayed: AtomicU64::new(0),
            appended: AtomicU64::new(0),
            appended_bytes: AtomicU64::new(0),
        }))
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> JournalStats {
        JournalStats {
            replayed: self.replayed.load(Ordering::Relaxed),
            appended: self.appended.load(Ordering::Relaxed),
            bytes: self.opened.bytes + self.appended_bytes.load(Ordering::Relaxed),
            ..self.opened
        }
    }

    /// Flushes every record to the disk; call it before a run is called done. Dropping the journal flushes too, but can
    /// only log a failure.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.log.as_ref().map_or(Ok(()), Log::sync)
    }

    /// The recorded reply of a call, or else the model's, recorded before it is given back. Of several that ask the
    /// same at the same time one asks the model and the others wait for its record; an error is not recorded, so the
    /// next in line asks for itself.
    pub(crate) async fn answer<T: Serialize + DeserializeOwned>(
        &self,
        key: CallKey,
        kind: Kind,
        origin: &CallOrigin,
        ask: impl Future<Output = Result<T, ModelError>>,
    ) -> Result<T, ModelError> {
        if let Some(reply) = self.find(key)? {
            return Ok(reply);
        }
        let seat = self.flights.join(key);
        let _turn = seat.turn().await;
        if let Some(reply) = self.find(key)? {
            return Ok(reply);
        }
        let reply = ask.await?;
        // No await from here on: a reply that has come is recorded even if its asker is about to be cancelled.
        self.append(key, kind, origin, &reply)?;
        Ok(reply)
    }

    /// The error for a call that a journal without a model cannot answer.
    pub(crate) fn missing(&self, model: &str, origin: &CallOrigin) -> JournalError {
        JournalError::Missing {
            path: self.folder.clone(),
            model: model.to_owned(),
            step: origin.step,
            pair: origin.pair.to_string(),
            sample: origin.sample,
        }
    }

    /// True when calls without a record are errors.
    pub(crate) fn is_replay_only(&self) -> bool {
        self.log.is_none()
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find<T: DeserializeOwned>(&self, key: CallKey) -> Result<Option<T>, JournalError> {
        let recent = self.recent().get(key);
        for place in self.index.candidates(key).chain(recent) {
            if let Some(line) = self.record_at(place, key)? {
                let reply = record::reply(&line).map_err(|source| JournalError::Reply {
                    path: self.segments.path(place.segment),
                    offset: place.offset,
                    source,
                })?;
                self.replayed.fetch_add(1, Ordering::Relaxed);
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// The line at a place if it holds this very call, unchanged.
    fn record_at(&self, place: Place, key: CallKey) -> Result<Option<Vec<u8>>, JournalError> {
        let read = |source| JournalError::Read { path: self.segments.path(place.segment), source };
        let line = self.segments.read(place).map_err(read)?;
        match inspect(&line) {
            Line::Record(found) => Ok((found == key).then_some(line)),
            Line::OtherVersion(_) | Line::Damaged(_) => {
                let path = self.segments.path(place.segment);
                tracing::warn!(path = %path.display(), offset = place.offset, "a journal record changed after it was read; the call is made again");
                Ok(None)
            }
        }
    }

    pub(crate) fn append<T: Serialize>(
        &self,
        key: CallKey,
        kind: Kind,
        origin: &CallOrigin,
        reply: &T,
    ) -> Result<(), JournalError> {
        let Some(log) = &self.log else { return Ok(()) };
        let line = record::encode(key, kind, origin, reply)?;
        let place = log.append(&line)?;
        self.recent().insert(key, place);
        self.appended.fetch_add(1, Ordering::Relaxed);
        self.appended_bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Default)]
struct Recovery {
    index: Index,
    stats: JournalStats,
    damages: Vec<Damage>,
}

/// One line of `quarantine.jsonl`. The bytes themselves stay where they are: segments are never rewritten.
#[derive(Debug, Serialize)]
struct Damage {
    segment: String,
    offset: u64,
    bytes: u64,
    reason: &'static str,
    begins: String,
}

/// How many damaged lines are described one by one; all of them are counted.
const DAMAGES_LISTED: usize = 10_000;
const QUARANTINE: &str = "quarantine.jsonl";

fn recover(folder: &Path, segments: &Segments) -> Result<Recovery, JournalError> {
    let mut recovery = Recovery::default();
    for path in segment_paths(folder)? {
        let number = segments.add(path.clone());
        let mut unknown = None;
        recovery.stats.bytes += scan(&path, |found| match found {
            Found::Record { key, offset, length } => {
                recovery.index.push(key, Place { segment: number, offset, length });
            }
            Found::OtherVersion { offset, version } => unknown = unknown.or(Some((offset, version))),
            Found::Torn { .. } => recovery.stats.recovered_torn += 1,
            Found::Damaged { offset, length, reason, bytes } => {
                recovery.stats.damaged += 1;
                if recovery.damages.len() < DAMAGES_LISTED {
                    recovery.damages.push(Damage {
                        segment: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                        offset,
                        bytes: length,
                        reason,
                        begins: String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned(),
                    });
                }
            }
        })?;
        if let Some((offset, found)) = unknown {
            return Err(JournalError::Version { path, offset, found, known: VERSION });
        }
    }
    recovery.index.seal();
    recovery.stats.indexed = recovery.index.len() as u64;
    Ok(recovery)
}

/// Segments in name order, which is the order their processes began.
pub(crate) fn segment_paths(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let at_folder = |source| JournalError::Folder { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at_folder)? {
        let path = entry.map_err(at_folder)?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == "jsonl")
            && path.file_name().is_some_and(|name| name != QUARANTINE);
        if is_segment {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Says which lines were left out; made anew whenever a journal with damage is opened.
fn quarantine(folder: &Path, damages: &[Damage]) -> Result<(), JournalError> {
    let write = || -> std::io::Result<()> {
        let partial = folder.join("quarantine.partial");
        let mut file = std::io::BufWriter::new(std::fs::File::create(&partial)?);
        for damage in damages {
            serde_json::to_writer(&mut file, damage)?;
            file.write_all(b"\n")?;
        }
        file.into_inner()?.sync_all()?;
        std::fs::rename(partial, folder.join(QUARANTINE))
    };
    write().map_err(|source| JournalError::Write { path: folder.to_owned(), source })
}
