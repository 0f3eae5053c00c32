//! A fleet of pretended servers, in pretended time.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use futures::future::join_all;
use grm_core::{
    BoxFuture, CallOrigin, ChatModel, ChatReply, ChatRequest, Finish, ModelError, ModelIdentity, Sampling, Step, Usage,
};
use tokio::time::{Duration, Instant, sleep};

use super::{ChatFleet, Fleet, FleetConfig, Way};

/// What a pretended server does.
#[derive(Debug, Clone, PartialEq)]
enum Mood {
    /// Answers after 100 ms.
    Well,
    /// Cannot be reached.
    Gone,
    /// Fails calls of this pair.
    FailsAt(&'static str),
    /// Refuses every call for what it is.
    Refuses,
    /// Serves another model.
    Odd,
}

#[derive(Clone)]
struct Pretended {
    place: &'static str,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicU64>,
}

struct Model {
    server: Pretended,
    identity: ModelIdentity,
}

impl Pretended {
    fn new(place: &'static str) -> Self {
        Self { place, mood: Arc::new(Mutex::new(Mood::Well)), asked: Arc::default() }
    }

    fn feels(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn mood(&self) -> Mood {
        self.mood.lock().unwrap().clone()
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn gone(&self) -> ModelError {
        ModelError::Unreachable { place: self.place.into(), reason: "connection refused".into() }
    }

    fn way(&self) -> Way<dyn ChatModel> {
        let server = self.clone();
        Way::new(self.place.to_owned(), move || {
            let server = server.clone();
            Box::pin(async move {
                let name = match server.mood() {
                    Mood::Gone => return Err(server.gone()),
                    Mood::Odd => "other",
                    _ => "m",
                };
                let identity = ModelIdentity { name: name.into(), revision: "r".into(), adapter: String::new() };
                Ok(Arc::new(Model { server, identity }) as Arc<dyn ChatModel>)
            })
        })
    }
}

impl ChatModel for Model {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        Box::pin(async move {
            self.server.asked.fetch_add(1, Ordering::Relaxed);
            let place = self.server.place.to_owned();
            if self.server.mood() != Mood::Gone {
                sleep(Duration::from_millis(100)).await;
            }
            match self.server.mood() {
                Mood::Gone => Err(self.server.gone()),
                Mood::Refuses => Err(ModelError::BadReply { place, reason: "no".into() }),
                Mood::FailsAt(pair) if *request.origin.pair == *pair => {
                    Err(ModelError::Exhausted { place, attempts: 2, reason: "HTTP 500".into() })
                }
                _ => {
                    Ok(ChatReply { text: place, finish: Finish::Stop, usage: Usage::default(), verdict_logprobs: None })
                }
            }
        })
    }
}

fn request(pair: &str) -> ChatRequest {
    ChatRequest {
        messages: Vec::new(),
        shared_spans: 0,
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 0, max_tokens: 1, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: CallOrigin { pair: pair.into(), step: Step::Judgment, sample: 0, template: "".into() },
    }
}

fn config() -> FleetConfig {
    FleetConfig { calls_per_server: 8, patience: Duration::from_secs(20), ..FleetConfig::default() }
}

async fn fleet(servers: &[Pretended]) -> ChatFleet {
    ChatFleet(Fleet::gather(servers.iter().map(Pretended::way).collect(), config()).await.unwrap())
}

/// Asks for each pair in turn; who answered.
async fn answers(fleet: &ChatFleet, pairs: std::ops::Range<u32>) -> Vec<String> {
    let ask = |pair: u32| async move { fleet.chat(request(&format!("pair-{pair}"))).await.unwrap().text };
    join_all(pairs.map(ask)).await
}

fn two() -> [Pretended; 2] {
    [Pretended::new("http://a"), Pretended::new("http://b")]
}

#[tokio::test(start_paused = true)]
async fn a_pair_stays_with_its_server_and_pairs_are_spread() {
    let servers = two();
    let fleet = fleet(&servers).await;
    let first = answers(&fleet, 0..12).await;
    for _ in 0..9 {
        assert_eq!(answers(&fleet, 0..12).await, first);
    }
    let stats = fleet.stats();
    assert_eq!((stats.calls, stats.on_majority, stats.moved, stats.overflowed), (120, 120, 0, 0));
    assert_eq!(stats.affinity(), Some(1.0));
    assert!(servers.iter().all(|server| server.asked() >= 40), "{stats:?}");
    let weights: u64 = stats.servers.iter().map(|server| server.calls).sum();
    assert_eq!(weights, 120);
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_at_a_server_that_dies_go_elsewhere_and_it_comes_back() {
    let servers = two();
    let fleet = fleet(&servers).await;
    let first = answers(&fleet, 0..12).await;
    let at_a = first.iter().filter(|place| *place == "http://a").count() as u64;
    let death = async {
        sleep(Duration::from_millis(50)).await;
        servers[0].feels(Mood::Gone);
    };
    let (places, ()) = tokio::join!(answers(&fleet, 0..12), death);
    assert!(at_a > 0 && places.iter().all(|place| place == "http://b"), "{places:?}");
    let stats = fleet.stats();
    assert_eq!((stats.moved, stats.servers[0].left_out, stats.servers[0].up), (at_a, 1, false));
    assert_eq!((stats.calls, stats.at_home, stats.rehomed), (24, 24, at_a), "they are at home elsewhere now");
    let asked = servers[0].asked();
    answers(&fleet, 0..12).await;
    assert_eq!(servers[0].asked(), asked, "it is left alone");

    servers[0].feels(Mood::Well);
    sleep(Duration::from_secs(2)).await;
    assert!(fleet.stats().servers[0].up);
    let places = answers(&fleet, 100..120).await;
    assert!(places.iter().any(|place| place == "http://a"), "new pairs go there");
    assert!(answers(&fleet, 0..12).await.iter().all(|place| place == "http://b"), "pairs that moved stay");
}

#[tokio::test(start_paused = true)]
async fn without_any_server_calls_wait_and_then_fail_with_the_last_reason() {
    let servers = two();
    let fleet = fleet(&servers).await;
    servers.iter().for_each(|server| server.feels(Mood::Gone));
    let start = Instant::now();
    let back = async {
        sleep(Duration::from_secs(4)).await;
        servers[1].feels(Mood::Well);
    };
    let (places, ()) = tokio::join!(answers(&fleet, 0..3), back);
    assert_eq!(places, ["http://b"; 3]);
    assert!(start.elapsed() > Duration::from_secs(4) && start.elapsed() < Duration::from_secs(20));

    servers[1].feels(Mood::Gone);
    let start = Instant::now();
    let error = fleet.chat(request("p")).await.unwrap_err();
    assert!(matches!(error, ModelError::Unreachable { .. }), "{error}");
    assert_eq!(start.elapsed(), Duration::from_secs(20));
    assert!(fleet.stats().is_down());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_everywhere_takes_no_server_with_it() {
    let servers = two();
    let fleet = fleet(&servers).await;
    servers.iter().for_each(|server| server.feels(Mood::FailsAt("poison")));
    let error = fleet.chat(request("poison")).await.unwrap_err();
    assert!(matches!(error, ModelError::Exhausted { .. }), "{error}");
    assert_eq!((servers[0].asked(), servers[1].asked()), (1, 1));
    assert!(fleet.stats().servers.iter().all(|server| server.up));
    servers.iter().for_each(|server| server.feels(Mood::Refuses));
    assert_eq!(fleet.chat(request("p")).await.unwrap_err().kind(), "bad_reply");
    assert_eq!(servers[0].asked() + servers[1].asked(), 3, "what is about the call is asked once");
}

#[tokio::test(start_paused = true)]
async fn servers_of_another_model_are_refused_now_and_later() {
    let servers = [Pretended::new("http://a"), Pretended::new("http://b"), Pretended::new("http://c")];
    servers[2].feels(Mood::Odd);
    let ways = || servers.iter().map(Pretended::way).collect();
    let error = Fleet::gather(ways(), config()).await.unwrap_err().to_string();
    assert!(error.starts_with("http://c") && error.contains("serves other"), "{error}");

    servers[2].feels(Mood::Gone);
    let fleet = ChatFleet(Fleet::gather(ways(), config()).await.unwrap());
    servers[2].feels(Mood::Odd);
    sleep(Duration::from_secs(300)).await;
    assert!(!fleet.stats().servers[2].up, "it came back as somebody else");
    servers[2].feels(Mood::Well);
    sleep(Duration::from_secs(60)).await;
    assert!(fleet.stats().servers[2].up);
    servers.iter().for_each(|server| server.feels(Mood::Gone));
    assert_eq!(Fleet::gather(ways(), config()).await.unwrap_err().kind(), "unreachable");
    assert_eq!(Fleet::<dyn ChatModel>::gather(Vec::new(), config()).await.unwrap_err().kind(), "unreachable");
}

#[tokio::test(start_paused = true)]
async fn a_full_server_shares_a_pairs_calls_with_a_much_less_busy_one() {
    let servers = two();
    let fleet = fleet(&servers).await;
    let ask = |_| async { fleet.chat(request("one pair")).await.unwrap().text };
    join_all((0..24).map(ask)).await;
    let stats = fleet.stats();
    assert!(stats.overflowed > 0 && stats.overflowed < 12, "{stats:?}");
    assert_eq!(stats.on_majority + stats.overflowed, 24);
}
