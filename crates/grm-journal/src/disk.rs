//! The few writing operations the journal needs, so that tests can make each of them fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Where segments are made.
pub(crate) trait Disk: Send + Sync {
    /// Makes a new file and its directory entry durable; refuses a name that exists.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>>;

    /// Removes a segment that holds no record.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// An open segment.
pub(crate) trait SegmentFile: Send + Sync {
    /// One `write` at the end; may take fewer bytes than given.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Brings what was written to the disk.
    fn sync(&self) -> io::Result<()>;
}

/// The file system.
pub(crate) struct FileSystem;

impl Disk for FileSystem {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Arc::new(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

impl SegmentFile for File {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self;
        loop {
            match Write::write(&mut file, bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
