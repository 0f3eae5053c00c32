//! A batch file answered as `vllm run-batch` answers it, without any server.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{canonical, chat_route, config::MockConfig, prefix_memory::PrefixMemory};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    custom_id: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The replies to a file of requests, a line for each, with the text that a server of this configuration gives. What is
/// no request of a batch is an error, as it is there.
pub fn answer_batch(config: &MockConfig, requests: &str) -> Result<String, serde_json::Error> {
    let prefixes = PrefixMemory::default();
    let answered =
        requests.lines().map(|line| Ok(format!("{}\n", answer(config, &prefixes, &serde_json::from_str(line)?))));
    answered.collect()
}

fn answer(config: &MockConfig, prefixes: &PrefixMemory, line: &Line<'_>) -> Value {
    let body = line.body.get().as_bytes();
    let key = canonical::key(config.seed, &line.url, body).unwrap_or_default();
    let answer = match (&*line.method, &*line.url) {
        ("POST", "/v1/chat/completions") => chat_route::answer(body, &key, config, prefixes),
        (method, url) => Err((400, format!("a batch takes POST /v1/chat/completions, not {method} {url}"))),
    };
    let (status, body, error) = match answer {
        Ok(answered) => {
            prefixes.remember(answered.blocks);
            (200, serde_json::from_slice(&answered.json).unwrap_or_default(), Value::Null)
        }
        Err((status, message)) => (status, Value::Null, json!({"error": {"message": message, "code": status}})),
    };
    let id = blake3::Hash::from_bytes(key).to_hex();
    json!({
        "id": format!("vllm-{}", &id[..16]),
        "custom_id": line.custom_id,
        "response": {"status_code": status, "request_id": format!("vllm-batch-{}", &id[..16]), "body": body},
        "error": error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_reply_or_its_error() {
        let line = |name: &str, url: &str, model: &str| {
            let body = json!({"model": model, "messages": [{"role": "user", "content": "Which is better?"}]});
            json!({"custom_id": name, "method": "POST", "url": url, "body": body}).to_string()
        };
        let chat = "/v1/chat/completions";
        let requests =
            [line("a", chat, "mock"), line("b", chat, "other"), line("c", "/v1/embeddings", "mock")].join("\n");
        let replies = answer_batch(&MockConfig::default(), &requests).unwrap();
        let replies: Vec<Value> = replies.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let status = |place: usize| replies[place]["response"]["status_code"].as_u64().unwrap();
        assert_eq!([0, 1, 2].map(status), [200, 404, 400]);
        assert!(replies[0]["response"]["body"]["choices"][0]["message"]["content"].is_string());
        assert_eq!((&replies[1]["custom_id"], &replies[1]["response"]["body"]), (&json!("b"), &Value::Null));
        assert!(answer_batch(&MockConfig::default(), "{}").is_err());
    }
}
