//! A GGUF file as a store of weights, with Hugging Face's names and row order.

use std::path::Path;

use grm_gguf::{GgufFile, Metadata};

use super::{
    HostTensor, OpenError, WeightError, Weights,
    gguf_names::{ROPE_FACTORS, from_gguf, interleaved_heads, separate, to_gguf},
    rope_factors,
};
use crate::{
    config::{ConfigError, DecoderConfig},
    families::Family,
};

/// A model's GGUF file; tensors are dequantised one at a time.
#[derive(Debug)]
pub struct GgufWeights {
    file: GgufFile,
    config: DecoderConfig,
}

impl GgufWeights {
    /// Opens a file and reads its configuration from the metadata.
    ///
    /// # Errors
    /// A damaged file, an architecture or a tensor that is not computed here, one part of a split model, an adapter.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let damaged = |source| WeightError::Gguf { path: path.to_owned(), source };
        let file = GgufFile::open(path).map_err(damaged)?;
        let config = read_config(&file).map_err(|source| OpenError::Config { place: path.to_owned(), source })?;
        Ok(Self { file, config })
    }

    /// What its metadata and tensor shapes say.
    #[must_use]
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// All its metadata, tokenizer and chat template included.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        self.file.metadata()
    }
}

impl Weights for GgufWeights {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.file.tensors().iter().filter_map(|info| from_gguf(&info.name)).collect();
        names.sort_unstable();
        names
    }

    fn contains(&self, name: &str) -> bool {
        to_gguf(name).is_some_and(|name| self.file.info(&name).is_ok())
    }

    fn read(&self, name: &str) -> Result<HostTensor, WeightError> {
        let place = || self.file.path().to_owned();
        let missing = || WeightError::Missing { place: place().display().to_string(), name: name.to_owned() };
        let stored = to_gguf(name).ok_or_else(missing)?;
        let (shape, values) =
            self.file.tensor(&stored).map_err(|source| WeightError::Gguf { path: place(), source })?;
        let rows = shape.first().copied().unwrap_or(0);
        let whole_heads = |heads: &usize| rows > 0 && rows.is_multiple_of(2 * heads);
        let values = match interleaved_heads(&self.config, name).filter(whole_heads) {
            None => values,
            Some(heads) => separate(&values, rows, heads),
        };
        Ok(HostTensor { shape, values })
    }
}

fn read_config(file: &GgufFile) -> Result<DecoderConfig, ConfigError> {
    let metadata = file.metadata();
    refuse_parts(metadata)?;
    let family = Family::from_model_type(metadata.text("general.architecture").unwrap_or_default())?;
    let keys = Keys { metadata, architecture: family.model_type() };
    let heads = Some(keys.count("attention.head_count")?).filter(|&heads| heads > 0);
    let heads = heads.ok_or_else(|| keys.unusable("attention.head_count"))?;
    let hidden_size = keys.count("embedding_length")?;
    let head_dim = keys.count_or("attention.key_length", hidden_size / heads)?;
    keys.refuse_other_attention(head_dim)?;
    let mut config = DecoderConfig {
        family,
        vocabulary_size: rows(file, "token_embd.weight")?,
        hidden_size,
        intermediate_size: keys.count("feed_forward_length")?,
        layers: keys.count("block_count")?,
        heads,
        key_value_heads: keys.count_or("attention.head_count_kv", heads)?,
        head_dim,
        norm_epsilon: keys.decimal("attention.layer_norm_rms_epsilon")?,
        rope_theta: keys.decimal_or("rope.freq_base", 10_000.0)?,
        rope_scaling: None,
        attention_bias: family.has_attention_bias(),
        query_key_norm: family.has_query_key_norm(),
        tied_embeddings: file.info("output.weight").is_err(),
        positions_max: keys.count("context_length")?,
        pad_token: metadata.number("tokenizer.ggml.padding_token_id").and_then(|id| u32::try_from(id).ok()),
    }
    .checked()?;
    refuse_unknown_tensors(file, &config)?;
    if let Ok((_, factors)) = file.tensor(ROPE_FACTORS) {
        config.rope_scaling = rope_factors::to_scaling(&config, &factors)?;
    }
    Ok(config)
}

