//! Scalar scores and the trait of the models that give them.

use serde::{Deserialize, Serialize};

use crate::{BoxFuture, CallOrigin, ModelError, ModelIdentity, Prompt, Response};

/// Which DisRM a score came from: scores of different scorers have different scales and never meet in one expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScorerId(pub u32);

impl ScorerId {
    /// The id of scores a model gives: the same in every process, so that recorded and fresh scores may meet.
    #[must_use]
    pub fn of(model: &ModelIdentity) -> Self {
        // FNV-1a over the three names, each closed by a byte that UTF-8 never uses.
        let names = [&model.name, &model.revision, &model.adapter];
        let bytes = names.into_iter().flat_map(|name| name.bytes().chain([0xff]));
        Self(bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
    }
}

/// A DisRM's scalar: finite by construction, and tagged with its scorer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawScore", into = "RawScore")]
pub struct RewardScore {
    value: f32,
    scorer: ScorerId,
}

/// A score that is NaN or infinite; serde would write it as `null` and a comparison would silently be false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reward score is not a finite number")]
pub struct NonFiniteScore;

impl RewardScore {
    /// Wraps a finite value; NaN and infinities are refused.
    pub fn new(value: f32, scorer: ScorerId) -> Result<Self, NonFiniteScore> {
        if value.is_finite() { Ok(Self { value, scorer }) } else { Err(NonFiniteScore) }
    }

    /// The scalar, on its scorer's own scale.
    #[must_use]
    pub fn value(self) -> f32 {
        self.value
    }

    /// Who gave it.
    #[must_use]
    pub fn scorer(self) -> ScorerId {
        self.scorer
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScore {
    value: f32,
    scorer: ScorerId,
}

impl TryFrom<RawScore> for RewardScore {
    type Error = NonFiniteScore;

    fn try_from(raw: RawScore) -> Result<Self, NonFiniteScore> {
        Self::new(raw.value, raw.scorer)
    }
}

impl From<RewardScore> for RawScore {
    fn from(score: RewardScore) -> Self {
        Self { value: score.value, scorer: score.scorer }
    }
}

/// A prompt and one response to be scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardRequest {
    /// What was asked.
    pub prompt: Prompt,
    /// The reply to score.
    pub response: Response,
    /// Why the call is made; part of its journal key.
    pub origin: CallOrigin,
}

/// A discriminative reward model: prompt and response in, one scalar out (higher is better).
pub trait RewardModel: Send + Sync {
    /// What answers; part of every journal key.
    fn identity(&self) -> &ModelIdentity;

    /// Scores one response. An error is never a score.
    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scorer_id_depends_on_every_name_of_the_model() {
        let id = |names: [&str; 3]| {
            let [name, revision, adapter] = names.map(String::from);
            ScorerId::of(&ModelIdentity { name, revision, adapter })
        };
        assert_eq!(id(["a", "b", "c"]), id(["a", "b", "c"]));
        for other in [["ab", "", "c"], ["a", "bc", ""], ["a", "b", ""], ["x", "b", "c"]] {
            assert_ne!(id(["a", "b", "c"]), id(other));
        }
    }

    #[test]
    fn non_finite_scores_cannot_be_made() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(RewardScore::new(value, ScorerId(0)), Err(NonFiniteScore));
        }
        assert!(serde_json::from_str::<RewardScore>(r#"{"value":1e99,"scorer":0}"#).is_err());
        assert!(serde_json::from_str::<RewardScore>(r#"{"value":null,"scorer":0}"#).is_err());
    }
}
