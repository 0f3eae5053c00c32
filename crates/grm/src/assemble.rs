//! The one place where concrete models meet the method.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, bail};
use grm_core::{ChatModel, ModelError, RewardModel};
use grm_journal::Journal;
use grm_judge::{Pipeline, Prompts};
use grm_llm::{ChatEndpoint, RemoteChat, RemoteReward, RewardEndpoint, Transport, TransportConfig};
use grm_local::{Engine, EngineConfig, HeadReward, Places, ResolvedModel};

use crate::{
    progress::{Load, LoadSource},
    recipe::Recipe,
    run::RunModels,
};

/// The three roles, each behind the journal, with what a run wants to know about them.
pub(crate) struct Roles {
    pub(crate) genrm: Arc<dyn ChatModel>,
    pub(crate) policy: Arc<dyn ChatModel>,
    pub(crate) disrm: Arc<dyn RewardModel>,
    /// Who they are, for the manifest.
    pub(crate) identities: RunModels,
    /// What progress shows.
    pub(crate) load: LoadSource,
    /// Records in the input, where counting them is cheap.
    pub(crate) pairs_expected: Option<u64>,
}

/// Where a chat model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind a URL.
    Remote(String),
    /// A GGUF file in this process.
    Embedded(String),
}

impl Place {
    /// `http://` and `https://` are remote; everything else names a model file.
    pub(crate) fn of(name: &str) -> Self {
        if name.starts_with("http://") || name.starts_with("https://") {
            Self::Remote(name.to_owned())
        } else {
            Self::Embedded(name.to_owned())
        }
    }
}

impl Roles {
    /// Finds every model the recipe names and puts the journal before it. Embedded models are loaded when first asked,
    /// so a run that is all replay never loads one.
    pub(crate) async fn assemble(recipe: &Recipe, journal: &Arc<Journal>) -> anyhow::Result<Self> {
        let transport = Arc::new(Transport::new(transport_config(recipe)));
        let engines = Engines::default();
        let places = Places::from_environment();
        let builder = Builder { recipe, journal, transport: &transport, engines: &engines, places: &places };
        let genrm = builder.chat(&recipe.models.genrm, recipe.engine.adapter.as_deref()).await.context("GenRM")?;
        let policy = match &recipe.models.policy {
            Some(name) => builder.chat(name, None).await.context("policy")?,
            None => genrm.clone(),
        };
        let disrm = builder.disrm(&recipe.models.disrm).await.context("DisRM")?;
        let identities = RunModels {
            genrm: Some(genrm.identity().clone()),
            policy: Some(policy.identity().clone()),
            disrm: Some(disrm.identity().clone()),
        };
        let load = load_source(journal.clone(), transport);
        Ok(Self { genrm, policy, disrm, identities, load, pairs_expected: None })
    }

    /// The method around these models.
    pub(crate) fn pipeline(&self, recipe: &Recipe) -> anyhow::Result<Pipeline> {
        Ok(Pipeline::new(
            self.genrm.clone(),
            self.policy.clone(),
            self.disrm.clone(),
            prompts(recipe)?,
            recipe.judge.clone(),
            recipe.seed,
        ))
    }
}

/// The recipe's prompts: built in, or with a user's files on top.
pub(crate) fn prompts(recipe: &Recipe) -> anyhow::Result<Prompts> {
    let prompts = match &recipe.prompts.folder {
        Some(folder) => Prompts::with_overrides(folder)?,
        None => Prompts::builtin(),
    };
    Ok(prompts.sanitize(recipe.prompts.sanitize))
}

/// The embedded GenRM itself, for counting tokens in a dry run; `None` for remote ones and for models not yet here.
pub(crate) fn token_counter(recipe: &Recipe) -> Option<Arc<dyn ChatModel>> {
    let Place::Embedded(name) = Place::of(&recipe.models.genrm) else { return None };
    let model = Places::from_environment().resolve(&name, None).ok()?;
    let engine = Engine::load(engine_config(recipe, model, None)).ok()?;
    Some(Arc::new(engine))
}

type Shared<T> = Arc<OnceLock<Arc<T>>>;

/// Engines under way, so that progress can see them.
#[derive(Default)]
struct Engines {
    _chat: Shared<Engine>,
}

struct Builder<'a> {
    recipe: &'a Recipe,
    journal: &'a Arc<Journal>,
    transport: &'a Arc<Transport>,
    engines: &'a Engines,
    places: &'a Places,
}

