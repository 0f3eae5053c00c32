//! A run folder: the recipe it was made from, the journal of its calls, and outputs that can be made again from both.
//!
//! ```text
//! recipe.toml        the resolved settings
//! manifest.json      version, commit, input hash, models; "complete" once everything below is whole
//! journal/           the truth: every model call, append-only
//! trajectories.jsonl one pair a line, in input order      sft.jsonl, dpo.jsonl  training data (synthesize)
//! metrics.json       counts and shares                    report.html           a page about it
//! ```
//!
//! Outputs are written as `NAME.partial` and renamed when whole, so a file with its final name is never half a file.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use grm_core::ModelIdentity;
use grm_data::AtomicFile;
use grm_journal::{Journal, JournalOptions};
use serde::{Deserialize, Serialize};

use crate::{
    assemble::Place,
    recipe::{Models, Recipe},
};

/// An open run.
pub(crate) struct Run {
    /// Where it lives.
    pub(crate) folder: PathBuf,
    /// The resolved settings.
    pub(crate) recipe: Recipe,
    /// Every model call goes through it.
    pub(crate) journal: Arc<Journal>,
    /// What it reads.
    pub(crate) input: InputFile,
    verb: String,
    /// Who answered so far, where that may not change.
    begun_with: RunModels,
}

/// The file a run reads, pinned by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputFile {
    /// As given; a file inside the run folder is named relative to it.
    pub(crate) path: PathBuf,
    /// blake3 of its bytes.
    pub(crate) blake3: String,
    /// Its size.
    pub(crate) bytes: u64,
}

impl InputFile {
    /// Name and content, so that a file that was edited is told from itself.
    fn described(&self) -> String {
        let hash: String = self.blake3.chars().take(8).collect();
        format!("{} ({} bytes, blake3 {hash}…)", self.path.display(), self.bytes)
    }
}

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Format version: 1.
    pub(crate) version: u32,
    /// The verb that made the run.
    pub(crate) verb: String,
    /// Version of `grm`.
    pub(crate) program: String,
    /// Commit `grm` was built from, where known.
    pub(crate) commit: Option<String>,
    /// Seed of sampling and placement.
    pub(crate) seed: u64,
    /// What was read.
    pub(crate) input: InputFile,
    /// The three roles' models; empty until they are known.
    pub(crate) models: RunModels,
    /// True once every output is whole.
    pub(crate) complete: bool,
}

/// The three roles' identities.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RunModels {
    pub(crate) genrm: Option<ModelIdentity>,
    pub(crate) policy: Option<ModelIdentity>,
    pub(crate) disrm: Option<ModelIdentity>,
}

/// What to run over: a file, or text that becomes one.
pub(crate) enum Input<'a> {
    /// A data file.
    File(&'a Path),
    /// A folder of data files, or a file.
    Folder(&'a Path),
    /// Records given inline or on stdin; kept in the run folder as `input.jsonl`.
    Inline(&'a [u8]),
}

impl Run {
    /// Opens or continues the run of this recipe over this input.
    pub(crate) fn open(
        verb: &str,
        recipe: Recipe,
        input: &Input<'_>,
        out: Option<&Path>,
        change_recipe: bool,
    ) -> anyhow::Result<Self> {
        let mut pinned = pin(input)?;
        let folder = out.map_or_else(|| default_folder(verb, &recipe, &pinned), Path::to_path_buf);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("could not create run folder {}", folder.display()))?;
        let journal = Journal::open(&folder.join("journal"), &JournalOptions::default())?;
        // A folder where nothing was asked or made yet, after a typing error say, takes any settings.
        let begun = journal.stats().indexed > 0 || read_manifest(&folder).is_ok_and(|manifest| manifest.complete);
        let mut begun_with = RunModels::default();
        if begun && !change_recipe {
            refuse_other_settings(&folder, verb, &recipe, &pinned)?;
            begun_with = read_manifest(&folder).map(|manifest| manifest.models).unwrap_or_default();
        }
        if let Input::Inline(bytes) = input {
            write_whole(&folder.join("input.jsonl"), bytes)?;
            pinned.path = PathBuf::from("input.jsonl");
        }
        let run = Self { folder, recipe, journal, input: pinned, verb: verb.to_owned(), begun_with };
        write_whole(&run.folder.join("recipe.toml"), run.recipe.resolved_text()?.as_bytes())?;
        run.write_manifest(&RunModels::default(), false)?;
        Ok(run)
    }

    /// A run whose journal and outputs come from others: its settings are written, and it is not complete yet.
    pub(crate) fn joined(folder: &Path, manifest: &Manifest, recipe: Recipe) -> anyhow::Result<Self> {
        let journal = Journal::open(&folder.join("journal"), &JournalOptions::default())?;
        let (input, verb) = (manifest.input.clone(), manifest.verb.clone());
        let run = Self { folder: folder.to_owned(), recipe, journal, input, verb, begun_with: RunModels::default() };
        write_whole(&run.folder.join("recipe.toml"), run.recipe.resolved_text()?.as_bytes())?;
        run.write_manifest(&manifest.models, false)?;
        Ok(run)
    }

    /// Notes who answers. Servers may change their addresses from one day to the next, but not what they serve.
    pub(crate) fn begin(&self, models: &RunModels) -> anyhow::Result<()> {
        let Models { genrm, policy, disrm } = &self.recipe.models;
        let policy = policy.as_ref().unwrap_or(genrm);
        let (before, now) = (&self.begun_with, models);
        for (role, name, before, now) in [
            ("GenRM", genrm, &before.genrm, &now.genrm),
            ("policy", policy, &before.policy, &now.policy),
            ("DisRM", disrm, &before.disrm, &now.disrm),
        ] {
            if let (true, Some(before), Some(now)) = (is_remote(name), before, now)
                && before != now
            {
                bail!(
                    "{} was begun with the {role} {} ({}), but {name} serves {} ({}); serve the same model, use another --out, or --change-recipe to continue here",
                    self.folder.display(),
                    before.name,
                    before.revision,
                    now.name,
                    now.revision
                );
            }
        }
        self.write_manifest(models, false)
    }

    /// The data file, wherever it is.
    pub(crate) fn input_path(&self) -> PathBuf {
        locate(&self.folder, &self.input.path)
    }

    /// Writes a small output whole.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        write_whole(&self.folder.join(name), bytes)
    }

    /// Writes the manifest; `complete` only when every output is in place.
    pub(crate) fn write_manifest(&self, models: &RunModels, complete: bool) -> anyhow::Result<()> {
        let manifest = Manifest {
            version: 1,
            verb: self.verb.clone(),
            program: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("GRM_COMMIT").map(str::to_owned),
            seed: self.recipe.seed,
            input: self.input.clone(),
            models: models.clone(),
            complete,
        };
        self.write("manifest.json", &pretty(&manifest)?)
    }
}

