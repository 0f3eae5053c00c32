//! Checkpoints: whole or not there.
//!
//! A checkpoint is a folder `checkpoint-N` of parameters, optimiser, metrics and `state.json`, which seals the other
//! files with their lengths and checksums. It is made as `checkpoint-N.partial`, brought to the disk and renamed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use grm_model::Network;
use serde::{Deserialize, Serialize};

use crate::batching::Dropped;
use crate::disk::Disk;
use crate::error::CheckpointError;
use crate::tensors::{self, NamedTensor, TensorFile};

const VERSION: u32 = 1;
const STATE: &str = "state.json";
pub(crate) const PARAMETERS: &str = "parameters.safetensors";
pub(crate) const OPTIMISER: &str = "optimiser.safetensors";
pub(crate) const METRICS: &str = "metrics.jsonl";

/// Settings that change no number of a run.
const FREE: [&str; 4] = ["checkpoint_steps", "checkpoints_kept", "finish_with", "workers"];

/// The evaluation with the lowest loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// After which step.
    pub step: usize,
    /// On the held-out examples.
    pub loss: f64,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) version: u32,
    /// Steps done; with the settings and the data it fixes which examples come next.
    pub(crate) step: usize,
    pub(crate) steps: usize,
    pub(crate) epoch: f64,
    pub(crate) seed: u64,
    pub(crate) tokens: u64,
    pub(crate) losses: Vec<f64>,
    pub(crate) best: Option<Best>,
    pub(crate) data: String,
    pub(crate) dropped: Dropped,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) files: BTreeMap<String, Seal>,
}

impl State {
    pub(crate) fn new(settings: BTreeMap<String, String>, data: String) -> Self {
        Self {
            version: VERSION,
            step: 0,
            steps: 0,
            epoch: 0.0,
            seed: 0,
            tokens: 0,
            losses: Vec::new(),
            best: None,
            data,
            dropped: Dropped::default(),
            settings,
            files: BTreeMap::new(),
        }
    }

    /// Refuses to go on from `found` with other settings or data than these.
    pub(crate) fn check(&self, found: &Found) -> Result<(), CheckpointError> {
        let path = found.folder.clone();
        let absent = || "not set".to_owned();
        let names = self.settings.keys().chain(found.state.settings.keys());
        for name in names.filter(|name| !FREE.contains(&name.as_str())) {
            let (now, then) = (self.settings.get(name), found.state.settings.get(name));
            if now != then {
                let [then, now] = [then, now].map(|value| value.cloned().unwrap_or_else(absent));
                return Err(CheckpointError::OtherSettings { path, setting: name.clone(), then, now });
            }
        }
        if self.data != found.state.data {
            return Err(CheckpointError::OtherData { path });
        }
        Ok(())
    }
}

/// What a file was when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    bytes: u64,
    crc32c: u32,
}

impl Seal {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
    }

    fn of(path: &Path) -> io::Result<Self> {
        let mut seal = Self::default();
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(seal),
                count => seal.add(&buffer[..count]),
            }
        }
    }
}

/// Passes bytes on and seals them.
struct Sealing<'a> {
    out: &'a mut dyn Write,
    seal: &'a mut Seal,
}

impl Write for Sealing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.seal.add(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A whole checkpoint on disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) folder: PathBuf,
    pub(crate) state: State,
}

/// What goes into a checkpoint.
pub(crate) struct Contents<'a> {
    pub(crate) state: State,
    pub(crate) parameters: Vec<NamedTensor>,
    pub(crate) optimiser: Vec<NamedTensor>,
    pub(crate) metrics: &'a str,
}

/// The checkpoints of one run.
pub(crate) struct Checkpoints<'a> {
    folder: PathBuf,
    disk: &'a dyn Disk,
    kept: usize,
    latest: Option<PathBuf>,
}

impl<'a> Checkpoints<'a> {
    pub(crate) fn new(folder: &Path, disk: &'a dyn Disk, kept: usize) -> Self {
        Self { folder: folder.to_owned(), disk, kept, latest: None }
    }

    /// The last checkpoint written or found.
    pub(crate) fn latest(&self) -> Option<&Path> {
        self.latest.as_deref()
    }

    pub(crate) fn path(&self, step: usize) -> PathBuf {
        self.folder.join(format!("checkpoint-{step}"))
    }

    /// Finds the latest whole checkpoint, noting those that are passed over, and clears away what was never finished.
    pub(crate) fn find(&mut self, note: &mut dyn FnMut(&str)) -> Result<Option<Found>, CheckpointError> {
        let (steps, unfinished) = self.list()?;
        for path in unfinished {
            note(&format!("removing {}, which was never finished", path.display()));
            fs::remove_dir_all(&path).map_err(|source| CheckpointError::Read { path, source })?;
        }
        for step in steps.into_iter().rev() {
            let folder = self.path(step);
            match open(&folder) {
                Ok(state) => {
                    self.latest = Some(folder.clone());
                    return Ok(Some(Found { folder, state }));
                }
                Err(CheckpointError::Damaged { path, why }) => {
                    note(&format!("passing over {}: {} {why}", folder.display(), path.display()));
                }
                Err(other) => return Err(other),
            }
        }
        Ok(None)
    }

