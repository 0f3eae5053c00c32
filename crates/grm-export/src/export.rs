//! A run becomes a folder that one engine trains from with one command.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::{Path, PathBuf},
};

use grm_model::omni::preprocess::PixelBounds;

use crate::{
    Engine, Set, card,
    engines::{self, data_file},
    error::ExportError,
    folder::PartialFolder,
    interleave::interleave,
    lengths::Caps,
    manifest::{self, MANIFEST, Manifest, ManifestCaps, ManifestSource, SetCounts},
    media::MediaKind,
    prepare::{Prepared, Preparer},
    refusal::{self, Refused},
    script, shards,
    source::{Source, read_run},
    store::MediaStore,
    token_count::TokenCounter,
};

/// How a run is handed over.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportSettings {
    /// Who trains.
    pub engine: Engine,
    /// What is trained: a name on the hub, or a folder.
    pub base_model: String,
    /// The trained model's `tokenizer.json`, or a folder with it and the processor's settings.
    pub tokenizer: Option<PathBuf>,
    /// Tokens of a record, at most (Table 6: 4096).
    pub cutoff_tokens: usize,
    /// Of the order of records.
    pub seed: u64,
    /// The system message of prompts without one, which engines would fill in themselves.
    pub system: String,
    /// A folder media lie in, before those the run names.
    pub media: Option<PathBuf>,
    /// Pixels and frames.
    pub caps: Caps,
}

impl ExportSettings {
    /// The paper's settings for an engine; a tokenizer is still to be named.
    #[must_use]
    pub fn paper(engine: Engine) -> Self {
        Self {
            engine,
            base_model: "Qwen/Qwen2.5-Omni-7B".to_owned(),
            tokenizer: None,
            cutoff_tokens: 4096,
            seed: 42,
            system: "You are a helpful assistant.".to_owned(),
            media: None,
            caps: Caps::default(),
        }
    }
}

/// What was handed over.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// As written into the folder.
    pub manifest: Manifest,
    /// What was left out, with reasons.
    pub refused: BTreeMap<Set, Vec<Refused>>,
    /// Distinct media files by kind.
    pub media: BTreeMap<MediaKind, usize>,
}

/// Reads a run and writes the folder, whole or not at all.
///
/// # Errors
/// A run that cannot be read, no tokenizer, a name that is taken, nothing left to hand over, or a full disk.
pub fn export(run: &Path, to: &Path, settings: &ExportSettings) -> Result<Exported, ExportError> {
    export_source(&read_run(run)?, to, settings)
}

/// The same for a source already read.
///
/// # Errors
/// As [`export`].
pub fn export_source(source: &Source, to: &Path, settings: &ExportSettings) -> Result<Exported, ExportError> {
    let path = settings.tokenizer.as_deref().ok_or(ExportError::NoTokenizer)?;
    let tokens = TokenCounter::open(path)?;
    let settings = ExportSettings { caps: with_processor(settings.caps, path)?, ..settings.clone() };
    let failed = |source| ExportError::io(to, source);
    let occupied = || ExportError::Occupied { path: to.to_owned() };
    let folder = PartialFolder::create(to, MANIFEST).map_err(failed)?.ok_or_else(occupied)?;
    let folders = settings.media.iter().cloned().chain(source.media.iter().cloned()).collect();
    let mut store = MediaStore::new(&folder.place().join("data"), folders, settings.caps);
    let mut preparer = Preparer { settings: &settings, tokens: &tokens, store: &mut store };
    let prepared = [preparer.prepare(&source.sft)?, preparer.prepare(&source.dpo)?];
    let exported = fill(&folder, source, prepared, &settings)?;
    folder.commit(&[manifest::TRAINED]).map_err(failed)?;
    Ok(exported)
}