/// A path as the manifest holds it, seen from where the command runs.
pub(crate) fn locate(folder: &Path, path: &Path) -> PathBuf {
    if path == Path::new("input.jsonl") { folder.join(path) } else { path.to_path_buf() }
}

/// Reads a run folder's manifest.
pub(crate) fn read_manifest(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join("manifest.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} is not a run folder: could not read {}", folder.display(), path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// JSON for people: indented, ending in a newline.
pub(crate) fn pretty(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).context("could not write JSON")?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).with_context(|| format!("could not write {}", path.display()))?;
    Ok(file.commit()?)
}

/// A file's or text's name, size and hash.
pub(crate) fn pin(input: &Input<'_>) -> anyhow::Result<InputFile> {
    match input {
        Input::Inline(bytes) => Ok(InputFile {
            path: PathBuf::from("pair"),
            blake3: blake3::hash(bytes).to_hex().to_string(),
            bytes: bytes.len() as u64,
        }),
        Input::Folder(path) if path.is_dir() => pin_folder(path),
        Input::File(path) | Input::Folder(path) => {
            let fail = || {
                format!(
                    "could not read {}; check the name (relative paths start in the current folder)",
                    path.display()
                )
            };
            let mut file = std::fs::File::open(path).with_context(fail)?;
            if file.metadata().with_context(fail)?.is_dir() {
                bail!("{} is a folder; give a JSONL, JSON or parquet file", path.display());
            }
            let mut hasher = blake3::Hasher::new();
            let mut buffer = vec![0; 1 << 18];
            let mut bytes = 0;
            loop {
                let read = file.read(&mut buffer).with_context(fail)?;
                if read == 0 {
                    break;
                }
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
            Ok(InputFile { path: path.to_path_buf(), blake3: hasher.finalize().to_hex().to_string(), bytes })
        }
    }
}

/// A folder's data files, by name and content, in the order of their names.
fn pin_folder(folder: &Path) -> anyhow::Result<InputFile> {
    let mut files = Vec::new();
    data_files(folder, 0, &mut files)?;
    files.sort();
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    for path in &files {
        let file = pin(&Input::File(path))?;
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(file.blake3.as_bytes());
        bytes += file.bytes;
    }
    if files.is_empty() {
        bail!(
            "{} holds no JSONL, JSON, CSV or parquet file; give the folder the set was unpacked to",
            folder.display()
        );
    }
    Ok(InputFile { path: folder.to_owned(), blake3: hasher.finalize().to_hex().to_string(), bytes })
}

fn data_files(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    const DEPTH_MAX: usize = 8;
    let fail = || format!("could not read the folder {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(fail)? {
        let path = entry.with_context(fail)?.path();
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if path.is_dir() && depth < DEPTH_MAX {
            data_files(&path, depth + 1, files)?;
        } else if matches!(kind, "json" | "jsonl" | "csv" | "parquet") {
            files.push(path);
        }
    }
    Ok(())
}

/// What decides results: the recipe without limits, speed and places. Other pairs of a file are another run, more of
/// them are not.
fn deciding_part(recipe: &Recipe) -> Recipe {
    let mut part = recipe.clone();
    part.data = crate::recipe::Data {
        skip: part.data.skip,
        shard: part.data.shard,
        without_media: part.data.without_media,
        ..Default::default()
    };
    part.models = without_addresses(&part.models);
    part.plan = crate::planning::PlanSettings::default();
    part.run = crate::recipe::RunLimits::default();
    part.engine = crate::recipe::Engine { adapter: part.engine.adapter, ..Default::default() };
    part.endpoint = crate::recipe::Endpoint {
        served_model: part.endpoint.served_model,
        chat_template_kwargs: part.endpoint.chat_template_kwargs,
        ..Default::default()
    };
    part
}

/// What is in the first recipe and not in the second, and the other way round, of what decides results.
pub(crate) fn differences(before: &Recipe, now: &Recipe) -> anyhow::Result<Vec<String>> {
    let (old, new) = (deciding_part(before).resolved_text()?, deciding_part(now).resolved_text()?);
    let diff = similar::TextDiff::from_lines(&old, &new);
    let line = |change: similar::Change<&str>| match change.tag() {
        similar::ChangeTag::Delete => Some(format!("  - {}", change.value().trim_end())),
        similar::ChangeTag::Insert => Some(format!("  + {}", change.value().trim_end())),
        similar::ChangeTag::Equal => None,
    };
    Ok(diff.iter_all_changes().filter_map(line).collect())
}

/// Which models, wherever they are served: a server is known by what it serves, which [`Run::begin`] compares.
fn without_addresses(models: &Models) -> Models {
    let place = |name: &String| if is_remote(name) { "a server".to_owned() } else { name.clone() };
    let Models { genrm, policy, disrm } = models;
    Models { genrm: place(genrm), policy: policy.as_ref().map(place), disrm: place(disrm) }
}

fn is_remote(name: &str) -> bool {
    matches!(Place::of(name), Place::Remote(_) | Place::Batch(_))
}

/// `runs/judge-pairs-1a2b3c4d`: the same command finds the same folder again.
fn default_folder(verb: &str, recipe: &Recipe, input: &InputFile) -> PathBuf {
    let stem = input.path.file_stem().map_or_else(|| "pairs".into(), |stem| stem.to_string_lossy().into_owned());
    let safe: String = stem.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).take(40).collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(deciding_part(recipe).resolved_text().unwrap_or_default().as_bytes());
    hasher.update(input.blake3.as_bytes());
    let hash = hasher.finalize().to_hex();
    Path::new("runs").join(format!("{verb}-{safe}-{}", &hash[..8]))
}

