//! Opening a model wherever it lies.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::{GgufWeights, HostTensor, SafetensorsFolder, WeightError, Weights};
use crate::{
    causal::CausalLm,
    config::{ConfigError, DecoderConfig},
    omni::{ThinkerConfig, senses::Senses},
    reward::RewardModel,
};

/// A reward head that lies beside a decoder's GGUF file, which has no place for it.
pub(crate) const GGUF_HEAD: &str = "head.safetensors";
/// The key of [`GGUF_HEAD`]'s metadata that names the file it belongs to.
pub(crate) const GGUF_HEAD_DECODER: &str = "decoder";
const VALUE_HEAD: &str = "value_head.safetensors";
const CONFIG: &str = "config.json";

/// Why a model cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing is there.
    #[error("there is no model at {}; give a .gguf file, or a folder with config.json and safetensors", path.display())]
    NotThere {
        /// As given.
        path: PathBuf,
    },
    /// A folder that holds an adapter only.
    #[error("{} holds an adapter, not a model; open its base model and put the adapter on", path.display())]
    Adapter {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with several models.
    #[error("{} holds several .gguf files; name the one to open", path.display())]
    Several {
        /// The folder.
        path: PathBuf,
    },
    /// Weights without their description.
    #[error("{} is missing; take it from where the weights beside it came from", path.display())]
    NoConfig {
        /// Where it should be.
        path: PathBuf,
    },
    /// The configuration is damaged or not one that is computed here.
    #[error("{}: {source}", place.display())]
    Config {
        /// File or folder.
        place: PathBuf,
        /// What is wrong.
        source: ConfigError,
    },
    /// No reward head.
    #[error("{} has no reward head (score.weight); train one with a new head, or open a reward model", place.display())]
    NoHead {
        /// File or folder.
        place: PathBuf,
    },
    /// The weights cannot be had.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// Opens the model at `path`: a `.gguf` file, a folder with `config.json` and safetensors (or with one `.gguf`), or a
/// safetensors file with `config.json` beside it. A `value_head.safetensors` in the folder and the `head.safetensors`
/// that was exported with a `.gguf` belong to it.
///
/// # Errors
/// Nothing there, a pickle, a damaged or missing file, an architecture that is not computed here.
pub fn open(path: &Path) -> Result<(DecoderConfig, Box<dyn Weights>), OpenError> {
    if !path.exists() {
        return Err(OpenError::NotThere { path: path.to_owned() });
    }
    if path.is_dir() { open_folder(path) } else { open_file(path) }
}

fn open_file(path: &Path) -> Result<(DecoderConfig, Box<dyn Weights>), OpenError> {
    if is_gguf(path) {
        return open_gguf(path);
    }
    let weights = SafetensorsFolder::open(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Ok((read_config(folder)?, Box::new(weights)))
}

fn open_folder(path: &Path) -> Result<(DecoderConfig, Box<dyn Weights>), OpenError> {
    if SafetensorsFolder::is_in(path) {
        return open_safetensors(path);
    }
    match gguf_files(path).as_slice() {
        [file] => open_gguf(file),
        [_, _, ..] => Err(OpenError::Several { path: path.to_owned() }),
        [] if path.join("adapter_config.json").is_file() => Err(OpenError::Adapter { path: path.to_owned() }),
        [] => open_safetensors(path),
    }
}

fn open_safetensors(folder: &Path) -> Result<(DecoderConfig, Box<dyn Weights>), OpenError> {
    let mut weights = SafetensorsFolder::open(folder)?;
    if folder.join(VALUE_HEAD).is_file() {
        weights.join(&folder.join(VALUE_HEAD))?;
    }
    Ok((read_config(folder)?, Box::new(weights)))
}

fn open_gguf(path: &Path) -> Result<(DecoderConfig, Box<dyn Weights>), OpenError> {
    let decoder = GgufWeights::open(path)?;
    let config = decoder.config().clone();
    let head = path.with_file_name(GGUF_HEAD);
    if !head.is_file() {
        return Ok((config, Box::new(decoder)));
    }
    let head = SafetensorsFolder::open(&head)?;
    let belongs = head.metadata(GGUF_HEAD_DECODER) == path.file_name().and_then(|name| name.to_str());
    Ok(if belongs { (config, Box::new(Joined(decoder, head))) } else { (config, Box::new(decoder)) })
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("gguf"))
}

fn gguf_files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| is_gguf(path)).collect()
}

