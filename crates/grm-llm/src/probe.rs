//! What an endpoint can do, found out by asking: the material of `grm doctor`.

use std::sync::Arc;

use grm_core::{
    CallOrigin, ChatModel, ChatReply, ChatRequest, Grammar, MediaKind, Message, ModelError, Role, Sampling, Span, Step,
};
use serde::de::IgnoredAny;

use crate::{
    api_key::ApiKey,
    chat::RemoteChat,
    connection::Connection,
    dialect::{Dialect, RewardKind},
    media::{MediaSettings, Shelf},
    models::{self, Chosen, ModelList},
    probe_media::ProbeMedia,
    reward::{RemoteReward, RewardEndpoint},
    squash::SquashCheck,
    transport::Transport,
};

/// How one point stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Ok,
    /// Works, but something is missing.
    Warn,
    /// Does not work.
    Fail,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// How it stands.
    pub health: Health,
    /// What was looked at.
    pub subject: &'static str,
    /// What was found.
    pub finding: String,
    /// What to do about it; empty when all is well.
    pub cure: String,
}

/// All findings about one endpoint, in the order they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointReport {
    /// The address without credentials.
    pub place: String,
    /// The findings.
    pub lines: Vec<ReportLine>,
}

impl EndpointReport {
    /// How the worst finding stands.
    #[must_use]
    pub fn health(&self) -> Health {
        self.lines.iter().map(|line| line.health).max().unwrap_or(Health::Ok)
    }

    fn ok(&mut self, subject: &'static str, finding: impl Into<String>) {
        self.add(Health::Ok, subject, finding, "");
    }

    fn add(&mut self, health: Health, subject: &'static str, finding: impl Into<String>, cure: impl Into<String>) {
        self.lines.push(ReportLine { health, subject, finding: finding.into(), cure: cure.into() });
    }
}

/// Looks at what answers at an address, with a handful of tiny requests. Never fails: what goes wrong is a finding.
pub async fn probe(
    base_url: &str,
    model: Option<&str>,
    api_key: Option<ApiKey>,
    transport: Arc<Transport>,
) -> EndpointReport {
    let mut report = EndpointReport { place: base_url.to_owned(), lines: Vec::new() };
    let connection = match Connection::new(base_url, api_key, transport) {
        Ok(connection) => connection.once(),
        Err(error) => {
            report.place = "the address given".to_owned();
            report.add(Health::Fail, "address", error.to_string(), "write it like http://127.0.0.1:8000");
            return report;
        }
    };
    report.place = connection.address.place();
    let Some(list) = reach(&connection, &mut report).await else { return report };
    let chats = look_at_chat(&connection, list.as_ref(), model, &mut report).await;
    let scores = look_at_reward(&connection, model, &mut report).await;
    if !chats && !scores {
        report.add(
            Health::Fail,
            "use",
            "it answers neither chat nor reward requests",
            "check the URL; it is the part before /v1/chat/completions or /classify",
        );
    }
    report
}

/// `None` when nobody answers or the key is refused; `Some(None)` when there is no model list.
async fn reach(connection: &Connection, report: &mut EndpointReport) -> Option<Option<ModelList>> {
    match connection.get::<ModelList>("/v1/models").await {
        Ok(list) => {
            report.ok("reachable", "yes");
            report.ok("models", list.names());
            Some(Some(list))
        }
        Err(ModelError::Rejected { status: 404 | 405, .. }) => {
            report.ok("reachable", "yes");
            Some(None)
        }
        Err(ModelError::Rejected { status, reason, hint, .. }) => {
            report.add(Health::Fail, "reachable", format!("it answers {status}: {reason}"), hint);
            None
        }
        Err(error) => {
            report.add(Health::Fail, "reachable", error.to_string(), "start the server, or correct the URL");
            None
        }
    }
}

/// The routes only one software has.
const TELLTALES: [(&str, Dialect); 4] = [
    ("/version", Dialect::Vllm),
    ("/get_model_info", Dialect::Sglang),
    ("/server_info", Dialect::Sglang),
    ("/props", Dialect::LlamaServer),
];

