//! The gated feed-forward block.

use burn::{
    module::Module,
    tensor::{Tensor, activation::silu},
};

use super::linear::Linear;

/// `down(silu(gate(x)) · up(x))`
#[derive(Module, Debug)]
pub struct Mlp {
    /// `hidden → intermediate`
    pub gate_proj: Linear,
    /// `hidden → intermediate`
    pub up_proj: Linear,
    /// `intermediate → hidden`
    pub down_proj: Linear,
}

impl Mlp {
    /// `[tokens, hidden]` to the same.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gate = silu(self.gate_proj.forward(x.clone()));
        self.down_proj.forward(gate * self.up_proj.forward(x))
    }
}
