//! Supervised fine-tuning: cross-entropy on the target tokens.
//!
//! ```text
//! L = −1/N Σ_t log p(y_t | y_<t, x)          ∂L/∂log p_t = −1/N
//! ```
//!
//! over the targets only; the prompt is context. What N is differs between trainers, see [`LossNormalisation`]. Sources:
//! `ForCausalLMLoss` of transformers with `num_items_in_batch`, and LLaMA-Factory's trainer, which sets it aside.

use grm_model::Outputs;
use serde::{Deserialize, Serialize};

use super::{Metrics, Value, derivative};

/// What the terms of an optimiser step are divided by.
///
/// A term is a token for SFT and a pair for DPO and Bradley–Terry. For pairs both are the same as long as all
/// micro-batches of the step have one size. For SFT they differ wherever short and long targets meet: under
/// `MicrobatchMean` a micro-batch with one short verdict weighs as much as one with a thousand tokens of reasoning, and
/// length-bucketed batches, which put short with short, make that stronger than random ones do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossNormalisation {
    /// By the terms of the whole accumulated batch: TRL, ms-swift, transformers.
    TokenMean,
    /// By the terms of the term's own micro-batch, then by the number of micro-batches there really are (the last group
    /// of an epoch may be short): LLaMA-Factory.
    #[default]
    MicrobatchMean,
}

impl LossNormalisation {
    /// The weight of one term in each micro-batch of a step, given the terms of each.
    #[must_use]
    pub fn weights(self, terms: &[usize]) -> Vec<f64> {
        let total = terms.iter().sum();
        let weight = |&own: &usize| match self {
            Self::TokenMean => share(total),
            Self::MicrobatchMean => share(own) * share(terms.len()),
        };
        terms.iter().map(weight).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^52")]
fn share(count: usize) -> f64 {
    1.0 / count.max(1) as f64
}

/// Loss and derivatives of log-probabilities of targets, `weight` for each token.
#[must_use]
pub fn value(outputs: &Outputs, weight: f64) -> Value {
    let sum: f64 = outputs.iter().flatten().map(|&log_probability| f64::from(log_probability)).sum();
    let derivatives = outputs.iter().map(|row| vec![derivative(-weight); row.len()]).collect();
    Value { loss: -weight * sum, derivatives, metrics: Metrics::default() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::objective::tests::check_derivatives;

    /// Two micro-batches, as in the comparison of LLaMA-Factory with ms-swift: one of long, one of short answers.
    /// By hand: 600 tokens at −1 and 3 tokens at −4 are (600 + 12) / 603 over all tokens, and (1 + 4) / 2 as a mean of means.
    #[test]
    fn the_two_normalisations_differ_on_mixed_lengths() {
        let long = vec![vec![-1.0; 600]];
        let short = vec![vec![-4.0; 3]];
        let loss = |normalisation: LossNormalisation| {
            let weights = normalisation.weights(&[600, 3]);
            value(&long, weights[0]).loss + value(&short, weights[1]).loss
        };
        assert!((loss(LossNormalisation::TokenMean) - 612.0 / 603.0).abs() < 1e-12);
        assert!((loss(LossNormalisation::MicrobatchMean) - 2.5).abs() < 1e-12);
    }

    #[test]
    fn a_short_last_group_is_divided_by_its_own_size() {
        let weights = LossNormalisation::MicrobatchMean.weights(&[4, 2, 1]);
        assert_eq!(weights, [1.0 / 4.0 / 3.0, 1.0 / 2.0 / 3.0, 1.0 / 3.0]);
    }

    proptest! {
        #[test]
        fn derivatives_are_right(outputs in prop::collection::vec(prop::collection::vec(-20f32..0.0, 1..5), 1..4)) {
            check_derivatives(&outputs, |outputs| value(outputs, 0.25));
        }

        #[test]
        fn equal_micro_batches_make_the_normalisations_agree(terms in 1usize..50, count in 1usize..9) {
            let sizes = vec![terms; count];
            let (token, micro) = (LossNormalisation::TokenMean.weights(&sizes), LossNormalisation::MicrobatchMean.weights(&sizes));
            for (left, right) in token.iter().zip(&micro) {
                prop_assert!((left - right).abs() < 1e-15);
            }
        }
    }
}
