//! `manifest.json`: what an export holds and what it was made from and with.

use std::{collections::BTreeMap, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Engine, Set,
    digest::sha256_file,
    refusal::{self, Refusal, Refused},
    row::Row,
};

/// The name of the file.
pub const MANIFEST: &str = "manifest.json";
/// The version written and read.
pub(crate) const VERSION: u32 = 1;
/// Width of a bar of the histogram of lengths, in tokens.
const BAR_TOKENS: usize = 256;

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// Version of `grm`.
    pub program: String,
    /// Who it is for.
    pub engine: Engine,
    /// Packages it was written for.
    pub requirements: Vec<String>,
    /// What is trained.
    pub base_model: String,
    /// Tokens of a record, at most.
    pub cutoff_tokens: usize,
    /// Pixels and frames the lengths were counted with.
    pub caps: ManifestCaps,
    /// Of the order of records.
    pub seed: u64,
    /// The run.
    pub source: ManifestSource,
    /// What each file of records holds.
    pub sets: BTreeMap<Set, SetCounts>,
    /// Every other file.
    pub files: Vec<ManifestFile>,
}

/// Bounds as `[fewest, most]` pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestCaps {
    /// Of a picture, by the engine.
    pub image_pixels: [usize; 2],
    /// Of a frame, by the engine.
    pub video_pixels: [usize; 2],
    /// Frames taken of a second.
    pub video_fps: f64,
    /// Frames taken at most.
    pub video_frames_max: usize,
    /// Of a picture, by the model's processor.
    pub processor_image_pixels: [usize; 2],
    /// Of a frame, by the model's processor.
    pub processor_video_pixels: [usize; 2],
}

/// The run an export was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSource {
    /// Name of the run folder.
    pub run: String,
    /// SHA-256 of the files read.
    pub files: BTreeMap<String, String>,
}

/// What one file of records holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetCounts {
    /// Records.
    pub records: usize,
    /// Records by kind of media.
    pub modalities: BTreeMap<String, usize>,
    /// Records by form.
    pub forms: BTreeMap<String, usize>,
    /// Records left out, by reason.
    pub left_out: BTreeMap<Refusal, usize>,
    /// Prompts in which a placeholder was written with a space.
    pub escaped: usize,
    /// How long records are.
    pub tokens: Lengths,
}

/// Lengths in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// All together.
    pub total: usize,
    /// The longest.
    pub max: usize,
    /// Records by length: `"0-255": 3`.
    pub histogram: Vec<(String, usize)>,
}

/// A file by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Relative to the folder, with `/`.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

impl SetCounts {
    pub(crate) fn of(rows: &[Row], refused: &[Refused], escaped: usize) -> Self {
        let mut counts = Self {
            records: rows.len(),
            modalities: BTreeMap::new(),
            forms: BTreeMap::new(),
            left_out: refusal::counts(refused),
            escaped,
            tokens: Lengths::of(rows.iter().map(|row| row.tokens)),
        };
        for row in rows {
            *counts.modalities.entry(row.modality()).or_default() += 1;
            *counts.forms.entry(row.form.to_owned()).or_default() += 1;
        }
        counts
    }
}

impl Lengths {
    fn of(lengths: impl Iterator<Item = usize> + Clone) -> Self {
        let mut bars: BTreeMap<usize, usize> = BTreeMap::new();
        for length in lengths.clone() {
            *bars.entry(length / BAR_TOKENS).or_default() += 1;
        }
        let bar = |(bar, count)| (format!("{}-{}", bar * BAR_TOKENS, (bar + 1) * BAR_TOKENS - 1), count);
        Self {
            total: lengths.clone().sum(),
            max: lengths.max().unwrap_or(0),
            histogram: bars.into_iter().map(bar).collect(),
        }
    }
}

/// Every file below a folder but the manifest, in the order of names.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<ManifestFile>> {
    let mut files = Vec::new();
    for path in names(folder)?.into_iter().filter(|path| path != MANIFEST) {
        let digest = sha256_file(&folder.join(&path))?;
        files.push(ManifestFile { path, bytes: digest.bytes, sha256: digest.sha256 });
    }
    Ok(files)
}

/// Paths of all files below a folder, relative to it, sorted; what training leaves in `out` is passed over.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let (mut names, mut open) = (Vec::new(), vec![String::new()]);
    while let Some(place) = open.pop() {
        for entry in folder.join(&place).read_dir()? {
            let entry = entry?;
            let name = format!("{place}{}", entry.file_name().to_string_lossy());
            match entry.file_type()?.is_dir() {
                true if name == TRAINED => {}
                true => open.push(format!("{name}/")),
                false => names.push(name),
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Where engines leave what they trained.
pub(crate) const TRAINED: &str = "out";
