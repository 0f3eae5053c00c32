//! A model that sees and hears, on disk.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use burn::tensor::Device;
use grm_core::{ModelError, ModelIdentity};
use grm_model::{CausalLm, RewardModel, omni::ThinkerConfig};
use grm_text::{ChatTokens, MediaWords};

/// A folder with `config.json`, `tokenizer.json` and safetensors of Qwen2.5-Omni or Qwen2.5-VL.
#[derive(Debug, Clone)]
pub struct OmniFolder {
    path: PathBuf,
    config: ThinkerConfig,
}

impl OmniFolder {
    /// True when a folder's `config.json` describes a model of this kind.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        path.is_dir() && ThinkerConfig::is_described_by(&path.join("config.json"))
    }

    /// Reads the folder's configuration; weights are read when the model is loaded.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let config = ThinkerConfig::read(&path.join("config.json"))
            .map_err(|error| failed(format!("could not open the model in {}", path.display()), error))?;
        Ok(Self { path: path.to_owned(), config })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is.
    #[must_use]
    pub fn config(&self) -> &ThinkerConfig {
        &self.config
    }

    /// The folder's name, and a hash over every file that decides what the model says: 1 to 2 seconds a gigabyte, once.
    pub fn identity(&self) -> Result<ModelIdentity, ModelError> {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned();
        let revision = hash(&self.path)
            .map_err(|error| failed(format!("could not read the model in {}", self.path.display()), error))?;
        Ok(ModelIdentity { name, revision, adapter: String::new() })
    }

    /// Its way from conversations to tokens, media included.
    pub fn tokens(&self) -> Result<ChatTokens, ModelError> {
        let place = || format!("could not read the tokenizer in {}", self.path.display());
        let tokens = ChatTokens::from_folder(&self.path).map_err(|error| failed(place(), error))?;
        let words = media_words(&self.config, &tokens)
            .ok_or_else(|| failed(place(), "it lacks the placeholders that config.json names".to_owned()))?;
        Ok(tokens.with_media(words))
    }

    /// Loads the network with its output layer.
    pub fn causal(&self, device: &Device) -> Result<CausalLm, ModelError> {
        let loaded = CausalLm::open(&self.path, device);
        loaded.map_err(|error| failed(format!("could not load {}", self.path.display()), error))
    }

    /// Loads the network with its reward head.
    pub fn reward(&self, device: &Device) -> Result<RewardModel, ModelError> {
        let loaded = RewardModel::open(&self.path, device);
        loaded.map_err(|error| failed(format!("could not load {}", self.path.display()), error))
    }
}

pub(crate) fn failed(
    context: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ModelError {
    ModelError::Engine { context: context.into(), source: source.into() }
}

/// Each medium stands between its two markers, as the published templates write it.
fn media_words(config: &ThinkerConfig, tokens: &ChatTokens) -> Option<MediaWords> {
    let ids = &config.tokens;
    let words =
        |parts: [u32; 3]| -> Option<String> { parts.into_iter().map(|id| tokens.tokenizer().token(id)).collect() };
    let audio = ids.audio.map(|audio| words([audio.start, audio.audio, audio.end]));
    Some(MediaWords {
        image: words([ids.vision_start, ids.image, ids.vision_end])?,
        video: words([ids.vision_start, ids.video, ids.vision_end])?,
        audio: match audio {
            None => None,
            Some(words) => Some(words?),
        },
    })
}

/// Names and contents of the files in a folder, in the order of their names.
fn hash(folder: &Path) -> io::Result<String> {
    let mut files: Vec<PathBuf> = folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|file| decides(file));
    files.sort();
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; 1 << 20];
    for file in files {
        hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        let mut open = File::open(&file)?;
        loop {
            match open.read(&mut piece)? {
                0 => break,
                read => hasher.update(&piece[..read]),
            };
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn decides(file: &Path) -> bool {
    const NAMES: [&str; 4] = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
    let is_named = file.file_name().and_then(|name| name.to_str()).is_some_and(|name| NAMES.contains(&name));
    is_named || file.extension().is_some_and(|ending| ending == "safetensors")
}
