//! Items as comparisons: each medium is found, hashed and named by its hash.
//!
//! Files stay where they are, inside the set's folder. What a record holds itself, bytes or samples, goes into a store: a
//! folder where a file's name is the hash of its bytes, so that writing it twice is writing it once.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use grm_core::{Comparison, MediaRef, Part, Prompt, Response, Turn};
use sha2::{Digest, Sha256};

use super::{Item, ItemPart, MediaKind, MediaSource};

/// Why an item cannot be put before a judge.
#[derive(Debug, thiserror::Error)]
#[error("item {item}: {fault}")]
pub struct MediaProblem {
    /// The item's id.
    pub item: String,
    /// What is wrong with one of its media.
    pub fault: MediaFault,
}

/// What is wrong with a medium.
#[derive(Debug, thiserror::Error)]
pub enum MediaFault {
    /// It is only an address.
    #[error(
        "{url} is an address, and nothing is fetched here; download it into the set's folder and put its path into the record"
    )]
    Address {
        /// The address.
        url: String,
    },
    /// Its path leads out of the set's folder, by `..`, from the root or through a link.
    #[error("{} leads out of the set's folder; copy the file into it and correct the path", path.display())]
    Outside {
        /// The path as the record gives it.
        path: PathBuf,
    },
    /// Its file cannot be read.
    #[error("could not read {}: {source}; download the set's media and unpack them into its folder", path.display())]
    Unreadable {
        /// The file looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be put into the store.
    #[error("could not write {}: {source}; free some space or name another folder for media", path.display())]
    Unwritable {
        /// The file in the store.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or record of no bytes or samples.
    #[error("a medium of no length; leave the record out and count it")]
    Empty,
    /// Sound whose samples are no finite numbers, or too many for a WAV file.
    #[error("sound that cannot be written as WAV: {what}; leave the record out and count it")]
    Sound {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A turn or response with nothing in it.
    #[error("{what} is not in the set's files; such items can be scored again from published answers, not judged")]
    Nothing {
        /// Which.
        what: &'static str,
    },
}

impl Item {
    /// The item without its truth, its media hashed. `root` is the folder or file the set was opened with, `store` a
    /// folder for media that records hold themselves; it is made when first needed.
    pub fn comparison(&self, root: &Path, store: &Path) -> Result<Comparison, MediaProblem> {
        let folder = if root.is_file() { root.parent().unwrap_or(Path::new("")) } else { root };
        let places = Places { root: folder, store };
        places.comparison(self).map_err(|fault| MediaProblem { item: self.id.clone(), fault })
    }
}

/// The file of a medium that [`Item::comparison`] named: in the set's folder, or else in the store.
#[must_use]
pub fn locate(media: &MediaRef, root: &Path, store: &Path) -> PathBuf {
    let folder = if root.is_file() { root.parent().unwrap_or(Path::new("")) } else { root };
    let stored = store.join(&media.path);
    let is_stored = Path::new(&media.path).file_stem().is_some_and(|stem| stem == media.sha256.as_str());
    if is_stored && stored.is_file() { stored } else { folder.join(&media.path) }
}

/// A file that a record names: found inside `folder` and hashed.
pub(crate) fn reference(folder: &Path, path: &Path) -> Result<MediaRef, MediaFault> {
    Places { root: folder, store: folder }.file(path)
}

/// Whether a file that is there lies in the folder once links are followed, or among the folder's own cached files.
pub(crate) fn is_inside(root: &Path, full: &Path) -> io::Result<bool> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let (real, root) = (full.canonicalize()?, root.canonicalize()?);
    Ok(real.starts_with(&root) || cache_blobs(&root).is_some_and(|blobs| real.starts_with(blobs)))
}

struct Places<'a> {
    root: &'a Path,
    store: &'a Path,
}

