//! The one place where concrete models meet the method.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use burn::tensor::Device;
use grm_core::{ChatModel, ChatRequest, MediaLibrary, ModelError, ModelIdentity, RewardModel};
use grm_data::{AtomicFile, FolderLibrary};
use grm_journal::{Journal, chat_key};
use grm_judge::{Pipeline, Prompts, Sanitize};
use grm_llm::{
    ApiKey, BreakerConfig, ChatEndpoint, ChatFleet, Concurrency, FleetConfig, Mailbox, RemoteChat, RemoteReward,
    RewardEndpoint, RewardFleet, SquashCheck, Transport, TransportConfig, Waiting,
};
use grm_local::{
    Engine, EngineConfig, FetchRequest, Fetched, Head, HeadReward, HiddenStates, KNOWN_MODELS, KnownModel, Places,
    ResolvedModel,
};
use grm_omni::{OmniChat, OmniFolder, OmniReward, OmniSettings};

use crate::{
    progress::{Load, LoadSource},
    recipe::{Data, Recipe},
    run::{Run, RunModels, pretty},
    servers::{self, Fleets},
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
    /// The roles that several servers play.
    pub(crate) fleets: Fleets,
    /// Where calls of roles without a server are left.
    mailbox: Option<Arc<Mailbox>>,
    /// Records in the input, where counting them is cheap.
    pub(crate) pairs_expected: Option<u64>,
}

/// Short name of the built-in head's base model.
pub(crate) const BUILTIN_HEAD_BASE: &str = "smollm2-135m";

/// Where a chat model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind a URL.
    Remote(String),
    /// Nowhere yet: calls go into a file for `vllm run-batch` with this model.
    Batch(String),
    /// A GGUF file in this process.
    Embedded(String),
}

impl Place {
    /// `http://` and `https://` are remote, `batch:` waits in a file; everything else names a model file.
    pub(crate) fn of(name: &str) -> Self {
        if let Some(model) = name.strip_prefix("batch:") {
            Self::Batch(model.to_owned())
        } else if name.starts_with("http://") || name.starts_with("https://") {
            Self::Remote(name.to_owned())
        } else {
            Self::Embedded(name.to_owned())
        }
    }
}

impl Roles {
    /// Finds every model the recipe names and puts the journal before it. Embedded models are loaded when first asked,
    /// so a run that is all replay never loads one.
    pub(crate) async fn assemble(run: &Run) -> anyhow::Result<Self> {
        let (recipe, journal) = (&run.recipe, &run.journal);
        let transport = Transport::new(transport_config(recipe));
        let fleet = fleet_config(recipe);
        let fleet_transport = Transport::new(fleet.transport(&transport_config(recipe)));
        let mut builder = Builder {
            recipe,
            journal,
            transport: &transport,
            fleet,
            fleet_transport: &fleet_transport,
            fleets: Fleets::default(),
            mailbox: mailbox(run)?,
            media: library(run),
        };
        let adapter = recipe.engine.adapter.as_deref();
        let genrm = builder.chat("GenRM", &recipe.models.genrm, adapter).await.context("GenRM")?;
        let policy = match &recipe.models.policy {
            Some(name) => builder.chat("policy", name, None).await.context("policy")?,
            None => genrm.clone(),
        };
        let disrm = builder.disrm(&recipe.models.disrm).await.context("DisRM")?;
        let identities = RunModels {
            genrm: Some(genrm.identity().clone()),
            policy: Some(policy.identity().clone()),
            disrm: Some(disrm.identity().clone()),
        };
        let (fleets, mailbox) = (builder.fleets, builder.mailbox);
        let load = load_source(journal.clone(), transport, fleet_transport, fleets.clone());
        Ok(Self { genrm, policy, disrm, identities, load, fleets, mailbox, pairs_expected: None })
    }

    /// The calls that wait for a batch, now in their file. Fails where all of them were asked already and failed.
    pub(crate) fn waiting(&self) -> anyhow::Result<Option<Waiting>> {
        let Some(waiting) = self.mailbox.as_ref().map(|mailbox| mailbox.close()).transpose()?.flatten() else {
            return Ok(None);
        };
        if let (true, Some(failure)) = (waiting.failed == waiting.calls, &waiting.failure) {
            bail!(
                "all {} calls that wait were asked already and failed, the first with {failure}; look into the batch's log, then answer {} again",
                waiting.calls,
                waiting.requests.display()
            );
        }
        Ok(Some(waiting))
    }

