//! Pauses a run whose server only fails, instead of burning through its calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::BreakerConfig;

#[derive(Debug)]
pub(crate) struct Breaker {
    config: BreakerConfig,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    next_probe: Instant,
    probing: bool,
    reason: String,
}

/// Leave to try once. A probe is the one call let through while the others wait.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    pub(crate) probe: bool,
    reported: bool,
}

/// The server failed for longer than our patience.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) failures: u32,
    pub(crate) reason: String,
}

enum Decision {
    Enter { probe: bool },
    WaitUntil(Instant),
    GiveUp(GivenUp),
}

impl Breaker {
    pub(crate) fn new(config: BreakerConfig) -> Self {
        Self { config, state: Mutex::default(), changed: Notify::new() }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state().open.is_some()
    }

    /// Returns at once while the server answers; else waits for it, as the probe or behind it.
    pub(crate) async fn enter(&self) -> Result<Pass<'_>, GivenUp> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.decide() {
                Decision::Enter { probe } => return Ok(Pass { breaker: self, probe, reported: false }),
                Decision::GiveUp(given_up) => return Err(given_up),
                Decision::WaitUntil(then) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(then) => {}
                },
            }
        }
    }

    fn decide(&self) -> Decision {
        let now = Instant::now();
        let mut state = self.state();
        let failures = state.failures;
        let Some(open) = &mut state.open else { return Decision::Enter { probe: false } };
        if !open.probing && now >= open.next_probe {
            open.probing = true;
            return Decision::Enter { probe: true };
        }
        let give_up_at = open.since + self.config.patience;
        if now >= give_up_at {
            return Decision::GiveUp(GivenUp { failures, reason: open.reason.clone() });
        }
        Decision::WaitUntil(if open.probing { give_up_at } else { give_up_at.min(open.next_probe) })
    }

    fn succeeded(&self) {
        let mut state = self.state();
        state.failures = 0;
        if let Some(open) = state.open.take() {
            let seconds = open.since.elapsed().as_secs();
            tracing::info!(seconds, "the server answers again; continuing");
            self.changed.notify_waiters();
        }
    }

    fn failed(&self, probe: bool, reason: &str) {
        let now = Instant::now();
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let failures = state.failures;
        match &mut state.open {
            Some(open) if probe => {
                open.probing = false;
                open.next_probe = now + self.config.probe_every;
                reason.clone_into(&mut open.reason);
                self.changed.notify_waiters();
            }
            Some(_) => {}
            None if failures >= self.config.failures => {
                tracing::warn!(failures, reason, "the server only fails; calls wait until it answers");
                let next_probe = now + self.config.probe_every;
                state.open = Some(Open { since: now, next_probe, probing: false, reason: reason.to_owned() });
            }
            None => {}
        }
    }

    /// The probing call was dropped: somebody else may probe.
    fn abandoned(&self) {
        if let Some(open) = &mut self.state().open {
            open.probing = false;
            self.changed.notify_waiters();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The server answered, if only to refuse.
    pub(crate) fn succeeded(mut self) {
        self.reported = true;
        self.breaker.succeeded();
    }

    /// It did not.
    pub(crate) fn failed(mut self, reason: &str) {
        self.reported = true;
        self.breaker.failed(self.probe, reason);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe && !self.reported {
            self.breaker.abandoned();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    fn config() -> BreakerConfig {
        BreakerConfig { failures: 3, probe_every: Duration::from_secs(2), patience: Duration::from_secs(10) }
    }

    async fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.enter().await.unwrap().failed("down");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_a_success_between_does_not() {
        let breaker = Breaker::new(config());
        fail(&breaker, 2).await;
        breaker.enter().await.unwrap().succeeded();
        fail(&breaker, 2).await;
        assert!(!breaker.is_open());
        fail(&breaker, 1).await;
        assert!(breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_goes_ahead_and_its_success_lets_the_others_in() {
        let breaker = Breaker::new(config());
        fail(&breaker, 3).await;
        let start = Instant::now();
        let probe = breaker.enter().await.unwrap();
        assert!(probe.probe);
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        let mut other = std::pin::pin!(breaker.enter());
        assert!(other.as_mut().now_or_never().is_none(), "waits behind the probe");
        probe.succeeded();
        assert!(!other.await.unwrap().probe);
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_probe_is_replaced() {
        let breaker = Breaker::new(config());
        fail(&breaker, 3).await;
        drop(breaker.enter().await.unwrap());
        let next = breaker.enter().now_or_never().expect("may probe at once").unwrap();
        assert!(next.probe);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_a_later_probe_can_still_recover() {
        let breaker = Breaker::new(config());
        fail(&breaker, 3).await;
        let start = Instant::now();
        let given_up = loop {
            match breaker.enter().await {
                Ok(probe) => probe.failed("still down"),
                Err(given_up) => break given_up,
            }
        };
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        assert_eq!(given_up.reason, "still down");
        assert!(breaker.enter().now_or_never().expect("does not wait any more").is_err());
        tokio::time::advance(Duration::from_secs(2)).await;
        breaker.enter().await.unwrap().succeeded();
        assert!(!breaker.enter().await.unwrap().probe);
    }
}
