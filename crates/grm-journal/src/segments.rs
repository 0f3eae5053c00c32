//! Reading records back from where they lie.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a record lies: `length` bytes, line feed left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) segment: u32,
    pub(crate) length: u32,
}

/// How many segments stay open for reading: replay walks them in about the order they were written.
const OPEN_MAX: usize = 32;

/// All segments of a journal, by number.
#[derive(Default)]
pub(crate) struct Segments {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    paths: Vec<PathBuf>,
    open: VecDeque<(u32, Arc<File>)>,
}

impl Segments {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a segment its number.
    pub(crate) fn add(&self, path: PathBuf) -> u32 {
        let mut inner = self.lock();
        inner.paths.push(path);
        u32::try_from(inner.paths.len() - 1).expect("a folder holds fewer than four billion files")
    }

    /// Where segment `number` lies.
    pub(crate) fn path(&self, number: u32) -> PathBuf {
        self.lock().paths[number as usize].clone()
    }

    /// The bytes at a place.
    pub(crate) fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let file = self.file(place.segment)?;
        let mut bytes = vec![0; place.length as usize];
        file.read_exact_at(&mut bytes, place.offset)?;
        Ok(bytes)
    }

    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        let mut inner = self.lock();
        if let Some((_, file)) = inner.open.iter().find(|(open, _)| *open == number) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(File::open(&inner.paths[number as usize])?);
        if inner.open.len() == OPEN_MAX {
            inner.open.pop_front();
        }
        inner.open.push_back((number, Arc::clone(&file)));
        Ok(file)
    }
}
