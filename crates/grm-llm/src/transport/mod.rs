//! The one place that bounds, retries and pauses calls.

mod attempt;
mod backoff;
mod breaker;
mod lane;
mod limiter;
mod rejection;
mod retry;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use grm_core::ModelError;
use reqwest::Url;

pub(crate) use attempt::Unreadable;
pub(crate) use lane::Lane;
pub(crate) use retry::Call;

/// How many calls may be under way at one server. The limit starts at `start`, doubles while all goes well, shrinks
/// by a fifth when the server says "too many" and then grows by one per round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Where the limit begins.
    pub start: usize,
    /// The least it shrinks to.
    pub min: usize,
    /// The most it grows to.
    pub max: usize,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { start: 16, min: 1, max: 64 }
    }
}

/// When to stop asking a server that only fails, and for how long to hope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row after which calls wait.
    pub failures: u32,
    /// Pause between probes while calls wait.
    pub probe_every: Duration,
    /// How long calls wait before they fail with [`ModelError::Exhausted`].
    pub patience: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 20, probe_every: Duration::from_secs(3), patience: Duration::from_secs(120) }
    }
}

/// Limits and pauses of a [`Transport`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportConfig {
    /// Attempts of one call, the first included.
    pub attempts: u32,
    /// Longest time one attempt may take, from sending to the last byte.
    pub deadline: Duration,
    /// Longest time to open a connection.
    pub connect_timeout: Duration,
    /// Idle connections are closed after this; below the 5 s after which uvicorn (vLLM, SGLang) closes them itself.
    pub pool_idle: Duration,
    /// Most bytes read of one reply.
    pub response_limit: usize,
    /// The first pause between attempts is drawn from 0 to this; the range doubles each time.
    pub backoff_base: Duration,
    /// The longest such pause.
    pub backoff_cap: Duration,
    /// The longest a `Retry-After` is honoured.
    pub retry_after_cap: Duration,
    /// Calls under way at one server.
    pub concurrency: Concurrency,
    /// When to pause and when to give up.
    pub breaker: BreakerConfig,
    /// Seed of the pauses' jitter.
    pub seed: u64,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            attempts: 5,
            deadline: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(10),
            pool_idle: Duration::from_secs(4),
            response_limit: 32 << 20,
            backoff_base: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(30),
            retry_after_cap: Duration::from_secs(120),
            concurrency: Concurrency::default(),
            breaker: BreakerConfig::default(),
            seed: 0,
        }
    }
}

/// What a progress line shows, summed over all servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransportStats {
    /// Requests under way.
    pub in_flight: usize,
    /// Requests that may be under way.
    pub limit: usize,
    /// Requests sent, repetitions included.
    pub requests: u64,
    /// Of those, repetitions.
    pub retries: u64,
    /// Replies that said "too many requests".
    pub rate_limited: u64,
    /// Calls waiting for a slot, for the next attempt, or for a server that does not answer.
    pub waiting: usize,
    /// True while a server fails so steadily that calls wait for it.
    pub paused: bool,
}

/// What all endpoints of a run share. Servers are kept apart: one that is down or overloaded does not slow another.
#[derive(Debug)]
pub struct Transport {
    config: TransportConfig,
    lanes: Mutex<BTreeMap<String, Arc<Lane>>>,
    draws: AtomicU64,
}

impl Transport {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(config: TransportConfig) -> Arc<Self> {
        Arc::new(Self { config, lanes: Mutex::default(), draws: AtomicU64::new(0) })
    }

    /// The counts of this moment.
    #[must_use]
    pub fn snapshot(&self) -> TransportStats {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.values().fold(TransportStats::default(), |sum, lane| lane.add_to(sum))
    }

    /// The lane of a URL's server, made on first use.
    pub(crate) fn lane(&self, url: &Url) -> Result<Arc<Lane>, ModelError> {
        let origin = url.origin().ascii_serialization();
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&origin) {
            return Ok(Arc::clone(lane));
        }
        let lane = Arc::new(Lane::new(url, &self.config)?);
        lanes.insert(origin, Arc::clone(&lane));
        Ok(lane)
    }

    pub(crate) fn config(&self) -> &TransportConfig {
        &self.config
    }

    /// The next number in [0, 1) of the seeded sequence that jitter is taken from.
    fn draw(&self) -> f64 {
        let count = self.draws.fetch_add(1, Ordering::Relaxed);
        backoff::unit(self.config.seed, count)
    }
}
