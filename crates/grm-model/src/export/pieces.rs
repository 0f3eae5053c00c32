//! The tensors of a model by name, each brought to the host only when it is written.

use burn::tensor::Tensor;

use super::ExportError;
use crate::{
    causal::CausalLm,
    decoder::{Decoder, Linear},
    lora::linears,
    parameters::host_values,
    reward::RewardModel,
    trunk::Trunk,
    weights::HostTensor,
};

/// A named tensor, not yet on the host.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Matrix(Tensor<2>),
    Vector(Tensor<1>),
    /// Its adapter is folded in when it is read.
    Merged(Box<Linear>),
    Host(Vec<f32>),
}

impl Piece {
    pub(crate) fn host(name: String, tensor: &HostTensor) -> Self {
        Self { name, shape: tensor.shape.clone(), source: Source::Host(tensor.values.clone()) }
    }

    fn matrix(name: String, tensor: Tensor<2>) -> Self {
        Self { name, shape: tensor.dims().to_vec(), source: Source::Matrix(tensor) }
    }

    fn vector(name: String, tensor: Tensor<1>) -> Self {
        Self { name, shape: tensor.dims().to_vec(), source: Source::Vector(tensor) }
    }

    pub(crate) fn count(&self) -> u64 {
        self.shape.iter().map(|&size| size as u64).product()
    }

    /// Row-major, all of them finite.
    pub(crate) fn values(&self) -> Result<Vec<f32>, ExportError> {
        let values = match &self.source {
            Source::Matrix(tensor) => host_values(tensor.clone()),
            Source::Vector(tensor) => host_values(tensor.clone()),
            Source::Merged(linear) => host_values(linear.merged_weight()),
            Source::Host(values) => values.clone(),
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(ExportError::NotFinite { name: self.name.clone(), index }),
            None => Ok(values),
        }
    }
}

/// `lm_head.weight` is left out where it is the embedding.
pub(crate) fn of_causal(model: &CausalLm) -> Vec<Piece> {
    let mut pieces = of_decoder(&model.trunk.decoder);
    let head = model.head.as_ref().map(|head| of_linear("lm_head", head));
    pieces.extend(head.into_iter().flatten());
    pieces.extend(of_towers(&model.trunk));
    pieces
}

/// The towers of a model that sees and hears; nothing for others. Queries, keys and values stand apart, as
/// Qwen2.5-Omni's checkpoints have them.
fn of_towers(trunk: &Trunk) -> Vec<Piece> {
    let host = trunk.to_host(&|name| !name.starts_with(crate::trunk::PREFIX));
    host.iter().map(|(name, tensor)| Piece::host(name.clone(), tensor)).collect()
}

/// With `score.weight`, and `score.bias` where there is one.
pub(crate) fn of_reward(model: &RewardModel) -> Vec<Piece> {
    [of_decoder(&model.trunk.decoder), of_head(model), of_towers(&model.trunk)].concat()
}

pub(crate) fn of_head(model: &RewardModel) -> Vec<Piece> {
    of_linear("score", &model.head)
}

pub(crate) fn of_decoder(decoder: &Decoder) -> Vec<Piece> {
    let mut pieces = vec![Piece::matrix("model.embed_tokens.weight".into(), decoder.embed_tokens.weight.val())];
    for (index, layer) in decoder.layers.iter().enumerate() {
        let name = |rest: &str| format!("model.layers.{index}.{rest}");
        let mut layer = layer.clone();
        let attention = &layer.self_attn;
        let norms = [
            ("input_layernorm.weight", Some(&layer.input_layernorm)),
            ("self_attn.q_norm.weight", attention.q_norm.as_ref()),
            ("self_attn.k_norm.weight", attention.k_norm.as_ref()),
            ("post_attention_layernorm.weight", Some(&layer.post_attention_layernorm)),
        ];
        let norms = norms.into_iter().filter_map(|(rest, norm)| Some((rest, norm?)));
        pieces.extend(norms.map(|(rest, norm)| Piece::vector(name(rest), norm.weight.val())));
        for (target, linear) in linears(&mut layer) {
            pieces.extend(of_linear(&name(&path_of(target)), linear));
        }
    }
    pieces.push(Piece::vector("model.norm.weight".into(), decoder.norm.weight.val()));
    pieces
}

/// `q_proj` → `self_attn.q_proj`
pub(crate) fn path_of(target: &str) -> String {
    let is_attention = matches!(target, "q_proj" | "k_proj" | "v_proj" | "o_proj");
    format!("{}.{target}", if is_attention { "self_attn" } else { "mlp" })
}

fn of_linear(name: &str, linear: &Linear) -> Vec<Piece> {
    let shape = linear.weight.val().dims().to_vec();
    let source = Source::Merged(Box::new(linear.clone()));
    let mut pieces = vec![Piece { name: format!("{name}.weight"), shape, source }];
    pieces.extend(linear.bias.as_ref().map(|bias| Piece::vector(format!("{name}.bias"), bias.val())));
    pieces
}
