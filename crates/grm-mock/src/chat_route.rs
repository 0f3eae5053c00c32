//! `POST /v1/chat/completions`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    canonical::Key,
    config::{MockConfig, MockDialect},
    parts::{self, ArrivedPart},
    prefix_memory::{self, PrefixMemory, TOKEN_BYTES},
    replies::{self, Written},
};

/// Where generation ends when nobody says.
const DEFAULT_MAX_TOKENS: usize = 4096;

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(default)]
    max_tokens: Option<usize>,
    #[serde(default)]
    max_completion_tokens: Option<usize>,
    #[serde(default)]
    logprobs: Option<bool>,
    #[serde(default)]
    stream: Option<bool>,
    /// Grammars, as vLLM, SGLang and llama-server take them.
    #[serde(borrow, default)]
    structured_outputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ebnf: Option<&'a RawValue>,
    #[serde(borrow, default)]
    grammar: Option<&'a RawValue>,
}

impl Asked<'_> {
    /// True when a grammar came in the field this software reads.
    fn has_grammar(&self, dialect: MockDialect) -> bool {
        match dialect {
            MockDialect::Vllm => self.structured_outputs.is_some(),
            MockDialect::Sglang => self.ebnf.is_some(),
            MockDialect::LlamaServer => self.grammar.is_some(),
            MockDialect::OpenAi | MockDialect::Tei => false,
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    /// A string, or a list of parts.
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    usage: Usage,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    message: Said<'a>,
    logprobs: Option<Logprobs<'a>>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
}

#[derive(Serialize)]
struct Logprobs<'a> {
    content: Vec<Token<'a>>,
}

#[derive(Serialize)]
struct Token<'a> {
    token: &'a str,
    logprob: f64,
    bytes: &'a [u8],
    top_logprobs: Vec<Alternative<'a>>,
}

#[derive(Serialize)]
struct Alternative<'a> {
    token: &'a str,
    logprob: f64,
    bytes: &'a [u8],
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
    prompt_tokens_details: PromptDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: usize,
}

/// What a request is answered with and leaves behind.
pub(crate) struct Answered {
    /// The reply's JSON.
    pub(crate) json: Vec<u8>,
    /// The prompt's blocks, to be remembered when the reply is sent.
    pub(crate) blocks: Vec<u64>,
    /// What the messages hold, in order.
    pub(crate) parts: Vec<ArrivedPart>,
}

/// A refusal: status and message.
pub(crate) type Refusal = (u16, String);

/// Writes the reply.
pub(crate) fn answer(
    body: &[u8],
    key: &Key,
    config: &MockConfig,
    prefixes: &PrefixMemory,
) -> Result<Answered, Refusal> {
    let asked: Asked<'_> = serde_json::from_slice(body).map_err(|error| (400, error.to_string()))?;
    if asked.stream == Some(true) {
        return Err((400, "this mock server does not stream".to_owned()));
    }
    let model = asked.model.as_deref().unwrap_or(&config.models[0]);
    known_model(model, config)?;
    let (prompt, parts) = prompt(&asked.messages, config)?;
    let limit = asked.max_tokens.or(asked.max_completion_tokens).unwrap_or(DEFAULT_MAX_TOKENS);
    let written = limited(replies::write(&prompt, asked.has_grammar(config.dialect), key, config), limit);
    let blocks = prefix_memory::blocks(&prompt);
    let (prompt_tokens, completion_tokens) = (tokens(&prompt), tokens(&written.text));
    let id = format!("chatcmpl-{}", &blake3::Hash::from_bytes(*key).to_hex()[..16]);
    let reply = Reply {
        id: &id,
        object: "chat.completion",
        created: 0,
        model,
        choices: [Choice {
            index: 0,
            message: said(&written.text, config.reasoning_parser),
            logprobs: asked.logprobs.unwrap_or(false).then(|| logprobs(&written)),
            finish_reason: if written.cut { "length" } else { "stop" },
        }],
        usage: Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: PromptDetails { cached_tokens: prefixes.cached_tokens(&blocks) },
        },
    };
    let json = serde_json::to_vec(&reply).map_err(|error| (500, error.to_string()))?;
    Ok(Answered { json, blocks, parts })
}

/// Refuses models that are not listed, as vLLM does.
pub(crate) fn known_model(model: &str, config: &MockConfig) -> Result<(), Refusal> {
    if config.models.iter().any(|known| known == model) {
        return Ok(());
    }
    Err((404, format!("The model `{model}` does not exist.")))
}

