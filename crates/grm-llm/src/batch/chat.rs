//! A chat model behind the two files.

use std::sync::Arc;

use grm_core::{BoxFuture, ChatModel, ChatReply, ChatRequest, ModelError, ModelIdentity};
use serde_json::{Map, Value};

use super::{Mailbox, replies::Found};
use crate::{ChatEndpoint, chat::identity_with, chat_request::Asked, dialect::Dialect, media::Shelf};

/// A chat model whose calls wait in a file.
#[derive(Debug)]
pub struct BatchChat {
    mailbox: Arc<Mailbox>,
    identity: ModelIdentity,
    template_arguments: Map<String, Value>,
    pass_control_tokens: bool,
    shelf: Shelf,
}

impl BatchChat {
    /// The identity is the one that vLLM's server of this model reports, so that a run may go on with either.
    pub(super) fn new(mailbox: Arc<Mailbox>, root: &str, endpoint: ChatEndpoint) -> Result<Self, ModelError> {
        let name = endpoint.model.unwrap_or_else(|| root.to_owned());
        let shelf = Shelf::new(endpoint.media, endpoint.media_settings, Dialect::Vllm, &name)?;
        let identity = ModelIdentity { name, revision: format!("{root} (vllm)"), adapter: String::new() };
        let template_arguments = endpoint.chat_template_kwargs;
        let identity = identity_with(identity, &shelf, &template_arguments);
        Ok(Self { mailbox, identity, template_arguments, pass_control_tokens: endpoint.pass_control_tokens, shelf })
    }

    async fn answer(&self, request: ChatRequest) -> Result<ChatReply, ModelError> {
        let name = (self.mailbox.name)(&self.identity, &request);
        let failure = match self.mailbox.replies.find(&name)? {
            Found::Reply(reply) => return Ok(reply),
            Found::Refused(error) => return Err(error),
            Found::Failed(reason) => Some(reason),
            Found::Nothing => None,
        };
        self.leave(&name, &request, failure).await?;
        self.mailbox.attendance.all_quiet(&request.origin.pair).await;
        Err(ModelError::Waits { place: self.mailbox.requests.path().display().to_string() })
    }

    async fn leave(&self, name: &str, request: &ChatRequest, failure: Option<String>) -> Result<(), ModelError> {
        let _busy = self.mailbox.attendance.enter(&request.origin.pair);
        let media = self.shelf.load(&request.messages, &self.identity.name).await?;
        let asked = Asked {
            model: &self.identity.name,
            dialect: Dialect::Vllm,
            template_arguments: &self.template_arguments,
            pass_control_tokens: self.pass_control_tokens,
        };
        self.mailbox.requests.leave(name, asked.body(request, &media), failure)
    }
}

impl ChatModel for BatchChat {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        Box::pin(self.answer(request))
    }
}
