//! Direct preference optimisation, sigmoid form (Rafailov et al. 2023, eq. 7).
//!
//! ```text
//! h = β [(log π(c) − log π_ref(c)) − (log π(r) − log π_ref(r))]
//! L = −(1 − ε) log σ(h) − ε log σ(−h)  +  γ (−log π(c) / |c|)
//! ∂L/∂h = −(1 − ε) σ(−h) + ε σ(h)
//! ```
//!
//! c and r are the chosen and the rejected response; ε is the label smoothing of conservative DPO (Mitchell 2023), which
//! LLaMA-Factory and ms-swift apply here and TRL 1.16 ignores; γ is LLaMA-Factory's `pref_ftx`, added for each pair
//! before the mean. log π of a response is the sum over its tokens, or the mean, see [`LogProbability`].

use grm_model::Outputs;
use serde::{Deserialize, Serialize};

use super::{Metrics, Value, derivative, log_sigmoid, sigmoid};

/// DPO's dials. The default is LLaMA-Factory's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DpoSettings {
    /// β: how strongly the policy is held to the reference.
    pub beta: f64,
    /// ε: the share of pairs taken to be labelled wrongly, below 0.5.
    pub label_smoothing: f64,
    /// γ: how much of the chosen response's cross-entropy is added.
    pub sft_mix: f64,
    /// How a response's tokens become one number.
    pub log_probability: LogProbability,
    /// What the policy is compared with.
    pub reference: ReferenceModel,
}

impl Default for DpoSettings {
    fn default() -> Self {
        Self {
            beta: 0.1,
            label_smoothing: 0.0,
            sft_mix: 0.0,
            log_probability: LogProbability::Sum,
            reference: ReferenceModel::Start,
        }
    }
}

/// How the log-probabilities of a response's tokens become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogProbability {
    /// Their sum, as the paper's equation has it.
    #[default]
    Sum,
    /// Their mean, so that length does not count; β wants to be larger then.
    Mean,
}

/// What the policy is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceModel {
    /// The network as it is when training starts, whatever was trained before; computed once, two numbers a pair are
    /// kept. Right for full fine-tuning, for a fresh adapter, and for an adapter that SFT has already trained.
    #[default]
    Start,
    /// The network with its adapter off, computed anew for each micro-batch. Same as `Start` for a fresh adapter.
    AdapterOff,
}

/// The log-probabilities of a pair's responses, reduced as [`LogProbability`] says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLogProbabilities {
    /// Of the chosen response.
    pub chosen: f64,
    /// Of the rejected response.
    pub rejected: f64,
}

/// Reduces outputs laid out as all chosen rows, then all rejected ones.
#[must_use]
pub fn pair_log_probabilities(outputs: &Outputs, reduction: LogProbability) -> Vec<PairLogProbabilities> {
    let (chosen, rejected) = outputs.split_at(outputs.len() / 2);
    let reduce = |row: &[f32]| sum(row) * token_weight(row, reduction);
    let pair = |(chosen, rejected): (&Vec<f32>, &Vec<f32>)| PairLogProbabilities {
        chosen: reduce(chosen),
        rejected: reduce(rejected),
    };
    chosen.iter().zip(rejected).map(pair).collect()
}

/// Loss and derivatives of a micro-batch, all chosen rows before all rejected ones; `weight` for each pair.
#[must_use]
pub fn value(outputs: &Outputs, reference: &[PairLogProbabilities], settings: &DpoSettings, weight: f64) -> Value {
    let pairs = outputs.len() / 2;
    let policy = pair_log_probabilities(outputs, settings.log_probability);
    let mut result = Value { derivatives: vec![Vec::new(); outputs.len()], ..Value::default() };
    for (pair, (policy, reference)) in policy.iter().zip(reference).enumerate() {
        let (chosen, rejected) = (&outputs[pair], &outputs[pair + pairs]);
        let rewards = PairLogProbabilities {
            chosen: settings.beta * (policy.chosen - reference.chosen),
            rejected: settings.beta * (policy.rejected - reference.rejected),
        };
        let margin = rewards.chosen - rewards.rejected;
        let cross_entropy = -sum(chosen) * token_weight(chosen, LogProbability::Mean);
        result.loss += weight * (preference_loss(margin, settings) + settings.sft_mix * cross_entropy);

        let slope = weight * settings.beta * preference_slope(margin, settings);
        let mix = weight * settings.sft_mix * token_weight(chosen, LogProbability::Mean);
        let by_chosen = slope * token_weight(chosen, settings.log_probability) - mix;
        let by_rejected = -slope * token_weight(rejected, settings.log_probability);
        result.derivatives[pair] = vec![derivative(by_chosen); chosen.len()];
        result.derivatives[pair + pairs] = vec![derivative(by_rejected); rejected.len()];
        count(&mut result.metrics, *policy, rewards);
        if settings.sft_mix > 0.0 {
            result.metrics.add("sft_loss", cross_entropy);
        }
    }
    result
}

/// −(1 − ε) log σ(h) − ε log σ(−h).
fn preference_loss(margin: f64, settings: &DpoSettings) -> f64 {
    let smoothing = settings.label_smoothing;
    let wrong = if smoothing == 0.0 { 0.0 } else { smoothing * log_sigmoid(-margin) };
    -(1.0 - smoothing) * log_sigmoid(margin) - wrong
}

/// Its derivative by h.
fn preference_slope(margin: f64, settings: &DpoSettings) -> f64 {
    -(1.0 - settings.label_smoothing) * sigmoid(-margin) + settings.label_smoothing * sigmoid(margin)
}