    /// The same models behind another run's journal.
    pub(crate) fn again(&self, journal: &Arc<Journal>) -> Self {
        Self {
            genrm: journal.chat(self.genrm.clone()),
            policy: journal.chat(self.policy.clone()),
            disrm: journal.reward(self.disrm.clone()),
            identities: self.identities.clone(),
            load: self.load.clone(),
            fleets: self.fleets.clone(),
            mailbox: self.mailbox.clone(),
            pairs_expected: self.pairs_expected,
        }
    }

    /// Writes `servers.json` where a role has several servers. It differs from run to run, so nothing is made of it.
    pub(crate) fn write_servers(&self, run: &Run) -> anyhow::Result<()> {
        let stats = self.fleets.stats();
        if stats.is_empty() { Ok(()) } else { run.write("servers.json", &pretty(&stats)?) }
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
    let model = resolve(&name).ok()?;
    let engine = Engine::load(engine_config(recipe, model, None)).ok()?;
    Some(Arc::new(engine))
}

struct Builder<'a> {
    recipe: &'a Recipe,
    journal: &'a Arc<Journal>,
    transport: &'a Arc<Transport>,
    fleet: FleetConfig,
    /// Patient with no single server: there are others.
    fleet_transport: &'a Arc<Transport>,
    fleets: Fleets,
    /// Where calls are left, if a role has no server.
    mailbox: Option<Arc<Mailbox>>,
    media: Arc<dyn MediaLibrary>,
}

