//! Every kind of trouble ends in the right reply or in a typed error, after an exact number of requests.

mod support;

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use grm_core::{ChatModel, ModelError};
use grm_llm::{ApiKey, ChatEndpoint, RemoteChat, Transport, TransportConfig};
use grm_mock::{FaultAction, FaultRule, FaultWhen, MockConfig, RetryAfter};
use support::{always, chat_with, for_ever, quick, request, said, server, status, verdict_request};

async fn check_for_ever(action: FaultAction, kind: &str, requests: u64) -> ModelError {
    let mock = server(MockConfig { faults: for_ever(action), ..MockConfig::default() }).await;
    let config = TransportConfig { deadline: Duration::from_millis(150), response_limit: 1 << 20, ..quick() };
    let (chat, _) = chat_with(&mock, config).await;
    let error = chat.chat(request("hello")).await.expect_err("the fault never ends");
    assert_eq!(error.kind(), kind, "{action:?}: {error}");
    assert_eq!(mock.stats().requests, requests, "{action:?}");
    assert!(error.to_string().contains(&mock.url()), "{action:?} names no place: {error}");
    error
}

#[tokio::test]
async fn passing_trouble_that_does_not_pass_is_given_up_after_five_attempts() {
    for code in [408, 425, 429, 500, 502, 503, 504, 529] {
        let error = check_for_ever(status(code), "exhausted", 5).await;
        assert!(error.to_string().contains(&code.to_string()), "{error}");
    }
    check_for_ever(FaultAction::Delay(60_000), "exhausted", 5).await;
    check_for_ever(FaultAction::SlowBody(1000), "exhausted", 5).await;
}

#[tokio::test]
async fn a_connection_closed_before_the_reply_is_retried_twice_for_nothing() {
    check_for_ever(FaultAction::Reset, "exhausted", 7).await;
}

#[tokio::test]
async fn broken_replies_are_asked_for_again() {
    let error = check_for_ever(FaultAction::CutBody(30), "bad_reply", 5).await;
    assert!(error.to_string().contains("cut after 30 bytes"), "{error}");
    let error = check_for_ever(FaultAction::TruncatedJson, "bad_reply", 5).await;
    assert!(error.to_string().contains("ends too early"), "{error}");
    let error = check_for_ever(FaultAction::HtmlOk, "bad_reply", 5).await;
    assert!(error.to_string().contains("web page"), "{error}");
}

#[tokio::test]
async fn replies_of_another_shape_are_not() {
    check_for_ever(FaultAction::WrongShape, "bad_reply", 1).await;
    check_for_ever(FaultAction::EmptyChoices, "bad_reply", 1).await;
    check_for_ever(FaultAction::NullContent, "bad_reply", 1).await;
}

#[tokio::test]
async fn an_oversize_reply_is_refused_without_reading_it_all() {
    let endless = FaultAction::HugeBody(1 << 50);
    let error = check_for_ever(endless, "bad_reply", 1).await;
    assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
}

