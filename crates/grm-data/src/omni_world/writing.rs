//! A world in a folder, whole or not there.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use image::ImageError;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::OmniWorld;
use super::question::{Aspect, Medium};
use super::records::{DescribeRecord, FileDigest, Manifest, PairRecord, SceneRecord, Sizes, VERSION};
use super::stream::{Draft, Kind, Stream};
use crate::writer::{JsonlWriter, WriteError};

/// Why a world could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// Something has the folder's name.
    #[error("{} is there already; remove it or name another folder", .0.display())]
    Exists(PathBuf),
    /// A path without a last name, such as `/` or `..`.
    #[error("{} names no folder that could be made; name one", .0.display())]
    NoName(PathBuf),
    /// A folder or medium could not be written.
    #[error("could not write {}; free some space or check the folder, then run the same command again", path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record file could not be written.
    #[error(transparent)]
    Records(#[from] WriteError),
    /// A picture or clip could not be encoded.
    #[error("could not encode the medium of record {id}; this is a fault of the program, report it with the seed")]
    Encode {
        /// The record's id.
        id: String,
        /// What the encoder said.
        source: ImageError,
    },
}

pub(super) fn write(world: OmniWorld, folder: &Path, sizes: &Sizes) -> Result<Manifest, WorldError> {
    if folder.symlink_metadata().is_ok() {
        return Err(WorldError::Exists(folder.to_owned()));
    }
    let partial = Partial::create(folder)?;
    let mut scenes = JsonlWriter::create(&partial.path.join("scenes.jsonl"))?;
    let mut files = Vec::new();
    for kind in Kind::ALL {
        let drafts = Stream::new(world.seed, world.held_out, kind).take(kind.size(sizes)).enumerate();
        let shown = drafts.map(|(number, draft)| Shown::new(&partial.path, kind, number, draft));
        files.push(records(&partial.path, kind, shown, &mut scenes)?);
    }
    let count = scenes.commit()?;
    files.push(digest(&partial.path, "scenes.jsonl", count)?);
    let manifest = Manifest { version: VERSION, seed: world.seed, held_out: world.held_out, sizes: *sizes, files };
    write_manifest(&partial.path, &manifest)?;
    partial.rename(folder)?;
    Ok(manifest)
}

