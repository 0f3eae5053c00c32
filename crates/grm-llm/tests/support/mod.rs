//! A mock server and a client beside it.

#![expect(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{sync::Arc, time::Duration};

use grm_core::{
    CallOrigin, ChatReply, ChatRequest, Message, Prompt, Response, RewardRequest, Role, Sampling, Span, Step,
};
use grm_llm::{ChatEndpoint, Concurrency, RemoteChat, Transport, TransportConfig};
use grm_mock::{FaultAction, FaultRule, FaultWhen, MockConfig, MockServer};

pub async fn server(config: MockConfig) -> MockServer {
    MockServer::start(config).await.expect("a free port")
}

/// Pauses of a few milliseconds, so that five attempts take no time; the limit stays as it is on "too many".
pub fn quick() -> TransportConfig {
    TransportConfig {
        backoff_base: Duration::from_millis(2),
        backoff_cap: Duration::from_millis(10),
        deadline: Duration::from_secs(10),
        concurrency: Concurrency { start: 16, min: 16, max: 64 },
        ..TransportConfig::default()
    }
}

pub async fn chat_with(server: &MockServer, config: TransportConfig) -> (RemoteChat, Arc<Transport>) {
    let transport = Transport::new(config);
    let chat =
        RemoteChat::connect(ChatEndpoint::new(server.url()), Arc::clone(&transport)).await.expect("the mock answers");
    (chat, transport)
}

pub fn always(action: FaultAction) -> Vec<FaultRule> {
    vec![FaultRule::new(FaultWhen::Always, action)]
}

pub fn for_ever(action: FaultAction) -> Vec<FaultRule> {
    vec![FaultRule::persistent(FaultWhen::Always, action)]
}

pub fn status(code: u16) -> FaultAction {
    FaultAction::Status { code, retry_after: None }
}

pub fn origin() -> CallOrigin {
    CallOrigin { pair: "p".into(), step: Step::Judgment, sample: 0, template: "t".into() }
}

pub fn request(text: &str) -> ChatRequest {
    ChatRequest {
        messages: vec![Message { role: Role::User, spans: vec![Span::Template(text.into())] }],
        shared_spans: 0,
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 7, max_tokens: 512, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: origin(),
    }
}

/// A verdict is asked of two responses that depend on the number.
pub fn verdict_request(number: usize) -> ChatRequest {
    request(&format!(
        "[Response A]\nfirst {number}\n[End of Response A]\n\n[Response B]\nsecond {number}\n[End of Response B]\n\nWrite only the verdict: [[A]] or [[B]]."
    ))
}

pub fn reward_request(response: &str) -> RewardRequest {
    RewardRequest { prompt: Prompt::from_text("Why?"), response: Response::from_text(response), origin: origin() }
}

/// The reply without its token counts, which depend on what was cached.
pub fn said(reply: &ChatReply) -> (&str, grm_core::Finish) {
    (&reply.text, reply.finish)
}
