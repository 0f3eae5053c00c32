//! What a decoder looks like, whoever described it: a `config.json` of transformers 4.x or 5.x, or a GGUF header.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::families::Family;

/// The shape of a decoder and the few switches in which the families differ.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// Which family's names and files it has.
    pub family: Family,
    /// Tokens in the vocabulary (rows of the embedding).
    pub vocabulary_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Width inside the gated MLP.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub key_value_heads: usize,
    /// Width of one head; `heads * head_dim` may exceed `hidden_size`.
    pub head_dim: usize,
    /// Added to the mean square inside a norm.
    pub norm_epsilon: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Llama 3's stretching of the rotary frequencies.
    pub rope_scaling: Option<Llama3Scaling>,
    /// Whether q, k and v have a bias (Qwen2).
    pub attention_bias: bool,
    /// Whether q and k are normalised per head before they are rotated (Qwen3).
    pub query_key_norm: bool,
    /// Whether the output layer is the embedding itself.
    pub tied_embeddings: bool,
    /// Positions the model was made for.
    pub positions_max: usize,
    /// Padding token; a classifier scores the last token that is not this one.
    pub pad_token: Option<u32>,
}

/// Llama 3.1's rule: long waves are slowed by `factor`, short ones left alone, those between blended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Llama3Scaling {
    /// How much the longest waves are slowed.
    pub factor: f64,
    /// Waves longer than `original_positions / low` are slowed in full.
    pub low_frequency_factor: f64,
    /// Waves shorter than `original_positions / high` are left alone.
    pub high_frequency_factor: f64,
    /// Positions before stretching.
    pub original_positions: f64,
}

/// Why a model description cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not JSON, or not an object.
    #[error("{} is not a model's config.json: {reason}; take the file that lies beside the weights", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key is missing or has another type.
    #[error(
        "the model's configuration has no usable `{key}` ({found}); take the config.json that lies beside the weights"
    )]
    Key {
        /// The key.
        key: String,
        /// What is there.
        found: String,
    },
    /// A key of a GGUF file's metadata, or a tensor, is missing or has another type.
    #[error("the file has no usable `{key}` ({found}); convert the model again with a current llama.cpp")]
    Metadata {
        /// The key.
        key: String,
        /// What is there.
        found: String,
    },
    /// Something this program does not compute.
    #[error("this model needs {what}, which is not built here; {cure}")]
    Unsupported {
        /// What it needs.
        what: String,
        /// What to do instead.
        cure: String,
    },
    /// The numbers contradict each other.
    #[error("the model's configuration contradicts itself: {what}")]
    Contradiction {
        /// Which numbers.
        what: String,
    },
}

impl DecoderConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// Missing file, missing keys, an unknown architecture, or numbers that contradict each other.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::from_keys(&read_object(path)?)
    }

    /// Reads the keys of a `config.json`.
    ///
    /// # Errors
    /// As [`DecoderConfig::read`].
    pub fn from_keys(keys: &Map<String, Value>) -> Result<Self, ConfigError> {
        let keys = Keys::at("", keys);
        Self::of_family(Family::from_model_type(keys.text("model_type")?)?, &keys)
    }

    /// Reads all but the family, which multimodal configurations name otherwise.
    pub(crate) fn of_family(family: Family, keys: &Keys<'_>) -> Result<Self, ConfigError> {
        if keys.flag("use_sliding_window") == Some(true) {
            let cure = "use a model without `use_sliding_window`".into();
            return Err(ConfigError::Unsupported { what: "sliding-window attention".into(), cure });
        }
        let (rope_theta, rope_scaling) = keys.rope()?;
        let heads = keys.count("num_attention_heads")?;
        let hidden_size = keys.count("hidden_size")?;
        let config = Self {
            family,
            vocabulary_size: keys.count("vocab_size")?,
            hidden_size,
            intermediate_size: keys.count("intermediate_size")?,
            layers: keys.count("num_hidden_layers")?,
            heads,
            key_value_heads: keys.optional_count("num_key_value_heads")?.unwrap_or(heads),
            head_dim: keys.optional_count("head_dim")?.unwrap_or(hidden_size / heads.max(1)),
            norm_epsilon: keys.number("rms_norm_eps")?,
            rope_theta,
            rope_scaling,
            attention_bias: family.has_attention_bias(),
            query_key_norm: family.has_query_key_norm(),
            tied_embeddings: keys.flag("tie_word_embeddings").unwrap_or(family.ties_embeddings_by_default()),
            positions_max: keys.count("max_position_embeddings")?,
            pad_token: keys.optional_count("pad_token_id")?.and_then(|id| u32::try_from(id).ok()),
        };
        if keys.flag("attention_bias") == Some(true) && !config.attention_bias {
            let what = format!("attention biases in a {} model", family.model_type());
            return Err(ConfigError::Unsupported { what, cure: "use a model with `attention_bias` false".into() });
        }
        config.checked()
    }

    /// The same, if its numbers fit together.
    ///
    /// # Errors
    /// [`ConfigError::Contradiction`].
    pub fn checked(self) -> Result<Self, ConfigError> {
        let contradiction = |what: String| Err(ConfigError::Contradiction { what });
        let counts = [self.vocabulary_size, self.hidden_size, self.intermediate_size, self.layers, self.heads];
        if counts.contains(&0) || self.key_value_heads == 0 || self.head_dim == 0 {
            return contradiction("a size is 0".into());
        }
        if !self.heads.is_multiple_of(self.key_value_heads) {
            let (heads, kv) = (self.heads, self.key_value_heads);
            return contradiction(format!("{heads} query heads cannot share {kv} key heads"));
        }
        if !self.head_dim.is_multiple_of(2) {
            return contradiction(format!("rotary positions need an even head width, not {}", self.head_dim));
        }
        Ok(self)
    }

    /// `[out, in]` of a layer's linear part, `q_proj` to `down_proj`.
    pub(crate) fn linear_shape(&self, target: &str) -> [usize; 2] {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let (queries, keys) = (self.heads * self.head_dim, self.key_value_heads * self.head_dim);
        match target {
            "q_proj" => [queries, hidden],
            "k_proj" | "v_proj" => [keys, hidden],
            "o_proj" => [hidden, queries],
            "down_proj" => [hidden, inner],
            _ => [inner, hidden],
        }
    }

    /// Keys of a `config.json` that transformers 4.x and 5.x, vLLM and SGLang read.
    #[must_use]
    pub fn to_keys(&self) -> Map<String, Value> {
        let mut keys = Map::new();
        let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
        put("model_type", self.family.model_type().into());
        put("architectures", vec![self.family.causal_architecture()].into());
        put("vocab_size", self.vocabulary_size.into());
        put("hidden_size", self.hidden_size.into());
        put("intermediate_size", self.intermediate_size.into());
        put("num_hidden_layers", self.layers.into());
        put("num_attention_heads", self.heads.into());
        put("num_key_value_heads", self.key_value_heads.into());
        put("head_dim", self.head_dim.into());
        put("hidden_act", "silu".into());
        put("rms_norm_eps", self.norm_epsilon.into());
        put("rope_theta", self.rope_theta.into());
        put("rope_scaling", self.rope_scaling.map_or(Value::Null, |scaling| scaling.to_keys()));
        put("tie_word_embeddings", self.tied_embeddings.into());
        put("max_position_embeddings", self.positions_max.into());
        put("pad_token_id", self.pad_token.map_or(Value::Null, Value::from));
        put("torch_dtype", "float32".into());
        if !self.attention_bias {
            put("attention_bias", false.into());
        }
        keys
    }
}