/// A folder under construction, `NAME.partial`, removed when it is not finished.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn create(folder: &Path) -> Result<Self, WorldError> {
        let name = folder.file_name().ok_or_else(|| WorldError::NoName(folder.to_owned()))?;
        let name: OsString = [name, ".partial".as_ref()].into_iter().collect();
        let path = folder.with_file_name(name);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).map_err(|source| io_error(&path, source))?;
        }
        let media = path.join(MEDIA);
        std::fs::create_dir_all(&media).map_err(|source| io_error(&media, source))?;
        Ok(Self { path })
    }

    fn rename(self, folder: &Path) -> Result<(), WorldError> {
        // When this fails the partial folder is removed as ever; when it succeeds there is nothing left to remove.
        std::fs::rename(&self.path, folder).map_err(|source| io_error(folder, source))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing hangs on it: the next attempt removes what cannot be removed now.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

const MEDIA: &str = "media";

/// A draft whose medium lies in the folder.
struct Shown {
    id: String,
    task: &'static str,
    media: Vec<String>,
    sha256: Option<String>,
    draft: Draft,
}

impl Shown {
    fn new(folder: &Path, kind: Kind, number: usize, draft: Draft) -> Result<Self, WorldError> {
        let id = format!("{}-{number:06}", kind.prefix());
        let task = task(kind, &draft);
        if draft.is_told {
            return Ok(Self { id, task, media: Vec::new(), sha256: None, draft });
        }
        let bytes = draft.scene.file().map_err(|source| WorldError::Encode { id: id.clone(), source })?;
        let name = format!("{MEDIA}/{id}.{}", draft.medium.file_ending());
        let path = folder.join(&name);
        std::fs::write(&path, &bytes).map_err(|source| io_error(&path, source))?;
        Ok(Self { id, task, media: vec![name], sha256: Some(hex_sha256(&bytes)), draft })
    }

    fn prompt(&self) -> String {
        if self.draft.is_told {
            format!("{} {}", self.draft.scene.sentence(), self.draft.question)
        } else {
            self.draft.question.clone()
        }
    }

    fn scene(&self) -> SceneRecord {
        SceneRecord {
            id: self.id.clone(),
            aspect: self.draft.aspect.map_or("everything", Aspect::name).to_owned(),
            medium: self.draft.medium.word().to_owned(),
            sha256: self.sha256.clone(),
            told: self.draft.scene.sentence(),
            facts: self.draft.scene.facts(),
        }
    }

    fn describe(self) -> DescribeRecord {
        let prompt = self.prompt();
        let Self { id, task, media, draft, .. } = self;
        DescribeRecord { id, task: task.to_owned(), prompt, media, response: draft.chosen }
    }

    fn pair(self) -> PairRecord {
        let prompt = self.prompt();
        let Self { id, task, media, draft: Draft { chosen, rejected, .. }, .. } = self;
        PairRecord { id, task: task.to_owned(), prompt, media, chosen, rejected }
    }
}

fn records(
    folder: &Path,
    kind: Kind,
    shown: impl Iterator<Item = Result<Shown, WorldError>>,
    scenes: &mut JsonlWriter<SceneRecord>,
) -> Result<FileDigest, WorldError> {
    match kind {
        Kind::Describe => lines(folder, kind, shown, scenes, Shown::describe),
        Kind::TextPairs | Kind::Pairs(_) => lines(folder, kind, shown, scenes, Shown::pair),
    }
}

fn lines<T: Serialize>(
    folder: &Path,
    kind: Kind,
    shown: impl Iterator<Item = Result<Shown, WorldError>>,
    scenes: &mut JsonlWriter<SceneRecord>,
    record: fn(Shown) -> T,
) -> Result<FileDigest, WorldError> {
    let name = kind.file();
    let mut file = JsonlWriter::create(&folder.join(name))?;
    for shown in shown {
        let shown = shown?;
        scenes.write(&shown.scene())?;
        file.write(&record(shown))?;
    }
    let count = file.commit()?;
    digest(folder, name, count)
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), WorldError> {
    let path = folder.join("manifest.json");
    let text = serde_json::to_string_pretty(manifest).map_err(|error| io_error(&path, error.into()))?;
    std::fs::write(&path, text + "\n").map_err(|source| io_error(&path, source))
}

fn digest(folder: &Path, name: &str, records: u64) -> Result<FileDigest, WorldError> {
    let path = folder.join(name);
    let bytes = std::fs::read(&path).map_err(|source| io_error(&path, source))?;
    Ok(FileDigest { path: name.to_owned(), records, sha256: hex_sha256(&bytes) })
}

fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn io_error(path: &Path, source: io::Error) -> WorldError {
    WorldError::Io { path: path.to_owned(), source }
}

fn task(kind: Kind, draft: &Draft) -> &'static str {
    match (kind, draft.is_told, draft.medium) {
        (Kind::Describe, true, _) => "text_description",
        (Kind::Describe, false, Medium::Picture) => "image_description",
        (Kind::Describe, false, Medium::Sound) => "audio_description",
        (Kind::Describe, false, Medium::Clip) => "video_description",
        (_, true, _) => "text_understanding",
        (_, false, Medium::Picture) => "image_understanding",
        (_, false, Medium::Sound) => "audio_understanding",
        (_, false, Medium::Clip) => "video_understanding",
    }
}

impl Kind {
    fn size(self, sizes: &Sizes) -> usize {
        match self {
            Self::Describe => sizes.describe,
            Self::TextPairs => sizes.text_pairs,
            Self::Pairs(Medium::Picture) => sizes.image_pairs,
            Self::Pairs(Medium::Sound) => sizes.audio_pairs,
            Self::Pairs(Medium::Clip) => sizes.video_pairs,
        }
    }

    /// Begins its records' ids and names its chance.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::TextPairs => "text",
            Self::Pairs(Medium::Picture) => "image",
            Self::Pairs(Medium::Sound) => "audio",
            Self::Pairs(Medium::Clip) => "video",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Describe => "describe.jsonl",
            Self::TextPairs => "text_pairs.jsonl",
            Self::Pairs(Medium::Picture) => "image_pairs.jsonl",
            Self::Pairs(Medium::Sound) => "audio_pairs.jsonl",
            Self::Pairs(Medium::Clip) => "video_pairs.jsonl",
        }
    }
}
