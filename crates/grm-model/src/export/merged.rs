//! Whole models as safetensors that transformers and vLLM load.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{
    ExportError,
    folder::PartialFolder,
    peft::{check_head_bias, check_pooling},
    pieces::{self, Piece},
    safetensors::{self, Precision},
};
use crate::{
    causal::CausalLm,
    config::DecoderConfig,
    reward::RewardModel,
    weights::{GgufWeights, OpenError},
};

/// Copied from the base's folder where they are there. A GGUF base has its tokenizer inside, in a form of its own: take
/// these files from the model's safetensors repository then.
const TOKENIZER_FILES: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
];

/// How a merged model is written.
#[derive(Debug, Clone)]
pub struct MergedExport {
    /// How values are stored.
    pub precision: Precision,
    /// Bytes of tensors a file may hold before another is begun.
    pub shard_bytes_max: u64,
    /// What the model was trained from: the rest of its `config.json`, its tokenizer and template are taken from there.
    pub base: Option<PathBuf>,
}

impl Default for MergedExport {
    fn default() -> Self {
        Self { precision: Precision::default(), shard_bytes_max: 5_000_000_000, base: None }
    }
}

/// How media are prepared for a model that sees and hears.
const MEDIA_FILES: [&str; 3] = ["preprocessor_config.json", "processor_config.json", "media.json"];

impl CausalLm {
    /// Writes `W + scale · B A`, folded in f32, as a `*ForCausalLM` folder; a model that sees and hears with its towers,
    /// described as its base is.
    ///
    /// # Errors
    /// NaN, a base that is another model, or a `folder` that holds something else or cannot be written to.
    pub fn write_merged(&self, folder: &Path, export: &MergedExport) -> Result<(), ExportError> {
        let copied = [&TOKENIZER_FILES[..], &["generation_config.json"]].concat();
        if self.trunk.senses.is_some() {
            let copied = [&copied[..], &MEDIA_FILES].concat();
            return write(folder, &pieces::of_causal(self), &thinker_keys(export)?, export, &copied);
        }
        let mut keys = keys(&self.trunk.config, export)?;
        keys.insert("architectures".into(), json!([self.trunk.config.family.causal_architecture()]));
        write(folder, &pieces::of_causal(self), &keys, export, &copied)
    }
}

impl RewardModel {
    /// Writes `W + scale · B A`, folded in f32, as a `*ForSequenceClassification` folder with one label.
    ///
    /// # Errors
    /// As [`CausalLm::write_merged`], and a head with a bias.
    pub fn write_merged(&self, folder: &Path, export: &MergedExport) -> Result<(), ExportError> {
        check_pooling(self)?;
        check_head_bias(&self.head_to_host())?;
        let mut pieces = pieces::of_reward(self);
        pieces.retain(|piece| piece.name != "score.bias");
        let mut keys = keys(&self.trunk.config, export)?;
        keys.insert("architectures".into(), json!([self.trunk.config.family.classifier_architecture()]));
        keys.insert("num_labels".into(), json!(1));
        keys.insert("id2label".into(), json!({ "0": "LABEL_0" }));
        keys.insert("label2id".into(), json!({ "LABEL_0": 0 }));
        keys.insert("problem_type".into(), json!("regression"));
        write(folder, &pieces, &keys, export, &TOKENIZER_FILES)
    }
}

fn write(
    folder: &Path,
    pieces: &[Piece],
    keys: &Map<String, Value>,
    export: &MergedExport,
    copied: &[&str],
) -> Result<(), ExportError> {
    let folder = PartialFolder::create(folder)?;
    write_shards(&folder, pieces, export)?;
    folder.put("config.json", format!("{:#}\n", Value::Object(keys.clone())).as_bytes())?;
    let base = export.base.iter().filter(|base| base.is_dir());
    for path in base.flat_map(|base| copied.iter().map(|name| base.join(name))).filter(|path| path.is_file()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let bytes = fs::read(&path).map_err(|source| ExportError::Io { path: path.clone(), source })?;
        folder.put(name, &bytes)?;
    }
    folder.commit()
}

