//! `POST /classify` and `/predict`.

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    canonical::{Key, share_of},
    chat_route::{Refusal, known_model},
    config::{MockConfig, MockDialect, Squash},
    parts::{self, ArrivedPart},
    replies,
};

#[derive(Deserialize)]
struct Classify<'a> {
    #[serde(default)]
    model: Option<String>,
    #[serde(borrow, default)]
    messages: Option<Vec<Message<'a>>>,
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    text: Option<Value>,
    #[serde(default)]
    use_activation: Option<bool>,
    #[serde(default)]
    activation: Option<bool>,
}

#[derive(Deserialize)]
struct Message<'a> {
    /// A string, or a list of parts.
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Predict {
    inputs: Value,
    #[serde(default)]
    raw_scores: bool,
}

/// The reply to a reward request at this path, and what its messages hold where the route takes messages.
pub(crate) fn answer(
    path: &str,
    body: &[u8],
    key: &Key,
    config: &MockConfig,
) -> Result<(Vec<u8>, Vec<ArrivedPart>), Refusal> {
    let mut parts = Vec::new();
    let reply = match (path, config.dialect) {
        ("/classify", MockDialect::Vllm) => vllm(&parse(body)?, key, config, &mut parts)?,
        ("/classify", MockDialect::Sglang) => sglang(&parse(body)?, key, config)?,
        ("/predict", MockDialect::Tei) => tei(&parse(body)?, key, config)?,
        _ => return Err((404, "Not Found".to_owned())),
    };
    // serde_json writes NaN as null; Python servers write it as it is.
    let nan = share_of(key, "nan") < config.nan;
    let text = reply.to_string();
    Ok((if nan { text.replace("\"logit\"", "NaN") } else { text }.into_bytes(), parts))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

fn vllm(
    asked: &Classify<'_>,
    key: &Key,
    config: &MockConfig,
    arrived: &mut Vec<ArrivedPart>,
) -> Result<Value, Refusal> {
    if let Some(model) = &asked.model {
        known_model(model, config)?;
    }
    let (prompt, response) = match (&asked.messages, &asked.input) {
        (Some(messages), _) => {
            let mut texts = Vec::new();
            for message in messages {
                let mut text = String::new();
                arrived.extend(parts::read(message.content, config.takes(), &mut text)?);
                texts.push(text);
            }
            let response = texts.pop().ok_or((400, "messages is empty".to_owned()))?;
            (texts.join("\n"), response)
        }
        (None, Some(input)) => chat_text(input),
        (None, None) => return Err((400, "messages or input is required".to_owned())),
    };
    let raw = asked.use_activation.or(asked.activation) == Some(false);
    let numbers = numbers(&prompt, &response, raw, key, config);
    let item = json!({"index": 0, "label": "LABEL_0", "num_classes": config.reward_logits, "probs": numbers});
    Ok(json!({"id": "classify-mock", "object": "list", "created": 0, "model": config.models[0], "data": [item]}))
}

fn sglang(asked: &Classify<'_>, key: &Key, config: &MockConfig) -> Result<Value, Refusal> {
    let (text, list) = match &asked.text {
        Some(Value::String(text)) => (text.as_str(), false),
        Some(Value::Array(texts)) => (texts.first().and_then(Value::as_str).unwrap_or_default(), true),
        _ => return Err((400, "text is required".to_owned())),
    };
    let (prompt, response) = chat_text(text);
    let item = json!({"embedding": numbers(&prompt, &response, true, key, config), "meta_info": {}});
    Ok(if list { json!([item]) } else { item })
}

fn tei(asked: &Predict, key: &Key, config: &MockConfig) -> Result<Value, Refusal> {
    let (prompt, response) = match &asked.inputs {
        Value::String(text) => chat_text(text),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(prompt), Value::String(response)] => (prompt.clone(), response.clone()),
            _ => return Err((422, "inputs must be a text or a pair of texts".to_owned())),
        },
        _ => return Err((422, "inputs must be a text or a pair of texts".to_owned())),
    };
    let numbers = numbers(&prompt, &response, asked.raw_scores, key, config);
    let classes = numbers.into_iter().enumerate();
    Ok(classes.map(|(index, score)| json!({"label": format!("LABEL_{index}"), "score": score})).collect())
}

/// Prompt and last turn of a text in ChatML; other texts are all response.
fn chat_text(text: &str) -> (String, String) {
    let Some((prompt, response)) = text.rsplit_once("<|im_start|>assistant\n") else {
        return (String::new(), text.to_owned());
    };
    (prompt.to_owned(), response.split("<|im_end|>").next().unwrap_or_default().to_owned())
}

/// What stands in the reply; the word `"logit"` marks the place of a NaN.
fn numbers(prompt: &str, response: &str, raw: bool, key: &Key, config: &MockConfig) -> Vec<Value> {
    if share_of(key, "nan") < config.nan {
        return vec![json!("logit")];
    }
    let logit = replies::logit(prompt, response, config.seed);
    let score = match config.squash {
        Squash::Softmax => 1.0,
        Squash::Sigmoid => sigmoid(logit),
        Squash::None if raw => logit,
        Squash::None => sigmoid(logit),
    };
    (0..config.reward_logits).map(|index| json!(score / (index + 1) as f64)).collect()
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, body: &str, dialect: MockDialect) -> Value {
        let config = MockConfig { dialect, ..MockConfig::default() };
        serde_json::from_slice(&answer(path, body.as_bytes(), &[1; 32], &config).unwrap().0).unwrap()
    }

    #[test]
    fn all_routes_agree_about_a_response() {
        let messages = r#"[{"role":"user","content":"q"},{"role":"assistant","content":"some answer"}]"#;
        let vllm = ask("/classify", &format!(r#"{{"messages":{messages},"use_activation":false}}"#), MockDialect::Vllm);
        let tei = ask("/predict", r#"{"inputs":["q","some answer"],"raw_scores":true}"#, MockDialect::Tei);
        assert_eq!(vllm["data"][0]["probs"][0], tei[0]["score"]);
        let text = r#"{"text":"<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nsome answer<|im_end|>\n"}"#;
        let sglang = ask("/classify", text, MockDialect::Sglang)["embedding"][0].as_f64().unwrap();
        // Only the noise depends on the prompt's exact text.
        assert!((sglang - tei[0]["score"].as_f64().unwrap()).abs() <= 1.0);
    }

    #[test]
    fn an_activation_is_on_unless_switched_off() {
        let on = ask("/classify", r#"{"input":"x"}"#, MockDialect::Vllm)["data"][0]["probs"][0].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&on), "{on}");
    }

    #[test]
    fn nan_is_written_as_python_writes_it() {
        let config = MockConfig { nan: 1.0, ..MockConfig::default() };
        let (body, _) = answer("/classify", br#"{"input":"x"}"#, &[1; 32], &config).unwrap();
        assert!(String::from_utf8(body).unwrap().contains("[NaN]"));
    }

    #[test]
    fn routes_of_other_servers_do_not_exist() {
        let config = MockConfig::default();
        assert_eq!(answer("/predict", b"{}", &[1; 32], &config).unwrap_err().0, 404);
    }
}
