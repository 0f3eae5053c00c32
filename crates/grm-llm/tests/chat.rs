//! What is sent to chat servers and what is made of their replies.

mod support;

use std::time::Duration;

use futures::future::join_all;
use grm_core::{ChatModel, ChatRequest, Finish, Grammar, MediaRef, Message, Role, Span};
use grm_llm::{ChatEndpoint, Dialect, RemoteChat, Transport};
use grm_mock::{FaultRule, FaultWhen, MockConfig, MockDialect};
use serde_json::{Value, json};
use support::{chat_with, quick, request, server, status, verdict_request};

fn grammatical() -> ChatRequest {
    let grammar = Some(Grammar { name: "verdict".into(), gbnf: "root ::= \"[[A]]\"".into() });
    ChatRequest { grammar, thinking: Some(false), ..request("hello") }
}

/// The body a server of this dialect gets.
async fn sent(dialect: MockDialect, request: ChatRequest) -> Value {
    let mock = server(MockConfig { dialect, record: true, ..MockConfig::default() }).await;
    let (chat, _) = chat_with(&mock, quick()).await;
    chat.chat(request).await.expect("a reply");
    serde_json::from_slice(&mock.received()[0].body).expect("JSON")
}

#[tokio::test]
async fn each_dialect_gets_the_grammar_in_its_own_field() {
    let gbnf = "root ::= \"[[A]]\"";
    for (dialect, field, value) in [
        (MockDialect::Vllm, "structured_outputs", json!({ "grammar": gbnf })),
        (MockDialect::Sglang, "ebnf", json!(gbnf)),
        (MockDialect::LlamaServer, "grammar", json!(gbnf)),
    ] {
        let body = sent(dialect, grammatical()).await;
        assert_eq!(body[field], value);
        let others = ["structured_outputs", "ebnf", "grammar"].into_iter().filter(|other| *other != field);
        for other in others {
            assert!(body.get(other).is_none(), "{dialect:?} got {other}");
        }
        assert_eq!(body["chat_template_kwargs"], json!({"enable_thinking": false}));
    }
}

#[tokio::test]
async fn a_plain_server_gets_nothing_beyond_the_common_form() {
    let body = sent(MockDialect::OpenAi, grammatical()).await;
    let expected = json!({
        "model": "mock", "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.0, "top_p": 1.0, "seed": 7, "max_tokens": 512,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn spans_are_joined_and_control_tokens_in_content_are_broken() {
    let message = |role, spans| Message { role, spans };
    let messages = vec![
        message(Role::System, vec![Span::Template("be \"kind\"\n".into())]),
        message(Role::User, vec![Span::Template("<|ours|> ".into()), Span::Content("theirs <|im_end|>é".into())]),
    ];
    let body = sent(MockDialect::Vllm, ChatRequest { messages, ..request("") }).await;
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "be \"kind\"\n"}));
    assert_eq!(body["messages"][1]["content"], "<|ours|> theirs <\u{200b}|im_end|>é");
}

#[tokio::test]
async fn sampling_and_template_arguments_are_sent() {
    let mock = server(MockConfig { record: true, ..MockConfig::default() }).await;
    let arguments = json!({"enable_thinking": true, "style": "short"});
    let endpoint =
        ChatEndpoint { chat_template_kwargs: arguments.as_object().unwrap().clone(), ..ChatEndpoint::new(mock.url()) };
    let chat = RemoteChat::connect(endpoint, Transport::new(quick())).await.unwrap();
    assert!(chat.identity().adapter.contains("short"), "{:?}", chat.identity());
    let mut asked = ChatRequest { thinking: Some(false), verdict_logprobs: true, ..request("hello") };
    asked.sampling.stop = vec!["###".into()];
    asked.sampling.seed = u64::MAX - 1;
    chat.chat(asked).await.unwrap();
    let body: Value = serde_json::from_slice(&mock.received()[0].body).unwrap();
    assert_eq!(body["chat_template_kwargs"], json!({"enable_thinking": false, "style": "short"}));
    assert_eq!((&body["stop"], &body["logprobs"], &body["top_logprobs"]), (&json!(["###"]), &json!(true), &json!(5)));
    assert!(body["seed"].as_u64().unwrap() <= 0x7fff_ffff, "{}", body["seed"]);
}

#[tokio::test]
async fn verdict_letters_are_read_only_when_asked_for() {
    let mock = server(MockConfig::default()).await;
    let (chat, _) = chat_with(&mock, quick()).await;
    for number in 0..8 {
        let reply = chat.chat(ChatRequest { verdict_logprobs: true, ..verdict_request(number) }).await.unwrap();
        let letters = reply.verdict_logprobs.unwrap();
        assert_eq!(letters.log_odds() > 0.0, reply.text == "[[A]]", "{letters:?} {}", reply.text);
        assert!((letters.a.exp() + letters.b.exp() - 1.0).abs() < 1e-4, "{letters:?}");
    }
    assert_eq!(chat.chat(verdict_request(0)).await.unwrap().verdict_logprobs, None);
}

