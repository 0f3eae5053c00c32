//! What goes over the wire to a reward server, one pair of functions a route.

use grm_core::{Message, ModelError};
use serde::{Deserialize, Serialize};

use crate::{
    chat_request::{Messages, room},
    connection::unreadable,
    dialect::RewardKind,
    media::{Loaded, MediaSettings},
    reward_template::{RewardTemplate, Turn},
    transport::Unreadable,
};

/// The route of a kind.
pub(crate) fn path(kind: RewardKind) -> &'static str {
    match kind {
        RewardKind::Auto | RewardKind::VllmClassify | RewardKind::SglangClassify => "/classify",
        RewardKind::TeiPredict => "/predict",
    }
}

/// The JSON to post to a route that takes text.
pub(crate) fn body(
    kind: RewardKind,
    model: &str,
    turns: &[Turn],
    template: &RewardTemplate,
) -> Result<Vec<u8>, ModelError> {
    match kind {
        RewardKind::Auto | RewardKind::VllmClassify | RewardKind::SglangClassify => {
            Ok(sglang_body(model, &template.render(turns)?))
        }
        RewardKind::TeiPredict if template.hash.is_empty() => Ok(tei_pair_body(turns)),
        RewardKind::TeiPredict => Ok(tei_body(&Inputs::Text(template.render(turns)?))),
    }
}

/// The route that takes messages. The activation is switched off under its old and its new name: a sigmoid saturates
/// where scores differ most.
pub(crate) fn vllm_body(model: &str, messages: &[Message], media: &Loaded) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        model: &'a str,
        messages: Messages<'a>,
        use_activation: bool,
        activation: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        mm_processor_kwargs: Option<MediaSettings>,
    }
    let body = Body {
        model,
        messages: Messages { messages, media, pass: false },
        use_activation: false,
        activation: false,
        mm_processor_kwargs: media.processor_arguments(),
    };
    let mut json = Vec::with_capacity(room(messages, media));
    serde_json::to_writer(&mut json, &body).expect("writing to memory does not fail");
    json
}

fn sglang_body(model: &str, text: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        model: &'a str,
        text: &'a str,
    }
    json(&Body { model, text })
}

enum Inputs {
    Text(String),
    Pair(String, String),
}

/// Without a template the model is taken to be a cross-encoder over prompt and response.
fn tei_pair_body(turns: &[Turn]) -> Vec<u8> {
    let (response, prompt) = turns.split_last().expect("the response is always a turn");
    let prompt = match prompt {
        [only] => only.content.clone(),
        several => {
            several.iter().map(|turn| format!("{}: {}", turn.role, turn.content)).collect::<Vec<_>>().join("\n\n")
        }
    };
    tei_body(&Inputs::Pair(prompt, response.content.clone()))
}

fn tei_body(inputs: &Inputs) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<T> {
        inputs: T,
        raw_scores: bool,
        truncate: bool,
    }
    match inputs {
        Inputs::Text(text) => json(&Body { inputs: text, raw_scores: true, truncate: false }),
        Inputs::Pair(prompt, response) => json(&Body { inputs: (prompt, response), raw_scores: true, truncate: false }),
    }
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("writing to memory does not fail")
}

/// The numbers in a reply; `None` stands for `null`, which is how some servers write NaN.
pub(crate) fn decode(kind: RewardKind, body: &[u8]) -> Result<Vec<Option<f64>>, Unreadable> {
    match kind {
        RewardKind::Auto | RewardKind::VllmClassify => vllm_scores(body),
        RewardKind::SglangClassify => sglang_scores(body),
        RewardKind::TeiPredict => tei_scores(body),
    }
}

/// One item, or a list of which the first is ours.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|error| unreadable(body, &error))
}

fn first<T>(items: Vec<T>) -> Result<T, Unreadable> {
    items.into_iter().next().ok_or_else(|| Unreadable::Shape("it holds no score".to_owned()))
}

fn vllm_scores(body: &[u8]) -> Result<Vec<Option<f64>>, Unreadable> {
    #[derive(Deserialize)]
    struct Reply {
        data: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        probs: Vec<Option<f64>>,
    }
    Ok(first(parse::<Reply>(body)?.data)?.probs)
}

