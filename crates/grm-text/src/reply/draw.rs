//! Drawing tokens from logits, the same on every run: the draw at a place depends on the seed and the place alone.

/// How one request draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// 0 takes the likeliest token.
    pub temperature: f32,
    /// Share of the probability drawn from, heaviest tokens first; 1 keeps all.
    pub top_p: f32,
    /// Fixes every draw, place by place.
    pub seed: u64,
}

impl Draw {
    /// Draws the token for 0-based `place` of the reply. `None` when no logit is finite.
    pub fn token(self, logits: &[f32], place: u64) -> Option<usize> {
        let best = argmax(logits)?;
        if self.temperature <= 0.0 {
            return Some(best);
        }
        let candidates = self.nucleus(logits, logits[best]);
        let mass: f64 = candidates.iter().map(|candidate| candidate.1).sum();
        let mut left = uniform(self.seed, place) * mass;
        for &(token, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return Some(token);
            }
        }
        candidates.last().map(|candidate| candidate.0)
    }

    /// Logits up to this one cannot change a draw whose best is `best`: their weights are below 1e-15, and 150,000 of
    /// them together under one part in a thousand million.
    pub fn least_that_counts(self, best: f32) -> f32 {
        const LEAST_LOG_WEIGHT: f32 = -34.5;
        best + self.temperature * LEAST_LOG_WEIGHT
    }

    /// Tokens with their weights relative to the best one, heaviest first, cut where their share reaches `top_p`.
    fn nucleus(self, logits: &[f32], best: f32) -> Vec<(usize, f64)> {
        let temperature = f64::from(self.temperature);
        let weight = |logit: f32| ((f64::from(logit) - f64::from(best)) / temperature).exp();
        let least = self.least_that_counts(best);
        let counting = (0..).zip(logits).filter(|&(_, &logit)| logit > least);
        let mut candidates: Vec<(usize, f64)> = counting.map(|(token, &logit)| (token, weight(logit))).collect();
        if self.top_p < 1.0 {
            candidates.sort_unstable_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
            let total: f64 = candidates.iter().map(|candidate| candidate.1).sum();
            let mut kept = 0.0;
            let enough = candidates.iter().position(|candidate| {
                kept += candidate.1;
                kept >= f64::from(self.top_p) * total
            });
            candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
        }
        candidates
    }
}

/// The highest finite logit; the lowest token wins a tie.
fn argmax(logits: &[f32]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (token, &logit) in logits.iter().enumerate() {
        if logit.is_finite() && best.is_none_or(|best| logit > logits[best]) {
            best = Some(token);
        }
    }
    best
}

/// log P of `tokens` under the logits as they stand.
pub fn log_probabilities<const N: usize>(logits: &[f32], tokens: [usize; N]) -> [f32; N] {
    let best = argmax(logits).map_or(0.0, |best| f64::from(logits[best]));
    let total: f64 = logits.iter().map(|&logit| (f64::from(logit) - best).exp()).sum();
    let log_total = best + total.ln();
    #[expect(clippy::cast_possible_truncation, reason = "a log-probability needs no more than f32")]
    tokens.map(|token| (f64::from(logits[token]) - log_total) as f32)
}

/// A number in [0, 1) that depends on the seed and the place alone (`SplitMix64` over both).
fn uniform(seed: u64, place: u64) -> f64 {
    let mixed = split_mix(split_mix(seed).wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let unit = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
    unit
}

fn split_mix(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn draws(draw: Draw, logits: &[f32], count: u64) -> Vec<usize> {
        (0..count).map(|place| draw.token(logits, place).expect("finite logits")).collect()
    }

    #[test]
    fn greedy_takes_the_best_and_breaks_ties_downwards() {
        let greedy = Draw { temperature: 0.0, top_p: 1.0, seed: 1 };
        assert_eq!(greedy.token(&[1.0, 3.0, 3.0, f32::NEG_INFINITY], 0), Some(1));
        assert_eq!(greedy.token(&[f32::NEG_INFINITY, f32::NAN], 0), None);
    }

    #[test]
    fn frequencies_follow_the_softmax() {
        let draw = Draw { temperature: 1.0, top_p: 1.0, seed: 7 };
        let logits = [0.0, 3.0_f32.ln(), f32::NEG_INFINITY];
        let drawn = draws(draw, &logits, 20_000);
        let ones = drawn.iter().filter(|&&token| token == 1).count();
        assert!((14_700..=15_300).contains(&ones), "3 of 4 expected, got {ones}");
        assert!(!drawn.contains(&2));
    }

    #[test]
    fn the_nucleus_leaves_out_the_tail() {
        let draw = Draw { temperature: 1.0, top_p: 0.6, seed: 7 };
        assert!(draws(draw, &[2.0, 1.0, 0.0], 500).iter().all(|&token| token == 0));
        let wider = Draw { top_p: 0.8, ..draw };
        assert!(draws(wider, &[2.0, 1.0, 0.0], 500).contains(&1));
        assert!(!draws(wider, &[2.0, 1.0, 0.0], 500).contains(&2));
    }

    #[test]
    fn a_seed_repeats_and_places_differ() {
        let draw = Draw { temperature: 1.0, top_p: 0.95, seed: 3 };
        let logits = [0.0; 50];
        assert_eq!(draws(draw, &logits, 40), draws(draw, &logits, 40));
        assert_ne!(draws(draw, &logits, 40), draws(Draw { seed: 4, ..draw }, &logits, 40));
    }

    #[test]
    fn log_probabilities_are_a_log_softmax() {
        let [a, b] = log_probabilities(&[0.0, 3.0_f32.ln()], [0, 1]);
        assert!((a - 0.25_f32.ln()).abs() < 1e-6 && (b - 0.75_f32.ln()).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn a_drawn_token_was_possible(logits in proptest::collection::vec(prop_oneof![(-30.0_f32..30.0), Just(f32::NEG_INFINITY)], 1..40),
                                      temperature in 0.0_f32..2.0, top_p in 0.05_f32..=1.0, seed in any::<u64>()) {
            match (Draw { temperature, top_p, seed }).token(&logits, 5) {
                Some(token) => prop_assert!(logits[token].is_finite()),
                None => prop_assert!(logits.iter().all(|logit| !logit.is_finite())),
            }
        }
    }
}