fn write_shards(folder: &PartialFolder, pieces: &[Piece], export: &MergedExport) -> Result<(), ExportError> {
    let bytes = |piece: &Piece| piece.count() * export.precision.bytes();
    let shards = shards(pieces, export.shard_bytes_max, &bytes);
    let save = |name: &str, pieces: &[Piece]| {
        safetensors::write(&folder.file(name), pieces, export.precision, &[("format", "pt")])
    };
    if let [only] = shards.as_slice() {
        return save("model.safetensors", only);
    }
    let mut map = Map::new();
    for (index, shard) in shards.iter().enumerate() {
        let name = format!("model-{:05}-of-{:05}.safetensors", index + 1, shards.len());
        save(&name, shard)?;
        map.extend(shard.iter().map(|piece| (piece.name.clone(), Value::from(name.as_str()))));
    }
    let total: u64 = pieces.iter().map(bytes).sum();
    let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
    folder.put("model.safetensors.index.json", format!("{index:#}\n").as_bytes())
}

/// Runs of pieces of at most `most` bytes each; a piece that is larger stands alone.
fn shards<'a>(pieces: &'a [Piece], most: u64, bytes: &dyn Fn(&Piece) -> u64) -> Vec<&'a [Piece]> {
    let (mut shards, mut start, mut held) = (Vec::new(), 0, 0);
    for (index, piece) in pieces.iter().enumerate() {
        if index > start && held + bytes(piece) > most {
            shards.push(&pieces[start..index]);
            (start, held) = (index, 0);
        }
        held += bytes(piece);
    }
    shards.push(&pieces[start..]);
    shards
}

/// The base's keys, where there is a base, with the model's own over them.
fn keys(config: &DecoderConfig, export: &MergedExport) -> Result<Map<String, Value>, ExportError> {
    let mut keys = match &export.base {
        None => Map::new(),
        Some(base) => base_keys(base, config)?,
    };
    keys.remove("quantization_config");
    keys.extend(config.to_keys());
    let dtype = export.precision.torch_name();
    for key in ["torch_dtype", "dtype"] {
        if key == "torch_dtype" || keys.contains_key(key) {
            keys.insert(key.into(), dtype.into());
        }
    }
    Ok(keys)
}

/// The description of a model that sees and hears is its base's: training changes none of it.
fn thinker_keys(export: &MergedExport) -> Result<Map<String, Value>, ExportError> {
    let base = export.base.as_ref().filter(|base| base.is_dir()).ok_or(ExportError::NoThinkerBase)?;
    let path = base.join("config.json");
    let bytes = fs::read(&path).map_err(|source| ExportError::Io { path: path.clone(), source })?;
    let keys = serde_json::from_slice(&bytes).ok().and_then(|value: Value| value.as_object().cloned());
    let mut keys = keys.ok_or(ExportError::NoThinkerBase)?;
    keys.insert("torch_dtype".into(), export.precision.torch_name().into());
    Ok(keys)
}

fn base_keys(base: &Path, config: &DecoderConfig) -> Result<Map<String, Value>, ExportError> {
    let (found, keys) = if base.is_dir() { folder_keys(base)? } else { gguf_keys(base)? };
    let what = |found: &DecoderConfig| format!("{} layers of width {}", found.layers, found.hidden_size);
    let is_same = found.family == config.family
        && (found.layers, found.hidden_size) == (config.layers, config.hidden_size)
        && found.vocabulary_size == config.vocabulary_size;
    if is_same { Ok(keys) } else { Err(ExportError::OtherBase { base: base.to_owned(), what: what(&found) }) }
}

fn folder_keys(base: &Path) -> Result<(DecoderConfig, Map<String, Value>), ExportError> {
    let path = base.join("config.json");
    let unusable = |source| OpenError::Config { place: path.clone(), source };
    let config = DecoderConfig::read(&path).map_err(unusable)?;
    let bytes = fs::read(&path).map_err(|source| ExportError::Io { path: path.clone(), source })?;
    let keys = serde_json::from_slice(&bytes).ok().and_then(|value: Value| value.as_object().cloned());
    Ok((config, keys.unwrap_or_default()))
}

/// GGUF metadata has of these keys only the tokens that begin and end a text.
fn gguf_keys(base: &Path) -> Result<(DecoderConfig, Map<String, Value>), ExportError> {
    let file = GgufWeights::open(base)?;
    let token =
        |key: &str| file.metadata().number(&format!("tokenizer.ggml.{key}")).map(|id| (key.to_owned(), id.into()));
    let keys = ["bos_token_id", "eos_token_id"].into_iter().filter_map(token).collect();
    Ok((file.config().clone(), keys))
}
