//! Writing segments: one `write` a record, one `fsync` for many.
//!
//! A segment that failed once, in writing or in `fsync`, is never touched again: what an operating system keeps of a
//! page it could not write is anybody's guess. The line goes to a new segment instead, and only if that fails too does
//! the caller hear of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::JournalError;
use crate::disk::{Disk, SegmentFile};
use crate::segments::{Place, Segments};

/// When to begin a new segment and when to flush.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rhythm {
    pub(crate) segment_bytes: u64,
    pub(crate) sync_records: u32,
    pub(crate) sync_interval: Duration,
}

/// The writing end of a journal. Dropping it flushes what is left.
pub(crate) struct Log {
    shared: Arc<Shared>,
    flusher: Option<JoinHandle<()>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    prefix: String,
    rhythm: Rhythm,
    segments: Arc<Segments>,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    current: Option<Segment>,
    made: u32,
    unsynced: u32,
    due: Option<Instant>,
    sync_failures: u32,
    sync_error: Option<io::Error>,
    closing: bool,
}

struct Segment {
    number: u32,
    path: PathBuf,
    file: Arc<dyn SegmentFile>,
    length: u64,
}

impl Log {
    /// Starts the flushing thread; the first segment is made with the first record.
    pub(crate) fn start(
        folder: &Path,
        disk: Arc<dyn Disk>,
        rhythm: Rhythm,
        segments: Arc<Segments>,
    ) -> io::Result<Self> {
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        // Sixteen digits of nanoseconds, so that names sort by the time their process began.
        let prefix = format!("{:016x}-{}", started.as_nanos(), std::process::id());
        let (state, wake) = Default::default();
        let shared = Arc::new(Shared { disk, folder: folder.to_owned(), prefix, rhythm, segments, state, wake });
        let flusher = std::thread::Builder::new().name("grm-journal".into());
        let flusher = flusher.spawn({
            let shared = Arc::clone(&shared);
            move || shared.flush_until_closed()
        })?;
        Ok(Self { shared, flusher: Some(flusher) })
    }

    /// Writes one line, line feed included.
    pub(crate) fn append(&self, line: &[u8]) -> Result<Place, JournalError> {
        let shared = &self.shared;
        let mut state = shared.lock();
        if let Some(error) = state.sync_error.take() {
            return Err(shared.error(error));
        }
        shared.rotate_if_full(&mut state, line.len());
        let place = match shared.write(&mut state, line) {
            Ok(place) => place,
            Err(error) => {
                tracing::warn!(folder = %shared.folder.display(), %error, "a journal segment could not be written; trying a new one");
                shared.write(&mut state, line).map_err(|error| shared.error(error))?
            }
        };
        state.unsynced += 1;
        if state.due.is_none() {
            state.due = Some(Instant::now() + shared.rhythm.sync_interval);
            shared.wake.notify_one();
        } else if state.unsynced >= shared.rhythm.sync_records {
            shared.wake.notify_one();
        }
        Ok(place)
    }

    /// Flushes everything written so far.
    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        let mut state = self.shared.lock();
        if let Some(error) = state.sync_error.take() {
            return Err(self.shared.error(error));
        }
        let (state, result) = self.shared.flush(state);
        drop(state);
        result.map_err(|error| self.shared.error(error))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if self.flusher.take().is_some_and(|flusher| flusher.join().is_err()) {
            tracing::error!(folder = %self.shared.folder.display(), "the journal's flushing thread panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, source: io::Error) -> JournalError {
        JournalError::Write { path: self.folder.clone(), source }
    }

    fn rotate_if_full(&self, state: &mut State, line: usize) {
        let Some(segment) = &state.current else { return };
        if segment.length > 0 && segment.length + line as u64 > self.rhythm.segment_bytes {
            let result = segment.file.sync();
            state.current = None;
            (state.unsynced, state.due) = (0, None);
            self.note(state, result.as_ref().err());
        }
    }

    /// One attempt. On failure the segment is given up, and removed if it holds no whole record.
    fn write(&self, state: &mut State, line: &[u8]) -> io::Result<Place> {
        let mut segment = match state.current.take() {
            Some(segment) => segment,
            None => self.create(state)?,
        };
        let written = segment.file.write(line).and_then(|written| match written == line.len() {
            true => Ok(()),
            false => Err(io::Error::new(
                io::ErrorKind::WriteZero,
                format!("only {written} of {} bytes were written", line.len()),
            )),
        });
        if let Err(error) = written {
            if segment.length == 0
                && let Err(error) = self.disk.remove(&segment.path)
            {
                tracing::warn!(path = %segment.path.display(), %error, "an empty journal segment stays behind");
            }
            return Err(error);
        }
        let length = u32::try_from(line.len() - 1).expect("a line is at most 64 MiB");
        let place = Place { segment: segment.number, offset: segment.length, length };
        segment.length += line.len() as u64;
        state.current = Some(segment);
        Ok(place)
    }

    fn create(&self, state: &mut State) -> io::Result<Segment> {
        loop {
            state.made += 1;
            let path = self.folder.join(format!("{}-{:04}.jsonl", self.prefix, state.made));
            match self.disk.create(&path) {
                Ok(file) => {
                    let number = self.segments.add(path.clone());
                    return Ok(Segment { number, path, file, length: 0 });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn flush_until_closed(&self) {
        let mut state = self.lock();
        loop {
            let wait = state.due.map(|due| due.saturating_duration_since(Instant::now()));
            let now = state.closing || state.unsynced >= self.rhythm.sync_records || wait == Some(Duration::ZERO);
            state = match wait {
                Some(_) if now => self.flush(state).0,
                None if state.closing => return,
                Some(wait) => self.wake.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Flushes the current segment with the lock released, so that records keep coming meanwhile.
    fn flush<'a>(&'a self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, io::Result<()>) {
        (state.unsynced, state.due) = (0, None);
        let Some(segment) = &state.current else { return (state, Ok(())) };
        let (number, file) = (segment.number, Arc::clone(&segment.file));
        drop(state);
        let result = file.sync();
        let mut state = self.lock();
        if result.is_err() && state.current.as_ref().is_some_and(|segment| segment.number == number) {
            state.current = None;
        }
        self.note(&mut state, result.as_ref().err());
        (state, result)
    }

    /// A first failed `fsync` costs a segment; a second one running is reported with the next record.
    fn note(&self, state: &mut State, error: Option<&io::Error>) {
        let Some(error) = error else {
            state.sync_failures = 0;
            return;
        };
        tracing::warn!(folder = %self.folder.display(), %error, "a journal segment could not be flushed; going on with a new one");
        state.sync_failures += 1;
        if state.sync_failures > 1 {
            let copy = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            state.sync_error = Some(copy);
        }
    }
}