impl Places<'_> {
    fn comparison(&self, item: &Item) -> Result<Comparison, MediaFault> {
        let turn = |turn: &super::ItemTurn| {
            Ok(Turn { role: turn.role, parts: self.parts(&turn.parts, "a turn of the prompt")? })
        };
        let turns = item.prompt.iter().map(turn).collect::<Result<_, MediaFault>>()?;
        let [first, second] = &item.responses;
        let response = |parts| Ok::<_, MediaFault>(Response { parts: self.parts(parts, "a response")? });
        Ok(Comparison {
            id: item.id.clone(),
            prompt: Prompt { turns },
            responses: [response(first)?, response(second)?],
        })
    }

    fn parts(&self, parts: &[ItemPart], what: &'static str) -> Result<Vec<Part>, MediaFault> {
        if parts.is_empty() {
            return Err(MediaFault::Nothing { what });
        }
        parts.iter().map(|part| self.part(part)).collect()
    }

    fn part(&self, part: &ItemPart) -> Result<Part, MediaFault> {
        let (kind, source) = match part {
            ItemPart::Text(text) => return Ok(Part::text(text)),
            ItemPart::Media(kind, source) => (kind, source),
        };
        let media = match source {
            MediaSource::File(path) => self.file(path)?,
            MediaSource::Url(url) => return Err(MediaFault::Address { url: url.clone() }),
            MediaSource::Bytes(bytes) => self.keep(bytes, ending(bytes, *kind))?,
            MediaSource::Samples(samples, rate) => self.keep(&wav(samples, *rate)?, "wav")?,
        };
        Ok(match kind {
            MediaKind::Image => Part::Image { media },
            MediaKind::Video => Part::Video { media },
            MediaKind::Audio => Part::Audio { media },
        })
    }

    fn file(&self, path: &Path) -> Result<MediaRef, MediaFault> {
        let outside = || MediaFault::Outside { path: path.to_owned() };
        if !path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir)) {
            return Err(outside());
        }
        let full = self.root.join(path);
        let unreadable = |source| MediaFault::Unreadable { path: full.clone(), source };
        if !is_inside(self.root, &full).map_err(unreadable)? {
            return Err(outside());
        }
        // Opening a pipe would wait for somebody to write into it.
        if !std::fs::metadata(&full).map_err(unreadable)?.is_file() {
            return Err(unreadable(io::Error::other("it is no ordinary file")));
        }
        let (sha256, length) = hash(&full).map_err(unreadable)?;
        if length == 0 {
            return Err(MediaFault::Empty);
        }
        let path = path.components().filter(|component| matches!(component, Component::Normal(_))).collect::<PathBuf>();
        Ok(MediaRef { sha256, path: path.to_string_lossy().into_owned() })
    }

    /// Puts bytes into the store, unless they are there.
    fn keep(&self, bytes: &[u8], ending: &str) -> Result<MediaRef, MediaFault> {
        if bytes.is_empty() {
            return Err(MediaFault::Empty);
        }
        let sha256 = format!("{:x}", Sha256::digest(bytes));
        let name = format!("{}/{sha256}.{ending}", &sha256[..2]);
        let path = self.store.join(&name);
        let there = std::fs::metadata(&path).is_ok_and(|file| file.len() == bytes.len() as u64);
        if !there {
            write_whole(&path, bytes).map_err(|source| MediaFault::Unwritable { path, source })?;
        }
        Ok(MediaRef { sha256, path: name })
    }
}

/// A Hugging Face cache's snapshots are links into a folder beside them.
fn cache_blobs(root: &Path) -> Option<PathBuf> {
    let snapshots = root.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "snapshots"))?;
    Some(snapshots.parent()?.join("blobs"))
}

/// A file's SHA-256 and length, read piece by piece.
fn hash(path: &Path) -> io::Result<(String, u64)> {
    let (mut file, mut hasher, mut length) = (File::open(path)?, Sha256::new(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((format!("{:x}", hasher.finalize()), length)),
            read => {
                hasher.update(&piece[..read]);
                length += read as u64;
            }
        }
    }
}

/// Writes under a name of its own first, as several threads or runs may keep the same medium at once.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let partial = path.with_extension(format!("{}-{number}.partial", std::process::id()));
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    });
    if written.is_err() {
        // Nothing hangs on it: its name is never read.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

/// What a file of these bytes is usually called, by its first bytes.
fn ending(bytes: &[u8], kind: MediaKind) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xff, 0xd8, 0xff, ..] => "jpg",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "wav",
        [b'I', b'D', b'3', ..] => "mp3",
        [0xff, second, ..] if second & 0xe0 == 0xe0 && kind == MediaKind::Audio => "mp3",
        [b'f', b'L', b'a', b'C', ..] => "flac",
        [b'O', b'g', b'g', b'S', ..] => "ogg",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "webm",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] if kind == MediaKind::Audio => "m4a",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "mp4",
        _ => "bin",
    }
}

/// Samples from -1 to 1 as a WAV file of one channel with 16 bits; louder ones are cut.
fn wav(samples: &[f32], rate: u32) -> Result<Vec<u8>, MediaFault> {
    const HEADER: u32 = 44;
    if samples.is_empty() {
        return Err(MediaFault::Empty);
    }
    if samples.iter().any(|sample| !sample.is_finite()) {
        return Err(MediaFault::Sound { what: "samples that are not finite" });
    }
    let length = u32::try_from(samples.len()).ok().and_then(|count| count.checked_mul(2));
    let length = length.filter(|length| *length < u32::MAX - HEADER);
    let length = length.ok_or(MediaFault::Sound { what: "more than two thousand million samples" })?;
    let per_second = rate.checked_mul(2).ok_or(MediaFault::Sound { what: "a sampling rate beyond any sound" })?;

    let mut file = Vec::with_capacity(samples.len() * 2 + 44);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(length + HEADER - 8).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel.
    file.extend_from_slice(&[1, 0, 1, 0]);
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&per_second.to_le_bytes());
    // Bytes a frame, bits a sample.
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    for sample in samples {
        #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
        let level = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
        file.extend_from_slice(&level.to_le_bytes());
    }
    Ok(file)
}