    /// Steps of the checkpoints there are, in order, and folders that were never finished.
    fn list(&self) -> Result<(Vec<usize>, Vec<PathBuf>), CheckpointError> {
        let failed = |source| CheckpointError::Read { path: self.folder.clone(), source };
        let (mut steps, mut unfinished) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix("checkpoint-")) else { continue };
            match rest.strip_suffix(".partial") {
                Some(_) => unfinished.push(entry.path()),
                None => steps.extend(rest.parse::<usize>()),
            }
        }
        steps.sort_unstable();
        unfinished.sort();
        Ok((steps, unfinished))
    }

    /// Writes a checkpoint; when that fails nothing of it is left and earlier ones are as they were.
    pub(crate) fn write(&mut self, contents: Contents) -> Result<PathBuf, CheckpointError> {
        let path = self.path(contents.state.step);
        let best = contents.state.best;
        let partial = self.folder.join(format!("checkpoint-{}.partial", contents.state.step));
        if let Err(source) = self.fill(&partial, &path, contents) {
            // What cannot be removed now is removed by the next start.
            let _ = fs::remove_dir_all(&partial);
            return Err(CheckpointError::Write { path, last_good: self.latest.clone(), source });
        }
        self.latest = Some(path.clone());
        self.prune(best).map_err(|source| CheckpointError::Write {
            path: path.clone(),
            last_good: Some(path.clone()),
            source,
        })?;
        Ok(path)
    }

    fn fill(&self, partial: &Path, path: &Path, contents: Contents) -> io::Result<()> {
        fs::create_dir_all(partial)?;
        let Contents { mut state, parameters, optimiser, metrics } = contents;
        let mut seal = |name: &str, fill: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
            let mut seal = Seal::default();
            self.disk.write(&partial.join(name), &mut |out| fill(&mut Sealing { out, seal: &mut seal }))?;
            state.files.insert(name.to_owned(), seal);
            io::Result::Ok(())
        };
        seal(PARAMETERS, &|out| tensors::write(out, &parameters))?;
        seal(OPTIMISER, &|out| tensors::write(out, &optimiser))?;
        seal(METRICS, &|out| out.write_all(metrics.as_bytes()))?;
        let json = serde_json::to_vec_pretty(&state)?;
        self.disk.write(&partial.join(STATE), &mut |out| out.write_all(&json))?;
        if path.exists() {
            // Only a damaged checkpoint that was passed over can be there.
            fs::remove_dir_all(path)?;
        }
        self.disk.rename(partial, path)
    }

    /// Removes all but the latest and the best.
    fn prune(&self, best: Option<Best>) -> io::Result<()> {
        let (steps, _) = self.list().map_err(io::Error::other)?;
        let old = &steps[..steps.len().saturating_sub(self.kept)];
        for step in old.iter().filter(|step| best.is_none_or(|best| best.step != **step)) {
            let (path, doomed) = (self.path(*step), self.folder.join(format!("checkpoint-{step}.partial")));
            // Renamed first: a checkpoint under its name is whole even when removing it is interrupted.
            fs::rename(&path, &doomed)?;
            fs::remove_dir_all(&doomed)?;
        }
        Ok(())
    }
}

/// Reads the state of a checkpoint and checks every file against its seal.
fn open(folder: &Path) -> Result<State, CheckpointError> {
    let path = folder.join(STATE);
    let damaged = |path: &Path, why: String| CheckpointError::Damaged { path: path.to_owned(), why };
    let json = fs::read(&path).map_err(|error| damaged(&path, error.to_string()))?;
    let state: State = match serde_json::from_slice(&json) {
        Ok(state) => state,
        Err(error) => return Err(other_version(&path, &json).unwrap_or_else(|| damaged(&path, error.to_string()))),
    };
    if state.version != VERSION {
        return Err(CheckpointError::Version { path, version: state.version, expected: VERSION });
    }
    for name in [PARAMETERS, OPTIMISER, METRICS] {
        let path = folder.join(name);
        let seal = Seal::of(&path).map_err(|error| damaged(&path, error.to_string()))?;
        if state.files.get(name) != Some(&seal) {
            return Err(damaged(&path, "is not what was written".to_owned()));
        }
    }
    Ok(state)
}

/// A later version may have other fields: say that instead of naming a field.
fn other_version(path: &Path, json: &[u8]) -> Option<CheckpointError> {
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    let version = u32::try_from(value.get("version")?.as_u64()?).ok().filter(|version| *version != VERSION)?;
    Some(CheckpointError::Version { path: path.to_owned(), version, expected: VERSION })
}

/// The parameters of a network as they are.
pub(crate) fn parameters<N: Network>(network: &mut N) -> Vec<NamedTensor> {
    let shapes: BTreeMap<String, Vec<usize>> =
        network.parameters().into_iter().map(|info| (info.name, info.shape)).collect();
    let mut parameters = Vec::new();
    network.update(&mut |name, value| {
        let shape = shapes.get(name).cloned().unwrap_or_else(|| vec![value.shape().num_elements()]);
        parameters.push(NamedTensor { name: name.to_owned(), shape, tensor: value.clone().without_autodiff() });
        value
    });
    parameters.sort_by(|left, right| left.name.cmp(&right.name));
    parameters
}

/// Gives a network the parameters of a checkpoint's folder, as [`crate::Outcome`] names them.
///
/// # Errors
/// [`CheckpointError::Read`], or [`CheckpointError::Damaged`] for a missing, superfluous or differently shaped tensor;
/// the network is as it was then.
pub fn load_parameters<N: Network>(network: &mut N, checkpoint: &Path) -> Result<(), CheckpointError> {
    let mut file = TensorFile::open(&checkpoint.join(PARAMETERS))?;
    let mut loaded = BTreeMap::new();
    for NamedTensor { name, shape, tensor } in parameters(network) {
        let value = file.take(&name, &shape, &tensor.device(), Some(tensor.dtype()))?;
        loaded.insert(name, value);
    }
    file.finish()?;
    network.update(&mut |name, value| loaded.remove(name).unwrap_or(value));
    Ok(())
}
