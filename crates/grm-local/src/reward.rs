//! The embedded DisRM: a base model's hidden state and a linear head, behind [`RewardModel`].

use std::sync::atomic::{AtomicU64, Ordering};

use grm_core::{BoxFuture, ModelError, ModelIdentity, RewardModel, RewardRequest, RewardScore, ScorerId};

use crate::{
    head::Head,
    hidden::{HiddenState, HiddenStates},
    weights::engine_error,
};

/// A reward model made of [`HiddenStates`] and a [`Head`].
#[derive(Debug)]
pub struct HeadReward {
    states: HiddenStates,
    head: Head,
    identity: ModelIdentity,
    scorer: ScorerId,
    cut_prompts: AtomicU64,
}

impl HeadReward {
    /// Joins the two. A head fitted on another base model than the one loaded is refused: its scores would be noise.
    pub fn new(states: HiddenStates, head: Head) -> Result<Self, ModelError> {
        let model = states.model();
        let refuse = |reason: String| engine_error(format!("could not use the reward head {}", head.name), reason);
        if head.base_sha256 != model.sha256 {
            return Err(refuse(format!(
                "it was fitted on {} with SHA-256 {}, but {} has {}; load that base or fit a head on this one with \
                 `grm train bt --frozen`",
                head.base, head.base_sha256, model.name, model.sha256
            )));
        }
        let features = head.form.feature_count(states.width());
        if head.weights.len() != features {
            return Err(refuse(format!("it has {} weights for {features} features", head.weights.len())));
        }
        let identity = Self::identity_of(&head, states.adapter());
        let scorer = ScorerId::of(&identity);
        Ok(Self { states, head, identity, scorer, cut_prompts: AtomicU64::new(0) })
    }

    /// What a reward model of this head says of itself, without loading its base; `adapter` is the base's own.
    #[must_use]
    pub fn identity_of(head: &Head, adapter: &str) -> ModelIdentity {
        let hash = blake3::hash(&head.to_bytes()).to_hex();
        let adapter = format!("{adapter} head:{hash}").trim_start().to_owned();
        ModelIdentity { name: head.name.clone(), revision: head.base_sha256.clone(), adapter }
    }

    /// Prompts that lost their beginning so far because they did not fit.
    #[must_use]
    pub fn cut_prompts(&self) -> u64 {
        self.cut_prompts.load(Ordering::Relaxed)
    }

    /// The base model's states, for statistics.
    #[must_use]
    pub fn states(&self) -> &HiddenStates {
        &self.states
    }

    async fn score_one(&self, request: RewardRequest) -> Result<RewardScore, ModelError> {
        let HiddenState { values, cut_tokens } =
            self.states.read(&request.prompt, &request.response, self.head.form).await?;
        if cut_tokens > 0 && self.cut_prompts.fetch_add(1, Ordering::Relaxed) == 0 {
            let pair = &*request.origin.pair;
            tracing::warn!(
                pair,
                cut_tokens,
                "a prompt is longer than the reward model reads; its beginning is left out"
            );
        }
        let score = RewardScore::new(self.head.score(&values), self.scorer);
        score.map_err(|_| ModelError::NonFinite { place: self.identity.name.clone() })
    }
}

impl RewardModel for HeadReward {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        Box::pin(self.score_one(request))
    }
}
