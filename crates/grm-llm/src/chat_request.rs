//! The body of `POST /v1/chat/completions`, written straight from borrowed texts.

use std::fmt;

use grm_core::{ChatRequest, Message, Span};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::{Map, Value};

use crate::{
    control_tokens::defuse,
    dialect::Dialect,
    media::{Loaded, MediaSettings},
};

/// Enough to hold both verdict letters wherever the verdict is in doubt. Servers send this many for every token of the
/// reply, so more would cost more to read than all the rest of a call.
const TOP_LOGPROBS: u8 = 5;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Messages<'a>,
    temperature: f32,
    top_p: f32,
    seed: u64,
    max_tokens: u32,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_template_kwargs: Option<TemplateArguments<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mm_processor_kwargs: Option<MediaSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_outputs: Option<StructuredOutputs<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ebnf: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grammar: Option<&'a str>,
}

#[derive(Serialize)]
struct StructuredOutputs<'a> {
    grammar: &'a str,
}

/// What a request does not say and the endpoint knows.
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a str,
    pub(crate) dialect: Dialect,
    pub(crate) template_arguments: &'a Map<String, Value>,
    /// Send control tokens in other people's text as they are.
    pub(crate) pass_control_tokens: bool,
}

impl Asked<'_> {
    /// The JSON to post, with these media.
    pub(crate) fn body(&self, request: &ChatRequest, media: &Loaded) -> Vec<u8> {
        let grammar_for = |dialect| {
            let grammar = request.grammar.as_ref().filter(|_| self.dialect == dialect);
            grammar.map(|grammar| &*grammar.gbnf)
        };
        let sampling = &request.sampling;
        let body = Body {
            model: self.model,
            messages: Messages { messages: &request.messages, media, pass: self.pass_control_tokens },
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            seed: folded(sampling.seed),
            max_tokens: sampling.max_tokens,
            stop: &sampling.stop,
            logprobs: request.verdict_logprobs.then_some(true),
            top_logprobs: request.verdict_logprobs.then_some(TOP_LOGPROBS),
            chat_template_kwargs: self.template_arguments(request.thinking),
            mm_processor_kwargs: media.processor_arguments(),
            structured_outputs: grammar_for(Dialect::Vllm).map(|grammar| StructuredOutputs { grammar }),
            ebnf: grammar_for(Dialect::Sglang),
            grammar: grammar_for(Dialect::LlamaServer),
        };
        let mut json = Vec::with_capacity(room(&request.messages, media));
        serde_json::to_writer(&mut json, &body).expect("writing to memory does not fail");
        json
    }

    /// A plain OpenAI server refuses unknown fields, so it gets these only if the user named some.
    fn template_arguments(&self, thinking: Option<bool>) -> Option<TemplateArguments<'_>> {
        let given = self.template_arguments;
        if given.is_empty() && (thinking.is_none() || self.dialect == Dialect::OpenAi) {
            return None;
        }
        Some(TemplateArguments { given, thinking })
    }
}

/// Bytes a body of these messages needs at most as a rule: what is larger is moved while it grows.
pub(crate) fn room(messages: &[Message], media: &Loaded) -> usize {
    let spans = messages.iter().flat_map(|message| &message.spans);
    let texts: usize = spans.filter_map(text_of).map(str::len).sum();
    texts + texts / 16 + media.encoded_length(messages) + 512
}

fn text_of(span: &Span) -> Option<&str> {
    match span {
        Span::Template(text) | Span::Content(text) => Some(text),
        Span::Image(_) | Span::Video(_) | Span::Audio(_) => None,
    }
}

/// Seeds are 64 bits here; servers take 31 (llama-server), 63 (vLLM) or fail.
fn folded(seed: u64) -> u64 {
    (seed ^ (seed >> 32)) & 0x7fff_ffff
}

/// A conversation as servers read it.
pub(crate) struct Messages<'a> {
    pub(crate) messages: &'a [Message],
    pub(crate) media: &'a Loaded,
    /// Send control tokens in other people's text as they are.
    pub(crate) pass: bool,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            role: &'static str,
            content: Content<'a>,
        }
        let mut sequence = serializer.serialize_seq(Some(self.messages.len()))?;
        for message in self.messages {
            let content = Content { spans: &message.spans, media: self.media, pass: self.pass };
            sequence.serialize_element(&Wire { role: message.role.as_str(), content })?;
        }
        sequence.end()
    }
}

/// Text alone as one string; with media a list of parts in the spans' own order, texts that meet made one part.
struct Content<'a> {
    spans: &'a [Span],
    media: &'a Loaded,
    pass: bool,
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct TextPart<'a> {
            r#type: &'static str,
            text: Text<'a>,
        }
        let text = |spans| Text { spans, pass: self.pass };
        if self.spans.iter().all(|span| span.media().is_none()) {
            return text(self.spans).serialize(serializer);
        }
        let mut parts = serializer.serialize_seq(None)?;
        for spans in self.spans.chunk_by(|left, right| left.media().is_none() && right.media().is_none()) {
            match spans[0].media() {
                Some((kind, media)) => parts.serialize_element(&self.media.part(kind, media))?,
                None => parts.serialize_element(&TextPart { r#type: "text", text: text(spans) })?,
            }
        }
        parts.end()
    }
}

/// Spans of text as one string, joined while it is being escaped.
struct Text<'a> {
    spans: &'a [Span],
    pass: bool,
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spans.iter().try_for_each(|span| match span {
            Span::Template(text) => f.write_str(text),
            Span::Content(text) if self.pass => f.write_str(text),
            Span::Content(text) => f.write_str(&defuse(text)),
            Span::Image(_) | Span::Video(_) | Span::Audio(_) => Ok(()),
        })
    }
}

/// The user's arguments, with the request's wish about thinking on top.
struct TemplateArguments<'a> {
    given: &'a Map<String, Value>,
    thinking: Option<bool>,
}

impl Serialize for TemplateArguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let given = self.given.iter().filter(|(name, _)| self.thinking.is_none() || *name != "enable_thinking");
        let thinking = self.thinking.map(Value::Bool);
        serializer.collect_map(
            given
                .map(|(name, value)| (name.as_str(), value))
                .chain(thinking.as_ref().map(|value| ("enable_thinking", value))),
        )
    }
}
