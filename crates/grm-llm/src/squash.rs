//! Finds servers that squash scores.
//!
//! The meta-reward is a difference of scores. A sigmoid over logits of 5 to 30 makes them all 1, a softmax over one
//! logit does so by definition, and every difference becomes 0 without an error anywhere.

use grm_core::{CallOrigin, Prompt, Response, RewardRequest, Step};

use crate::dialect::RewardKind;

/// Above this (or below its complement) a value from 0 to 1 is a saturated sigmoid's: a logit beyond ±6.9.
const SATURATED: f32 = 0.999;

/// What the scores of a few built-in pairs say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SquashCheck {
    /// Plain logits.
    Raw,
    /// All scores lie from 0 to 1. The model may be made so; if it is not, differences are lost.
    Suspicious {
        /// What was seen.
        reason: String,
        /// What to check.
        hint: String,
    },
    /// The scores are useless as differences.
    Squashed {
        /// What was seen.
        reason: String,
        /// What to change at the server.
        hint: String,
    },
}

/// Prompts with responses that are as far apart as responses get.
const PAIRS: [(&str, &str); 6] = [
    (
        "Why do leaves turn yellow in autumn?",
        "Green chlorophyll breaks down as days shorten, and the tree stops replacing it. The yellow carotenoids that were in the leaf all along then become visible.",
    ),
    ("Why do leaves turn yellow in autumn?", "no no no no no no no no no no"),
    ("Write one line of Python that adds 2 and 3.", "print(2 + 3)"),
    ("Write one line of Python that adds 2 and 3.", "I hate you and your stupid question. Go away."),
    (
        "How do I boil an egg so that the yolk stays soft?",
        "Lower it into boiling water, wait six and a half minutes, then put it under cold water for one minute. Larger eggs need about half a minute more.",
    ),
    ("How do I boil an egg so that the yolk stays soft?", "Eggs are a kind of metal; heat them in a closed jar."),
];

/// The built-in pairs as requests.
pub(crate) fn requests() -> impl Iterator<Item = RewardRequest> {
    PAIRS.iter().map(|(prompt, response)| RewardRequest {
        prompt: Prompt::from_text(*prompt),
        response: Response::from_text(*response),
        origin: CallOrigin { pair: "squash check".into(), step: Step::Scoring, sample: 0, template: "".into() },
    })
}

/// Judges the scores of [`requests`].
pub(crate) fn judge(scores: &[f32], kind: RewardKind) -> SquashCheck {
    let hint = cure(kind).to_owned();
    let first = scores.first().copied().unwrap_or_default();
    if scores.iter().all(|score| score.to_bits() == first.to_bits()) {
        let reason = format!("very different responses all score {first}");
        return SquashCheck::Squashed { reason, hint };
    }
    if scores.iter().any(|score| !(0.0..=1.0).contains(score)) {
        return SquashCheck::Raw;
    }
    let saturated = scores.iter().filter(|score| **score >= SATURATED || **score <= 1.0 - SATURATED).count();
    if saturated > 0 {
        let reason = format!("all scores lie from 0 to 1 and {saturated} of {} are at the ends", scores.len());
        return SquashCheck::Squashed { reason, hint };
    }
    SquashCheck::Suspicious { reason: "all scores lie from 0 to 1".to_owned(), hint }
}

fn cure(kind: RewardKind) -> &'static str {
    match kind {
        RewardKind::Auto | RewardKind::VllmClassify => {
            "vLLM applies a sigmoid although use_activation is false: set \"problem_type\": \"regression\" in the model's config.json, or update vLLM"
        }
        RewardKind::SglangClassify => {
            "ask SGLang's native /classify, started with --is-embedding; its /v1/classify and gateways in front of it apply a softmax"
        }
        RewardKind::TeiPredict => {
            "Text Embeddings Inference applies a sigmoid although raw_scores is true: update it, or ask it without a gateway in between"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scores: &[f32], expected: &str) {
        let name = match judge(scores, RewardKind::VllmClassify) {
            SquashCheck::Raw => "raw",
            SquashCheck::Suspicious { .. } => "suspicious",
            SquashCheck::Squashed { .. } => "squashed",
        };
        assert_eq!(name, expected, "{scores:?}");
    }

    #[test]
    fn logits_sigmoids_and_softmaxes_are_told_apart() {
        check(&[12.5, -3.0, 7.25, 0.5], "raw");
        check(&[0.2, 0.9, 1.0001, 0.5], "raw");
        check(&[1.0, 1.0, 1.0, 1.0], "squashed");
        check(&[3.5, 3.5, 3.5], "squashed");
        check(&[0.99999, 0.3, 0.7], "squashed");
        check(&[0.5, 0.0001, 0.7], "squashed");
        check(&[0.1, 0.9, 0.4], "suspicious");
    }
}
