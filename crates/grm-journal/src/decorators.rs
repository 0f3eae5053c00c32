//! Models that remember: a chat or reward model with the journal in front of it.

use std::sync::Arc;

use grm_core::{
    BoxFuture, CallOrigin, ChatModel, ChatReply, ChatRequest, ModelError, ModelIdentity, RewardModel, RewardRequest,
    RewardScore, ScorerId,
};
use tokio::sync::OnceCell;

use crate::record::Kind;
use crate::{Journal, JournalError, chat_key, reward_key};

impl Journal {
    /// A chat model whose finished calls are recorded, and answered from the record.
    pub fn chat(self: &Arc<Self>, inner: Arc<dyn ChatModel>) -> Arc<dyn ChatModel> {
        let identity = inner.identity().clone();
        Arc::new(Recorded { journal: Arc::clone(self), identity, source: Source::Loaded(inner) })
    }

    /// The same for a model that is loaded by the first call without a record; a run that is fully recorded never
    /// loads it. `identity` must be what the loaded model says of itself.
    pub fn chat_lazy(
        self: &Arc<Self>,
        identity: ModelIdentity,
        load: impl Fn() -> BoxFuture<'static, Result<Arc<dyn ChatModel>, ModelError>> + Send + Sync + 'static,
    ) -> Arc<dyn ChatModel> {
        let source = Source::Lazy { cell: OnceCell::new(), load: Box::new(load) };
        Arc::new(Recorded { journal: Arc::clone(self), identity, source })
    }

    /// A chat model that is nothing but its records: a call without one is an error.
    pub fn chat_replay(self: &Arc<Self>, identity: ModelIdentity) -> Arc<dyn ChatModel> {
        Arc::new(Recorded::<dyn ChatModel> { journal: Arc::clone(self), identity, source: Source::Absent })
    }

    /// A reward model whose scores are recorded, and answered from the record. Scores carry [`ScorerId::of`] its
    /// identity, so that recorded and fresh ones may meet.
    pub fn reward(self: &Arc<Self>, inner: Arc<dyn RewardModel>) -> Arc<dyn RewardModel> {
        let identity = inner.identity().clone();
        Arc::new(Recorded { journal: Arc::clone(self), identity, source: Source::Loaded(inner) })
    }

    /// The same for a model that is loaded by the first call without a record.
    pub fn reward_lazy(
        self: &Arc<Self>,
        identity: ModelIdentity,
        load: impl Fn() -> BoxFuture<'static, Result<Arc<dyn RewardModel>, ModelError>> + Send + Sync + 'static,
    ) -> Arc<dyn RewardModel> {
        let source = Source::Lazy { cell: OnceCell::new(), load: Box::new(load) };
        Arc::new(Recorded { journal: Arc::clone(self), identity, source })
    }

    /// A reward model that is nothing but its records.
    pub fn reward_replay(self: &Arc<Self>, identity: ModelIdentity) -> Arc<dyn RewardModel> {
        Arc::new(Recorded::<dyn RewardModel> { journal: Arc::clone(self), identity, source: Source::Absent })
    }
}

/// `M` with the journal in front of it.
struct Recorded<M: ?Sized> {
    journal: Arc<Journal>,
    identity: ModelIdentity,
    source: Source<M>,
}

type Load<M> = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<M>, ModelError>> + Send + Sync>;

/// Where the model comes from when there is no record.
enum Source<M: ?Sized> {
    Loaded(Arc<M>),
    Lazy { cell: OnceCell<Arc<M>>, load: Load<M> },
    Absent,
}

impl<M: ?Sized> Recorded<M> {
    async fn model(
        &self,
        origin: &CallOrigin,
        identity_of: impl Fn(&M) -> &ModelIdentity,
    ) -> Result<&Arc<M>, ModelError> {
        if self.journal.is_replay_only() {
            return Err(self.journal.missing(&self.identity.name, origin).into());
        }
        match &self.source {
            Source::Loaded(model) => Ok(model),
            Source::Absent => Err(self.journal.missing(&self.identity.name, origin).into()),
            Source::Lazy { cell, load } => {
                cell.get_or_try_init(|| async {
                    let model = load().await?;
                    expect_identity(&self.identity, identity_of(&model))?;
                    Ok(model)
                })
                .await
            }
        }
    }

    fn loaded(&self) -> Option<&Arc<M>> {
        match &self.source {
            Source::Loaded(model) => Some(model),
            Source::Lazy { cell, .. } => cell.get(),
            Source::Absent => None,
        }
    }
}

fn expect_identity(promised: &ModelIdentity, loaded: &ModelIdentity) -> Result<(), JournalError> {
    if promised == loaded {
        return Ok(());
    }
    let describe = |ModelIdentity { name, revision, adapter }: &ModelIdentity| {
        let adapter = if adapter.is_empty() { String::new() } else { format!(" with {adapter}") };
        format!("{name} ({revision}){adapter}")
    };
    Err(JournalError::WrongModel { promised: describe(promised), loaded: describe(loaded) })
}

impl ChatModel for Recorded<dyn ChatModel> {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        Box::pin(async move {
            let key = chat_key(&self.identity, &request);
            let origin = request.origin.clone();
            let ask = async {
                let model = self.model(&origin, ChatModel::identity).await?;
                let reply = model.chat(request).await?;
                expect_finite(&self.identity, reply)
            };
            self.journal.answer(key, Kind::Chat, &origin, ask).await
        })
    }

    /// `None` until the model is loaded.
    fn count_tokens(&self, request: &ChatRequest) -> Option<u64> {
        self.loaded()?.count_tokens(request)
    }
}

/// JSON has no infinities: such a log-probability would come back from the record as nothing at all.
fn expect_finite(model: &ModelIdentity, reply: ChatReply) -> Result<ChatReply, ModelError> {
    let finite = reply.verdict_logprobs.is_none_or(|logprobs| logprobs.a.is_finite() && logprobs.b.is_finite());
    if finite {
        return Ok(reply);
    }
    let reason = "a log-probability of the verdict is not a finite number".into();
    Err(ModelError::BadReply { place: model.name.clone(), reason })
}

impl RewardModel for Recorded<dyn RewardModel> {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        Box::pin(async move {
            let key = reward_key(&self.identity, &request);
            let origin = request.origin.clone();
            let ask = async {
                let model = self.model(&origin, RewardModel::identity).await?;
                self.tagged(model.score(request).await?)
            };
            self.tagged(self.journal.answer(key, Kind::Reward, &origin, ask).await?)
        })
    }
}

impl Recorded<dyn RewardModel> {
    fn tagged(&self, score: RewardScore) -> Result<RewardScore, ModelError> {
        let scorer = ScorerId::of(&self.identity);
        RewardScore::new(score.value(), scorer).map_err(|_| ModelError::NonFinite { place: self.identity.name.clone() })
    }
}
