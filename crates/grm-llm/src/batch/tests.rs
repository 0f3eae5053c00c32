//! A pair that waits, and files of replies as they come.

use std::{fs, time::Duration};

use futures::future::join_all;
use grm_core::{
    BoxFuture, CallOrigin, ChatReply, Finish, Message, Prompt, Response, RewardRequest, RewardScore, Role, Sampling,
    ScorerId, Span, Step,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

fn request(sample: u32) -> ChatRequest {
    let text = Span::Content(format!("question {sample}").into());
    ChatRequest {
        messages: vec![Message { role: Role::User, spans: vec![text] }],
        shared_spans: 0,
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 0, max_tokens: 9, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: origin(sample, Step::Judgment),
    }
}

fn origin(sample: u32, step: Step) -> CallOrigin {
    CallOrigin { pair: "pair".into(), step, sample, template: "".into() }
}

fn open(folder: &TempDir) -> Arc<Mailbox> {
    let name = |_: &ModelIdentity, request: &ChatRequest| format!("call-{}", request.origin.sample);
    Mailbox::open(folder.path(), Box::new(name)).unwrap()
}

fn chat(mailbox: &Arc<Mailbox>) -> BatchChat {
    mailbox.chat("org/m", ChatEndpoint::default()).unwrap()
}

/// A mailbox over these lines of replies.
fn replied(folder: &TempDir, lines: &[Value]) -> Arc<Mailbox> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("replies.jsonl"), text).unwrap();
    open(folder)
}

fn answered(name: &str, text: &str) -> Value {
    let body = json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]});
    json!({"custom_id": name, "response": {"status_code": 200, "body": body}, "error": null})
}

fn requests(folder: &TempDir) -> Vec<Value> {
    let text = fs::read_to_string(folder.path().join("requests.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Scores after a second.
#[derive(Debug)]
struct Slow(ModelIdentity);

impl RewardModel for Slow {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn score(&self, _: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(RewardScore::new(1.5, ScorerId(1)).unwrap())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_pair_lets_its_other_calls_finish_and_leaves_all_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = replied(&folder, &[answered("call-7", "yes")]);
    let chat = chat(&mailbox);
    let identity = ModelIdentity { name: "r".into(), revision: String::new(), adapter: String::new() };
    let disrm = mailbox.attend_reward(Arc::new(Slow(identity)));
    // Scores, then asks what nobody has answered: found only by those who wait for the score.
    let later = async {
        let (prompt, response) = (Prompt::from_text("q"), Response::from_text("r"));
        let score = disrm.score(RewardRequest { prompt, response, origin: origin(0, Step::Scoring) }).await.unwrap();
        assert_eq!(score.value(), 1.5);
        chat.chat(request(9)).await
    };
    let now = join_all([1, 2, 2, 7].map(|sample| chat.chat(request(sample))));
    let (now, later) = tokio::join!(now, later);
    let kinds: Vec<_> = now.iter().map(|result| result.as_ref().map_or_else(ModelError::kind, |_| "reply")).collect();
    assert_eq!((kinds.as_slice(), later.unwrap_err().kind()), (&["waits", "waits", "waits", "reply"][..], "waits"));
    let waiting = mailbox.close().unwrap().unwrap();
    assert_eq!((waiting.calls, waiting.failed, waiting.failure), (3, 0, None));
    let left = requests(&folder);
    assert_eq!([0, 1, 2].map(|line| left[line]["custom_id"].clone()), ["call-1", "call-2", "call-9"]);
    assert_eq!((&left[0]["method"], &left[0]["url"]), (&json!("POST"), &json!("/v1/chat/completions")));
    assert_eq!(
        (&left[0]["body"]["model"], &left[0]["body"]["messages"][0]["content"]),
        (&json!("org/m"), &json!("question 1"))
    );
    assert!(mailbox.attendance.is_empty(), "nothing is kept of a pair that came to an end");
}

#[tokio::test]
async fn replies_are_read_as_they_come_over_http_and_what_failed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = json!({"error": {"message": "the context holds 4096 tokens", "code": 400}});
    let lines = [
        answered("call-1", "old"),
        answered("call-1", "yes"),
        json!({"custom_id": "call-2", "response": {"status_code": 400, "body": null}, "error": refused}),
        json!({"custom_id": "call-3", "response": {"status_code": 500}, "error": {"message": "out of memory"}}),
        json!({"custom_id": "call-4", "response": null, "error": "expired"}),
        json!({"custom_id": "call-5", "response": {"body": {"choices": []}}}),
        json!("no reply"),
    ];
    let mailbox = replied(&folder, &lines);
    let chat = chat(&mailbox);
    let ask = async |sample| chat.chat(request(sample)).await;
    let ChatReply { text, finish, .. } = ask(1).await.unwrap();
    assert_eq!((text.as_str(), finish), ("yes", Finish::Stop));
    for (sample, kind, part) in [
        (2, "rejected", "replies.jsonl:3 (call call-2) answered 400: the context holds 4096 tokens"),
        (3, "waits", "requests.jsonl"),
        (4, "waits", "requests.jsonl"),
        (5, "bad_reply", "replies.jsonl:6 (call call-5)"),
        (6, "waits", "requests.jsonl"),
    ] {
        let error = ask(sample).await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(part), "{error}");
    }
    let waiting = mailbox.close().unwrap().unwrap();
    assert_eq!((waiting.calls, waiting.failed), (3, 2));
    assert!(waiting.failure.unwrap().ends_with("replies.jsonl:4 (call call-3): out of memory"));
    assert_eq!(open(&folder).close().unwrap(), None);
    assert!(!folder.path().join("requests.jsonl").exists(), "where nothing waits, nothing is asked");
}

#[test]
fn the_model_is_who_a_server_says_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = open(&folder);
    let arguments = json!({"enable_thinking": false}).as_object().unwrap().clone();
    let endpoint = ChatEndpoint { model: Some("m".into()), chat_template_kwargs: arguments, ..ChatEndpoint::default() };
    let chat = mailbox.chat("org/m", endpoint).unwrap();
    let ModelIdentity { name, revision, adapter } = chat.identity();
    assert_eq!((name.as_str(), revision.as_str()), ("m", "org/m (vllm)"));
    assert_eq!(adapter, "chat_template_kwargs={\"enable_thinking\":false}");
}
