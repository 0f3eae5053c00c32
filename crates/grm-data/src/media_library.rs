//! Media by name out of folders: the files that records name, checked against their hashes before anybody sees them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use grm_core::{MediaLibrary, MediaRef, ModelError};
use sha2::{Digest, Sha256};

use crate::sets::is_inside;

/// The largest file that is read, unless another limit is set.
pub const FILE_BYTES_MAX: u64 = 256 << 20;

/// Bytes kept in memory: a pair's media are asked for by each of its calls.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// Finds media in folders: data sets' own, and stores where a file is named by its hash.
#[derive(Debug)]
pub struct FolderLibrary {
    roots: Vec<PathBuf>,
    file_bytes_max: u64,
    kept: Mutex<Kept>,
}

impl FolderLibrary {
    /// Looks in these folders, the first one first. A root that is a file stands for the folder it lies in, so that a
    /// data file can be named.
    #[must_use]
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        let folder = |root: PathBuf| match root.parent() {
            Some(parent) if root.is_file() && parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) if root.is_file() => parent.to_owned(),
            _ => root,
        };
        let roots = roots.into_iter().map(folder).collect();
        Self { roots, file_bytes_max: FILE_BYTES_MAX, kept: Mutex::default() }
    }

    /// The same with another limit on the size of one file.
    #[must_use]
    pub fn limited(self, file_bytes_max: u64) -> Self {
        Self { file_bytes_max, ..self }
    }

    fn find(&self, media: &MediaRef) -> Result<Arc<[u8]>, String> {
        let path = Path::new(&media.path);
        if !path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir)) {
            return Err("its path leads out of the data set's folder; correct the record".to_owned());
        }
        let mut changed = None;
        for root in &self.roots {
            let full = root.join(path);
            if !full.exists() {
                continue;
            }
            match self.read(root, &full, &media.sha256)? {
                Some(bytes) => return Ok(bytes),
                None => changed = Some(full),
            }
        }
        Err(match changed {
            Some(full) => format!(
                "{} is not the file it was: its SHA-256 is not {}; restore it, or read the records again",
                full.display(),
                media.sha256
            ),
            None => format!("it is in none of {}; put it back, or name the folder it is in", self.places()),
        })
    }

    /// The file's bytes if they have this hash.
    fn read(&self, root: &Path, full: &Path, sha256: &str) -> Result<Option<Arc<[u8]>>, String> {
        let unreadable = |error: std::io::Error| format!("could not read {}: {error}", full.display());
        if !is_inside(root, full).map_err(unreadable)? {
            return Err(format!("{} is a link that leads out of its folder; copy the file into it", full.display()));
        }
        let about = std::fs::metadata(full).map_err(unreadable)?;
        // Opening a pipe would wait for somebody to write into it.
        if !about.is_file() {
            return Err(format!("{} is no ordinary file; put one there", full.display()));
        }
        let limit = self.file_bytes_max;
        let too_large =
            |bytes: u64| format!("{} has {bytes} bytes, and at most {limit} are read; make it smaller", full.display());
        if about.len() > limit {
            return Err(too_large(about.len()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
        // One byte more than announced: a file may grow while it is read.
        let read = File::open(full).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
        let read = u64::try_from(read.map_err(unreadable)?).unwrap_or(u64::MAX);
        if read > limit {
            return Err(too_large(read));
        }
        let is_same = format!("{:x}", Sha256::digest(&bytes)) == sha256;
        Ok(is_same.then(|| bytes.into()))
    }

    fn places(&self) -> String {
        let shown: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        if shown.is_empty() { "the folders named (none was)".to_owned() } else { shown.join(", ") }
    }
}

impl MediaLibrary for FolderLibrary {
    fn bytes(&self, media: &MediaRef) -> Result<Arc<[u8]>, ModelError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = kept().get(&media.sha256) {
            return Ok(bytes);
        }
        let bytes = self.find(media).map_err(|reason| ModelError::Media { path: media.path.clone(), reason })?;
        kept().put(&media.sha256, &bytes);
        Ok(bytes)
    }
}

/// Bytes by hash, the one used last at the back.
#[derive(Debug, Default)]
struct Kept {
    files: VecDeque<(String, Arc<[u8]>)>,
    bytes: usize,
}

impl Kept {
    fn get(&mut self, sha256: &str) -> Option<Arc<[u8]>> {
        let place = self.files.iter().position(|(name, _)| name == sha256)?;
        let file = self.files.remove(place)?;
        let bytes = Arc::clone(&file.1);
        self.files.push_back(file);
        Some(bytes)
    }

    fn put(&mut self, sha256: &str, bytes: &Arc<[u8]>) {
        if bytes.len() > KEPT_BYTES_MAX || self.files.iter().any(|(name, _)| name == sha256) {
            return;
        }
        self.bytes += bytes.len();
        self.files.push_back((sha256.to_owned(), Arc::clone(bytes)));
        while self.bytes > KEPT_BYTES_MAX {
            let Some((_, oldest)) = self.files.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(path: &str, bytes: &[u8]) -> MediaRef {
        MediaRef { sha256: format!("{:x}", Sha256::digest(bytes)), path: path.into() }
    }

    fn refused(library: &FolderLibrary, media: &MediaRef) -> String {
        let error = library.bytes(media).unwrap_err();
        assert_eq!(error.kind(), "media");
        error.to_string()
    }

    #[test]
    fn a_file_is_found_by_its_path_and_known_by_its_hash() {
        let [set, store] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        std::fs::create_dir(store.path().join("ab")).unwrap();
        std::fs::write(set.path().join("a.png"), b"one").unwrap();
        std::fs::write(store.path().join("ab/b.png"), b"two").unwrap();
        let library = FolderLibrary::new([set.path().to_owned(), store.path().to_owned()]);
        assert_eq!(&*library.bytes(&media("a.png", b"one")).unwrap(), b"one");
        assert_eq!(&*library.bytes(&media("ab/b.png", b"two")).unwrap(), b"two");
        // Kept by its hash, so it may go now.
        std::fs::remove_file(set.path().join("a.png")).unwrap();
        assert_eq!(&*library.bytes(&media("a.png", b"one")).unwrap(), b"one");
    }

    #[test]
    fn a_data_file_stands_for_its_folder() {
        let set = tempfile::tempdir().unwrap();
        std::fs::write(set.path().join("pairs.jsonl"), b"{}").unwrap();
        std::fs::write(set.path().join("a.png"), b"one").unwrap();
        let library = FolderLibrary::new([set.path().join("pairs.jsonl")]);
        assert_eq!(&*library.bytes(&media("a.png", b"one")).unwrap(), b"one");
    }

    #[test]
    fn what_is_wrong_is_named_with_the_file() {
        let set = tempfile::tempdir().unwrap();
        std::fs::write(set.path().join("a.png"), b"changed").unwrap();
        std::fs::create_dir(set.path().join("folder.png")).unwrap();
        let library = FolderLibrary::new([set.path().to_owned()]);
        let message = refused(&library, &media("a.png", b"one"));
        assert!(message.contains("a.png is not the file it was") && message.contains("restore it"), "{message}");
        assert!(refused(&library, &media("b.png", b"one")).contains("in none of"));
        assert!(refused(&library, &media("../a.png", b"one")).contains("out of the data set's folder"));
        assert!(refused(&library, &media("/a.png", b"one")).contains("out of the data set's folder"));
        assert!(refused(&library, &media("folder.png", b"one")).contains("no ordinary file"));
        let small = FolderLibrary::new([set.path().to_owned()]).limited(3);
        assert!(refused(&small, &media("a.png", b"changed")).contains("at most 3"));
    }

    #[cfg(unix)]
    #[test]
    fn links_out_are_refused() {
        let [set, elsewhere] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        std::fs::write(elsewhere.path().join("secret"), b"one").unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("secret"), set.path().join("a.png")).unwrap();
        let library = FolderLibrary::new([set.path().to_owned()]);
        assert!(refused(&library, &media("a.png", b"one")).contains("a link that leads out"));
    }

    #[test]
    fn memory_is_bounded() {
        let mut kept = Kept::default();
        let third: Arc<[u8]> = vec![0; KEPT_BYTES_MAX / 3].into();
        for name in ["a", "b", "c", "d"] {
            kept.put(name, &third);
            kept.get("a");
        }
        let names: Vec<&str> = kept.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["c", "d", "a"], "the one used least goes first");
    }
}
