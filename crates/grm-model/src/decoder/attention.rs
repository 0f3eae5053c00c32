//! Causal self-attention with grouped key-value heads.

use burn::{
    module::Module,
    tensor::{Int, Tensor, activation::softmax},
};

use super::{layout::Context, linear::Linear, norm::RmsNorm};

/// Attention of `heads` queries over `key_value_heads` keys and values.
#[derive(Module, Debug)]
pub struct Attention {
    /// `hidden → heads · head_dim`
    pub q_proj: Linear,
    /// `hidden → key_value_heads · head_dim`
    pub k_proj: Linear,
    /// `hidden → key_value_heads · head_dim`
    pub v_proj: Linear,
    /// `heads · head_dim → hidden`
    pub o_proj: Linear,
    /// Over each query head, before it is rotated (Qwen3).
    pub q_norm: Option<RmsNorm>,
    /// Over each key head, before it is rotated (Qwen3).
    pub k_norm: Option<RmsNorm>,
    #[module(skip)]
    pub(crate) heads: usize,
    #[module(skip)]
    pub(crate) key_value_heads: usize,
    #[module(skip)]
    pub(crate) head_dim: usize,
}

/// Keys and values of the tokens before, each `[rows, key_value_heads, length, head_dim]`.
#[derive(Debug, Clone)]
pub struct LayerCache {
    keys: Tensor<4>,
    values: Tensor<4>,
}

impl LayerCache {
    /// Keeps the cells named, in that order.
    #[must_use]
    pub(crate) fn select(self, cells: &Tensor<1, Int>) -> Self {
        Self { keys: self.keys.select(2, cells.clone()), values: self.values.select(2, cells.clone()) }
    }
}

impl Attention {
    /// `[rows · length, hidden]` to the same. With a cache, the tokens are appended to it and attend to all of it.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>, context: &Context, cache: Option<&mut Option<LayerCache>>) -> Tensor<2> {
        let [rows, length] = context.shape();
        let split = |y: Tensor<2>, heads: usize| y.reshape([rows, length, heads, self.head_dim]).swap_dims(1, 2);
        let queries = split(self.q_proj.forward(x.clone()), self.heads);
        let keys = split(self.k_proj.forward(x.clone()), self.key_value_heads);
        let values = split(self.v_proj.forward(x), self.key_value_heads);
        let queries = context.rotation().apply(normalised(self.q_norm.as_ref(), queries));
        let keys = context.rotation().apply(normalised(self.k_norm.as_ref(), keys));
        let (keys, values) = match cache {
            None => (keys, values),
            Some(cache) => extended(cache, keys, values),
        };
        let attended = self.attend(queries, keys, values, context);
        self.o_proj.forward(attended.reshape([rows * length, self.heads * self.head_dim]))
    }

    /// `[rows, length, heads, head_dim]`. Queries that share a key head are laid one after another, so that keys and
    /// values are never repeated.
    fn attend(&self, queries: Tensor<4>, keys: Tensor<4>, values: Tensor<4>, context: &Context) -> Tensor<4> {
        let [rows, heads, length, width] = queries.dims();
        let (shared, seen) = (self.key_value_heads, keys.dims()[2]);
        let group = heads / shared;
        let scale = 1.0 / (width as f64).sqrt();
        let queries = (queries * scale).reshape([rows, shared, group * length, width]);
        let scores = queries.matmul(keys.transpose()).reshape([rows, shared, group, length, seen]);
        let weights = softmax(scores + context.mask(), 4).reshape([rows, shared, group * length, seen]);
        weights.matmul(values).reshape([rows, heads, length, width]).swap_dims(1, 2)
    }
}

fn normalised(norm: Option<&RmsNorm>, x: Tensor<4>) -> Tensor<4> {
    match norm {
        None => x,
        Some(norm) => norm.forward(x),
    }
}

fn extended(cache: &mut Option<LayerCache>, keys: Tensor<4>, values: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let (keys, values) = match cache.take() {
        None => (keys, values),
        Some(before) => (Tensor::cat(vec![before.keys, keys], 2), Tensor::cat(vec![before.values, values], 2)),
    };
    *cache = Some(LayerCache { keys: keys.clone(), values: values.clone() });
    (keys, values)
}
