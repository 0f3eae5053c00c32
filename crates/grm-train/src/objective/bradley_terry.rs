//! Rewards from preferences (Bradley & Terry 1952; Ouyang et al. 2022, eq. 1).
//!
//! ```text
//! d = s_c − s_r − m          L = −log σ(d) + κ (s_c + s_r)²
//! ∂L/∂s_c = −σ(−d) + 2κ (s_c + s_r)          ∂L/∂s_r = σ(−d) + 2κ (s_c + s_r)
//! ```
//!
//! m is a pair's margin (0 where none is known); κ keeps rewards near zero, which the first term alone leaves open
//! (Eisenstein et al. 2023; `center_rewards_coefficient` in TRL).

use grm_model::Outputs;
use serde::{Deserialize, Serialize};

use super::{Value, derivative, log_sigmoid, sigmoid};

/// Bradley–Terry's dials. The default is TRL's and LLaMA-Factory's: no centring.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BradleyTerrySettings {
    /// κ; 0.01 where centring is wanted.
    pub centring: f64,
}

/// Loss and derivatives of a micro-batch, all chosen rows before all rejected ones, one reward each; `weight` for each
/// pair.
#[must_use]
pub fn value(outputs: &Outputs, margins: &[f64], settings: &BradleyTerrySettings, weight: f64) -> Value {
    let pairs = outputs.len() / 2;
    let mut result = Value { derivatives: vec![Vec::new(); outputs.len()], ..Value::default() };
    for (pair, margin) in margins.iter().enumerate().take(pairs) {
        let (chosen, rejected) = (f64::from(outputs[pair][0]), f64::from(outputs[pair + pairs][0]));
        let (distance, sum) = (chosen - rejected - margin, chosen + rejected);
        result.loss += weight * (-log_sigmoid(distance) + settings.centring * sum * sum);
        let (pull, centre) = (sigmoid(-distance), 2.0 * settings.centring * sum);
        result.derivatives[pair] = vec![derivative(weight * (centre - pull))];
        result.derivatives[pair + pairs] = vec![derivative(weight * (centre + pull))];
        result.metrics.add("accuracy", f64::from(u8::from(chosen > rejected)));
        result.metrics.add("margin", chosen - rejected);
        result.metrics.add("mean_reward", sum / 2.0);
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::objective::tests::check_derivatives;

    #[test]
    fn two_pairs_by_hand() {
        let outputs = vec![vec![2.0], vec![0.0], vec![1.0], vec![0.0]];
        let settings = BradleyTerrySettings { centring: 0.01 };
        let value = value(&outputs, &[0.5, 0.0], &settings, 0.5);
        let expected = ((1.0 + (-0.5f64).exp()).ln() + 0.01 * 9.0 + std::f64::consts::LN_2) / 2.0;
        assert!((value.loss - expected).abs() < 1e-12);
        assert_eq!(value.metrics.means()["accuracy"], 0.5);
        assert_eq!(value.metrics.means()["margin"], 0.5);
    }

    proptest! {
        #[test]
        fn derivatives_are_right(
            rewards in prop::collection::vec(-4f32..4.0, 6),
            margins in prop::collection::vec(0f64..2.0, 3),
            centring in 0f64..0.1,
        ) {
            let outputs: Outputs = rewards.into_iter().map(|reward| vec![reward]).collect();
            let settings = BradleyTerrySettings { centring };
            check_derivatives(&outputs, |outputs| value(outputs, &margins, &settings, 1.0 / 3.0));
        }

        #[test]
        fn a_constant_cancels(rewards in prop::collection::vec(-4i16..4, 4), constant in -8i16..8) {
            let loss = |constant: i16| {
                let outputs = rewards.iter().map(|reward| vec![f32::from(reward + constant)]).collect();
                value(&outputs, &[0.0, 0.0], &BradleyTerrySettings::default(), 0.5).loss
            };
            prop_assert_eq!(loss(constant), loss(0));
        }
    }
}