impl Builder<'_> {
    async fn chat(&self, name: &str, adapter: Option<&Path>) -> anyhow::Result<Arc<dyn ChatModel>> {
        match Place::of(name) {
            Place::Remote(url) => {
                let remote = RemoteChat::connect(self.endpoint(url)?, self.transport.clone()).await?;
                Ok(self.journal.chat(Arc::new(remote)))
            }
            Place::Embedded(name) => {
                let model = self.places.resolve(&name, None)?;
                note(&model);
                let config = engine_config(self.recipe, model, adapter);
                let identity = config.identity()?;
                Ok(self.journal.chat_lazy(identity, move || {
                    let config = config.clone();
                    Box::pin(async move { Ok(Arc::new(load(config).await?) as Arc<dyn ChatModel>) })
                }))
            }
        }
    }

    fn endpoint(&self, base_url: String) -> anyhow::Result<ChatEndpoint> {
        let endpoint = &self.recipe.endpoint;
        let kwargs = serde_json::to_value(&endpoint.chat_template_kwargs).context("chat_template_kwargs")?;
        Ok(ChatEndpoint {
            model: endpoint.served_model.clone(),
            chat_template_kwargs: kwargs.as_object().cloned().unwrap_or_default(),
            ..ChatEndpoint::new(base_url).with_key_from(&endpoint.key_env)
        })
    }

    async fn disrm(&self, name: &str) -> anyhow::Result<Arc<dyn RewardModel>> {
        if let Place::Remote(url) = Place::of(name) {
            let endpoint = RewardEndpoint::new(url).with_key_from(&self.recipe.endpoint.key_env);
            let remote = RemoteReward::connect(endpoint, self.transport.clone()).await?;
            return Ok(self.journal.reward(Arc::new(remote)));
        }
        let head = head_bytes(name)?;
        let base = grm_local::head_base_model(&head)?;
        let model = self.places.resolve(&base, None)?;
        let threads = self.recipe.engine.threads;
        let identity = HeadReward::identity_of(&model, &head)?;
        Ok(self.journal.reward_lazy(identity, move || {
            let (model, head) = (model.clone(), head.clone());
            Box::pin(async move {
                let load = move || HeadReward::load(model, &head, threads);
                let reward = tokio::task::spawn_blocking(load).await.map_err(joining)??;
                Ok(Arc::new(reward) as Arc<dyn RewardModel>)
            })
        }))
    }
}

async fn load(config: EngineConfig) -> Result<Engine, ModelError> {
    tokio::task::spawn_blocking(move || Engine::load(config)).await.map_err(joining)?
}

fn joining(error: tokio::task::JoinError) -> ModelError {
    ModelError::Engine { context: "loading the embedded model stopped unexpectedly".into(), source: Box::new(error) }
}

fn note(model: &ResolvedModel) {
    if let Some(note) = model.note {
        tracing::info!(model = model.name, "{note}");
    }
}

fn engine_config(recipe: &Recipe, model: ResolvedModel, adapter: Option<&Path>) -> EngineConfig {
    let mut config = EngineConfig::new(model);
    config.context_tokens = recipe.engine.context.or(config.context_tokens);
    config.slots = recipe.engine.slots.unwrap_or(config.slots);
    config.threads = recipe.engine.threads.or(config.threads);
    config.adapters = adapter.map(|path| (path.to_path_buf(), 1.0)).into_iter().collect();
    config
}

fn head_bytes(name: &str) -> anyhow::Result<Arc<[u8]>> {
    if name == "builtin" {
        return Ok(Arc::from(grm_local::BUILTIN_HEAD));
    }
    let path = PathBuf::from(name);
    let length = std::fs::metadata(&path)
        .with_context(|| format!("no DisRM {name:?}: give \"builtin\", a head.safetensors or a URL"))?
        .len();
    if length > 1 << 30 {
        bail!("{name} is {length} bytes; a reward head is a few kilobytes. Is this a whole model?");
    }
    Ok(Arc::from(std::fs::read(&path).with_context(|| format!("could not read {name}"))?))
}

fn transport_config(recipe: &Recipe) -> TransportConfig {
    let endpoint = &recipe.endpoint;
    TransportConfig {
        in_flight_max: endpoint.max_in_flight,
        deadline: Duration::from_secs(endpoint.deadline_seconds),
        patience: Duration::from_secs(endpoint.patience_seconds),
        seed: recipe.seed,
        ..TransportConfig::default()
    }
}

fn load_source(journal: Arc<Journal>, transport: Arc<Transport>) -> LoadSource {
    Arc::new(move || {
        let (calls, wire) = (journal.stats(), transport.snapshot());
        Load {
            in_flight: wire.in_flight as u64,
            retries: wire.retries,
            paused: wire.paused,
            replayed: calls.replayed,
            asked: calls.appended,
        }
    })
}
