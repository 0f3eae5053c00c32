//! Root-mean-square normalisation.

use burn::{
    module::{Module, Param},
    tensor::Tensor,
};

/// `x / sqrt(mean(x²) + ε) · weight` over the last dimension.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`
    pub weight: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl RmsNorm {
    /// A frozen normalisation.
    #[must_use]
    pub fn new(weight: Tensor<1>, epsilon: f64) -> Self {
        Self { weight: Param::from_tensor(weight).set_require_grad(false), epsilon }
    }

    /// Keeps the shape.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mean_square = x.clone().square().mean_dim(D - 1);
        let inverse = (mean_square + self.epsilon).sqrt().recip();
        x * inverse * self.weight.val().unsqueeze()
    }
}