#[tokio::test]
async fn thinking_taken_apart_by_the_server_is_put_back() {
    let ask = || request("Form: <think>…</think>, then [[A]] or [[B]]");
    let mut texts = Vec::new();
    for reasoning_parser in [false, true] {
        let mock = server(MockConfig { reasoning_parser, ..MockConfig::default() }).await;
        let (chat, _) = chat_with(&mock, quick()).await;
        texts.push(chat.chat(ask()).await.unwrap().text);
        let mut short = ask();
        short.sampling.max_tokens = 5;
        let cut = chat.chat(short).await.unwrap();
        assert_eq!(cut.finish, Finish::Length);
        assert!(cut.text.starts_with("<think>") && !cut.text.contains("</think>"), "{}", cut.text);
    }
    assert_eq!(texts[0], texts[1]);
}

/// Eight calls that share their first span.
fn family() -> impl Iterator<Item = ChatRequest> {
    (0..8).map(|number| {
        let spans = vec![Span::Template("shared ".repeat(200).into()), Span::Template(format!("own {number}").into())];
        ChatRequest { messages: vec![Message { role: Role::User, spans }], shared_spans: 1, ..request("") }
    })
}

#[tokio::test]
async fn the_first_call_of_a_shared_prefix_goes_alone_and_the_rest_together() {
    let mock = server(MockConfig { latency_ms: [40, 40], record: true, ..MockConfig::default() }).await;
    let (chat, _) = chat_with(&mock, quick()).await;
    let replies = join_all(family().map(|asked| chat.chat(asked))).await;
    let cached: Vec<u64> = replies.into_iter().map(|reply| reply.unwrap().usage.cached_tokens).collect();
    assert_eq!(cached.iter().filter(|tokens| **tokens == 0).count(), 1, "{cached:?}");
    let received = mock.received();
    assert!(received[1].at - received[0].at >= Duration::from_millis(40));
    assert!((4..=7).contains(&mock.stats().in_flight_peak), "{:?}", mock.stats());

    let alone = join_all(family().map(|asked| chat.chat(ChatRequest { shared_spans: 0, ..asked }))).await;
    assert!(alone.into_iter().all(|reply| reply.unwrap().usage.cached_tokens > 0), "the prefix stays warm");
}

#[tokio::test]
async fn a_first_call_that_fails_lets_the_rest_go() {
    let faults = vec![FaultRule::new(FaultWhen::Range { from: 1, to: 1 }, status(400))];
    let mock = server(MockConfig { faults, ..MockConfig::default() }).await;
    let (chat, _) = chat_with(&mock, quick()).await;
    let replies = join_all(family().map(|asked| chat.chat(asked))).await;
    assert_eq!(replies.iter().filter(|reply| reply.is_ok()).count(), 7);
}

#[tokio::test]
async fn the_model_is_picked_or_asked_for() {
    let models = vec!["one".to_owned(), "two".to_owned()];
    let mock = server(MockConfig { models, ..MockConfig::default() }).await;
    let connect = |model: Option<&str>| {
        let endpoint = ChatEndpoint { model: model.map(str::to_owned), ..ChatEndpoint::new(mock.url() + "/v1/") };
        RemoteChat::connect(endpoint, Transport::new(quick()))
    };
    let error = connect(None).await.unwrap_err().to_string();
    assert!(error.contains("one, two"), "{error}");
    let error = connect(Some("three")).await.unwrap_err().to_string();
    assert!(error.contains("three") && error.contains("one, two"), "{error}");
    let chat = connect(Some("two")).await.unwrap();
    assert_eq!((chat.identity().name.as_str(), chat.identity().revision.as_str()), ("two", "two (vllm)"));
    assert_eq!(chat.dialect(), Dialect::Vllm);
    chat.chat(request("hello")).await.unwrap();
}

#[tokio::test]
async fn without_a_library_media_are_refused_before_anything_is_sent() {
    let mock = server(MockConfig::default()).await;
    let (chat, _) = chat_with(&mock, quick()).await;
    let picture = Span::Image(MediaRef { sha256: "0".repeat(64), path: "a.png".into() });
    let messages = vec![Message { role: Role::User, spans: vec![picture] }];
    let error = chat.chat(ChatRequest { messages, ..request("") }).await.unwrap_err();
    assert!(error.kind() == "media" && error.to_string().contains("name the data set's folder"), "{error}");
    assert_eq!(mock.stats().requests, 0);
}
