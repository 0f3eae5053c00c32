//! How good a response is, as far as the mock is concerned.

use crate::{
    canonical::{Key, share_of},
    config::MockConfig,
};

/// Sentences the mock's refinements add.
pub(super) const IMPROVEMENTS: [&str; 6] = [
    "This holds in the common case.",
    "One exception is worth noting.",
    "A short example makes this concrete.",
    "The assumption behind this is stated here.",
    "In practice, check the result once more.",
    "This answers the question as it was asked.",
];

/// What one improvement is worth.
const STEP: f64 = 0.15;

/// Words that decide the hashed part; refinements leave them alone.
pub(super) const HEAD_WORDS: usize = 8;

/// Logits run over about ±15, where a sigmoid has long saturated, like those of real reward models.
const LOGIT_RANGE: f64 = 30.0;

/// The mock's idea of a response: from 0 to 1 by a hash of its first eight words, and 0.15 more for each of the
/// mock's own improvements in it. Made public so that made-up data can be labelled in agreement with the server.
#[must_use]
pub fn latent_quality(response: &str) -> f64 {
    let mut hasher = blake3::Hasher::new();
    for word in response.split_whitespace().take(HEAD_WORDS) {
        hasher.update(word.as_bytes()).update(b" ");
    }
    let improvements = IMPROVEMENTS.iter().filter(|sentence| response.contains(**sentence)).count();
    share_of(hasher.finalize().as_bytes(), "quality") + STEP * improvements as f64
}

/// How far a judgment leans towards A. A share of them (1 − accuracy) leans the wrong way; equal responses are
/// decided by hash.
pub(super) fn lean(responses: [&str; 2], key: &Key, config: &MockConfig) -> f64 {
    let gap = latent_quality(responses[0]) - latent_quality(responses[1]);
    let gap = if gap == 0.0 { share_of(key, "tie") - 0.5 } else { gap };
    if share_of(key, "noise") < config.accuracy { gap } else { -gap }
}

/// The reward: quality stretched to a logit, a little for length, and half a point of noise by hash.
pub(super) fn logit(prompt: &str, response: &str, seed: u64) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(prompt.as_bytes()).update(b"\0").update(response.as_bytes());
    let noise = share_of(hasher.finalize().as_bytes(), "reward") - 0.5;
    LOGIT_RANGE * (latent_quality(response) - 0.5) + 0.05 * (response.len() as f64).ln_1p() + noise
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_is_the_share_that_follows_quality() {
        let responses = ["the first response here", "a quite different one"];
        let better = latent_quality(responses[0]) > latent_quality(responses[1]);
        let config = MockConfig { accuracy: 0.8, ..MockConfig::default() };
        let right = (0..2000_u32).filter(|number| {
            let key = *blake3::hash(&number.to_le_bytes()).as_bytes();
            (lean(responses, &key, &config) > 0.0) == better
        });
        let right = right.count();
        assert!((1540..1660).contains(&right), "{right}");
    }

    #[test]
    fn rewards_follow_quality_and_are_finite() {
        let plain = "The sky looks blue because air scatters short waves more than long ones.";
        let better = format!("{plain} {}", IMPROVEMENTS[0]);
        assert!(logit("why", &better, 0) > logit("why", plain, 0) + 3.0);
        assert!(logit("", "", 0).is_finite());
        assert_ne!(logit("a", plain, 0), logit("b", plain, 0));
    }
}