async fn recognise(connection: &Connection, list: Option<&ModelList>) -> Dialect {
    if let Some(dialect) = list.and_then(ModelList::dialect) {
        return dialect;
    }
    for (path, dialect) in TELLTALES {
        if connection.get::<IgnoredAny>(path).await.is_ok() {
            return dialect;
        }
    }
    Dialect::OpenAi
}

async fn look_at_chat(
    connection: &Connection,
    list: Option<&ModelList>,
    model: Option<&str>,
    report: &mut EndpointReport,
) -> bool {
    let dialect = recognise(connection, list).await;
    let identity = match models::choose(connection, model).await {
        Ok(Chosen { identity, .. }) => identity,
        Err(ModelError::Rejected { status: 200, reason, hint, .. }) => {
            report.add(Health::Fail, "model", reason, hint);
            return true;
        }
        Err(_) => return false,
    };
    report.ok("model", format!("{}, {}", identity.name, identity.revision));
    let shelf = match Shelf::new(Some(Arc::new(ProbeMedia)), MediaSettings::default(), dialect, &identity.name) {
        Ok(shelf) => shelf,
        Err(error) => {
            report.add(Health::Fail, "chat", error.to_string(), "leave the media settings out");
            return true;
        }
    };
    let chat = RemoteChat::over(connection.clone(), identity, dialect, shelf);
    match chat.chat(question("Say hello.", false)).await {
        Ok(_) => report.ok("chat", format!("answers, asked as {}", dialect.as_str())),
        Err(ModelError::Rejected { status: 400 | 404 | 405, .. }) => return false,
        Err(error) => {
            report.add(Health::Fail, "chat", error.to_string(), "see the server's log");
            return true;
        }
    }
    look_at_grammar(&chat, report).await;
    look_at_logprobs(&chat, report).await;
    look_at_cache(&chat, report).await;
    look_at_media(&chat, report).await;
    true
}

async fn look_at_grammar(chat: &RemoteChat, report: &mut EndpointReport) {
    const CURE: &str = "name the right dialect or update the server; without a grammar more replies are unusable";
    if chat.dialect() == Dialect::OpenAi {
        let cure = "none needed; vLLM, SGLang and llama-server enforce the form of replies";
        report.add(Health::Warn, "grammar", "this kind of server has none", cure);
        return;
    }
    // Not asked for a verdict, so that one shows the grammar at work.
    match chat.chat(question("Say hello.", true)).await {
        Ok(reply) if ["[[A]]", "[[B]]"].contains(&reply.text.trim()) => report.ok("grammar", "is enforced"),
        Ok(_) => report.add(Health::Warn, "grammar", "is ignored", CURE),
        Err(error) => report.add(Health::Warn, "grammar", error.to_string(), CURE),
    }
}

async fn look_at_logprobs(chat: &RemoteChat, report: &mut EndpointReport) {
    const SUBJECT: &str = "log-probabilities";
    const CURE: &str =
        "allow top_logprobs of 5 at the server (vLLM: --max-logprobs 5); without them confidence comes from votes";
    let asked = "Write only the verdict and nothing else: [[A]] if 1 + 1 = 2, [[B]] if not.";
    match chat.chat(ChatRequest { verdict_logprobs: true, ..question(asked, true) }).await {
        Ok(ChatReply { verdict_logprobs: Some(_), .. }) => report.ok(SUBJECT, "of both verdict letters come back"),
        Ok(_) => report.add(Health::Warn, SUBJECT, "do not come back", CURE),
        Err(error) => report.add(Health::Warn, SUBJECT, error.to_string(), CURE),
    }
}

async fn look_at_cache(chat: &RemoteChat, report: &mut EndpointReport) {
    const CURE: &str = "switch the prefix cache and its report on (vLLM: --enable-prompt-tokens-details; SGLang: --enable-cache-report)";
    let prompt = "This sentence only fills the prefix that two requests share. ".repeat(30);
    let mut cached = 0;
    for _ in 0..2 {
        match chat.chat(question(&prompt, false)).await {
            Ok(reply) => cached = reply.usage.cached_tokens,
            Err(error) => return report.add(Health::Warn, "prefix cache", error.to_string(), CURE),
        }
    }
    if cached > 0 {
        report.ok("prefix cache", format!("{cached} tokens of a repeated prompt were cached"));
    } else {
        report.add(Health::Warn, "prefix cache", "no cached tokens are reported", CURE);
    }
}