fn sglang_scores(body: &[u8]) -> Result<Vec<Option<f64>>, Unreadable> {
    #[derive(Deserialize)]
    struct Item {
        embedding: Vec<Option<f64>>,
    }
    match parse::<OneOrMany<Item>>(body)? {
        OneOrMany::One(item) => Ok(item.embedding),
        OneOrMany::Many(items) => Ok(first(items)?.embedding),
    }
}

fn tei_scores(body: &[u8]) -> Result<Vec<Option<f64>>, Unreadable> {
    #[derive(Deserialize)]
    struct Class {
        score: Option<f64>,
    }
    let classes = match parse::<Vec<OneOrMany<Class>>>(body)?.into_iter().next() {
        Some(OneOrMany::One(only)) => vec![only.score],
        Some(OneOrMany::Many(classes)) => classes.into_iter().map(|class| class.score).collect(),
        None => Vec::new(),
    };
    if classes.is_empty() { Err(Unreadable::Shape("it holds no score".to_owned())) } else { Ok(classes) }
}

#[cfg(test)]
mod tests {
    use grm_core::{Role, Span};

    use super::*;

    fn check(kind: RewardKind, body: &str, scores: &[Option<f64>]) {
        assert_eq!(decode(kind, body.as_bytes()).unwrap(), scores, "{body}");
    }

    #[test]
    fn every_shape_is_read() {
        let vllm =
            r#"{"id":"c","object":"list","data":[{"index":0,"label":"LABEL_0","probs":[-3.5],"num_classes":1}]}"#;
        check(RewardKind::VllmClassify, vllm, &[Some(-3.5)]);
        check(RewardKind::VllmClassify, r#"{"data":[{"probs":[null]}]}"#, &[None]);
        check(RewardKind::SglangClassify, r#"{"embedding":[12.25],"meta_info":{}}"#, &[Some(12.25)]);
        check(RewardKind::SglangClassify, r#"[{"embedding":[1.5]},{"embedding":[2]}]"#, &[Some(1.5)]);
        check(RewardKind::TeiPredict, r#"[{"label":"LABEL_0","score":4.5}]"#, &[Some(4.5)]);
        check(
            RewardKind::TeiPredict,
            r#"[[{"label":"a","score":4.5},{"label":"b","score":1}]]"#,
            &[Some(4.5), Some(1.0)],
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for (kind, body) in [
            (RewardKind::VllmClassify, r#"{"data":[]}"#),
            (RewardKind::VllmClassify, r#"{"data":[{"score":1.0}]}"#),
            (RewardKind::SglangClassify, "[]"),
            (RewardKind::SglangClassify, r#"{"embedding":["a"]}"#),
            (RewardKind::TeiPredict, "[]"),
            (RewardKind::TeiPredict, r#"{"score":1}"#),
        ] {
            assert!(matches!(decode(kind, body.as_bytes()), Err(Unreadable::Shape(_))), "{body}");
        }
    }

    #[test]
    fn activations_are_switched_off() {
        let turns = [Turn { role: "user", content: "q".into() }, Turn { role: "assistant", content: "r".into() }];
        let template = RewardTemplate::new(None).unwrap();
        let sent = |kind| -> serde_json::Value {
            serde_json::from_slice(&body(kind, "m", &turns, &template).unwrap()).unwrap()
        };
        let said = |role, text: &str| Message { role, spans: vec![Span::Content(text.into())] };
        let messages = [said(Role::User, "q"), said(Role::Assistant, "r")];
        let vllm: serde_json::Value = serde_json::from_slice(&vllm_body("m", &messages, &Loaded::default())).unwrap();
        assert_eq!((&vllm["use_activation"], &vllm["activation"]), (&false.into(), &false.into()));
        assert_eq!(vllm["messages"][1]["content"], "r");
        assert_eq!(
            sent(RewardKind::TeiPredict),
            serde_json::json!({"inputs":["q","r"],"raw_scores":true,"truncate":false})
        );
        assert!(sent(RewardKind::SglangClassify)["text"].as_str().unwrap().contains("assistant\nr<|im_end|>"));
    }
}
