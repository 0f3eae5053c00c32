//! Models with answers of their own making, which count how often they are asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use grm_core::{
    BoxFuture, CallOrigin, ChatModel, ChatReply, ChatRequest, Finish, Message, ModelError, ModelIdentity, Prompt,
    Response, RewardModel, RewardRequest, RewardScore, Role, Sampling, ScorerId, Span, Step, Usage,
};

pub(crate) fn identity(name: &str) -> ModelIdentity {
    ModelIdentity { name: name.into(), revision: "1".into(), adapter: String::new() }
}

fn origin(step: Step, sample: u32) -> CallOrigin {
    CallOrigin { pair: format!("pair-{sample}").into(), step, sample, template: "t".into() }
}

pub(crate) fn question(number: u32) -> ChatRequest {
    let spans = vec![Span::Content(format!("question {number}").into())];
    ChatRequest {
        messages: vec![Message { role: Role::User, spans }],
        shared_spans: 0,
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 1, max_tokens: 16, stop: vec![] },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: origin(Step::Judgment, number),
    }
}

pub(crate) fn scoring(number: u32) -> RewardRequest {
    RewardRequest {
        prompt: Prompt::from_text("q"),
        response: Response::from_text(format!("response {number}")),
        origin: origin(Step::Scoring, number),
    }
}

/// Answers with its own name and the question, and is never asked twice without counting it.
pub(crate) struct Echo {
    identity: ModelIdentity,
    says: String,
    pub(crate) asked: AtomicU64,
}

impl Echo {
    pub(crate) fn new(says: &str) -> Arc<Self> {
        Arc::new(Self { identity: identity("echo"), says: says.into(), asked: AtomicU64::new(0) })
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn reply(&self, request: &ChatRequest) -> ChatReply {
        ChatReply {
            text: format!("{} \"{}\"\n", self.says, request.messages[0].text()),
            finish: Finish::Stop,
            usage: Usage { prompt_tokens: 3, cached_tokens: 1, completion_tokens: 2 },
            verdict_logprobs: None,
        }
    }
}

impl ChatModel for Echo {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(self.reply(&request)) })
    }

    fn count_tokens(&self, request: &ChatRequest) -> Option<u64> {
        Some(request.messages.len() as u64)
    }
}

impl RewardModel for Echo {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let value = request.response.joined_text().len() as f32 + 0.1;
        Box::pin(async move { Ok(RewardScore::new(value, ScorerId(77)).unwrap()) })
    }
}

/// The one segment of a folder.
pub(crate) fn segments(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "jsonl") && !path.ends_with("quarantine.jsonl")
    };
    let mut segments: Vec<PathBuf> = entries.filter(is_segment).collect();
    segments.sort();
    segments
}
