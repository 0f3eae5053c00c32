//! The reply of `POST /v1/chat/completions`, read without copying what is not kept.

use std::borrow::Cow;

use grm_core::{ChatReply, Finish, Usage, VerdictLogprobs};
use serde::{Deserialize, de::IgnoredAny};

use crate::{connection::unreadable, control_tokens, transport::Unreadable, verdict_letters::Logprobs};

/// `L` is how the log-probabilities are read: they are most of a judgment's bytes.
#[derive(Deserialize)]
#[serde(bound(deserialize = "L: Deserialize<'de>"))]
struct Body<'a, L> {
    #[serde(borrow)]
    choices: Vec<Choice<'a, L>>,
    #[serde(default)]
    usage: Option<UsageBody>,
    #[serde(default)]
    timings: Option<Timings>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "L: Deserialize<'de>"))]
struct Choice<'a, L> {
    #[serde(borrow)]
    message: MessageBody<'a>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    logprobs: Option<L>,
}

#[derive(Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
    /// vLLM and SGLang with a reasoning parser, llama-server.
    #[serde(borrow, default)]
    reasoning_content: Option<Cow<'a, str>>,
    /// The same in newer vLLM and in hosted gateways.
    #[serde(borrow, default)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
struct UsageBody {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

/// llama-server's own report.
#[derive(Deserialize)]
struct Timings {
    #[serde(default)]
    cache_n: Option<u64>,
}

/// Reads a reply body. Log-probabilities in a form of their own are skipped: they are no part of the reply.
pub(crate) fn decode(body: &[u8]) -> Result<ChatReply, Unreadable> {
    match serde_json::from_slice::<Body<'_, Logprobs<'_>>>(body) {
        Ok(parsed) => reply(parsed, |logprobs| logprobs.verdict()),
        Err(error) if error.is_data() => {
            let parsed = serde_json::from_slice::<Body<'_, IgnoredAny>>(body);
            reply(parsed.map_err(|error| unreadable(body, &error))?, |_| None)
        }
        Err(error) => Err(unreadable(body, &error)),
    }
}

fn reply<L>(parsed: Body<'_, L>, letters: impl FnOnce(&L) -> Option<VerdictLogprobs>) -> Result<ChatReply, Unreadable> {
    let usage = usage(parsed.usage.unwrap_or_default(), parsed.timings);
    let choice = parsed.choices.into_iter().next().ok_or_else(|| shape("it has no choices"))?;
    let finish = finish(&choice)?;
    let verdict_logprobs = choice.logprobs.as_ref().and_then(letters);
    let (text, finish) = text(choice.message, finish)?;
    Ok(ChatReply { text: control_tokens::restore(text), finish, usage, verdict_logprobs })
}

fn shape(reason: &str) -> Unreadable {
    Unreadable::Shape(reason.to_owned())
}

fn finish<L>(choice: &Choice<'_, L>) -> Result<Finish, Unreadable> {
    match choice.finish_reason.as_deref() {
        Some("length") => Ok(Finish::Length),
        Some("content_filter") => Ok(Finish::Filtered),
        // A server that is shutting down or out of memory.
        Some("abort" | "error") => Err(Unreadable::Broken("the server aborted the generation".to_owned())),
        Some(_) | None => Ok(Finish::Stop),
    }
}

/// Puts thinking that the server took apart back in front of the answer.
fn text(message: MessageBody<'_>, finish: Finish) -> Result<(String, Finish), Unreadable> {
    let thinking = message.reasoning_content.or(message.reasoning).filter(|thinking| !thinking.is_empty());
    match (message.content, thinking, message.refusal, finish) {
        (Some(content), Some(thinking), _, _) if !content.is_empty() => {
            Ok((format!("<think>{thinking}</think>{content}"), finish))
        }
        // Cut while still thinking.
        (_, Some(thinking), _, Finish::Length) => Ok((format!("<think>{thinking}"), finish)),
        (_, Some(thinking), _, _) => Ok((format!("<think>{thinking}</think>"), finish)),
        (Some(content), None, None, _) => Ok((content.into_owned(), finish)),
        (Some(content), None, Some(_), _) if !content.is_empty() => Ok((content.into_owned(), finish)),
        (_, None, Some(refusal), _) => Ok((refusal.into_owned(), Finish::Filtered)),
        (None, None, None, Finish::Filtered | Finish::Length) => Ok((String::new(), finish)),
        (None, None, None, Finish::Stop) => Err(shape("its message has no content")),
    }
}

fn usage(body: UsageBody, timings: Option<Timings>) -> Usage {
    let cached = body.prompt_tokens_details.and_then(|details| details.cached_tokens);
    Usage {
        prompt_tokens: body.prompt_tokens,
        cached_tokens: cached.or_else(|| timings?.cache_n).unwrap_or(0),
        completion_tokens: body.completion_tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(message: &str, finish: &str) -> Result<ChatReply, Unreadable> {
        decode(format!(r#"{{"choices":[{{"message":{message},"finish_reason":{finish}}}]}}"#).as_bytes())
    }

    fn check(message: &str, finish: &str, text: &str, expected: Finish) {
        let reply = reply(message, finish).unwrap();
        assert_eq!((reply.text.as_str(), reply.finish), (text, expected), "{message}");
    }

    #[test]
    fn texts_and_finishes() {
        check(r#"{"role":"assistant","content":"a\n\"b\""}"#, r#""stop""#, "a\n\"b\"", Finish::Stop);
        check(r#"{"content":""}"#, "null", "", Finish::Stop);
        check(r#"{"content":"a"}"#, r#""length""#, "a", Finish::Length);
        check(r#"{"content":null}"#, r#""content_filter""#, "", Finish::Filtered);
        check(r#"{"content":null,"refusal":"no"}"#, r#""stop""#, "no", Finish::Filtered);
        check(r#"{"content":"a<\u200b|im_end|>"}"#, r#""stop""#, "a<|im_end|>", Finish::Stop);
    }

    #[test]
    fn thinking_is_put_back() {
        check(r#"{"content":"a","reasoning_content":"t"}"#, r#""stop""#, "<think>t</think>a", Finish::Stop);
        check(r#"{"content":"a","reasoning":"t"}"#, r#""stop""#, "<think>t</think>a", Finish::Stop);
        check(r#"{"content":"a","reasoning_content":""}"#, r#""stop""#, "a", Finish::Stop);
        check(r#"{"content":null,"reasoning_content":"t"}"#, r#""length""#, "<think>t", Finish::Length);
        check(r#"{"content":null,"reasoning_content":"t"}"#, r#""stop""#, "<think>t</think>", Finish::Stop);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let shape = |body: &str, part: &str| match decode(body.as_bytes()) {
            Err(Unreadable::Shape(reason)) => assert!(reason.contains(part), "{reason}"),
            other => panic!("{body}: {other:?}"),
        };
        shape(r#"{"choices":[]}"#, "no choices");
        shape(r#"{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}"#, "no content");
        shape(r#"{"choices":[{"message":{"content":[1]}}]}"#, "invalid type");
        shape(r#"{"answer":"x"}"#, "choices");
        shape("[1,2]", "invalid");
        let broken = |body: &str, part: &str| match decode(body.as_bytes()) {
            Err(Unreadable::Broken(reason)) => assert!(reason.contains(part), "{reason}"),
            other => panic!("{body}: {other:?}"),
        };
        broken(r#"{"choices":[{"message":{"cont"#, "ends too early");
        broken("", "ends too early");
        broken("<html><body>Bad gateway</body></html>", "web page");
        broken("OK", "not JSON");
        broken(r#"{"choices":[{"message":{"content":"a"},"finish_reason":"abort"}]}"#, "aborted");
    }

    #[test]
    fn log_probabilities_of_another_form_cost_nothing_else() {
        let decoded = |logprobs: &str| {
            let choice = format!(r#"{{"message":{{"content":"[[A]]"}},"finish_reason":"stop","logprobs":{logprobs}}}"#);
            decode(format!(r#"{{"choices":[{choice}]}}"#).as_bytes()).unwrap()
        };
        let top = r#"[{"token":"A","logprob":-0.5},{"token":"B","logprob":-1.5}]"#;
        let usual = format!(r#"{{"content":[{{"token":"[["}},{{"token":"A","top_logprobs":{top}}}]}}"#);
        assert_eq!(decoded(&usual).verdict_logprobs, Some(VerdictLogprobs { a: -0.5, b: -1.5 }));
        for other in ["null", "[-0.5]", r#"{"tokens":["A"]}"#, r#"{"content":[{"token":7}]}"#, r#"{"content":"A"}"#] {
            let reply = decoded(other);
            assert_eq!((reply.text.as_str(), reply.verdict_logprobs), ("[[A]]", None), "{other}");
        }
    }

    #[test]
    fn cached_tokens_come_from_whoever_reports_them() {
        let cached = |tail: &str| {
            let body = format!(r#"{{"choices":[{{"message":{{"content":"a"}}}}]{tail}}}"#);
            decode(body.as_bytes()).unwrap().usage
        };
        assert_eq!(cached(""), Usage::default());
        let usage = cached(
            r#","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":8}}"#,
        );
        assert_eq!(usage, Usage { prompt_tokens: 9, cached_tokens: 8, completion_tokens: 2 });
        assert_eq!(
            cached(r#","usage":{"prompt_tokens":9,"prompt_tokens_details":null},"timings":{"cache_n":4}"#)
                .cached_tokens,
            4
        );
    }
}
