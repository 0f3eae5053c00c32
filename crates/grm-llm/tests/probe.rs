//! What `grm doctor` is told about an endpoint.

mod support;

use grm_llm::{ApiKey, EndpointReport, Health, Transport, probe};
use grm_mock::{MockConfig, MockDialect, MockMedia, Squash};
use support::{quick, server};

async fn report(config: MockConfig) -> EndpointReport {
    let mock = server(config).await;
    probe(&mock.url(), None, None, Transport::new(quick())).await
}

/// Each finding as `subject: health`, in order.
fn outline(report: &EndpointReport) -> Vec<String> {
    report.lines.iter().map(|line| format!("{}: {:?}", line.subject, line.health)).collect()
}

#[tokio::test]
async fn a_server_that_can_all_is_all_right() {
    for dialect in [MockDialect::Vllm, MockDialect::Sglang] {
        let report = report(MockConfig { dialect, ..MockConfig::default() }).await;
        let expected = [
            "reachable: Ok",
            "models: Ok",
            "model: Ok",
            "chat: Ok",
            "grammar: Ok",
            "log-probabilities: Ok",
            "prefix cache: Ok",
            "pictures: Ok",
            "clips: Ok",
            "sounds: Ok",
            "reward: Ok",
            "reward scale: Ok",
        ];
        assert_eq!(outline(&report), expected, "{report:?}");
        assert_eq!(report.health(), Health::Ok);
    }
}

#[tokio::test]
async fn what_is_missing_comes_with_a_cure() {
    let plain = report(MockConfig { dialect: MockDialect::OpenAi, ..MockConfig::default() }).await;
    assert!(outline(&plain).contains(&"grammar: Warn".to_owned()), "{plain:?}");
    let squashed = report(MockConfig { squash: Squash::Softmax, ..MockConfig::default() }).await;
    assert!(outline(&squashed).contains(&"reward scale: Fail".to_owned()), "{squashed:?}");
    for report in [plain, squashed] {
        assert!(report.lines.iter().all(|line| (line.health == Health::Ok) == line.cure.is_empty()), "{report:?}");
    }
}

#[tokio::test]
async fn a_reward_server_needs_no_chat() {
    let report = report(MockConfig { dialect: MockDialect::Tei, ..MockConfig::default() }).await;
    assert_eq!(outline(&report), ["reachable: Ok", "reward: Ok", "reward scale: Ok"], "{report:?}");
}

#[tokio::test]
async fn keys_addresses_and_choices_are_asked_for() {
    let report = |mock: MockConfig, key: Option<ApiKey>| async move {
        let mock = server(mock).await;
        probe(&mock.url(), None, key, Transport::new(quick())).await
    };
    let wants_key = MockConfig { api_key: Some("sk-canary-1".into()), ..MockConfig::default() };
    let refused = report(wants_key.clone(), None).await;
    assert!(refused.health() == Health::Fail && refused.lines[0].cure.contains("api_key_env"), "{refused:?}");
    let accepted = report(wants_key, Some(ApiKey::new("K", "sk-canary-1").unwrap())).await;
    assert_eq!(accepted.health(), Health::Ok, "{accepted:?}");
    assert!(!format!("{accepted:?}").contains("canary"));
    let two = report(MockConfig { models: vec!["a".into(), "b".into()], ..MockConfig::default() }, None).await;
    assert!(two.lines.iter().any(|line| line.cure.contains("a, b")), "{two:?}");
    let bad = probe("localhost:8000", None, None, Transport::new(quick())).await;
    assert_eq!(bad.health(), Health::Fail);
}

#[tokio::test]
async fn the_media_a_server_takes_are_found_out_with_its_own_words() {
    let of_text = report(MockConfig { media: Vec::new(), ..MockConfig::default() }).await;
    let looking = report(MockConfig { media: vec![MockMedia::Image], ..MockConfig::default() }).await;
    let without_clips = report(MockConfig { dialect: MockDialect::LlamaServer, ..MockConfig::default() }).await;
    let health = |report: &EndpointReport| {
        ["pictures", "clips", "sounds"]
            .map(|subject| report.lines.iter().find(|line| line.subject == subject).expect("asked").health)
    };
    use Health::{Ok, Warn};
    assert_eq!(health(&of_text), [Warn, Warn, Warn]);
    assert_eq!(health(&looking), [Ok, Warn, Warn]);
    assert_eq!(health(&without_clips), [Ok, Warn, Ok]);
    let words = of_text.lines.iter().find(|line| line.subject == "pictures").expect("asked");
    assert!(words.finding.contains("the model served here takes no image") && !words.cure.is_empty(), "{words:?}");
}