/// Shows a small picture, clip and sound. A server that answers and counts no token for them looked away.
async fn look_at_media(chat: &RemoteChat, report: &mut EndpointReport) {
    const ASKED: &str = "Say what this is.";
    const CURE: &str = "serve a model that takes them, with room for all of a pair (vLLM: --limit-mm-per-prompt), or leave such pairs out";
    let without = chat.chat(question(ASKED, false)).await.map_or(0, |reply| reply.usage.prompt_tokens);
    for (subject, kind) in [("pictures", MediaKind::Image), ("clips", MediaKind::Video), ("sounds", MediaKind::Audio)] {
        let mut asked = question(ASKED, false);
        asked.messages[0].spans.insert(0, ProbeMedia::span(kind));
        match chat.chat(asked).await {
            Ok(reply) if reply.usage.prompt_tokens > without || reply.usage.prompt_tokens == 0 => {
                report.ok(subject, "are taken");
            }
            Ok(_) => {
                report.add(Health::Warn, subject, "are taken, but add no token to the prompt: they are ignored", CURE);
            }
            Err(ModelError::Rejected { status, reason, .. }) => {
                report.add(Health::Warn, subject, format!("no: it answers {status}: {reason}"), CURE);
            }
            Err(ModelError::Unsupported { hint, .. }) => report.add(Health::Warn, subject, "no", hint),
            Err(error) => report.add(Health::Warn, subject, error.to_string(), CURE),
        }
    }
}

fn question(prompt: &str, grammar: bool) -> ChatRequest {
    let grammar = grammar.then(|| Grammar { name: "verdict".into(), gbnf: r#"root ::= "[[" ("A" | "B") "]]""#.into() });
    ChatRequest {
        messages: vec![Message { role: Role::User, spans: vec![Span::Template(prompt.into())] }],
        shared_spans: 0,
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 1, max_tokens: 16, stop: Vec::new() },
        grammar,
        verdict_logprobs: false,
        thinking: Some(false),
        origin: CallOrigin { pair: "probe".into(), step: Step::Direct, sample: 0, template: "".into() },
    }
}

async fn look_at_reward(connection: &Connection, model: Option<&str>, report: &mut EndpointReport) -> bool {
    let kinds = match recognise_reward(connection).await {
        Some(kind) => vec![kind],
        None => vec![RewardKind::VllmClassify, RewardKind::SglangClassify, RewardKind::TeiPredict],
    };
    for kind in kinds {
        let endpoint = RewardEndpoint { model: model.map(str::to_owned), kind, ..RewardEndpoint::default() };
        match RemoteReward::reach(connection.clone(), endpoint).await {
            Ok(remote) => {
                report.ok("reward", format!("answers as {}", kind.as_str()));
                add_squash(remote.squash_check(), report);
                return true;
            }
            Err(ModelError::Rejected { status: 400 | 404 | 405 | 422, .. } | ModelError::BadReply { .. }) => {}
            Err(error) => {
                let finding = format!("{}: {error}", kind.as_str());
                report.add(Health::Fail, "reward", finding, "serve a reward model with a single logit");
                return true;
            }
        }
    }
    false
}

async fn recognise_reward(connection: &Connection) -> Option<RewardKind> {
    match connection.get::<ModelList>("/v1/models").await.ok().and_then(|list| list.dialect()) {
        Some(Dialect::Vllm) => Some(RewardKind::VllmClassify),
        Some(Dialect::Sglang) => Some(RewardKind::SglangClassify),
        _ => None,
    }
}

fn add_squash(check: &SquashCheck, report: &mut EndpointReport) {
    match check {
        SquashCheck::Raw => report.ok("reward scale", "plain logits"),
        SquashCheck::Suspicious { reason, hint } => report.add(Health::Warn, "reward scale", reason, hint),
        SquashCheck::Squashed { reason, hint } => report.add(Health::Fail, "reward scale", reason, hint),
    }
}
