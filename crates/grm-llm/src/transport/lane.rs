//! What belongs to one server: its connections, limits and counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use grm_core::ModelError;
use reqwest::{Client, Url, redirect};

use super::{TransportConfig, TransportStats, breaker::Breaker, limiter::Limiter};
use crate::prefix_gate::PrefixGate;

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) client: Client,
    pub(crate) limiter: Limiter,
    pub(crate) breaker: Breaker,
    pub(crate) prefixes: PrefixGate,
    calls: AtomicUsize,
    in_flight: AtomicUsize,
    pub(crate) requests: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) rate_limited: AtomicU64,
}

/// Counts one up for as long as it lives.
pub(crate) struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    pub(crate) fn new(url: &Url, config: &TransportConfig) -> Result<Self, ModelError> {
        Ok(Self {
            client: client(url, config)?,
            limiter: Limiter::new(config.concurrency),
            breaker: Breaker::new(config.breaker),
            prefixes: PrefixGate::default(),
            calls: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
        })
    }

    /// Counts a call from here until the guard is dropped.
    pub(crate) fn count_call(&self) -> Counted<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Counted(&self.calls)
    }

    /// Counts a request on the wire.
    pub(crate) fn count_request(&self) -> Counted<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Counted(&self.in_flight)
    }

    pub(crate) fn add_to(&self, sum: TransportStats) -> TransportStats {
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        TransportStats {
            in_flight: sum.in_flight + in_flight,
            limit: sum.limit + self.limiter.limit(),
            requests: sum.requests + self.requests.load(Ordering::Relaxed),
            retries: sum.retries + self.retries.load(Ordering::Relaxed),
            rate_limited: sum.rate_limited + self.rate_limited.load(Ordering::Relaxed),
            waiting: sum.waiting + self.calls.load(Ordering::Relaxed).saturating_sub(in_flight),
            paused: sum.paused || self.breaker.is_open(),
        }
    }
}

/// Our own retry loop is the only one, redirects could carry the key elsewhere, and compressed replies could grow
/// without bound: all three are off.
fn client(url: &Url, config: &TransportConfig) -> Result<Client, ModelError> {
    let mut builder = Client::builder()
        .user_agent(concat!("grm/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(config.connect_timeout)
        .pool_idle_timeout(config.pool_idle)
        .pool_max_idle_per_host(config.concurrency.max)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never());
    if url.scheme() == "http" {
        // Plain HTTP needs no certificates, so a machine without any can still use a server beside it.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| ModelError::Engine {
        context: "could not prepare the HTTP client; are the system's CA certificates installed?".to_owned(),
        source: Box::new(error.without_url()),
    })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
