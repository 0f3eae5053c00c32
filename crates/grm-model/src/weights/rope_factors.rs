//! Llama 3's rotary scaling as GGUF files have it: one divisor a frequency.

use crate::{
    config::{ConfigError, DecoderConfig, Llama3Scaling},
    decoder::rope::inverse_frequencies,
};

/// Relative error up to which a scaling explains the divisors; they are stored in single precision.
const TOLERANCE: f64 = 1e-4;
/// `high_freq_factor` of every published model.
const HIGH_USUAL: f64 = 4.0;

/// What each frequency is divided by under the configuration's scaling, `[head_dim / 2]`; `None` without one.
pub(crate) fn of(config: &DecoderConfig) -> Option<Vec<f32>> {
    config.rope_scaling?;
    let plain = inverse_frequencies(&DecoderConfig { rope_scaling: None, ..config.clone() });
    let scaled = inverse_frequencies(config);
    Some(plain.iter().zip(&scaled).map(|(plain, scaled)| (f64::from(*plain) / f64::from(*scaled)) as f32).collect())
}

/// The scaling that gives these divisors; `None` if all are 1. A blended wave of length λ has the divisor
/// `1 / ((1 − s)/factor + s)` with `s = a/λ − b`, so two of them give a and b, and with the lower factor at its usual 1
/// the rest: `original = a/b`, `high = 1 + 1/b`. A single one is taken to have the usual high of 4.
///
/// # Errors
/// Divisors that no such scaling gives.
pub(crate) fn to_scaling(config: &DecoderConfig, factors: &[f32]) -> Result<Option<Llama3Scaling>, ConfigError> {
    if factors.iter().all(|&factor| factor == 1.0) {
        return Ok(None);
    }
    let scaling = solve(config, factors).filter(|scaling| explains(config, *scaling, factors));
    scaling.map(Some).ok_or_else(|| ConfigError::Unsupported {
        what: "rotary frequencies divided in a way of their own (rope_freqs.weight)".into(),
        cure: "open the model's safetensors with its config.json instead".into(),
    })
}

fn solve(config: &DecoderConfig, factors: &[f32]) -> Option<Llama3Scaling> {
    let plain = inverse_frequencies(&DecoderConfig { rope_scaling: None, ..config.clone() });
    let factor = factors.iter().map(|&factor| f64::from(factor)).fold(1.0, f64::max);
    let is_blended = |(_, divisor): &(f64, f64)| *divisor > 1.0 + TOLERANCE && *divisor < factor * (1.0 - TOLERANCE);
    let pairs = plain.iter().zip(factors).map(|(plain, factor)| (f64::from(*plain), f64::from(*factor)));
    let blended: Vec<(f64, f64)> = pairs.filter(is_blended).collect();
    let inverse_length = |frequency: f64| frequency / (2.0 * std::f64::consts::PI);
    let blend = |divisor: f64| (1.0 / divisor - 1.0 / factor) / (1.0 - 1.0 / factor);
    let (first, last) = (blended.first()?, blended.last()?);
    let b = if blended.len() == 1 {
        1.0 / (HIGH_USUAL - 1.0)
    } else {
        let slope = (blend(first.1) - blend(last.1)) / (inverse_length(first.0) - inverse_length(last.0));
        slope * inverse_length(first.0) - blend(first.1)
    };
    let a = (blend(first.1) + b) / inverse_length(first.0);
    let scaling = Llama3Scaling {
        factor: near_whole(factor),
        low_frequency_factor: 1.0,
        high_frequency_factor: near_whole(1.0 + 1.0 / b),
        original_positions: near_whole(a / b),
    };
    (a > 0.0 && b > 0.0).then_some(scaling)
}

fn near_whole(number: f64) -> f64 {
    let whole = number.round();
    if (number - whole).abs() <= 1e-3 * whole { whole } else { number }
}

fn explains(config: &DecoderConfig, scaling: Llama3Scaling, factors: &[f32]) -> bool {
    let expected = of(&DecoderConfig { rope_scaling: Some(scaling), ..config.clone() }).unwrap_or_default();
    let near = |(found, expected): (&f32, &f32)| f64::from((found - expected).abs() / expected) < TOLERANCE;
    expected.len() == factors.len() && factors.iter().zip(&expected).all(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::Family;

    fn config(head_dim: usize, rope_theta: f64, rope_scaling: Option<Llama3Scaling>) -> DecoderConfig {
        DecoderConfig {
            family: Family::Llama,
            vocabulary_size: 8,
            hidden_size: head_dim,
            intermediate_size: 8,
            layers: 1,
            heads: 1,
            key_value_heads: 1,
            head_dim,
            norm_epsilon: 1e-5,
            rope_theta,
            rope_scaling,
            attention_bias: false,
            query_key_norm: false,
            tied_embeddings: true,
            positions_max: 131_072,
            pad_token: None,
        }
    }

    fn scaling(factor: f64, original_positions: f64) -> Llama3Scaling {
        Llama3Scaling { factor, low_frequency_factor: 1.0, high_frequency_factor: 4.0, original_positions }
    }

    #[test]
    fn the_published_scalings_are_found_from_their_divisors() {
        for (head_dim, factor) in [(128, 8.0), (128, 32.0), (64, 32.0)] {
            let expected = scaling(factor, 8192.0);
            let config = config(head_dim, 500_000.0, Some(expected));
            let factors = of(&config).expect("scaled");
            assert_eq!(to_scaling(&config, &factors).expect("explained"), Some(expected));
        }
    }

    #[test]
    fn divisors_of_one_are_no_scaling_and_strange_ones_are_refused() {
        let config = config(64, 10_000.0, None);
        assert_eq!(to_scaling(&config, &[1.0; 32]).expect("plain"), None);
        let strange: Vec<f32> = (0..32).map(|index| 1.0 + (index as f32 * 0.37).sin().abs()).collect();
        let message = to_scaling(&config, &strange).expect_err("refused").to_string();
        assert!(message.contains("rope_freqs.weight") && message.contains("config.json"), "{message}");
        assert!(to_scaling(&config, &[2.0; 5]).is_err(), "too few");
        assert!(to_scaling(&config, &[f32::NAN; 32]).is_err());
    }
}
