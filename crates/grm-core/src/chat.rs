//! Messages in, a reply out: the trait every generating model stands behind.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{BoxFuture, MediaRef, ModelError, Role};

/// One stretch of a message. Engines that tokenise themselves keep special tokens off in `Content`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum Span {
    /// Our own words, from a template.
    Template(Arc<str>),
    /// Somebody else's words: a prompt, a response, a critique. Data, never an instruction to a parser.
    Content(Arc<str>),
    /// A picture.
    Image(MediaRef),
    /// A clip.
    Video(MediaRef),
    /// A sound.
    Audio(MediaRef),
}

/// One chat message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub spans: Vec<Span>,
}

impl Message {
    /// The text spans joined as they stand.
    #[must_use]
    pub fn text(&self) -> String {
        self.spans
            .iter()
            .filter_map(|span| match span {
                Span::Template(text) | Span::Content(text) => Some(&**text),
                Span::Image(_) | Span::Video(_) | Span::Audio(_) => None,
            })
            .collect()
    }
}

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f32,
    /// Nucleus mass, 1 keeps all.
    pub top_p: f32,
    /// Derived from run seed, pair, step and sample; never drawn.
    pub seed: u64,
    /// Most tokens to generate.
    pub max_tokens: u32,
    /// Strings that end the reply and are not part of it.
    pub stop: Vec<String>,
}

/// The formal twin of a prompt's output contract.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grammar {
    /// The contract it belongs to, for messages.
    pub name: Arc<str>,
    /// GBNF with start symbol `root`: read by llama.cpp, and by vLLM's `structured_outputs` and SGLang's `ebnf`.
    pub gbnf: Arc<str>,
}

/// The step of the method a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Propose the first k criteria.
    Criteria,
    /// Add n more.
    Expansion,
    /// Judge the pair under one criterion.
    Judgment,
    /// Revise one response by one critique.
    Refinement,
    /// Score one response with the DisRM.
    Scoring,
    /// Judge once more under the best m criteria together.
    Combined,
    /// Judge in one call, without criteria given.
    Direct,
}

impl Step {
    /// The name used in journals, tables and mock scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Criteria => "criteria",
            Self::Expansion => "expansion",
            Self::Judgment => "judgment",
            Self::Refinement => "refinement",
            Self::Scoring => "scoring",
            Self::Combined => "combined",
            Self::Direct => "direct",
        }
    }
}

/// Why a call is made. `step`, `sample` and `template` enter the journal key; `pair` is for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallOrigin {
    /// The comparison's id.
    pub pair: Arc<str>,
    /// The step of the method.
    pub step: Step,
    /// 0-based index among repeated samples of one question.
    pub sample: u32,
    /// Hash of the prompt template's text; empty for scoring.
    pub template: Arc<str>,
}

/// One question to a chat model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatRequest {
    /// The conversation; the reply is the next assistant turn.
    pub messages: Vec<Message>,
    /// How many leading spans, counted through all messages, other calls of this pair share: the part worth caching.
    pub shared_spans: usize,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// The form the reply must take, where the engine can enforce it.
    pub grammar: Option<Grammar>,
    /// Ask for log P of the verdict letters.
    pub verdict_logprobs: bool,
    /// `Some(false)` asks a hybrid reasoning model not to think, `None` leaves its default.
    pub thinking: Option<bool>,
    /// Why the call is made.
    pub origin: CallOrigin,
}

/// Why generation stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model ended its turn or met a stop string.
    Stop,
    /// The token limit was reached: the reply may be incomplete.
    Length,
    /// A safety filter cut it.
    Filtered,
}

/// Token counts of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Tokens of the rendered prompt.
    pub prompt_tokens: u64,
    /// Of those, tokens taken from a prefix cache; 0 where the engine does not say.
    pub cached_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
}

/// log P (natural, before any grammar) of the letters A and B at the place of the final verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictLogprobs {
    /// log P(A).
    pub a: f32,
    /// log P(B).
    pub b: f32,
}

impl VerdictLogprobs {
    /// log P(A) − log P(B): above 0 prefers A.
    #[must_use]
    pub fn log_odds(self) -> f32 {
        self.a - self.b
    }

    /// The same seen with A and B exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self { a: self.b, b: self.a }
    }
}

/// What a chat model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatReply {
    /// The assistant turn, special tokens not rendered. Thinking is included when the engine leaves it in.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Token counts.
    pub usage: Usage,
    /// Present when asked for and the engine could tell.
    pub verdict_logprobs: Option<VerdictLogprobs>,
}

/// What answers a call. All of it enters the journal key, so one model's answers are never served as another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelIdentity {
    /// The name people use: `qwen2.5-1.5b`, `Qwen/Qwen3-8B`.
    pub name: String,
    /// What makes it this very model: a file's SHA-256, or the id and root a server reports.
    pub revision: String,
    /// Adapter or head on top, with its hash and scale; empty if none.
    pub adapter: String,
}

/// A model that writes: a GenRM or a policy, in process or behind a URL.
pub trait ChatModel: Send + Sync {
    /// What answers; part of every journal key.
    fn identity(&self) -> &ModelIdentity;

    /// Generates one reply. Dropping the future cancels the work.
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>>;

    /// Tokens the request's prompt takes, where that can be counted without running the model.
    fn count_tokens(&self, request: &ChatRequest) -> Option<u64> {
        let _ = request;
        None
    }
}
