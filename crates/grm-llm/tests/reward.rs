//! Scores over every route, and the servers that spoil them.

mod support;

use futures::future::join_all;
use grm_core::{ModelError, RewardModel};
use grm_llm::{RemoteReward, RewardEndpoint, RewardKind, SquashCheck, Transport};
use grm_mock::{FaultAction, MockConfig, MockDialect, MockServer, Squash};
use support::{for_ever, quick, reward_request, server};

async fn connect(mock: &MockServer) -> Result<RemoteReward, ModelError> {
    RemoteReward::connect(RewardEndpoint::new(mock.url()), Transport::new(quick())).await
}

#[tokio::test]
async fn every_kind_of_server_is_recognised_and_gives_logits() {
    for (dialect, kind) in [
        (MockDialect::Vllm, RewardKind::VllmClassify),
        (MockDialect::Sglang, RewardKind::SglangClassify),
        (MockDialect::Tei, RewardKind::TeiPredict),
    ] {
        let mock = server(MockConfig { dialect, ..MockConfig::default() }).await;
        let reward = connect(&mock).await.unwrap();
        assert_eq!(reward.kind(), kind);
        assert_eq!(reward.squash_check(), &SquashCheck::Raw);
        let responses: Vec<String> = (0..20).map(|number| format!("answer {number}")).collect();
        let scores = join_all(responses.iter().map(|response| reward.score(reward_request(response)))).await;
        for (response, score) in responses.iter().zip(scores) {
            let quality = 30.0 * (grm_mock::latent_quality(response) - 0.5);
            let score = f64::from(score.unwrap().value());
            assert!((score - quality).abs() < 1.0, "{kind:?}: {score} for {quality}");
        }
    }
}

#[tokio::test]
async fn scorers_are_told_apart_by_model_and_route() {
    let mut scorers = Vec::new();
    for (dialect, name) in [(MockDialect::Vllm, "a"), (MockDialect::Vllm, "b"), (MockDialect::Sglang, "a")] {
        let mock = server(MockConfig { dialect, models: vec![name.to_owned()], ..MockConfig::default() }).await;
        let reward = connect(&mock).await.unwrap();
        let [first, again] = [reward_request("x"), reward_request("y")].map(|request| reward.score(request));
        let (first, again) = (first.await.unwrap(), again.await.unwrap());
        assert_eq!(first.scorer(), again.scorer());
        scorers.push(first.scorer());
    }
    scorers.sort_unstable();
    scorers.dedup();
    assert_eq!(scorers.len(), 3);
}

#[tokio::test]
async fn squashing_servers_are_refused_with_the_cure() {
    for (dialect, cure) in [
        (MockDialect::Vllm, "problem_type"),
        (MockDialect::Sglang, "native /classify"),
        (MockDialect::Tei, "raw_scores"),
    ] {
        for squash in [Squash::Sigmoid, Squash::Softmax] {
            let mock = server(MockConfig { dialect, squash, ..MockConfig::default() }).await;
            let error = connect(&mock).await.unwrap_err();
            assert_eq!(error.kind(), "bad_reply", "{error}");
            assert!(error.to_string().contains("squashed") && error.to_string().contains(cure), "{error}");
        }
    }
}

#[tokio::test]
async fn nan_is_an_error_and_never_a_score() {
    let mock = server(MockConfig::default()).await;
    let reward = connect(&mock).await.unwrap();
    let broken = server(MockConfig { nan: 1.0, ..MockConfig::default() }).await;
    assert!(reward.score(reward_request("x")).await.is_ok());
    let error = connect(&broken).await.unwrap_err();
    assert_eq!(error.kind(), "non_finite", "{error}");
    // Asking again would bring the same.
    assert_eq!(broken.stats().requests, 1);
}

#[tokio::test]
async fn a_classifier_of_several_classes_is_no_reward_model() {
    let mock = server(MockConfig { reward_logits: 3, ..MockConfig::default() }).await;
    let error = connect(&mock).await.unwrap_err();
    assert_eq!(error.kind(), "unsupported");
    assert!(error.to_string().contains("3 numbers") && error.to_string().contains("num_labels = 1"), "{error}");
}

#[tokio::test]
async fn a_server_without_a_reward_route_says_what_to_name() {
    let mock = server(MockConfig { dialect: MockDialect::OpenAi, ..MockConfig::default() }).await;
    let error = connect(&mock).await.unwrap_err().to_string();
    assert!(error.contains("vllm-classify, sglang-classify or tei-predict"), "{error}");
}

#[tokio::test]
async fn replies_of_another_shape_are_no_scores() {
    let mock = server(MockConfig::default()).await;
    let reward = connect(&mock).await.unwrap();
    for action in [FaultAction::WrongShape, FaultAction::EmptyChoices, FaultAction::HtmlOk] {
        mock.set_faults(for_ever(action)).unwrap();
        let error = reward.score(reward_request("x")).await.unwrap_err();
        assert_eq!(error.kind(), "bad_reply", "{action:?}: {error}");
    }
}

#[tokio::test]
async fn a_template_of_ones_own_is_another_scorer() {
    let mock = server(MockConfig { dialect: MockDialect::Sglang, ..MockConfig::default() }).await;
    let endpoint = |template: Option<&str>| RewardEndpoint {
        template: template.map(str::to_owned),
        ..RewardEndpoint::new(mock.url())
    };
    let plain = RemoteReward::connect(endpoint(None), Transport::new(quick())).await.unwrap();
    let text = "{{ messages[-1].content }}";
    let own = RemoteReward::connect(endpoint(Some(text)), Transport::new(quick())).await.unwrap();
    assert_ne!(plain.identity(), own.identity());
    let broken = RemoteReward::connect(endpoint(Some("{{ messages")), Transport::new(quick())).await.unwrap_err();
    assert!(broken.to_string().contains("does not compile"), "{broken}");
}
