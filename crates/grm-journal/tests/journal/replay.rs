//! What is recorded comes back as it was said, without the model.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use grm_core::{
    BoxFuture, ChatModel, ChatReply, ChatRequest, Finish, ModelError, ModelIdentity, RewardModel, ScorerId, Usage,
    VerdictLogprobs,
};
use grm_journal::{Journal, JournalOptions};
use proptest::prelude::*;

use crate::models::{Echo, identity, question, scoring, segments};

fn open(folder: &tempfile::TempDir) -> Arc<Journal> {
    Journal::open(folder.path(), &JournalOptions::default()).unwrap()
}

fn ask(model: &Arc<dyn ChatModel>, number: u32) -> Result<ChatReply, ModelError> {
    model.chat(question(number)).now_or_never().unwrap()
}

#[test]
fn running_again_asks_nothing_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Echo::new("once");
    for round in 0..3 {
        let journal = open(&folder);
        let (chat, reward) = (journal.chat(echo.clone()), journal.reward(echo.clone()));
        for number in 0..10 {
            assert_eq!(ask(&chat, number).unwrap(), echo.reply(&question(number)));
            reward.score(scoring(number)).now_or_never().unwrap().unwrap();
        }
        assert_eq!(echo.asked(), 20);
        assert_eq!(segments(folder.path()).len(), 1);
        let (replayed, appended) = if round == 0 { (0, 20) } else { (20, 0) };
        let stats = journal.stats();
        assert_eq!((stats.replayed, stats.appended, stats.indexed), (replayed, appended, 20 - appended));
        assert_eq!(stats.bytes, std::fs::metadata(&segments(folder.path())[0]).unwrap().len());
    }
}

#[test]
fn a_call_repeated_in_one_process_is_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, echo) = (open(&folder), Echo::new("once"));
    let chat = journal.chat(echo.clone());
    assert_eq!(ask(&chat, 1).unwrap(), ask(&chat, 1).unwrap());
    assert_eq!((echo.asked(), journal.stats().replayed), (1, 1));
}

#[test]
fn one_models_answers_are_never_served_as_anothers() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, echo) = (open(&folder), Echo::new("mine"));
    ask(&journal.chat(echo.clone()), 1).unwrap();
    let other = journal.chat_replay(identity("other"));
    let error = ask(&other, 1).unwrap_err();
    assert!(error.stops_the_run());
    let ModelError::Engine { source, .. } = error else { panic!("{error}") };
    let message = source.to_string();
    for part in ["other", "judgment", "pair-1", "sample 1"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn recorded_and_fresh_scores_are_of_one_scorer() {
    let folder = tempfile::tempdir().unwrap();
    let scores = [0, 1].map(|_| {
        let reward = open(&folder).reward(Echo::new("score"));
        reward.score(scoring(5)).now_or_never().unwrap().unwrap()
    });
    assert_eq!(scores[0], scores[1]);
    assert_eq!(scores[0].scorer(), ScorerId::of(&identity("echo")));
}

fn lazily(journal: &Arc<Journal>, promised: ModelIdentity, loads: &Arc<AtomicU64>) -> Arc<dyn ChatModel> {
    let loads = Arc::clone(loads);
    journal.chat_lazy(promised, move || {
        loads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Echo::new("lazy") as Arc<dyn ChatModel>) })
    })
}

#[test]
fn a_lazy_model_is_loaded_by_the_first_call_without_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, loads) = (open(&folder), Arc::new(AtomicU64::new(0)));
    ask(&journal.chat(Echo::new("lazy")), 1).unwrap();

    let chat = lazily(&journal, identity("echo"), &loads);
    assert_eq!(chat.identity(), &identity("echo"));
    ask(&chat, 1).unwrap();
    assert_eq!((loads.load(Ordering::SeqCst), chat.count_tokens(&question(1))), (0, None));
    ask(&chat, 2).unwrap();
    ask(&chat, 3).unwrap();
    assert_eq!((loads.load(Ordering::SeqCst), chat.count_tokens(&question(1))), (1, Some(1)));
}

