//! A linear layer in the checkpoint's layout, and the low-rank adapter that may sit on it.

use burn::{
    module::{Module, Param},
    tensor::Tensor,
};

/// `y = x Wᵀ + b`, plus `scale · (x Aᵀ) Bᵀ` where an adapter sits on it (LoRA; the dense `B A` is never built).
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`, as checkpoints write it.
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    /// The adapter.
    pub lora: Option<Lora>,
}

/// A low-rank adapter.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[rank, in]`, drawn at random.
    pub a: Param<Tensor<2>>,
    /// `[out, rank]`, zero before training.
    pub b: Param<Tensor<2>>,
    /// `alpha / rank`.
    #[module(skip)]
    pub scale: f32,
}

impl Linear {
    /// A layer with frozen weights.
    #[must_use]
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        let frozen = |bias: Tensor<1>| Param::from_tensor(bias).set_require_grad(false);
        Self { weight: Param::from_tensor(weight).set_require_grad(false), bias: bias.map(frozen), lora: None }
    }

    /// `[tokens, in]` to `[tokens, out]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x.clone().matmul(self.weight.val().transpose());
        if let Some(bias) = &self.bias {
            y = y + bias.val().unsqueeze();
        }
        match &self.lora {
            None => y,
            Some(lora) => y + lora.forward(x),
        }
    }

    /// The weight with the adapter folded in: `W + scale · B A`, computed in f32.
    #[must_use]
    pub fn merged_weight(&self) -> Tensor<2> {
        match &self.lora {
            None => self.weight.val(),
            Some(lora) => self.weight.val() + lora.b.val().matmul(lora.a.val()) * lora.scale,
        }
    }
}

impl Lora {
    /// An adapter with the given factors.
    #[must_use]
    pub fn new(a: Tensor<2>, b: Tensor<2>, scale: f32) -> Self {
        Self { a: Param::from_tensor(a), b: Param::from_tensor(b), scale }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.a.val().transpose()).matmul(self.b.val().transpose()) * self.scale
    }
}
