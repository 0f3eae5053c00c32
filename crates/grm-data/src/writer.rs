//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {path}; free some space or check the folder, then run the same command again")]
pub struct WriteError {
    /// The file as it was named.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// A file under construction, named `NAME.partial`. [`AtomicFile::commit`] brings it to the disk and gives it its name;
/// dropped before that it is removed, and what had the name before stays as it was.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    committed: bool,
}

impl AtomicFile {
    /// Begins a file; the folder must exist.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).map_err(|source| WriteError { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), partial, file: BufWriter::new(file), committed: false })
    }

    /// Makes the file durable under its name.
    pub fn commit(mut self) -> Result<(), WriteError> {
        self.finish().map_err(|source| WriteError { path: self.path.clone(), source })
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        std::fs::rename(&self.partial, &self.path)?;
        self.committed = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing hangs on it: the next attempt overwrites what cannot be removed.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Records of one type as JSON lines, whole or not at all.
#[derive(Debug)]
pub struct JsonlWriter<T> {
    file: AtomicFile,
    count: u64,
    of: PhantomData<fn(&T)>,
}

impl<T: Serialize> JsonlWriter<T> {
    /// Begins a file; the folder must exist.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        Ok(Self { file: AtomicFile::create(path)?, count: 0, of: PhantomData })
    }

    /// Adds one record.
    pub fn write(&mut self, record: &T) -> Result<(), WriteError> {
        let line = serde_json::to_vec(record).map_err(io::Error::from);
        let written = line.and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)
        });
        written.map_err(|source| WriteError { path: self.file.path.clone(), source })?;
        self.count += 1;
        Ok(())
    }

    /// Records written so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Makes the file durable under its name and says how many records it holds.
    pub fn commit(self) -> Result<u64, WriteError> {
        let count = self.count;
        self.file.commit().map(|()| count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let mut writer = JsonlWriter::create(&path).unwrap();
        writer.write(&"one").unwrap();
        assert_eq!(names(), ["out.jsonl.partial"]);
        assert_eq!(writer.commit().unwrap(), 1);
        assert_eq!(names(), ["out.jsonl"]);

        let mut writer = JsonlWriter::create(&path).unwrap();
        writer.write(&"two").unwrap();
        drop(writer);
        assert_eq!(names(), ["out.jsonl"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\"one\"\n");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = AtomicFile::create(Path::new("no such folder/out.jsonl")).unwrap_err();
        assert!(error.to_string().contains("no such folder/out.jsonl"), "{error}");
    }
}
