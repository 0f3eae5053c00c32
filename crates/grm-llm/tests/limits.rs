//! How many calls are sent, and when none are.

mod support;

use std::time::{Duration, Instant};

use futures::future::join_all;
use grm_core::ChatModel;
use grm_llm::{BreakerConfig, Concurrency, Transport, TransportConfig};
use grm_mock::{FaultRule, FaultWhen, MockConfig};
use support::{chat_with, for_ever, quick, server, status, verdict_request};

fn from_sixteen() -> TransportConfig {
    TransportConfig { concurrency: Concurrency::default(), ..quick() }
}

#[tokio::test]
async fn too_many_requests_shrink_the_limit_and_lose_nothing() {
    let config =
        MockConfig { max_concurrency: Some(4), retry_after_seconds: 0.05, latency_ms: [5, 5], ..MockConfig::default() };
    let mock = server(config).await;
    let (chat, transport) = chat_with(&mock, from_sixteen()).await;
    for reply in join_all((0..200).map(|number| chat.chat(verdict_request(number)))).await {
        reply.unwrap();
    }
    let stats = transport.snapshot();
    assert!(stats.rate_limited > 0, "{stats:?}");
    assert!(stats.limit < 16, "{stats:?}");
    assert_eq!(mock.stats().unique_keys, 200);
}

#[tokio::test]
async fn server_errors_do_not_shrink_it() {
    let faults = vec![FaultRule::new(FaultWhen::Every(3), status(500))];
    let mock = server(MockConfig { faults, ..MockConfig::default() }).await;
    let (chat, transport) = chat_with(&mock, from_sixteen()).await;
    for reply in join_all((0..100).map(|number| chat.chat(verdict_request(number)))).await {
        reply.unwrap();
    }
    let stats = transport.snapshot();
    assert!(stats.retries > 30 && stats.limit >= 16, "{stats:?}");
}

#[tokio::test]
async fn success_doubles_it_up_to_the_most() {
    let mock = server(MockConfig { latency_ms: [2, 2], ..MockConfig::default() }).await;
    let (chat, transport) = chat_with(&mock, from_sixteen()).await;
    join_all((0..600).map(|number| chat.chat(verdict_request(number)))).await;
    assert_eq!(transport.snapshot().limit, 64);
    assert!((40..=64).contains(&mock.stats().in_flight_peak), "{:?}", mock.stats());
}

#[tokio::test]
async fn a_dropped_call_gives_its_slot_back() {
    let mock = server(MockConfig { latency_ms: [60_000, 60_000], ..MockConfig::default() }).await;
    let concurrency = Concurrency { start: 1, min: 1, max: 1 };
    let (chat, transport) = chat_with(&mock, TransportConfig { concurrency, ..quick() }).await;
    for number in 0..3 {
        let call = std::pin::pin!(chat.chat(verdict_request(number)));
        let until_sent = std::pin::pin!(async {
            while mock.stats().requests <= number as u64 {
                tokio::task::yield_now().await;
            }
        });
        futures::future::select(call, until_sent).await;
    }
    let stats = transport.snapshot();
    assert_eq!((stats.in_flight, stats.waiting), (0, 0));
}

fn breaker(patience: Duration) -> TransportConfig {
    let breaker = BreakerConfig { failures: 10, probe_every: Duration::from_millis(20), patience };
    TransportConfig { breaker, ..quick() }
}

async fn until_paused(transport: &Transport) {
    let start = Instant::now();
    while !transport.snapshot().paused {
        assert!(start.elapsed() < Duration::from_secs(10), "it never paused");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_server_that_only_fails_pauses_the_run_until_it_answers() {
    let mock = server(MockConfig { faults: for_ever(status(503)), ..MockConfig::default() }).await;
    let (chat, transport) = chat_with(&mock, breaker(Duration::from_secs(60))).await;
    let recovery = async {
        until_paused(&transport).await;
        let before = mock.stats().requests;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let probes = mock.stats().requests - before;
        assert!((1..=24).contains(&probes), "{probes} requests in ten probe pauses");
        assert!(transport.snapshot().waiting > 0);
        mock.set_faults(Vec::new()).unwrap();
    };
    let calls = join_all((0..40).map(|number| chat.chat(verdict_request(number))));
    let (replies, ()) = tokio::join!(calls, recovery);
    for reply in replies {
        reply.unwrap();
    }
    assert!(!transport.snapshot().paused);
}

#[tokio::test]
async fn patience_ends_in_an_error_that_stops_the_run() {
    let mock = server(MockConfig { faults: for_ever(status(503)), ..MockConfig::default() }).await;
    let (chat, _) = chat_with(&mock, breaker(Duration::from_millis(300))).await;
    let start = Instant::now();
    for reply in join_all((0..60).map(|number| chat.chat(verdict_request(number)))).await {
        let error = reply.unwrap_err();
        assert_eq!(error.kind(), "exhausted");
        assert!(error.stops_the_run() && error.to_string().contains("run the same command again"), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(mock.stats().requests < 100, "{:?}", mock.stats());
}