fn refuse_parts(metadata: &Metadata) -> Result<(), ConfigError> {
    let unsupported = |what: &str, cure: &str| Err(ConfigError::Unsupported { what: what.into(), cure: cure.into() });
    if metadata.text("general.type") == Some("adapter") {
        return unsupported("the model this adapter belongs to", "open the base model's file instead");
    }
    if metadata.number("split.count").is_some_and(|count| count > 1) {
        return unsupported("the other parts of a split file", "join them with `llama-gguf-split --merge` first");
    }
    Ok(())
}

fn rows(file: &GgufFile, name: &str) -> Result<usize, ConfigError> {
    let missing = |found: &str| ConfigError::Metadata { key: name.to_owned(), found: found.to_owned() };
    let info = file.info(name).map_err(|_| missing("there is no such tensor"))?;
    info.shape.first().copied().ok_or_else(|| missing("it has no rows"))
}

/// A tensor this program would leave out changes what the model computes, so it is not left out silently.
fn refuse_unknown_tensors(file: &GgufFile, config: &DecoderConfig) -> Result<(), ConfigError> {
    let is_computed = |name: &str| {
        let bias = name.ends_with(".bias");
        let has_bias = config.attention_bias && ["q_proj", "k_proj", "v_proj"].iter().any(|part| name.contains(part));
        let head_norm = name.contains("self_attn.q_norm") || name.contains("self_attn.k_norm");
        (!bias || has_bias) && (!head_norm || config.query_key_norm)
    };
    let known = |name: &str| name == ROPE_FACTORS || from_gguf(name).is_some_and(|name| is_computed(&name));
    match file.tensors().iter().find(|info| !known(&info.name)) {
        None => Ok(()),
        Some(info) => Err(ConfigError::Unsupported {
            what: format!("the tensor {}", info.name),
            cure: "use a plain Qwen2, Qwen2.5, Qwen3 or Llama model".into(),
        }),
    }
}

/// The metadata under an architecture's name.
struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: &'a str,
}

impl Keys<'_> {
    fn key(&self, rest: &str) -> String {
        format!("{}.{rest}", self.architecture)
    }

    fn unusable(&self, rest: &str) -> ConfigError {
        let found = match self.metadata.get(&self.key(rest)) {
            None => "it is missing",
            Some(_) => "it is not one number of a usable size",
        };
        ConfigError::Metadata { key: self.key(rest), found: found.to_owned() }
    }

    fn count(&self, rest: &str) -> Result<usize, ConfigError> {
        let number = self.metadata.number(&self.key(rest)).and_then(|number| u32::try_from(number).ok());
        number.map(|number| number as usize).ok_or_else(|| self.unusable(rest))
    }

    fn count_or(&self, rest: &str, default: usize) -> Result<usize, ConfigError> {
        if self.metadata.get(&self.key(rest)).is_none() { Ok(default) } else { self.count(rest) }
    }

    /// A single-precision number as it was before it was rounded: 1e-5, not 9.999999747378752e-6.
    fn decimal(&self, rest: &str) -> Result<f64, ConfigError> {
        let number = self.metadata.get(&self.key(rest)).and_then(grm_gguf::Value::as_f64);
        let usable = number.filter(|number| number.is_finite() && *number > 0.0).ok_or_else(|| self.unusable(rest))?;
        (usable as f32).to_string().parse().map_err(|_| self.unusable(rest))
    }

    fn decimal_or(&self, rest: &str, default: f64) -> Result<f64, ConfigError> {
        if self.metadata.get(&self.key(rest)).is_none() { Ok(default) } else { self.decimal(rest) }
    }

    fn refuse_other_attention(&self, head_dim: usize) -> Result<(), ConfigError> {
        let unsupported = |what: String| {
            let cure = "use a plain Qwen2, Qwen2.5, Qwen3 or Llama model".into();
            Err(ConfigError::Unsupported { what, cure })
        };
        for (rest, what) in
            [("attention.value_length", "values as wide as"), ("rope.dimension_count", "rotary positions over")]
        {
            let width = self.count_or(rest, head_dim)?;
            if width != head_dim {
                return unsupported(format!("{what} {width} of a head's {head_dim} dimensions"));
            }
        }
        let scaling = self.metadata.text(&self.key("rope.scaling.type")).unwrap_or("none");
        if scaling != "none" {
            return unsupported(format!("rotary scaling of kind {scaling:?}"));
        }
        if self.count_or("expert_count", 0)? > 0 {
            return unsupported("mixtures of experts".into());
        }
        Ok(())
    }
}
