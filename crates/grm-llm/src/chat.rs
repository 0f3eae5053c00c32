//! A chat model behind a URL.

use std::{fmt, sync::Arc};

use grm_core::{BoxFuture, ChatModel, ChatReply, ChatRequest, MediaLibrary, ModelError, ModelIdentity, Span};
use serde_json::{Map, Value};

use crate::{
    address::{Route, without_credentials_text},
    api_key::ApiKey,
    chat_reply,
    chat_request::Asked,
    connection::Connection,
    dialect::Dialect,
    media::{MediaSettings, Shelf},
    models,
    prefix_gate::PrefixKey,
    transport::Transport,
};

/// Where a chat model is and how it is asked.
#[derive(Clone, Default)]
pub struct ChatEndpoint {
    /// `http://127.0.0.1:8000`, with or without `/v1`.
    pub base_url: String,
    /// The name the server knows it by; may be left out where there is only one.
    pub model: Option<String>,
    /// Sent as a bearer token.
    pub api_key: Option<ApiKey>,
    /// Which server software answers.
    pub dialect: Dialect,
    /// Arguments for the model's chat template; they become part of the model's identity.
    pub chat_template_kwargs: Map<String, Value>,
    /// Send control tokens such as `<|im_end|>` in other people's text as they are; broken up otherwise, because servers
    /// read them as the chat template's own.
    pub pass_control_tokens: bool,
    /// Where pictures, clips and sounds come from; without it calls that show some are refused.
    pub media: Option<Arc<dyn MediaLibrary>>,
    /// How the server is to look at them.
    pub media_settings: MediaSettings,
}

impl ChatEndpoint {
    /// The only model at this address, everything else by default.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), ..Self::default() }
    }
}

impl fmt::Debug for ChatEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatEndpoint")
            .field("base_url", &without_credentials_text(&self.base_url))
            .field("model", &self.model)
            .field("api_key", &self.api_key)
            .field("dialect", &self.dialect)
            .field("chat_template_kwargs", &self.chat_template_kwargs)
            .field("media_settings", &self.media_settings)
            .finish_non_exhaustive()
    }
}

/// A remote chat model, ready to be asked.
#[derive(Debug)]
pub struct RemoteChat {
    identity: ModelIdentity,
    dialect: Dialect,
    template_arguments: Map<String, Value>,
    pass_control_tokens: bool,
    shelf: Shelf,
    connection: Connection,
    route: Route,
}

impl RemoteChat {
    /// Asks the server what it serves. Fails when nobody answers, the key is refused, or the model is not clear.
    pub async fn connect(endpoint: ChatEndpoint, transport: Arc<Transport>) -> Result<Self, ModelError> {
        let ChatEndpoint {
            base_url,
            model,
            api_key,
            dialect,
            chat_template_kwargs: template_arguments,
            pass_control_tokens,
            media,
            media_settings,
        } = endpoint;
        let connection = Connection::new(&base_url, api_key, transport)?;
        let chosen = models::choose(&connection, model.as_deref()).await?;
        let dialect = match dialect {
            Dialect::Auto => chosen.dialect.unwrap_or(Dialect::OpenAi),
            named => named,
        };
        let shelf = Shelf::new(media, media_settings, dialect, &chosen.identity.name)?;
        let remote = Self::over(connection, chosen.identity, dialect, shelf);
        Ok(Self { pass_control_tokens, ..remote.with_arguments(template_arguments) })
    }

    /// Without template arguments.
    pub(crate) fn over(connection: Connection, identity: ModelIdentity, dialect: Dialect, shelf: Shelf) -> Self {
        let identity = identity_with(identity, &shelf, &Map::new());
        let route = connection.address.route("/v1/chat/completions");
        Self { identity, dialect, template_arguments: Map::new(), pass_control_tokens: false, shelf, connection, route }
    }

    fn with_arguments(mut self, arguments: Map<String, Value>) -> Self {
        self.identity.adapter = extended(&self.identity.adapter, &written(&arguments));
        Self { template_arguments: arguments, ..self }
    }

    /// The dialect in use, never [`Dialect::Auto`].
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    async fn ask(&self, request: ChatRequest) -> Result<ChatReply, ModelError> {
        let asked = Asked {
            model: &self.identity.name,
            dialect: self.dialect,
            template_arguments: &self.template_arguments,
            pass_control_tokens: self.pass_control_tokens,
        };
        let media = self.shelf.load(&request.messages, &self.identity.name).await?;
        let body = asked.body(&request, &media);
        drop(media);
        let _leader = match self.shared_prefix(&request) {
            Some(prefix) => self.connection.lane.prefixes.pass(prefix).await,
            None => None,
        };
        self.connection.post(&self.route, body, chat_reply::decode).await
    }

    fn shared_prefix(&self, request: &ChatRequest) -> Option<PrefixKey> {
        if request.shared_spans == 0 {
            return None;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.identity.name.as_bytes());
        let spans = request.messages.iter().flat_map(|message| message.spans.iter().map(|span| (message.role, span)));
        for (role, span) in spans.take(request.shared_spans) {
            let text = match span {
                Span::Template(text) | Span::Content(text) => &**text,
                Span::Image(media) | Span::Video(media) | Span::Audio(media) => media.sha256.as_str(),
            };
            hasher.update(role.as_str().as_bytes());
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().as_bytes().first_chunk().copied()
    }
}

/// How media are looked at, and template arguments, change what is answered, so they are part of what answers.
pub(crate) fn identity_with(
    mut identity: ModelIdentity,
    shelf: &Shelf,
    arguments: &Map<String, Value>,
) -> ModelIdentity {
    identity.adapter = extended(&extended(&identity.adapter, &shelf.identity()), &written(arguments));
    identity
}

fn extended(adapter: &str, by: &str) -> String {
    format!("{adapter} {by}").trim().to_owned()
}

fn written(arguments: &Map<String, Value>) -> String {
    if arguments.is_empty() {
        return String::new();
    }
    format!("chat_template_kwargs={}", Value::Object(arguments.clone()))
}

impl ChatModel for RemoteChat {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        Box::pin(self.ask(request))
    }
}