impl Llama3Scaling {
    fn to_keys(self) -> Value {
        serde_json::json!({
            "rope_type": "llama3",
            "factor": self.factor,
            "low_freq_factor": self.low_frequency_factor,
            "high_freq_factor": self.high_frequency_factor,
            "original_max_position_embeddings": self.original_positions as u64,
        })
    }
}

/// The object in a JSON file.
pub(crate) fn read_object(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
    let not_json = |reason: String| ConfigError::NotJson { path: path.to_owned(), reason };
    match serde_json::from_slice(&bytes).map_err(|error| not_json(error.to_string()))? {
        Value::Object(keys) => Ok(keys),
        _ => Err(not_json("it is not an object".into())),
    }
}

/// The keys of one object of a configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a> {
    map: &'a Map<String, Value>,
    /// Where the object lies in the file, for errors: empty, or a key and a dot.
    place: &'static str,
}

impl<'a> Keys<'a> {
    pub(crate) fn at(place: &'static str, map: &'a Map<String, Value>) -> Self {
        Self { map, place }
    }

    pub(crate) fn missing(&self, key: &str) -> ConfigError {
        let found = self.map.get(key).map_or("it is missing".to_owned(), |value| format!("it is {value}"));
        ConfigError::Key { key: format!("{}{key}", self.place), found }
    }

    /// The value of a key, if there is one that is not null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn object(&self, key: &str) -> Option<&'a Map<String, Value>> {
        self.get(key).and_then(Value::as_object)
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, ConfigError> {
        self.map.get(key).and_then(Value::as_str).ok_or_else(|| self.missing(key))
    }

    pub(crate) fn number(&self, key: &str) -> Result<f64, ConfigError> {
        self.map.get(key).and_then(Value::as_f64).ok_or_else(|| self.missing(key))
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.map.get(key).and_then(Value::as_bool)
    }

    pub(crate) fn count(&self, key: &str) -> Result<usize, ConfigError> {
        self.optional_count(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn optional_count(&self, key: &str) -> Result<Option<usize>, ConfigError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let count = value.as_u64().filter(|&count| count <= u64::from(u32::MAX));
                count.map(|count| Some(count as usize)).ok_or_else(|| self.missing(key))
            }
        }
    }

    /// Base and scaling, from 4.x's `rope_theta` and `rope_scaling` or 5.x's `rope_parameters`.
    fn rope(&self) -> Result<(f64, Option<Llama3Scaling>), ConfigError> {
        let nested = self.object("rope_parameters");
        let theta = nested.and_then(|rope| rope.get("rope_theta")).or_else(|| self.map.get("rope_theta"));
        let theta = match theta {
            None => 10_000.0,
            Some(value) => value.as_f64().ok_or_else(|| self.missing("rope_theta"))?,
        };
        let scaling = nested.or_else(|| self.object("rope_scaling"));
        let Some(scaling) = scaling.map(|map| Keys::at(self.place, map)) else { return Ok((theta, None)) };
        match scaling.text("rope_type").or_else(|_| scaling.text("type")).unwrap_or("default") {
            // `mrope` says which axis turns which frequency, not how fast.
            "default" | "mrope" => Ok((theta, None)),
            "llama3" => Ok((theta, Some(scaling.llama3()?))),
            other => Err(ConfigError::Unsupported {
                what: format!("rotary scaling of kind {other:?}"),
                cure: "use a model with default or llama3 scaling".into(),
            }),
        }
    }

    fn llama3(&self) -> Result<Llama3Scaling, ConfigError> {
        Ok(Llama3Scaling {
            factor: self.number("factor")?,
            low_frequency_factor: self.number("low_freq_factor")?,
            high_frequency_factor: self.number("high_freq_factor")?,
            original_positions: self.number("original_max_position_embeddings")?,
        })
    }
}