fn count(metrics: &mut Metrics, policy: PairLogProbabilities, rewards: PairLogProbabilities) {
    metrics.add("rewards/chosen", rewards.chosen);
    metrics.add("rewards/rejected", rewards.rejected);
    // Strictly: an untouched policy prefers nothing.
    metrics.add("rewards/accuracies", f64::from(u8::from(rewards.chosen > rewards.rejected)));
    metrics.add("rewards/margins", rewards.chosen - rewards.rejected);
    metrics.add("logps/chosen", policy.chosen);
    metrics.add("logps/rejected", policy.rejected);
}

fn sum(row: &[f32]) -> f64 {
    row.iter().map(|&log_probability| f64::from(log_probability)).sum()
}

#[expect(clippy::cast_precision_loss, reason = "rows are far shorter than 2^52 tokens")]
fn token_weight(row: &[f32], reduction: LogProbability) -> f64 {
    match reduction {
        LogProbability::Sum => 1.0,
        LogProbability::Mean => 1.0 / row.len().max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use proptest::prelude::*;

    use super::*;
    use crate::objective::tests::check_derivatives;

    fn outputs() -> Outputs {
        vec![vec![-1.0, -2.0], vec![-0.5], vec![-3.0], vec![-1.5, -1.0, -0.5]]
    }

    #[test]
    fn an_untouched_policy_loses_ln_2_and_prefers_nothing() {
        for log_probability in [LogProbability::Sum, LogProbability::Mean] {
            for label_smoothing in [0.0, 0.1] {
                let settings = DpoSettings { log_probability, label_smoothing, ..DpoSettings::default() };
                let reference = pair_log_probabilities(&outputs(), log_probability);
                let value = value(&outputs(), &reference, &settings, 0.5);
                assert!((value.loss - LN_2).abs() < 1e-15);
                assert_eq!(value.metrics.means()["rewards/accuracies"], 0.0);
                assert_eq!(value.metrics.means()["rewards/margins"], 0.0);
            }
        }
    }

    /// By hand: h = 0.1 · ((−3 + 5) − (−3 + 2)) = 0.3 for the one pair.
    #[test]
    fn one_pair_by_hand() {
        let outputs = vec![vec![-1.0, -2.0], vec![-3.0]];
        let reference = [PairLogProbabilities { chosen: -5.0, rejected: -2.0 }];
        let value = value(&outputs, &reference, &DpoSettings::default(), 1.0);
        assert!((value.loss - (1.0 + (-0.3f64).exp()).ln()).abs() < 1e-12);
        let expected = -0.1 / (1.0 + 0.3f64.exp());
        assert!((f64::from(value.derivatives[0][1]) - expected).abs() < 1e-8);
        assert!((f64::from(value.derivatives[1][0]) + expected).abs() < 1e-8);
        let means = value.metrics.means();
        assert!((means["rewards/chosen"] - 0.2).abs() < 1e-12);
        assert!((means["rewards/rejected"] + 0.1).abs() < 1e-12);
        assert!((means["rewards/margins"] - 0.3).abs() < 1e-12);
        assert_eq!(means["rewards/accuracies"], 1.0);
        assert_eq!(means["logps/chosen"], -3.0);
    }

    #[test]
    fn the_mix_is_added_for_each_pair() {
        let settings = DpoSettings { sft_mix: 2.0, ..DpoSettings::default() };
        let reference = pair_log_probabilities(&outputs(), LogProbability::Sum);
        let value = value(&outputs(), &reference, &settings, 0.5);
        // Means of the chosen rows: 1.5 and 0.5, so the mix adds 2 · (1.5 + 0.5) / 2.
        assert!((value.loss - LN_2 - 2.0).abs() < 1e-12);
        assert_eq!(value.metrics.means()["sft_loss"], 1.0);
    }

    proptest! {
        #[test]
        fn derivatives_are_right(
            chosen in prop::collection::vec(prop::collection::vec(-4f32..0.0, 1..4), 2),
            rejected in prop::collection::vec(prop::collection::vec(-4f32..0.0, 1..4), 2),
            reference in prop::collection::vec((-8f64..0.0, -8f64..0.0), 2),
            beta in 0.05f64..1.0,
            label_smoothing in 0f64..0.4,
            sft_mix in 0f64..2.0,
            mean in any::<bool>(),
        ) {
            let log_probability = if mean { LogProbability::Mean } else { LogProbability::Sum };
            let settings = DpoSettings { beta, label_smoothing, sft_mix, log_probability, ..DpoSettings::default() };
            let reference: Vec<_> =
                reference.into_iter().map(|(chosen, rejected)| PairLogProbabilities { chosen, rejected }).collect();
            let outputs = [chosen, rejected].concat();
            check_derivatives(&outputs, |outputs| value(outputs, &reference, &settings, 0.5));
        }

        #[test]
        fn swapping_the_responses_swaps_the_margin(left in -30f64..0.0, right in -30f64..0.0) {
            let reference = [PairLogProbabilities { chosen: -10.0, rejected: -10.0 }];
            #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
            let margin = |chosen: f64, rejected: f64| {
                let outputs = vec![vec![chosen as f32], vec![rejected as f32]];
                value(&outputs, &reference, &DpoSettings::default(), 1.0).metrics.means()["rewards/margins"]
            };
            prop_assert!((margin(left, right) + margin(right, left)).abs() < 1e-12);
        }
    }
}