fn refuse_other_settings(folder: &Path, verb: &str, recipe: &Recipe, input: &InputFile) -> anyhow::Result<()> {
    let path = folder.join("recipe.toml");
    if !path.exists() {
        return Ok(());
    }
    let before = Recipe::read(&path)?;
    let manifest = read_manifest(folder)?;
    let mut differences = differences(&before, recipe)?;
    if manifest.input.blake3 != input.blake3 {
        differences.push(format!("  - input {}\n  + input {}", manifest.input.described(), input.described()));
    }
    if manifest.verb != verb {
        differences.push(format!("  - verb {}\n  + verb {verb}", manifest.verb));
    }
    if differences.is_empty() {
        return Ok(());
    }
    bail!(
        "{} holds a run with other settings:\n{}\nuse another --out, or --change-recipe to continue here (calls that still match are not asked again)",
        folder.display(),
        differences.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, recipe: Recipe) -> anyhow::Result<Run> {
        Run::open("judge", recipe, &Input::Inline(b"{}"), Some(folder), false)
    }

    #[test]
    fn a_folder_where_nothing_was_asked_takes_other_settings() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path(), Recipe::default()).unwrap());
        let other = Recipe { seed: 9, ..Recipe::default() };
        assert_eq!(open(folder.path(), other.clone()).unwrap().recipe, other);
    }

    #[test]
    fn speed_and_limits_are_not_part_of_what_a_run_is() {
        let mut faster = Recipe::default();
        faster.run.pairs_in_flight = 99;
        faster.endpoint.max_in_flight = 7;
        faster.data.limit = Some(3);
        let input = InputFile { path: "a/My pairs.jsonl".into(), blake3: "00".into(), bytes: 0 };
        let folder = default_folder("judge", &Recipe::default(), &input);
        assert_eq!(default_folder("judge", &faster, &input), folder);
        assert!(folder.to_string_lossy().starts_with("runs/judge-My_pairs-"), "{folder:?}");
    }
}
