//! The decoder that all three families share: embedding, layers of attention and MLP, final norm.

pub mod attention;
pub mod layout;
pub mod linear;
pub mod mlp;
pub mod norm;
pub mod rope;

use burn::{
    module::{Module, Param},
    tensor::{Int, Tensor},
};

pub use attention::{Attention, LayerCache};
pub use layout::{Context, Layout, Line, Order};
pub use linear::{Linear, Lora};
pub use mlp::Mlp;
pub use norm::RmsNorm;
pub use rope::Frequencies;

/// One layer: `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Module, Debug)]
pub struct DecoderLayer {
    /// Before attention.
    pub input_layernorm: RmsNorm,
    /// Attention.
    pub self_attn: Attention,
    /// Before the MLP.
    pub post_attention_layernorm: RmsNorm,
    /// Gated MLP.
    pub mlp: Mlp,
}

impl DecoderLayer {
    /// `[rows · length, hidden]` to the same.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, context: &Context, cache: Option<&mut Option<LayerCache>>) -> Tensor<2> {
        let attended = self.self_attn.forward(self.input_layernorm.forward(x.clone()), context, cache);
        let x = x + attended;
        x.clone() + self.mlp.forward(self.post_attention_layernorm.forward(x))
    }
}

/// The embedding of tokens.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocabulary, hidden]`
    pub weight: Param<Tensor<2>>,
}

/// A decoder without its output layer. Field names are the checkpoints' own.
#[derive(Module, Debug)]
pub struct Decoder {
    /// From tokens to the first hidden states.
    pub embed_tokens: Embedding,
    /// From the embedding upwards.
    pub layers: Vec<DecoderLayer>,
    /// After the last layer.
    pub norm: RmsNorm,
}

impl Decoder {
    /// The embedding of each token, `[tokens, hidden]`.
    #[must_use]
    pub fn embed(&self, tokens: Tensor<1, Int>) -> Tensor<2> {
        self.embed_tokens.weight.val().select(0, tokens)
    }

    /// The hidden state of each token after the final norm, `[tokens, hidden]`.
    #[must_use]
    pub fn forward(&self, tokens: Tensor<1, Int>, context: &Context) -> Tensor<2> {
        let mut x = self.embed(tokens);
        for layer in &self.layers {
            x = layer.forward(x, context, None);
        }
        self.norm.forward(x)
    }
}
