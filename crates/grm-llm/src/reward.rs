//! A discriminative reward model behind a URL.

use std::{fmt, sync::Arc};

use grm_core::{BoxFuture, MediaLibrary, ModelError, ModelIdentity, RewardModel, RewardRequest, RewardScore, ScorerId};

use crate::{
    address::{Route, without_credentials_text},
    api_key::ApiKey,
    connection::Connection,
    dialect::{Dialect, RewardKind},
    media::{MediaSettings, Shelf},
    models,
    reward_template::{RewardTemplate, is_text_only, messages, turns},
    reward_wire,
    squash::{self, SquashCheck},
    transport::{Transport, Unreadable},
};

/// Where a reward model is and how it is asked.
#[derive(Clone, Default)]
pub struct RewardEndpoint {
    /// `http://127.0.0.1:8000`, with or without `/v1`.
    pub base_url: String,
    /// The name the server knows it by; may be left out where there is only one.
    pub model: Option<String>,
    /// Sent as a bearer token.
    pub api_key: Option<ApiKey>,
    /// The route to ask.
    pub kind: RewardKind,
    /// A chat template (minijinja) for servers that score plain text; ChatML when left out.
    pub template: Option<String>,
    /// Where pictures, clips and sounds come from; without it pairs that show some are refused.
    pub media: Option<Arc<dyn MediaLibrary>>,
    /// How the server is to look at them.
    pub media_settings: MediaSettings,
}

impl RewardEndpoint {
    /// The only model at this address, everything else by default.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), ..Self::default() }
    }
}

impl fmt::Debug for RewardEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RewardEndpoint")
            .field("base_url", &without_credentials_text(&self.base_url))
            .field("model", &self.model)
            .field("api_key", &self.api_key)
            .field("kind", &self.kind)
            .field("template", &self.template)
            .field("media_settings", &self.media_settings)
            .finish_non_exhaustive()
    }
}

/// A remote reward model that gives plain logits, as far as a few built-in pairs can tell.
#[derive(Debug)]
pub struct RemoteReward {
    identity: ModelIdentity,
    scorer: ScorerId,
    squash_check: SquashCheck,
    wire: Wire,
}

/// How one score is asked for.
#[derive(Debug)]
struct Wire {
    model: String,
    kind: RewardKind,
    template: RewardTemplate,
    shelf: Shelf,
    connection: Connection,
    route: Route,
}

impl RemoteReward {
    /// Asks the server what it serves and scores a few built-in pairs. A server that squashes scores is refused with
    /// the cure; look at [`Self::squash_check`] for a warning.
    pub async fn connect(endpoint: RewardEndpoint, transport: Arc<Transport>) -> Result<Self, ModelError> {
        let connection = Connection::new(&endpoint.base_url, endpoint.api_key.clone(), transport)?;
        let remote = Self::reach(connection, endpoint).await?;
        match remote.squash_check {
            SquashCheck::Squashed { reason, hint } => Err(ModelError::BadReply {
                place: remote.wire.route.place,
                reason: format!("{reason}: its scores are squashed; {hint}"),
            }),
            SquashCheck::Raw | SquashCheck::Suspicious { .. } => Ok(remote),
        }
    }

    /// Who [`Self::connect`] would find at this address. Asks for no score.
    pub async fn identify(endpoint: &RewardEndpoint, transport: Arc<Transport>) -> Result<ModelIdentity, ModelError> {
        let connection = Connection::new(&endpoint.base_url, endpoint.api_key.clone(), transport)?;
        Ok(Wire::find(connection, endpoint.clone()).await?.1)
    }

    /// As [`Self::connect`], with squashed scores let through.
    pub(crate) async fn reach(connection: Connection, endpoint: RewardEndpoint) -> Result<Self, ModelError> {
        let (wire, identity) = Wire::find(connection, endpoint).await?;
        let mut scores = Vec::new();
        for request in squash::requests() {
            scores.push(wire.score(&request).await?);
        }
        let (scorer, squash_check) = (ScorerId::of(&identity), squash::judge(&scores, wire.kind));
        Ok(Self { identity, scorer, squash_check, wire })
    }

    /// What the built-in pairs said; after [`Self::connect`] never [`SquashCheck::Squashed`].
    #[must_use]
    pub fn squash_check(&self) -> &SquashCheck {
        &self.squash_check
    }

    /// The route in use, never [`RewardKind::Auto`].
    #[must_use]
    pub fn kind(&self) -> RewardKind {
        self.wire.kind
    }

    async fn ask(&self, request: RewardRequest) -> Result<RewardScore, ModelError> {
        let value = self.wire.score(&request).await?;
        RewardScore::new(value, self.scorer).map_err(|_| self.wire.non_finite())
    }
}

impl RewardModel for RemoteReward {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        Box::pin(self.ask(request))
    }
}

