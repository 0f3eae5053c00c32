//! What a server's refusal says, and what to do about it.

use grm_core::ModelError;
use reqwest::StatusCode;
use serde::Deserialize;

use super::attempt::Reading;
use crate::api_key::ApiKey;

/// Longest part of a server's message that is shown.
const REASON_LIMIT: usize = 300;

/// The shapes error bodies come in: `{"error":{"message"}}`, `{"error":"…"}`, `{"message"}`, `{"detail"}`.
#[derive(Deserialize, Default)]
struct ErrorBody {
    #[serde(default)]
    error: serde_json::Value,
    #[serde(default)]
    message: serde_json::Value,
    #[serde(default)]
    detail: serde_json::Value,
}

/// The message in an error body, in one short line without control characters and without the key.
pub(crate) fn reason(body: &[u8], key: Option<&ApiKey>) -> String {
    let text = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(parsed) => message(&parsed).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let text = key.map_or(text.clone(), |key| key.redact(&text));
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    if line.is_empty() {
        return "no reason given".to_owned();
    }
    match line.char_indices().nth(REASON_LIMIT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn message(body: &ErrorBody) -> Option<String> {
    let candidates = [&body.error["message"], &body.error, &body.message, &body.detail];
    let found = candidates.into_iter().find_map(|value| value.as_str());
    found.map(str::to_owned).or_else(|| (!body.detail.is_null()).then(|| body.detail.to_string()))
}

pub(crate) fn error(
    status: StatusCode,
    reading: &Reading<'_>,
    body: &[u8],
    reason: String,
    location: Option<&str>,
) -> ModelError {
    if let Some(error) = too_long(body) {
        return error;
    }
    ModelError::Rejected {
        place: reading.route.place.clone(),
        status: status.as_u16(),
        reason,
        hint: hint(status, reading, location),
    }
}

fn hint(status: StatusCode, reading: &Reading<'_>, location: Option<&str>) -> String {
    let source = reading.key.map(ApiKey::source);
    match (status.as_u16(), source) {
        (401, Some(source)) => format!("the key in {source} was not accepted: set {source} to a valid one"),
        (401, None) => "it wants an API key: name the environment variable that holds one as api_key_env".to_owned(),
        (403, Some(source)) => format!("the key in {source} may not do this: use one that may use this model"),
        (403, None) => "it wants a key with more rights: name its environment variable as api_key_env".to_owned(),
        (404 | 405, _) => format!(
            "compare the URL and the model's name with what GET {} lists",
            reading.route.url.join("/v1/models").map_or_else(
                |_| "/v1/models".to_owned(),
                |mut url| {
                    let _ = url.set_username("");
                    let _ = url.set_password(None);
                    url.to_string()
                }
            )
        ),
        (400 | 413 | 422, _) => {
            "the request does not suit this server or model: `grm doctor` shows what it supports".to_owned()
        }
        (300..400, _) => match location {
            Some(_) => "it redirects elsewhere: give the final URL, redirects are not followed".to_owned(),
            None => "it wants something else than an answer here: check the URL".to_owned(),
        },
        _ => "the server's own log says more".to_owned(),
    }
}

/// Context overflow, as llama-server (fields) and vLLM or SGLang (a sentence) report it.
fn too_long(body: &[u8]) -> Option<ModelError> {
    #[derive(Deserialize)]
    struct Overflow {
        error: Fields,
    }
    #[derive(Deserialize)]
    struct Fields {
        #[serde(default)]
        n_prompt_tokens: u64,
        #[serde(default)]
        n_ctx: u64,
    }
    if let Ok(Overflow { error }) = serde_json::from_slice::<Overflow>(body)
        && error.n_ctx > 0
    {
        return Some(ModelError::PromptTooLong { tokens: error.n_prompt_tokens, reserved: 0, limit: error.n_ctx });
    }
    let text = String::from_utf8_lossy(body);
    let limit = number_after(&text, "maximum context length is ")?;
    let (tokens, reserved) = (number_before(&text, " in the messages"), number_before(&text, " in the completion"));
    let requested = number_after(&text, "requested ").or_else(|| number_after(&text, "prompt contains "));
    Some(ModelError::PromptTooLong { tokens: tokens.or(requested)?, reserved: reserved.unwrap_or(0), limit })
}

fn number_after(text: &str, words: &str) -> Option<u64> {
    let rest = text.split_once(words)?.1.trim_start_matches("at least ");
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

fn number_before(text: &str, words: &str) -> Option<u64> {
    let before = text.split_once(words)?.0;
    before[before.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1)..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        assert_eq!(reason(body.as_bytes(), None), expected);
    }

    #[test]
    fn the_message_is_found_in_every_shape() {
        check(r#"{"error":{"message":"no such model","code":404}}"#, "no such model");
        check(r#"{"error":"no such model"}"#, "no such model");
        check(r#"{"object":"error","message":"no such\n model"}"#, "no such model");
        check(r#"{"detail":"Not Found"}"#, "Not Found");
        check(r#"{"detail":[{"msg":"field required"}]}"#, r#"[{"msg":"field required"}]"#);
        check("<html>\u{1b}[31mnope</html>", "<html> [31mnope</html>");
        check("", "no reason given");
    }

    #[test]
    fn long_messages_are_shortened_and_keys_removed() {
        let key = ApiKey::new("K", "sk-canary").unwrap();
        let body = format!(r#"{{"error":"bad key sk-canary {}"}}"#, "é".repeat(1000));
        let line = reason(body.as_bytes(), Some(&key));
        assert!(line.starts_with("bad key [key] é") && line.chars().count() == REASON_LIMIT + 1, "{line}");
    }

    #[test]
    fn context_overflow_is_recognised() {
        let check = |body: &str, expected: (u64, u64, u64)| match too_long(body.as_bytes()) {
            Some(ModelError::PromptTooLong { tokens, reserved, limit }) => {
                assert_eq!((tokens, reserved, limit), expected);
            }
            other => panic!("{body}: {other:?}"),
        };
        check(
            r#"{"error":{"code":400,"type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}}"#,
            (5000, 0, 4096),
        );
        check(
            "maximum context length is 4096 tokens. However, you requested 5100 tokens (5000 in the messages, 100 in the completion)",
            (5000, 100, 4096),
        );
        check("maximum context length is 4096 tokens, but prompt contains at least 4097 input tokens", (4097, 0, 4096));
        assert!(too_long(br#"{"error":{"message":"unknown field"}}"#).is_none());
    }
}
