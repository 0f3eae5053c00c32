//! Several askers, several processes, several segments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use grm_core::{BoxFuture, ChatModel, ChatReply, ChatRequest, ModelError, ModelIdentity};
use grm_journal::{Journal, JournalError, JournalOptions};
use tokio::sync::Semaphore;

use crate::models::{Echo, identity, question, segments};

fn open(folder: &tempfile::TempDir) -> Arc<Journal> {
    Journal::open(folder.path(), &JournalOptions::default()).unwrap()
}

/// Holds every call until it is let go, and fails the first `failures` of them.
struct Gate {
    echo: Arc<Echo>,
    identity: ModelIdentity,
    permits: Semaphore,
    failures: AtomicU64,
}

impl Gate {
    fn new(failures: u64) -> Arc<Self> {
        let (echo, failures) = (Echo::new("gate"), AtomicU64::new(failures));
        Arc::new(Self { echo, identity: identity("gate"), permits: Semaphore::new(0), failures })
    }
}

impl ChatModel for Gate {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        self.echo.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            self.permits.acquire().await.unwrap().forget();
            let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            match fails {
                Ok(_) => Err(ModelError::Cancelled),
                Err(_) => Ok(self.echo.reply(&request)),
            }
        })
    }
}

#[tokio::test]
async fn identical_calls_in_flight_are_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, gate) = (open(&folder), Gate::new(0));
    let chat = journal.chat(gate.clone());
    let calls = join_all((0..100).map(|number| chat.chat(question(number % 2))));
    gate.permits.add_permits(2);
    let replies = calls.await;
    assert_eq!((gate.echo.asked(), journal.stats().appended, journal.stats().replayed), (2, 2, 98));
    for (number, reply) in (0..).zip(replies) {
        assert_eq!(reply.unwrap(), gate.echo.reply(&question(number % 2)));
    }
}

#[tokio::test]
async fn a_failed_call_is_not_recorded_and_the_next_in_line_asks() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, gate) = (open(&folder), Gate::new(3));
    let chat = journal.chat(gate.clone());
    gate.permits.add_permits(10);
    let replies = join_all((0..10).map(|_| chat.chat(question(1)))).await;
    let failed = replies.iter().filter(|reply| reply.is_err()).count();
    assert_eq!((failed, gate.echo.asked(), journal.stats().appended), (3, 4, 1));
}

#[tokio::test]
async fn a_cancelled_call_lets_the_next_in_line_ask() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, gate) = (open(&folder), Gate::new(0));
    let chat = journal.chat(gate.clone());
    let mut first = chat.chat(question(1));
    let mut second = chat.chat(question(1));
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    assert_eq!(gate.echo.asked(), 1);
    drop(first);
    gate.permits.add_permits(1);
    second.await.unwrap();
    assert_eq!((gate.echo.asked(), journal.stats().appended), (2, 1));
}

#[test]
fn the_second_to_open_a_folder_hears_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    let error = Journal::open(folder.path(), &JournalOptions::default()).unwrap_err();
    let JournalError::Locked { pid, host, .. } = &error else { panic!("{error}") };
    assert_eq!(*pid, std::process::id());
    assert!(!host.is_empty());
    assert!(error.to_string().contains("run the same command again"), "{error}");
    drop(journal);
    open(&folder);
}

#[test]
fn journals_merge_and_the_first_complete_record_counts() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (folder, (says, numbers)) in folders.iter().zip([("early", 0..6), ("late", 4..10)]) {
        let journal = open(folder);
        let chat = journal.chat(Echo::new(says));
        for number in numbers {
            chat.chat(question(number)).now_or_never().unwrap().unwrap();
        }
    }
    let [late] = segments(folders[1].path()).try_into().unwrap();
    std::fs::copy(&late, folders[0].path().join(late.file_name().unwrap())).unwrap();

    let journal = open(&folders[0]);
    assert_eq!(journal.stats().indexed, 12);
    let chat = journal.chat_replay(identity("echo"));
    for number in 0..10 {
        let reply = chat.chat(question(number)).now_or_never().unwrap().unwrap();
        let says = if number < 6 { "early" } else { "late" };
        assert!(reply.text.starts_with(says), "{number}: {}", reply.text);
    }
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Echo::new("many");
    let options = JournalOptions { segment_bytes: 2000, ..JournalOptions::default() };
    let journal = Journal::open(folder.path(), &options).unwrap();
    let chat = journal.chat(echo.clone());
    for number in (0..50).chain(0..50) {
        assert_eq!(chat.chat(question(number)).now_or_never().unwrap().unwrap(), echo.reply(&question(number)));
    }
    drop((chat, journal));
    let segments = segments(folder.path());
    assert!(segments.len() > 3, "{segments:?}");
    assert!(segments.iter().all(|path| std::fs::metadata(path).unwrap().len() <= 2000));
    let journal = open(&folder);
    let chat = journal.chat(echo.clone());
    for number in 0..50 {
        chat.chat(question(number)).now_or_never().unwrap().unwrap();
    }
    assert_eq!((echo.asked(), journal.stats().indexed), (50, 50));
}

#[test]
fn only_the_latest_records_of_a_process_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Echo::new("window");
    let options = JournalOptions { recent_records: 2, ..JournalOptions::default() };
    let journal = Journal::open(folder.path(), &options).unwrap();
    let chat = journal.chat(echo.clone());
    let mut asked = |number| {
        let before = echo.asked();
        chat.chat(question(number)).now_or_never().unwrap().unwrap();
        echo.asked() - before
    };
    assert_eq!([1, 2, 3, 3, 2, 1].map(&mut asked), [1, 1, 1, 0, 0, 1]);
}
