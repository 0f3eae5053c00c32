//! Media under their SHA-256, each once, however many records show it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

use grm_core::MediaRef;
use grm_media::{Limits, Sampling, Source};

use crate::{
    digest::{sha256, sha256_file},
    lengths::Caps,
    media::{MediaFacts, MediaKind, mov::Film, wav},
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
    caps: Caps,
    known: BTreeMap<(MediaKind, String, String), Result<Stored, Rejected>>,
}

impl MediaStore {
    /// `caps` say which frames are taken of clips that have to be written anew.
    pub(crate) fn new(data: &Path, folders: Vec<PathBuf>, caps: Caps) -> Self {
        Self { data: data.to_owned(), folders, caps, known: BTreeMap::new() }
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
            return self.convert_sound(&file).map_err(|what| (Refusal::SoundForm, named(what)));
        }
        if kind == MediaKind::Video && facts.is_err() {
            return self.convert_clip(&file).map_err(|what| (Refusal::MediaUnusable, named(what)));
        }
        let facts = facts.map_err(|what| (Refusal::MediaUnusable, named(what)))?;
        let path = format!("media/{}{}", media.sha256, ending(&file));
        link(&file, &self.data.join(&path)).map_err(|error| missing(error.to_string()))?;
        Ok(Stored { path, facts })
    }

    /// Decodes a sound of any form and writes it as the WAV engines read.
    fn convert_sound(&self, file: &Path) -> Result<Stored, String> {
        let limits = Limits::default();
        let decoded = source(file, &limits).and_then(|source| grm_media::sound(&source, &limits));
        let bytes = wav(&decoded.map_err(|error| error.to_string())?.samples);
        self.write(MediaKind::Audio, &bytes)
    }

    /// Decodes a clip of any other form (GIF, `WebM`, …) and writes the frames engines would take of it, without loss.
    fn convert_clip(&self, file: &Path) -> Result<Stored, String> {
        let limits = Limits::default();
        let sampling = Sampling {
            frames_per_second: self.caps.video_fps,
            frames_max: self.caps.video_frames_max as u64,
            ..Sampling::default()
        };
        let decoded = source(file, &limits).and_then(|source| grm_media::clip(&source, &sampling, &limits));
        let clip = decoded.map_err(|error| error.to_string())?;
        let first = clip.frames.first().ok_or("it has no frames")?;
        let side = |pixels: u32| u16::try_from(pixels).map_err(|_| format!("a side has {pixels} pixels"));
        let frames_per_second = clip.frames_per_second;
        let film = Film { width: side(first.width)?, height: side(first.height)?, frames_per_second };
        let frames: Vec<&[u8]> = clip.frames.iter().map(|frame| frame.pixels.as_slice()).collect();
        self.write(MediaKind::Video, &film.mov(&frames))
    }

    /// Puts what was made under its own SHA-256.
    fn write(&self, kind: MediaKind, bytes: &[u8]) -> Result<Stored, String> {
        let ending = if kind == MediaKind::Audio { "wav" } else { "mov" };
        let path = format!("media/{}.{ending}", sha256(bytes));
        let to = self.data.join(&path);
        let written = fs::create_dir_all(self.data.join("media")).and_then(|()| fs::write(&to, bytes));
        written.map_err(|error| error.to_string())?;
        Ok(Stored { facts: MediaFacts::read(kind, &to)?, path })
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

fn source(file: &Path, limits: &Limits) -> Result<Source, grm_media::MediaError> {
    let (folder, name) = (file.parent().unwrap_or(Path::new(".")), file.file_name().unwrap_or_default());
    Source::open(folder, Path::new(name), limits)
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