impl Wire {
    /// Finds out the kind of server and the model it scores with. Route, template and media settings change scores, so
    /// they are part of what scores.
    async fn find(connection: Connection, endpoint: RewardEndpoint) -> Result<(Self, ModelIdentity), ModelError> {
        let template = RewardTemplate::new(endpoint.template.as_deref())?;
        let (kind, mut identity) = server_and_model(&connection, endpoint.kind, endpoint.model.as_deref()).await?;
        let dialect = if kind == RewardKind::VllmClassify { Dialect::Vllm } else { Dialect::OpenAi };
        let shelf = Shelf::new(endpoint.media, endpoint.media_settings, dialect, &identity.name)?;
        let marks = [&identity.adapter, kind.as_str(), &template.hash, &shelf.identity()].join(" ");
        identity.adapter = marks.trim().to_owned();
        let route = connection.address.route(reward_wire::path(kind));
        Ok((Self { model: identity.name.clone(), kind, template, shelf, connection, route }, identity))
    }

    /// One finite score.
    async fn score(&self, request: &RewardRequest) -> Result<f32, ModelError> {
        let body = self.body(request).await?;
        let score = self.connection.post(&self.route, body, |reply| self.read(reply)).await;
        score.map_err(|error| if is_text_only(request) { error } else { self.cannot_look(error) })
    }

    async fn body(&self, request: &RewardRequest) -> Result<Vec<u8>, ModelError> {
        if matches!(self.kind, RewardKind::Auto | RewardKind::VllmClassify) {
            let messages = messages(request);
            let media = self.shelf.load(&messages, &self.model).await?;
            return Ok(reward_wire::vllm_body(&self.model, &messages, &media));
        }
        reward_wire::body(self.kind, &self.model, &turns(request, &self.model)?, &self.template)
    }

    /// A server that refuses a request with media for what it is cannot score this kind of pair.
    fn cannot_look(&self, error: ModelError) -> ModelError {
        match error {
            ModelError::Rejected { status: 400 | 415 | 422, reason, .. } => ModelError::Unsupported {
                model: self.model.clone(),
                what: format!("these media, in its server's words: {reason}"),
                hint: "serve a reward model that takes them, or leave these pairs out".to_owned(),
            },
            other => other,
        }
    }

    fn read(&self, reply: &[u8]) -> Result<f32, Unreadable> {
        let scores = reward_wire::decode(self.kind, reply).map_err(|unreadable| match unreadable {
            // Python servers write NaN as it is, which is not JSON.
            Unreadable::Broken(_) if names_non_finite(reply) => Unreadable::Refused(self.non_finite()),
            other => other,
        })?;
        let [score] = scores.as_slice() else {
            return Err(Unreadable::Refused(self.not_one_logit(scores.len())));
        };
        let score = score.map(|score| score as f32).filter(|score| score.is_finite());
        score.ok_or_else(|| Unreadable::Refused(self.non_finite()))
    }

    fn non_finite(&self) -> ModelError {
        ModelError::NonFinite { place: self.route.place.clone() }
    }

    fn not_one_logit(&self, count: usize) -> ModelError {
        ModelError::Unsupported {
            model: self.model.clone(),
            what: format!("the part of a reward model: it gives {count} numbers instead of one score"),
            hint: "serve a sequence classifier with num_labels = 1, such as Skywork-Reward-V2".to_owned(),
        }
    }
}

fn names_non_finite(reply: &[u8]) -> bool {
    let text = String::from_utf8_lossy(reply);
    ["NaN", "Infinity"].iter().any(|name| text.contains(name))
}

async fn server_and_model(
    connection: &Connection,
    kind: RewardKind,
    wanted: Option<&str>,
) -> Result<(RewardKind, ModelIdentity), ModelError> {
    if kind == RewardKind::TeiPredict {
        return Ok((kind, tei_identity(connection, wanted).await?));
    }
    let chosen = match models::choose(connection, wanted).await {
        Ok(chosen) => chosen,
        // TEI has no model list.
        Err(error @ ModelError::Rejected { status: 404 | 405, .. }) if kind == RewardKind::Auto => {
            let identity = tei_identity(connection, wanted).await.map_err(|_| error)?;
            return Ok((RewardKind::TeiPredict, identity));
        }
        Err(error) => return Err(error),
    };
    let kind = match (kind, chosen.dialect) {
        (RewardKind::Auto, Some(Dialect::Vllm)) => RewardKind::VllmClassify,
        (RewardKind::Auto, Some(Dialect::Sglang)) => RewardKind::SglangClassify,
        (RewardKind::Auto, _) => match tei_identity(connection, wanted).await {
            Ok(identity) => return Ok((RewardKind::TeiPredict, identity)),
            Err(_) => return Err(unknown_kind(connection)),
        },
        (named, _) => named,
    };
    Ok((kind, chosen.identity))
}

fn unknown_kind(connection: &Connection) -> ModelError {
    ModelError::Unsupported {
        model: connection.address.place(),
        what: "score requests as far as can be told from outside".to_owned(),
        hint: "name its kind: vllm-classify, sglang-classify or tei-predict".to_owned(),
    }
}

/// TEI tells about its only model at `/info`.
async fn tei_identity(connection: &Connection, wanted: Option<&str>) -> Result<ModelIdentity, ModelError> {
    #[derive(serde::Deserialize)]
    struct Info {
        model_id: String,
        #[serde(default)]
        model_sha: Option<String>,
    }
    let info: Info = connection.get("/info").await?;
    let name = wanted.map_or_else(|| info.model_id.clone(), str::to_owned);
    let revision = info.model_sha.unwrap_or_else(|| "not reported".to_owned());
    Ok(ModelIdentity { name, revision: format!("{} {revision}", info.model_id), adapter: String::new() })
}