impl Builder<'_> {
    async fn chat(
        &mut self,
        role: &'static str,
        name: &str,
        adapter: Option<&Path>,
    ) -> anyhow::Result<Arc<dyn ChatModel>> {
        match (Place::of(name), self.mailbox.clone()) {
            (Place::Batch(model), Some(mailbox)) => {
                let endpoint = self.endpoint(String::new())?;
                Ok(self.journal.chat(Arc::new(mailbox.chat(&model, endpoint)?)))
            }
            (_, Some(mailbox)) => Ok(mailbox.attend_chat(self.present_chat(role, name, adapter).await?)),
            (_, None) => self.present_chat(role, name, adapter).await,
        }
    }

    /// A chat model that answers now.
    async fn present_chat(
        &mut self,
        role: &'static str,
        name: &str,
        adapter: Option<&Path>,
    ) -> anyhow::Result<Arc<dyn ChatModel>> {
        match Place::of(name) {
            Place::Batch(model) => bail!("batch:{model} has no file to wait in"),
            Place::Remote(list) if servers::urls(&list).len() > 1 => {
                let urls = servers::urls(&list);
                let endpoints =
                    urls.iter().map(|url| self.endpoint((*url).to_owned())).collect::<Result<Vec<_>, _>>()?;
                let fleet = ChatFleet::connect(endpoints, self.fleet_transport.clone(), self.fleet).await;
                let fleet = fleet.map_err(|error| self.key_named(error))?;
                let _ = self.fleets.add(role).set(fleet.watch());
                Ok(self.journal.chat(Arc::new(fleet)))
            }
            Place::Remote(url) => {
                let remote = RemoteChat::connect(self.endpoint(url)?, self.transport.clone()).await;
                let remote = remote.map_err(|error| self.key_named(error))?;
                Ok(self.journal.chat(Arc::new(remote)))
            }
            Place::Embedded(name) if OmniFolder::is_one(Path::new(&name)) => self.omni(Path::new(&name), adapter),
            Place::Embedded(name) => {
                let model = resolve(&name)?;
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

    /// A model folder with towers, run by burn.
    fn omni(&self, folder: &Path, adapter: Option<&Path>) -> anyhow::Result<Arc<dyn ChatModel>> {
        if let Some(adapter) = adapter {
            let (folder, adapter) = (folder.display(), adapter.display());
            bail!("{folder} takes no --adapter ({adapter}): merge it into the model first");
        }
        let (folder, media) = (OmniFolder::open(folder)?, self.media.clone());
        let mut settings = OmniSettings::default();
        settings.slots = self.recipe.engine.slots.unwrap_or(settings.slots);
        let identity = folder.identity()?;
        Ok(self.journal.chat_lazy(identity, move || {
            let (folder, media) = (folder.clone(), media.clone());
            Box::pin(async move {
                let load = move || OmniChat::load(&folder, media, settings, &Device::default());
                let chat = tokio::task::spawn_blocking(load).await.map_err(joining)??;
                Ok(Arc::new(chat) as Arc<dyn ChatModel>)
            })
        }))
    }

    /// A model folder with towers and a value head.
    fn omni_disrm(&self, folder: &Path) -> anyhow::Result<Arc<dyn RewardModel>> {
        let (folder, media) = (OmniFolder::open(folder)?, self.media.clone());
        let identity = folder.identity()?;
        Ok(self.journal.reward_lazy(identity, move || {
            let (folder, media) = (folder.clone(), media.clone());
            Box::pin(async move {
                let load = move || OmniReward::load(&folder, media, &Device::default());
                let reward = tokio::task::spawn_blocking(load).await.map_err(joining)??;
                Ok(Arc::new(reward) as Arc<dyn RewardModel>)
            })
        }))
    }

    fn endpoint(&self, base_url: String) -> anyhow::Result<ChatEndpoint> {
        let endpoint = &self.recipe.endpoint;
        let kwargs = serde_json::to_value(&endpoint.chat_template_kwargs).context("chat_template_kwargs")?;
        Ok(ChatEndpoint {
            model: endpoint.served_model.clone(),
            chat_template_kwargs: kwargs.as_object().cloned().unwrap_or_default(),
            api_key: ApiKey::from_env(&endpoint.key_env)?,
            pass_control_tokens: self.recipe.prompts.sanitize == Sanitize::Off,
            media: Some(self.media.clone()),
            ..ChatEndpoint::new(base_url)
        })
    }

    async fn disrm(&mut self, name: &str) -> anyhow::Result<Arc<dyn RewardModel>> {
        let disrm = self.present_disrm(name).await?;
        Ok(self.mailbox.as_ref().map_or(disrm.clone(), |mailbox| mailbox.attend_reward(disrm)))
    }

    async fn present_disrm(&mut self, name: &str) -> anyhow::Result<Arc<dyn RewardModel>> {
        if let Place::Batch(model) = Place::of(name) {
            bail!(
                "{model} is to wait in a batch, but scores are asked at once; give a reward server's address, a head, or \"builtin\""
            );
        }
        if let Place::Remote(list) = Place::of(name) {
            return match servers::urls(&list).as_slice() {
                [_, _, ..] => self.disrm_fleet(&list).await,
                _ => self.remote_disrm(list).await,
            };
        }
        if OmniFolder::is_one(Path::new(name)) {
            return self.omni_disrm(Path::new(name));
        }
        let DisrmFiles { head, adapter } = DisrmFiles::find(name)?;
        let known = KNOWN_MODELS.iter().find(|known| known.sha256 == head.base_sha256);
        let model =
            resolve(known.map_or(head.base.as_str(), |known| known.name)).context("the reward head's base model")?;
        let config = engine_config(self.recipe, model, adapter.as_deref());
        let identity = HeadReward::identity_of(&head, &config.identity()?.adapter);
        Ok(self.journal.reward_lazy(identity, move || {
            let (config, head) = (config.clone(), head.clone());
            Box::pin(async move {
                let load = move || HeadReward::new(HiddenStates::load(config)?, head);
                let reward = tokio::task::spawn_blocking(load).await.map_err(joining)??;
                Ok(Arc::new(reward) as Arc<dyn RewardModel>)
            })
        }))
    }

    /// As one remote DisRM, with every server identified at once.
    async fn disrm_fleet(&mut self, list: &str) -> anyhow::Result<Arc<dyn RewardModel>> {
        let api_key = ApiKey::from_env(&self.recipe.endpoint.key_env)?;
        let media = Some(self.media.clone());
        let endpoint =
            |url: &&str| RewardEndpoint { api_key: api_key.clone(), media: media.clone(), ..RewardEndpoint::new(*url) };
        let endpoints: Vec<RewardEndpoint> = servers::urls(list).iter().map(endpoint).collect();
        let (transport, config) = (self.fleet_transport.clone(), self.fleet);
        let identity = RewardFleet::identify(&endpoints, &transport).await.map_err(|error| self.key_named(error))?;
        let watched = self.fleets.add("DisRM");
        Ok(self.journal.reward_lazy(identity, move || {
            let (endpoints, transport, watched) = (endpoints.clone(), transport.clone(), watched.clone());
            Box::pin(async move {
                let fleet = RewardFleet::connect(endpoints, transport, config).await.map_err(unusable)?;
                let _ = watched.set(fleet.watch());
                Ok(Arc::new(fleet) as Arc<dyn RewardModel>)
            })
        }))
    }

    /// Identified at once; its scale is checked when the first score is wanted, so a run that is all replay asks nothing.
    async fn remote_disrm(&self, url: String) -> anyhow::Result<Arc<dyn RewardModel>> {
        let api_key = ApiKey::from_env(&self.recipe.endpoint.key_env)?;
        let endpoint = RewardEndpoint { api_key, media: Some(self.media.clone()), ..RewardEndpoint::new(url) };
        let transport = self.transport.clone();
        let identity =
            RemoteReward::identify(&endpoint, transport.clone()).await.map_err(|error| self.key_named(error))?;
        Ok(self.journal.reward_lazy(identity, move || Box::pin(checked_reward(endpoint.clone(), transport.clone()))))
    }

    /// A refused call without a key says where the key is looked for.
    fn key_named(&self, error: ModelError) -> ModelError {
        let variable = &self.recipe.endpoint.key_env;
        let given = std::env::var_os(variable).is_some_and(|key| !key.is_empty());
        match error {
            ModelError::Rejected { place, status: status @ (401 | 403), reason, .. } if !given => {
                let hint =
                    format!("set the environment variable {variable} to its key, or name another one with --key-env");
                ModelError::Rejected { place, status, reason, hint }
            }
            other => other,
        }
    }
}

/// The files of calls that wait, if a role's model has no server. They serve one model, as a batch does.
fn mailbox(run: &Run) -> anyhow::Result<Option<Arc<Mailbox>>> {
    let models = &run.recipe.models;
    let batches = std::iter::once(&models.genrm).chain(&models.policy).filter_map(|name| match Place::of(name) {
        Place::Batch(model) => Some(model),
        Place::Remote(_) | Place::Embedded(_) => None,
    });
    let batches: Vec<String> = batches.collect();
    let Some(first) = batches.first() else { return Ok(None) };
    if let Some(other) = batches.iter().find(|other| *other != first) {
        bail!("a batch is answered by one model, not by {first} and {other}; give one of them a server");
    }
    let name = |model: &ModelIdentity, request: &ChatRequest| chat_key(model, request).to_string();
    Ok(Some(Mailbox::open(&run.folder.join("batch"), Box::new(name))?))
}

/// Where a run's media are: in its input's folder, in folders named besides, and in the run's own store.
fn library(run: &Run) -> Arc<dyn MediaLibrary> {
    let Data { input, media, .. } = &run.recipe.data;
    let own = input.clone().unwrap_or_else(|| run.input_path());
    let roots = std::iter::once(own).chain(media.iter().cloned()).chain([media_store(&run.folder)]);
    Arc::new(FolderLibrary::new(roots))
}

/// Where a run keeps media that records hold themselves.
pub(crate) fn media_store(run: &Path) -> PathBuf {
    run.join("media")
}

/// A reward server whose scores are plain; what is wrong with it is wrong for every pair, so it stops the run.
async fn checked_reward(
    endpoint: RewardEndpoint,
    transport: Arc<Transport>,
) -> Result<Arc<dyn RewardModel>, ModelError> {
    let remote = RemoteReward::connect(endpoint, transport).await.map_err(unusable)?;
    if let SquashCheck::Suspicious { reason, hint } = remote.squash_check() {
        tracing::warn!("the reward server's scores look squashed: {reason}; {hint}");
    }
    Ok(Arc::new(remote))
}

/// What is wrong with a DisRM is wrong for every pair.
fn unusable(error: ModelError) -> ModelError {
    if error.stops_the_run() {
        return error;
    }
    ModelError::Engine { context: "the DisRM cannot be used".into(), source: Box::new(error) }
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
    let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    config.slots = recipe.engine.slots.map_or(config.slots, small);
    config.threads = recipe.engine.threads.map(small).or(config.threads);
    config.adapters = adapter.map(|path| (path.to_path_buf(), 1.0)).into_iter().collect();
    config
}

/// An embedded DisRM on disk: a head, and the adapter that was trained with it.
struct DisrmFiles {
    head: Head,
    adapter: Option<PathBuf>,
}

impl DisrmFiles {
    /// "builtin", a folder that `grm train bt` wrote, or a head.safetensors alone.
    fn find(name: &str) -> anyhow::Result<Self> {
        if name == "builtin" {
            return Ok(Self { head: Head::read(grm_local::BUILTIN_HEAD)?, adapter: Some(builtin_adapter()?) });
        }
        let path = PathBuf::from(name);
        if !path.is_dir() {
            return Ok(Self { head: read_head(&path)?, adapter: None });
        }
        let adapter = Some(path.join("adapter.gguf")).filter(|adapter| adapter.is_file());
        Ok(Self { head: read_head(&path.join("head.safetensors"))?, adapter })
    }
}

/// llama.cpp loads adapters from files, so the built-in one is put beside the models, named by its content.
fn builtin_adapter() -> anyhow::Result<PathBuf> {
    let bytes = grm_local::BUILTIN_ADAPTER;
    let hash = blake3::hash(bytes).to_hex();
    let path = Places::from_environment().models.join("adapters").join(format!("grm-disrm-tiny-{}.gguf", &hash[..8]));
    if std::fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
        return Ok(path);
    }
    let place = || format!("could not write the built-in DisRM's adapter to {}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(place)?;
    let mut file = AtomicFile::create(&path)?;
    file.write_all(bytes).with_context(place)?;
    file.commit()?;
    Ok(path)
}

fn read_head(path: &Path) -> anyhow::Result<Head> {
    const BYTES_MAX: u64 = 1 << 30;
    let length = std::fs::metadata(path)
        .with_context(|| {
            let place = path.display();
            format!("no DisRM at {place}: give \"builtin\", a folder of `grm train bt`, a head.safetensors or a URL")
        })?
        .len();
    if length > BYTES_MAX {
        bail!("{} is {length} bytes; a reward head is a few kilobytes. Is this a whole model?", path.display());
    }
    let bytes = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    Head::read(&bytes).with_context(|| format!("reward head {}", path.display()))
}

fn transport_config(recipe: &Recipe) -> TransportConfig {
    let endpoint = &recipe.endpoint;
    TransportConfig {
        concurrency: Concurrency { start: endpoint.max_in_flight.min(16), min: 1, max: endpoint.max_in_flight },
        deadline: Duration::from_secs(endpoint.deadline_seconds),
        breaker: BreakerConfig { patience: Duration::from_secs(endpoint.patience_seconds), ..BreakerConfig::default() },
        seed: recipe.seed,
        ..TransportConfig::default()
    }
}

/// How calls are shared out among several servers of one role.
fn fleet_config(recipe: &Recipe) -> FleetConfig {
    let endpoint = &recipe.endpoint;
    FleetConfig {
        calls_per_server: endpoint.max_in_flight,
        patience: Duration::from_secs(endpoint.patience_seconds),
        ..FleetConfig::default()
    }
}

fn load_source(
    journal: Arc<Journal>,
    transport: Arc<Transport>,
    fleet_transport: Arc<Transport>,
    fleets: Fleets,
) -> LoadSource {
    Arc::new(move || {
        let (calls, wire, many) = (journal.stats(), transport.snapshot(), fleet_transport.snapshot());
        Load {
            in_flight: (wire.in_flight + many.in_flight) as u64,
            retries: wire.retries + many.retries,
            paused: wire.paused || fleets.is_down(),
            replayed: calls.replayed,
            asked: calls.appended,
        }
    })
}

/// Finds a model file by path, short name or hub id; a hub file that is not cached is downloaded.
pub(crate) fn resolve(name: &str) -> anyhow::Result<ResolvedModel> {
    let runtime = tokio::runtime::Handle::current();
    let fetch = |request: &FetchRequest, into: &mut std::fs::File| {
        let hub = request.endpoint.as_deref().unwrap_or(HUB).trim_end_matches('/');
        let url = format!("{hub}{}", request.path);
        let token = request.token.as_deref();
        let bar = indicatif::ProgressBar::no_length();
        let download = grm_llm::download(&url, token, into, |bytes, length| {
            bar.set_length(length.unwrap_or(bytes));
            bar.set_position(bytes);
        });
        let found = tokio::task::block_in_place(|| runtime.block_on(download));
        bar.finish_and_clear();
        found.map(|found| Fetched { commit: found.commit, etag: found.etag }).map_err(|error| error.to_string())
    };
    Ok(grm_local::resolve(name, &Places::from_environment(), Some(&fetch))?)
}

/// The model hub, unless `HF_ENDPOINT` names another.
const HUB: &str = "https://huggingface.co";

/// True when a short-named model has been fetched.
pub(crate) fn is_here(places: &Places, known: &KnownModel) -> bool {
    places.models.join(known.file).is_file()
}