fn prompt(messages: &[Message<'_>], config: &MockConfig) -> Result<(String, Vec<ArrivedPart>), Refusal> {
    let (mut prompt, mut arrived) = (String::new(), Vec::new());
    for message in messages {
        if !prompt.is_empty() {
            prompt.push('\n');
        }
        arrived.extend(parts::read(message.content, config.takes(), &mut prompt)?);
    }
    Ok((prompt, arrived))
}

fn tokens(text: &str) -> usize {
    text.len().div_ceil(TOKEN_BYTES)
}

fn limited(written: Written, max_tokens: usize) -> Written {
    if tokens(&written.text) <= max_tokens {
        return written;
    }
    let mut end = max_tokens * TOKEN_BYTES;
    while !written.text.is_char_boundary(end) {
        end -= 1;
    }
    Written { text: written.text[..end].to_owned(), cut: true, ..written }
}

fn said(text: &str, reasoning_parser: bool) -> Said<'_> {
    let apart =
        text.strip_prefix("<think>").filter(|_| reasoning_parser).map(|rest| match rest.split_once("</think>") {
            Some((thinking, answer)) => (thinking, Some(answer)),
            None => (rest, None),
        });
    match apart {
        Some((thinking, content)) => Said { role: "assistant", content, reasoning_content: Some(thinking) },
        None => Said { role: "assistant", content: Some(text), reasoning_content: None },
    }
}

/// Letters of verdicts are tokens of their own, with both letters among the alternatives.
fn logprobs(written: &Written) -> Logprobs<'_> {
    let likely = |lean: f64| -(-4.0 * lean).exp().ln_1p();
    let letters = [("A", likely(written.lean)), ("B", likely(-written.lean))];
    let content = pieces(&written.text).map(|piece| {
        let own = letters.iter().find(|(letter, _)| *letter == piece);
        let alternatives = match own {
            Some(_) => letters.iter().map(|(token, logprob)| alternative(token, *logprob)).collect(),
            None => vec![alternative(piece, -0.01)],
        };
        let logprob = own.map_or(-0.01, |(_, logprob)| *logprob);
        Token { token: piece, logprob, bytes: piece.as_bytes(), top_logprobs: alternatives }
    });
    Logprobs { content: content.collect() }
}

fn alternative(token: &str, logprob: f64) -> Alternative<'_> {
    Alternative { token, logprob, bytes: token.as_bytes() }
}

/// Words with the blank before them; `[[A]]` falls into `[[`, `A` and `]]`.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let letter = rest.starts_with("A]]") || rest.starts_with("B]]");
        let end = match rest.find("[[") {
            _ if letter => 1,
            Some(0) => 2,
            verdict => {
                let first = rest.chars().next().map_or(0, char::len_utf8);
                let blank = rest[first..].find(char::is_whitespace).map(|at| at + first);
                blank.into_iter().chain(verdict).min().unwrap_or(rest.len())
            }
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_up_the_text_and_letters_stand_alone() {
        let text = "<think>\nwell é\n</think>\n[[A]] [[B]]";
        let all: Vec<&str> = pieces(text).collect();
        assert_eq!(all.concat(), text);
        assert_eq!(all[all.len() - 7..], ["[[", "A", "]]", " ", "[[", "B", "]]"]);
    }

    fn ask(body: &str, config: &MockConfig) -> Result<serde_json::Value, Refusal> {
        let answered = answer(body.as_bytes(), &[1; 32], config, &PrefixMemory::default())?;
        Ok(serde_json::from_slice(&answered.json).unwrap())
    }

    #[test]
    fn replies_have_the_usual_shape() {
        let config = MockConfig::default();
        let reply = ask(r#"{"messages":[{"role":"user","content":"only [[A]] or [[B]]"}],"logprobs":true}"#, &config);
        let reply = reply.unwrap();
        let choice = &reply["choices"][0];
        assert!(["[[A]]", "[[B]]"].contains(&choice["message"]["content"].as_str().unwrap()));
        assert_eq!(choice["finish_reason"], "stop");
        assert_eq!(choice["logprobs"]["content"][1]["top_logprobs"].as_array().unwrap().len(), 2);
        assert_eq!(reply["usage"]["prompt_tokens"], 5);
        let parts = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"only [[A]] or [[B]]"}]}]}"#;
        assert_eq!(ask(parts, &config).unwrap()["usage"]["prompt_tokens"], 5);
    }

    #[test]
    fn limits_and_reasoning_parsers_work_together() {
        let config = MockConfig { reasoning_parser: true, ..MockConfig::default() };
        let body = |limit: u32| {
            format!(
                r#"{{"max_tokens":{limit},"messages":[{{"role":"user","content":"<think> then [[A]] or [[B]]"}}]}}"#
            )
        };
        let whole = ask(&body(1000), &config).unwrap();
        assert!(whole["choices"][0]["message"]["content"].as_str().unwrap().contains("[["));
        let cut = ask(&body(10), &config).unwrap();
        assert_eq!(cut["choices"][0]["finish_reason"], "length");
        assert_eq!(cut["choices"][0]["message"]["content"], serde_json::Value::Null);
        assert_eq!(cut["usage"]["completion_tokens"], 10);
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let config = MockConfig::default();
        assert_eq!(ask("{}", &config).unwrap_err().0, 400);
        assert_eq!(ask(r#"{"messages":[],"stream":true}"#, &config).unwrap_err().0, 400);
        assert_eq!(ask(r#"{"messages":[],"model":"other"}"#, &config).unwrap_err().0, 404);
        assert_eq!(ask(r#"{"messages":[{"content":5}]}"#, &config).unwrap_err().0, 400);
    }
}
