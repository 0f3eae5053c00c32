//! From weights and a configuration to modules, every shape checked.

use burn::tensor::{Device, Tensor, TensorData};

use crate::{
    config::DecoderConfig,
    decoder::{Attention, Decoder, DecoderLayer, Embedding, Linear, Mlp, RmsNorm},
    weights::{HostTensor, WeightError, Weights},
};
use burn::module::Param;

/// Where decoders lie in checkpoints: plain, bare, the thinker of Qwen2.5-Omni, newer and older vision models.
const PREFIXES: [&str; 5] = ["model.", "", "thinker.model.", "model.language_model.", "language_model.model."];

/// Reads tensors and plain layers from a store, every shape checked.
pub(crate) struct TensorReader<'a> {
    weights: &'a dyn Weights,
    place: String,
    device: &'a Device,
}

/// Reads modules from a store.
pub(crate) struct Builder<'a> {
    reader: TensorReader<'a>,
    config: &'a DecoderConfig,
    prefix: &'static str,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(
        weights: &'a dyn Weights,
        config: &'a DecoderConfig,
        place: &str,
        device: &'a Device,
    ) -> Result<Self, WeightError> {
        let reader = TensorReader::new(weights, place, device);
        let prefix = reader.prefix(&PREFIXES, "embed_tokens.weight")?;
        Ok(Self { reader, config, prefix })
    }

    pub(crate) fn decoder(&self) -> Result<Decoder, WeightError> {
        let config = self.config;
        let layers = (0..config.layers).map(|index| self.layer(index)).collect::<Result<_, _>>()?;
        let name = |rest: &str| format!("{}{rest}", self.prefix);
        let weight = self.reader.matrix(&name("embed_tokens.weight"), [config.vocabulary_size, config.hidden_size])?;
        let embed_tokens = Embedding { weight: Param::from_tensor(weight).set_require_grad(false) };
        Ok(Decoder { embed_tokens, layers, norm: self.norm(&name("norm"), config.hidden_size)? })
    }

    /// A linear layer outside the decoder (`lm_head`, `score`), with a bias where the store has one.
    pub(crate) fn outer_linear(&self, name: &str, outputs: usize) -> Result<Linear, WeightError> {
        let bias = format!("{name}.bias");
        let has_bias = self.reader.weights.contains(&bias);
        self.reader.linear(name, [outputs, self.config.hidden_size], has_bias)
    }

    fn layer(&self, index: usize) -> Result<DecoderLayer, WeightError> {
        let name = |rest: &str| format!("{}layers.{index}.{rest}", self.prefix);
        let hidden = self.config.hidden_size;
        Ok(DecoderLayer {
            input_layernorm: self.norm(&name("input_layernorm"), hidden)?,
            self_attn: self.attention(&name("self_attn"))?,
            post_attention_layernorm: self.norm(&name("post_attention_layernorm"), hidden)?,
            mlp: self.mlp(&name("mlp"))?,
        })
    }

    fn attention(&self, name: &str) -> Result<Attention, WeightError> {
        let config = self.config;
        let (hidden, width) = (config.hidden_size, config.head_dim);
        let (queries, keys) = (config.heads * width, config.key_value_heads * width);
        let linear = |part: &str, outputs: usize, inputs: usize, has_bias: bool| {
            self.reader.linear(&format!("{name}.{part}"), [outputs, inputs], has_bias)
        };
        let head_norm = |part: &str| {
            let norm = || self.norm(&format!("{name}.{part}"), width);
            config.query_key_norm.then(norm).transpose()
        };
        Ok(Attention {
            q_proj: linear("q_proj", queries, hidden, config.attention_bias)?,
            k_proj: linear("k_proj", keys, hidden, config.attention_bias)?,
            v_proj: linear("v_proj", keys, hidden, config.attention_bias)?,
            o_proj: linear("o_proj", hidden, queries, false)?,
            q_norm: head_norm("q_norm")?,
            k_norm: head_norm("k_norm")?,
            heads: config.heads,
            key_value_heads: config.key_value_heads,
            head_dim: width,
        })
    }

    fn mlp(&self, name: &str) -> Result<Mlp, WeightError> {
        self.reader.mlp(name, [self.config.intermediate_size, self.config.hidden_size], false)
    }

    fn norm(&self, name: &str, width: usize) -> Result<RmsNorm, WeightError> {
        self.reader.rms_norm(name, width, self.config.norm_epsilon)
    }
}

impl<'a> TensorReader<'a> {
    pub(crate) fn new(weights: &'a dyn Weights, place: &str, device: &'a Device) -> Self {
        Self { weights, place: place.to_owned(), device }
    }

    /// The first prefix under which the store has `name`.
    pub(crate) fn prefix(&self, prefixes: &[&'static str], name: &str) -> Result<&'static str, WeightError> {
        let holds = |prefix: &&&str| self.weights.contains(&format!("{prefix}{name}"));
        let missing = || WeightError::Missing { place: self.place.clone(), name: format!("{}{name}", prefixes[0]) };
        prefixes.iter().find(holds).copied().ok_or_else(missing)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.weights.contains(name)
    }

    /// `[out, in]`
    pub(crate) fn linear(&self, name: &str, shape: [usize; 2], has_bias: bool) -> Result<Linear, WeightError> {
        let weight = self.matrix(&format!("{name}.weight"), shape)?;
        let bias = has_bias.then(|| self.vector(&format!("{name}.bias"), shape[0])).transpose()?;
        Ok(Linear::new(weight, bias))
    }

    /// `[inner, hidden]`
    pub(crate) fn mlp(&self, name: &str, [inner, hidden]: [usize; 2], has_bias: bool) -> Result<Mlp, WeightError> {
        Ok(Mlp {
            gate_proj: self.linear(&format!("{name}.gate_proj"), [inner, hidden], has_bias)?,
            up_proj: self.linear(&format!("{name}.up_proj"), [inner, hidden], has_bias)?,
            down_proj: self.linear(&format!("{name}.down_proj"), [hidden, inner], has_bias)?,
        })
    }

    pub(crate) fn rms_norm(&self, name: &str, width: usize, epsilon: f64) -> Result<RmsNorm, WeightError> {
        Ok(RmsNorm::new(self.vector(&format!("{name}.weight"), width)?, epsilon))
    }

    pub(crate) fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, WeightError> {
        self.tensor(name, shape)
    }

    pub(crate) fn vector(&self, name: &str, width: usize) -> Result<Tensor<1>, WeightError> {
        self.tensor(name, [width])
    }

    pub(crate) fn tensor<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<Tensor<D>, WeightError> {
        Ok(Tensor::from_data(TensorData::new(self.values(name, &shape)?, shape), self.device))
    }

    pub(crate) fn values(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, WeightError> {
        if !self.weights.contains(name) {
            return Err(WeightError::Missing { place: self.place.clone(), name: name.to_owned() });
        }
        let HostTensor { shape, values } = self.weights.read(name)?;
        let (place, name) = (self.place.clone(), name.to_owned());
        if shape != expected {
            return Err(WeightError::Shape { place, name, found: shape, expected: expected.to_vec() });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(WeightError::NotFinite { place, name, index }),
            None => Ok(values),
        }
    }
}
