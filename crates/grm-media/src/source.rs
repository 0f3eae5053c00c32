//! A medium before it is decoded: a regular file inside a folder, or bytes that a record holds.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::error::MediaError;
use crate::format::{Format, HEAD_BYTES, Kind, described};
use crate::limits::Limits;

/// A medium that may be decoded, and the name messages use for it. Its size is within the limit it was opened with.
#[derive(Debug, Clone)]
pub struct Source {
    name: PathBuf,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    File(Arc<File>, u64),
    Bytes(Arc<[u8]>),
}

impl Source {
    /// The file at `path`, which is relative to `root` and must not lead out of it.
    pub fn open(root: &Path, path: &Path, limits: &Limits) -> Result<Self, MediaError> {
        let (file, _) = open_inside(root, path, limits)?;
        let length = file.metadata().map_err(|source| unreadable(path, source))?.len();
        Ok(Self { name: path.to_owned(), content: Content::File(Arc::new(file), length) })
    }

    /// A medium in memory; `name` is for messages.
    pub fn from_bytes(
        name: impl Into<PathBuf>,
        bytes: impl Into<Arc<[u8]>>,
        limits: &Limits,
    ) -> Result<Self, MediaError> {
        let (name, bytes) = (name.into(), bytes.into());
        check_length(&name, bytes.len() as u64, limits)?;
        Ok(Self { name, content: Content::Bytes(bytes) })
    }

    /// The name in messages.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Its size in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        match &self.content {
            Content::File(_, length) => *length,
            Content::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Its format; refused where that cannot be used as `wanted`.
    pub fn format(&self, wanted: Kind) -> Result<Format, MediaError> {
        let head = self.head()?;
        match Format::of(&head) {
            Some(format) if format.serves(wanted) => Ok(format),
            _ => Err(MediaError::WrongKind { path: self.name.clone(), wanted, found: described(&head) }),
        }
    }

    /// The first bytes, at most [`HEAD_BYTES`].
    pub(crate) fn head(&self) -> Result<Vec<u8>, MediaError> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        let read = self.reader().take(HEAD_BYTES as u64).read_to_end(&mut head);
        read.map_err(|source| unreadable(&self.name, source))?;
        Ok(head)
    }

    /// Reads from the start; readers do not disturb one another.
    pub(crate) fn reader(&self) -> Reader {
        Reader { content: self.content.clone(), length: self.length(), place: 0 }
    }

    /// A file for a child process's standard input.
    pub(crate) fn file(&self) -> io::Result<File> {
        match &self.content {
            Content::File(file, _) => file.try_clone(),
            Content::Bytes(bytes) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(bytes)?;
                file.rewind()?;
                Ok(file)
            }
        }
    }

    pub(crate) fn damaged(&self, fault: impl Into<String>) -> MediaError {
        MediaError::Damaged { path: self.name.clone(), fault: fault.into() }
    }

    pub(crate) fn over(&self, what: String, limit: String, cure: &'static str) -> MediaError {
        MediaError::OverLimit { path: self.name.clone(), what, limit, cure }
    }

    pub(crate) fn short(&self, what: String, least: String) -> MediaError {
        MediaError::TooShort { path: self.name.clone(), what, least }
    }
}

/// Opens a regular file of at least one byte and within the limit, and gives its real path. Refuses what leads out of
/// `root` and what is no file; a FIFO is never waited for.
///
/// Links may point anywhere inside `root`, and into the `blobs` of a Hugging Face cache whose snapshot `root` is.
pub fn open_inside(root: &Path, path: &Path, limits: &Limits) -> Result<(File, PathBuf), MediaError> {
    let real = resolve(root, path)?;
    let looked_at = real.symlink_metadata().map_err(|source| unreadable(path, source))?;
    check_file(path, &looked_at, limits)?;
    // What was looked at may be another file by now: neither a link nor a FIFO in its place may be followed or waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(&real);
    let file = opened.map_err(|source| unreadable(path, source))?;
    let found = file.metadata().map_err(|source| unreadable(path, source))?;
    check_file(path, &found, limits)?;
    match (found.dev(), found.ino()) == (looked_at.dev(), looked_at.ino()) {
        true => Ok((file, real)),
        false => Err(MediaError::Outside { path: path.to_owned() }),
    }
}

/// The file's bytes as they are, for data URLs; under the same rules as [`open_inside`].
pub fn read_bounded(root: &Path, path: &Path, limits: &Limits) -> Result<Vec<u8>, MediaError> {
    let (file, _) = open_inside(root, path, limits)?;
    let mut bytes = Vec::new();
    // One more than allowed, should the file grow while it is read.
    let read = file.take(limits.file_bytes.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| unreadable(path, source))?;
    check_length(path, bytes.len() as u64, limits)?;
    Ok(bytes)
}

fn resolve(root: &Path, path: &Path) -> Result<PathBuf, MediaError> {
    let outside = || MediaError::Outside { path: path.to_owned() };
    if !path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let root = root.canonicalize().map_err(|source| unreadable(root, source))?;
    let real = root.join(path).canonicalize().map_err(|source| unreadable(path, source))?;
    let in_cache = cache_blobs(&root).is_some_and(|blobs| real.starts_with(blobs));
    if real.starts_with(&root) || in_cache { Ok(real) } else { Err(outside()) }
}

/// A Hugging Face cache's snapshots are links into a folder beside them.
fn cache_blobs(root: &Path) -> Option<PathBuf> {
    let snapshots = root.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "snapshots"))?;
    Some(snapshots.parent()?.join("blobs"))
}

fn check_file(path: &Path, metadata: &Metadata, limits: &Limits) -> Result<(), MediaError> {
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return check_length(path, metadata.len(), limits),
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_symlink() => "a link",
        () => "a device",
    };
    Err(MediaError::NotAFile { path: path.to_owned(), what })
}

fn check_length(path: &Path, length: u64, limits: &Limits) -> Result<(), MediaError> {
    let path = path.to_owned();
    match length {
        0 => Err(MediaError::Empty { path }),
        _ if length <= limits.file_bytes => Ok(()),
        _ => Err(MediaError::OverLimit {
            path,
            what: format!("has {length} bytes"),
            limit: format!("{} bytes a file", limits.file_bytes),
            cure: "make it smaller, or raise the limit",
        }),
    }
}

fn unreadable(path: &Path, source: io::Error) -> MediaError {
    MediaError::Unreadable { path: path.to_owned(), source }
}

/// Reads a source by position, up to the length it was opened with.
#[derive(Debug)]
pub(crate) struct Reader {
    content: Content,
    length: u64,
    place: u64,
}

impl Reader {
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.place)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let read = match &self.content {
            Content::File(file, _) => file.read_at(&mut buffer[..wanted], self.place)?,
            Content::Bytes(bytes) => {
                let mut cursor = Cursor::new(bytes);
                cursor.set_position(self.place);
                cursor.read(&mut buffer[..wanted])?
            }
        };
        self.place += read as u64;
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.checked_add_signed(offset),
        };
        self.place = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.place)
    }
}