#[tokio::test]
async fn refusals_are_final_and_name_the_cure() {
    for (code, part) in [
        (400, "grm doctor"),
        (401, "api_key_env"),
        (403, "api_key_env"),
        (404, "/v1/models lists"),
        (422, "grm doctor"),
    ] {
        let error = check_for_ever(status(code), "rejected", 1).await;
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = check_for_ever(status(302), "rejected", 1).await;
    assert!(error.to_string().contains("check the URL"), "{error}");
}

#[tokio::test]
async fn four_failures_in_a_row_change_nothing_in_the_reply() {
    let clean = server(MockConfig::default()).await;
    let (chat, _) = chat_with(&clean, quick()).await;
    let expected = chat.chat(verdict_request(1)).await.unwrap();
    for action in [
        status(429),
        status(500),
        FaultAction::Reset,
        FaultAction::CutBody(50),
        FaultAction::TruncatedJson,
        FaultAction::HtmlOk,
    ] {
        let mock = server(MockConfig { faults: always(action), ..MockConfig::default() }).await;
        let (chat, transport) = chat_with(&mock, quick()).await;
        let reply = chat.chat(verdict_request(1)).await.unwrap();
        assert_eq!(said(&reply), said(&expected), "{action:?}");
        assert_eq!(mock.stats().requests, 5, "{action:?}");
        assert_eq!(transport.snapshot().retries, 4, "{action:?}");
    }
}

#[tokio::test]
async fn a_tenth_of_failures_of_each_kind_costs_no_reply_and_few_requests() {
    let clean = server(MockConfig::default()).await;
    let (chat, _) = chat_with(&clean, quick()).await;
    let expected = join_all((0..300).map(|number| chat.chat(verdict_request(number)))).await;
    let share = |action| FaultRule::new(FaultWhen::Share(0.02), action);
    let faults = [status(429), status(503), FaultAction::Reset, FaultAction::CutBody(9), FaultAction::TruncatedJson];
    let mock = server(MockConfig { faults: faults.map(share).to_vec(), ..MockConfig::default() }).await;
    let (chat, transport) = chat_with(&mock, quick()).await;
    let replies = join_all((0..300).map(|number| chat.chat(verdict_request(number)))).await;
    for (reply, expected) in replies.iter().zip(&expected) {
        assert_eq!(said(reply.as_ref().unwrap()), said(expected.as_ref().unwrap()));
    }
    let stats = mock.stats();
    assert_eq!(stats.unique_keys, 300);
    assert!(stats.max_count_per_key <= 5, "{stats:?}");
    assert!((310..380).contains(&stats.requests), "{stats:?}");
    assert_eq!(transport.snapshot().in_flight + transport.snapshot().waiting, 0);
}

/// Time between the first and the second request when the first is told to come back later.
async fn gap_after(retry_after: RetryAfter, cap: Duration) -> Duration {
    let action = FaultAction::Status { code: 429, retry_after: Some(retry_after) };
    let faults = vec![FaultRule::new(FaultWhen::FirstOfEachKey(1), action)];
    let mock = server(MockConfig { faults, record: true, ..MockConfig::default() }).await;
    let (chat, _) = chat_with(&mock, TransportConfig { retry_after_cap: cap, ..quick() }).await;
    chat.chat(request("hello")).await.expect("a reply");
    let received = mock.received();
    assert_eq!(received.len(), 2);
    received[1].at - received[0].at
}

#[tokio::test]
async fn retry_after_is_honoured_and_capped() {
    let long = Duration::from_secs(120);
    let (seconds, date, absurd) = tokio::join!(
        gap_after(RetryAfter::Seconds(1.0), long),
        gap_after(RetryAfter::DateIn(3.0), long),
        gap_after(RetryAfter::Seconds(86_400.0), Duration::from_millis(500)),
    );
    assert!((1.0..1.5).contains(&seconds.as_secs_f64()), "{seconds:?}");
    // A date has whole seconds: three seconds ahead is two to three seconds away.
    assert!((1.9..3.6).contains(&date.as_secs_f64()), "{date:?}");
    assert!((0.5..1.0).contains(&absurd.as_secs_f64()), "{absurd:?}");
}

#[tokio::test]
async fn nobody_at_the_address_is_said_plainly() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = RemoteChat::connect(ChatEndpoint::new(&url), Transport::new(quick())).await.unwrap_err();
    assert_eq!(error.kind(), "unreachable");
    assert!(error.to_string().contains(&url) && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn the_key_is_sent_and_never_shown() {
    const SECRET: &str = "sk-canary-4711";
    let config = MockConfig { api_key: Some(SECRET.to_owned()), record: true, ..MockConfig::default() };
    let mock = server(config).await;
    let endpoint = |secret: &str| ChatEndpoint {
        api_key: Some(ApiKey::new("CANARY_KEY", secret).unwrap()),
        ..ChatEndpoint::new(mock.url().replace("http://", "http://user:sk-canary-url@"))
    };
    let transport = Transport::new(TransportConfig { deadline: Duration::from_millis(150), ..quick() });
    let chat = RemoteChat::connect(endpoint(SECRET), Arc::clone(&transport)).await.unwrap();
    let mut shown = format!("{chat:?} {transport:?} {:?}", endpoint(SECRET));
    for action in [
        status(401),
        status(404),
        status(500),
        FaultAction::Reset,
        FaultAction::CutBody(5),
        FaultAction::WrongShape,
        FaultAction::Delay(5000),
    ] {
        mock.set_faults(for_ever(action)).unwrap();
        let error = chat.chat(request("hello")).await.unwrap_err();
        shown += &format!("{error} {error:?}");
    }
    let error = RemoteChat::connect(endpoint("sk-canary-wrong"), transport).await.unwrap_err();
    assert!(error.to_string().contains("CANARY_KEY was not accepted"), "{error}");
    assert!(error.stops_the_run());
    shown += &format!("{error} {error:?}");
    assert!(!shown.contains("canary-"), "{shown}");
    assert_eq!(mock.received()[0].authorization.as_deref(), Some("Bearer sk-canary-4711"));
}