fn fill(
    folder: &PartialFolder,
    source: &Source,
    prepared: [Prepared; 2],
    settings: &ExportSettings,
) -> Result<Exported, ExportError> {
    let records = source.sft.len() + source.dpo.len();
    let all_refused: Vec<Refused> = prepared.iter().flat_map(|prepared| prepared.refused.clone()).collect();
    if prepared.iter().all(|prepared| prepared.rows.is_empty()) {
        return Err(ExportError::NothingLeft { records, reasons: refusal::summary(&all_refused) });
    }
    let has_pictures =
        prepared.iter().flat_map(|prepared| &prepared.rows).any(|row| !row.files(MediaKind::Image).is_empty());
    let failed = |source| ExportError::io(folder.place(), source);
    let mut exported =
        Exported { manifest: manifest_of(source, settings), refused: BTreeMap::new(), media: BTreeMap::new() };
    let mut media: BTreeMap<MediaKind, BTreeSet<String>> = BTreeMap::new();
    for (set, prepared) in Set::BOTH.into_iter().zip(prepared) {
        let Prepared { rows, refused, escaped, media: files } = prepared;
        files.into_iter().for_each(|(kind, files)| media.entry(kind).or_default().extend(files));
        if rows.is_empty() && refused.is_empty() {
            continue;
        }
        let rows = interleave(rows, settings.seed);
        exported.manifest.sets.insert(set, SetCounts::of(&rows, &refused, escaped));
        exported.refused.insert(set, refused);
        if rows.is_empty() {
            continue;
        }
        let mut lines = Vec::new();
        for row in &rows {
            writeln!(lines, "{}", engines::line(settings.engine, row, has_pictures)).map_err(failed)?;
        }
        folder.put(&data_file(set), &lines).map_err(failed)?;
        shards::write(folder.place(), set, &rows)?;
    }
    remove_unused(folder.place(), &media).map_err(failed)?;
    exported.media = media.into_iter().map(|(kind, files)| (kind, files.len())).collect();
    let sets: Vec<Set> =
        exported.manifest.sets.iter().filter(|(_, counts)| counts.records > 0).map(|(&set, _)| set).collect();
    for (name, text) in engines::files(settings, &sets) {
        folder.put(name, text.as_bytes()).map_err(failed)?;
    }
    folder.put("README.md", card::card(&exported.manifest).as_bytes()).map_err(failed)?;
    exported.manifest.files = manifest::files(folder.place()).map_err(failed)?;
    let manifest = serde_json::to_value(&exported.manifest).expect("strings and numbers always become JSON");
    folder.put(MANIFEST, script::pretty(&manifest).as_bytes()).map_err(failed)?;
    Ok(exported)
}

/// Media of records that were left out are not handed over.
fn remove_unused(folder: &Path, media: &BTreeMap<MediaKind, BTreeSet<String>>) -> std::io::Result<()> {
    let data = folder.join("data");
    let place = data.join("media");
    if !place.is_dir() {
        return Ok(());
    }
    for entry in place.read_dir()? {
        let name = format!("media/{}", entry?.file_name().to_string_lossy());
        if !media.values().any(|files| files.contains(&name)) {
            std::fs::remove_file(data.join(name))?;
        }
    }
    Ok(())
}

fn manifest_of(source: &Source, settings: &ExportSettings) -> Manifest {
    let pixels = |bounds: PixelBounds| [bounds.min, bounds.max];
    let caps = settings.caps;
    Manifest {
        version: manifest::VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        engine: settings.engine,
        requirements: settings.engine.requirements().iter().map(|&line| line.to_owned()).collect(),
        base_model: settings.base_model.clone(),
        cutoff_tokens: settings.cutoff_tokens,
        caps: ManifestCaps {
            image_pixels: pixels(caps.image),
            video_pixels: pixels(caps.video),
            video_fps: caps.video_fps,
            video_frames_max: caps.video_frames_max,
            processor_image_pixels: pixels(caps.processor_image),
            processor_video_pixels: pixels(caps.processor_video),
        },
        seed: settings.seed,
        source: ManifestSource { run: source.name.clone(), files: source.files.iter().cloned().collect() },
        sets: BTreeMap::new(),
        files: Vec::new(),
    }
}

/// The bounds of the model's processor, where its settings lie beside the tokenizer.
fn with_processor(mut caps: Caps, tokenizer: &Path) -> Result<Caps, ExportError> {
    let folder = if tokenizer.is_dir() { tokenizer } else { tokenizer.parent().unwrap_or(Path::new("")) };
    if let Some(bounds) = bounds(&folder.join("preprocessor_config.json"))? {
        (caps.processor_image, caps.processor_video) = (bounds, bounds);
    }
    if let Some(bounds) = bounds(&folder.join("video_preprocessor_config.json"))? {
        caps.processor_video = bounds;
    }
    Ok(caps)
}

fn bounds(path: &Path) -> Result<Option<PixelBounds>, ExportError> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(|source| ExportError::io(path, source))?;
    let bad = |what: String| ExportError::Processor { path: path.to_owned(), what };
    let config: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    let number = |plain: &str, edge: &str| config[plain].as_u64().or_else(|| config["size"][edge].as_u64());
    let pixels = number("min_pixels", "shortest_edge").zip(number("max_pixels", "longest_edge"));
    let (min, max) =
        pixels.ok_or_else(|| bad("it has neither min_pixels and max_pixels nor their names in size".into()))?;
    let whole = |number| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Some(PixelBounds { min: whole(min), max: whole(max) }))
}