#[test]
fn a_lazy_model_that_is_another_records_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, loads) = (open(&folder), Arc::new(AtomicU64::new(0)));
    let error = ask(&lazily(&journal, identity("promised"), &loads), 1).unwrap_err();
    let ModelError::Engine { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("promised"), "{source}");
    assert_eq!(journal.stats().appended, 0);
}

#[test]
fn a_lazy_reward_model_is_loaded_once_and_only_when_needed() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, loads) = (open(&folder), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&loads);
    let reward = journal.reward_lazy(identity("echo"), move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Echo::new("lazy") as Arc<dyn RewardModel>) })
    });
    for number in [1, 1, 2] {
        reward.score(scoring(number)).now_or_never().unwrap().unwrap();
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    let replay = journal.reward_replay(identity("echo"));
    assert!(replay.score(scoring(2)).now_or_never().unwrap().is_ok());
    assert!(replay.score(scoring(3)).now_or_never().unwrap().is_err());
}

#[test]
fn a_journal_for_replay_alone_neither_writes_nor_asks() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Journal::open(&folder.path().join("none"), &JournalOptions::replay_only());
    assert!(missing.is_err());

    ask(&open(&folder).chat(Echo::new("first")), 1).unwrap();
    // A running journal holds the lock, and reading beside it is fine.
    let _running = open(&folder);
    let journal = Journal::open(folder.path(), &JournalOptions::replay_only()).unwrap();
    let echo = Echo::new("second");
    let chat = journal.chat(echo.clone());
    assert!(ask(&chat, 1).unwrap().text.starts_with("first"));
    assert!(ask(&chat, 2).is_err());
    assert_eq!(echo.asked(), 0);
    journal.sync().unwrap();
}

/// Says what it was told to say.
struct Parrot(ModelIdentity, ChatReply);

impl ChatModel for Parrot {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn chat(&self, _: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        Box::pin(async { Ok(self.1.clone()) })
    }
}

fn finite() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |value| value.is_finite())
}

fn reply() -> impl Strategy<Value = ChatReply> {
    let finish = prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::Filtered)];
    let logprobs = proptest::option::of((finite(), finite()).prop_map(|(a, b)| VerdictLogprobs { a, b }));
    (any::<String>(), finish, any::<[u64; 3]>(), logprobs).prop_map(|(text, finish, counts, verdict_logprobs)| {
        let [prompt_tokens, cached_tokens, completion_tokens] = counts;
        ChatReply { text, finish, usage: Usage { prompt_tokens, cached_tokens, completion_tokens }, verdict_logprobs }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_reply_comes_back_bit_for_bit(replies in proptest::collection::vec(reply(), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder);
        for (number, reply) in (0..).zip(&replies) {
            let chat = journal.chat(Arc::new(Parrot(identity("parrot"), reply.clone())));
            prop_assert_eq!(&ask(&chat, number).unwrap(), reply);
        }
        drop(journal);
        let journal = open(&folder);
        let chat = journal.chat_replay(identity("parrot"));
        for (number, reply) in (0..).zip(&replies) {
            let back = ask(&chat, number).unwrap();
            prop_assert_eq!(&back, reply);
            let bits = |reply: &ChatReply| reply.verdict_logprobs.map(|it| (it.a.to_bits(), it.b.to_bits()));
            prop_assert_eq!(bits(&back), bits(reply));
        }
    }
}

#[test]
fn a_log_probability_that_is_not_finite_is_no_reply() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    let mut reply = Echo::new("x").reply(&question(1));
    reply.verdict_logprobs = Some(VerdictLogprobs { a: 0.0, b: f32::NEG_INFINITY });
    let error = ask(&journal.chat(Arc::new(Parrot(identity("parrot"), reply))), 1).unwrap_err();
    assert_eq!(error.kind(), "bad_reply");
    assert_eq!(journal.stats().appended, 0);
}
