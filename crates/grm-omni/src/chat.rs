//! The thinker as a [`ChatModel`]: a network on a thread of its own.

use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use burn::tensor::Device;
use futures::channel::oneshot;
use grm_core::{BoxFuture, ChatModel, ChatReply, ChatRequest, MediaLibrary, ModelError, ModelIdentity};

use crate::{
    folder::{OmniFolder, failed},
    rows::Rows,
    worker::{Call, Worker},
};

/// How a model is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OmniSettings {
    /// Calls generating at the same time.
    pub slots: usize,
    /// Tokens whose keys and values are kept for calls to come.
    pub tokens_kept: usize,
}

impl Default for OmniSettings {
    fn default() -> Self {
        Self { slots: 10, tokens_kept: 8192 }
    }
}

/// A model that sees, hears and writes. Output contracts (grammars) are not enforced here: a reply that breaks one is
/// counted as unparsable like any other.
pub struct OmniChat {
    identity: ModelIdentity,
    rows: Arc<Rows>,
    calls: Option<mpsc::Sender<Call>>,
    thread: Option<JoinHandle<()>>,
}

impl OmniChat {
    /// Loads the model and starts its thread; media come from `library`. Blocks while weights are read.
    pub fn load(
        folder: &OmniFolder,
        library: Arc<dyn MediaLibrary>,
        settings: OmniSettings,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let identity = folder.identity()?;
        let network = folder.causal(device)?;
        let rows = Arc::new(Rows::new(folder, library)?);
        let (calls, queue) = mpsc::channel();
        let worker = Worker::new(network, rows.clone(), settings, identity.name.clone());
        let thread = thread::Builder::new().name("thinker".into()).spawn(move || worker.run(&queue));
        let thread = thread.map_err(|error| failed("could not start the thinker's thread", error))?;
        Ok(Self { identity, rows, calls: Some(calls), thread: Some(thread) })
    }

    async fn ask(&self, request: ChatRequest) -> Result<ChatReply, ModelError> {
        let gone = || failed("the thinker stopped", "its thread ended; run the same command again");
        let (reply, answer) = oneshot::channel();
        let calls = self.calls.as_ref().ok_or_else(gone)?;
        calls.send(Call { request, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl ChatModel for OmniChat {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        Box::pin(self.ask(request))
    }

    fn count_tokens(&self, request: &ChatRequest) -> Option<u64> {
        self.rows.prompt(request).ok().map(|row| row.tokens.len() as u64)
    }
}

impl Drop for OmniChat {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