fn read_config(folder: &Path) -> Result<DecoderConfig, OpenError> {
    let path = folder.join(CONFIG);
    if !path.is_file() {
        return Err(OpenError::NoConfig { path });
    }
    let config = match thinker_config(folder)? {
        Some(thinker) => Ok(thinker.decoder),
        None => DecoderConfig::read(&path),
    };
    config.map_err(|source| OpenError::Config { place: path, source })
}

/// The configuration of a model that sees and hears, where `folder` holds one.
fn thinker_config(folder: &Path) -> Result<Option<ThinkerConfig>, OpenError> {
    let path = folder.join(CONFIG);
    if !ThinkerConfig::is_described_by(&path) {
        return Ok(None);
    }
    ThinkerConfig::read(&path).map(Some).map_err(|source| OpenError::Config { place: path, source })
}

/// The towers of the model at `path`, where it has any.
fn senses(path: &Path, weights: &dyn Weights, device: &Device) -> Result<Option<Senses>, OpenError> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    let Some(config) = thinker_config(folder)?.filter(|_| !is_gguf(path)) else { return Ok(None) };
    Ok(Some(Senses::load(config, weights, &path.display().to_string(), device)?))
}

/// A decoder and a head from another file.
struct Joined(GgufWeights, SafetensorsFolder);

impl Weights for Joined {
    fn names(&self) -> Vec<String> {
        let mut names = [self.0.names(), self.1.names()].concat();
        names.sort_unstable();
        names
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains(name) || self.1.contains(name)
    }

    fn read(&self, name: &str) -> Result<HostTensor, WeightError> {
        if self.0.contains(name) { self.0.read(name) } else { self.1.read(name) }
    }
}

impl CausalLm {
    /// Opens what [`open`] opens.
    ///
    /// # Errors
    /// As [`open`], and a missing tensor, a wrong shape, a value that is not finite.
    pub fn open(path: &Path, device: &Device) -> Result<Self, OpenError> {
        let (config, weights) = open(path)?;
        let mut model = Self::new(config, weights.as_ref(), path, device)?;
        model.trunk = model.trunk.with(senses(path, weights.as_ref(), device)?);
        Ok(model)
    }
}

impl RewardModel {
    /// Opens a model that has a reward head: `score.weight`, or a TRL value head.
    ///
    /// # Errors
    /// As [`CausalLm::open`], and a model without a head.
    pub fn open(path: &Path, device: &Device) -> Result<Self, OpenError> {
        let (config, weights) = open(path)?;
        if !["score.weight", "v_head.summary.weight"].into_iter().any(|name| weights.contains(name)) {
            return Err(OpenError::NoHead { place: path.to_owned() });
        }
        let mut model = Self::new(config, weights.as_ref(), path, device)?;
        model.trunk = model.trunk.with(senses(path, weights.as_ref(), device)?);
        Ok(model)
    }

    /// Opens a decoder and puts a head of zeros on it, whether it has one or not.
    ///
    /// # Errors
    /// As [`CausalLm::open`].
    pub fn open_with_new_head(path: &Path, device: &Device) -> Result<Self, OpenError> {
        let (config, weights) = open(path)?;
        let mut model = Self::with_new_head(config, weights.as_ref(), path, device)?;
        model.trunk = model.trunk.with(senses(path, weights.as_ref(), device)?);
        Ok(model)
    }
}
