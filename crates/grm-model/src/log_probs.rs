//! Log-probabilities of target tokens from final hidden states, and the way back.
//!
//! With `z = h Wᵀ` and `p = softmax(z)`, the log-probability of target `t` is `z_t − log Σ exp z`, so a loss whose
//! derivative by it is `g` has
//!
//! ```text
//! dL/dh = g (W_t − p W)          dL/dW = g (e_t − p)ᵀ h
//! ```
//!
//! Only target positions are computed, in slices, so that `[targets, vocabulary]` never stands in memory as a whole.

use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

use crate::parameters::host_values;

/// Logits held at once, in elements: 64 MiB of f32.
const SLICE_ELEMENTS: usize = 16 << 20;

/// Targets, the hidden states that predict them, and the output layer.
#[derive(Debug)]
pub(crate) struct LogProbs {
    hidden: Tensor<2>,
    targets: Vec<u32>,
    weight: Tensor<2>,
    slices: Vec<Slice>,
}

/// Some consecutive targets.
#[derive(Debug)]
struct Slice {
    start: usize,
    length: usize,
    log_sums: Tensor<2>,
    /// Kept when there is only one slice, computed again otherwise.
    logits: Option<Tensor<2>>,
}

/// Gradients of [`LogProbs`].
pub(crate) struct LogProbGradients {
    /// By the hidden states, `[targets, hidden]`.
    pub(crate) hidden: Tensor<2>,
    /// By the output layer, `[vocabulary, hidden]`; only where asked for.
    pub(crate) weight: Option<Tensor<2>>,
}

impl LogProbs {
    /// Row `i` of `hidden` predicts `targets[i]`; `weight` is `[vocabulary, hidden]`. Gives the log-probabilities, too.
    pub(crate) fn new(hidden: Tensor<2>, targets: Vec<u32>, weight: Tensor<2>) -> (Self, Vec<f32>) {
        let vocabulary = weight.dims()[0];
        let step = (SLICE_ELEMENTS / vocabulary).max(1);
        let mut log_probs = Vec::with_capacity(targets.len());
        let mut this = Self { hidden, targets, weight, slices: Vec::new() };
        let is_single = this.targets.len() <= step;
        for start in (0..this.targets.len()).step_by(step) {
            let length = step.min(this.targets.len() - start);
            let logits = this.logits(start, length);
            let highest = logits.clone().max_dim(1);
            let log_sums = (logits.clone() - highest.clone()).exp().sum_dim(1).log() + highest;
            let chosen = logits.clone().gather(1, this.target_column(start, length));
            log_probs.extend(host_values(chosen - log_sums.clone()));
            this.slices.push(Slice { start, length, log_sums, logits: is_single.then_some(logits) });
        }
        (this, log_probs)
    }

    /// Carries the derivative of the loss by each log-probability back.
    pub(crate) fn backward(self, derivatives: &[f32], wants_weight: bool) -> LogProbGradients {
        let device = self.hidden.device();
        let mut hidden = Vec::with_capacity(self.slices.len());
        let mut weight = wants_weight.then(|| Tensor::<2>::zeros(self.weight.dims(), &device));
        for slice in &self.slices {
            let logits = slice.logits.clone().unwrap_or_else(|| self.logits(slice.start, slice.length));
            let range = slice.start..slice.start + slice.length;
            let derivative = TensorData::new(derivatives[range].to_vec(), [slice.length, 1]);
            let derivative = Tensor::<2>::from_data(derivative, &device);
            let spread = (logits - slice.log_sums.clone()).exp() * derivative.clone().neg();
            let column = self.target_column(slice.start, slice.length);
            let by_logits = spread.scatter(1, column, derivative, IndexingUpdateOp::Add);
            if let Some(sum) = weight.take() {
                let states = self.hidden.clone().narrow(0, slice.start, slice.length);
                weight = Some(sum + by_logits.clone().transpose().matmul(states));
            }
            hidden.push(by_logits.matmul(self.weight.clone()));
        }
        LogProbGradients { hidden: Tensor::cat(hidden, 0), weight }
    }

    fn logits(&self, start: usize, length: usize) -> Tensor<2> {
        self.hidden.clone().narrow(0, start, length).matmul(self.weight.clone().transpose())
    }

    fn target_column(&self, start: usize, length: usize) -> Tensor<2, Int> {
        let tokens: Vec<i64> = self.targets[start..start + length].iter().map(|&token| i64::from(token)).collect();
        Tensor::from_data(TensorData::new(tokens, [length, 1]), &self.hidden.device())
    }
}
