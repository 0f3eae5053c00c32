//! Media under their SHA-256, each once, however many records show it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

use grm_core::MediaRef;
use grm_media::{Limits, Source};

use crate::{
    digest::{sha256, sha256_file},
    media::{MediaFacts, MediaKind, wav},
    refusal::Refusal,
};

/// A file that has been taken in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    /// `media/<sha256>.<ending>`, relative to the data folder.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) facts: MediaFacts,
}

/// Why a file could not be taken in.
pub(crate) type Rejected = (Refusal, String);

/// The media folder of an export.
#[derive(Debug)]
pub(crate) struct MediaStore {
    data: PathBuf,
    folders: Vec<PathBuf>,
    known: BTreeMap<(MediaKind, String, String), Result<Stored, Rejected>>,
}

impl MediaStore {
    pub(crate) fn new(data: &Path, folders: Vec<PathBuf>) -> Self {
        Self { data: data.to_owned(), folders, known: BTreeMap::new() }
    }

    /// Brings a file in, checked by content and measured; every later record that shows it gets the same answer.
    pub(crate) fn take(&mut self, kind: MediaKind, media: &MediaRef) -> Result<Stored, Rejected> {
        let key = (kind, media.sha256.clone(), media.path.clone());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let taken = self.bring(kind, media);
        self.known.insert(key, taken.clone());
        taken
    }

    fn bring(&self, kind: MediaKind, media: &MediaRef) -> Result<Stored, Rejected> {
        let named = |what: String| format!("{}: {what}", media.path);
        let missing = |what: String| (Refusal::MediaMissing, named(what));
        let file = self.find(media).map_err(|(reason, what)| (reason, named(what)))?;
        let facts = MediaFacts::read(kind, &file);
        if kind == MediaKind::Audio && !is_ready(&facts) {
            return self.convert(&file).map_err(|what| (Refusal::SoundForm, named(what)));
        }
        let facts = facts.map_err(|what| (Refusal::MediaUnusable, named(what)))?;
        let path = format!("media/{}{}", media.sha256, ending(&file));
        link(&file, &self.data.join(&path)).map_err(|error| missing(error.to_string()))?;
        Ok(Stored { path, facts })
    }

    /// Decodes a sound of any form and writes it as the WAV engines read.
    fn convert(&self, file: &Path) -> Result<Stored, String> {
        let limits = Limits::default();
        let (folder, name) = (file.parent().unwrap_or(Path::new(".")), file.file_name().unwrap_or_default());
        let decoded =
            Source::open(folder, Path::new(name), &limits).and_then(|source| grm_media::sound(&source, &limits));
        let bytes = wav(&decoded.map_err(|error| error.to_string())?.samples);
        let path = format!("media/{}.wav", sha256(&bytes));
        let to = self.data.join(&path);
        let written = fs::create_dir_all(self.data.join("media")).and_then(|()| fs::write(&to, bytes));
        written.map_err(|error| error.to_string())?;
        Ok(Stored { facts: MediaFacts::read(MediaKind::Audio, &to)?, path })
    }

    /// The first file of this name that has this content.
    fn find(&self, media: &MediaRef) -> Result<PathBuf, Rejected> {
        let is_inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
        if !Path::new(&media.path).components().all(is_inside) {
            return Err((Refusal::MediaMissing, "its path leads out of the folder".into()));
        }
        let mut other = None;
        for path in self.folders.iter().map(|folder| folder.join(&media.path)).filter(|path| path.is_file()) {
            match sha256_file(&path) {
                Ok(digest) if digest.sha256 == media.sha256 => return Ok(path),
                Ok(digest) => other = Some(digest.sha256),
                Err(error) => return Err((Refusal::MediaMissing, error.to_string())),
            }
        }
        Err(match other {
            Some(found) => (Refusal::MediaChanged, format!("its SHA-256 is {found}")),
            None => (Refusal::MediaMissing, "no such file".into()),
        })
    }
}

fn is_ready(facts: &Result<MediaFacts, String>) -> bool {
    matches!(facts, Ok(MediaFacts::Sound(sound)) if sound.is_ready())
}

fn ending(path: &Path) -> String {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending
        .filter(|ending| ending.chars().all(char::is_alphanumeric))
        .map_or(String::new(), |ending| format!(".{ending}"))
}

/// The same bytes under another name; copied where a link cannot be made, between file systems say.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let whole = from.canonicalize()?;
    if fs::hard_link(&whole, to).is_err() {
        fs::copy(&whole, to)?;
    }
    Ok(())
}
