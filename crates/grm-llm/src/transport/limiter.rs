//! How many calls are under way: additive increase, multiplicative decrease.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::Concurrency;

/// One burst of "too many requests" counts once: the limit does not move again before this has passed.
const COOLDOWN: Duration = Duration::from_secs(1);

/// Trouble that is not the limit's fault stops its growth for this long.
const GROWTH_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Limiter {
    slots: Semaphore,
    bounds: Concurrency,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: f64,
    /// Slots in existence: above the limit for a while after it shrank, until calls under way give theirs back.
    granted: usize,
    doubling: bool,
    no_shrink_before: Option<Instant>,
    no_growth_before: Option<Instant>,
}

/// Leave to have one call under way.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    limiter: &'a Limiter,
    permit: Option<SemaphorePermit<'a>>,
}

impl Limiter {
    pub(crate) fn new(bounds: Concurrency) -> Self {
        let min = bounds.min.max(1);
        let max = bounds.max.max(min);
        let start = bounds.start.clamp(min, max);
        Self {
            slots: Semaphore::new(start),
            bounds: Concurrency { start, min, max },
            state: Mutex::new(State {
                limit: start as f64,
                granted: start,
                doubling: true,
                no_shrink_before: None,
                no_growth_before: None,
            }),
        }
    }

    pub(crate) async fn slot(&self) -> Slot<'_> {
        let permit = self.slots.acquire().await.expect("the semaphore is never closed");
        Slot { limiter: self, permit: Some(permit) }
    }

    pub(crate) fn limit(&self) -> usize {
        self.state().limit as usize
    }

    /// True when the limit cannot shrink any further.
    pub(crate) fn is_least(&self) -> bool {
        self.limit() <= self.bounds.min
    }

    /// A reply came. The limit grows only when calls are waiting for it, and not right after trouble.
    pub(crate) fn succeeded(&self) {
        if self.slots.available_permits() > 0 {
            return;
        }
        let mut state = self.state();
        if state.no_growth_before.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let step = if state.doubling { 1.0 } else { 1.0 / state.limit };
        state.limit = (state.limit + step).min(self.bounds.max as f64);
        let wanted = state.limit as usize;
        if wanted > state.granted {
            self.slots.add_permits(wanted - state.granted);
            state.granted = wanted;
        }
    }

    /// The server said "too many requests".
    pub(crate) fn overloaded(&self, retry_after: Option<Duration>) {
        let mut state = self.state();
        let now = Instant::now();
        state.doubling = false;
        let quiet = retry_after.map_or(COOLDOWN, |named| named.max(COOLDOWN));
        if state.no_shrink_before.is_none_or(|until| now >= until) {
            state.limit = (state.limit * 0.8).max(self.bounds.min as f64);
            state.no_shrink_before = Some(now + quiet);
        }
        state.no_growth_before = state.no_growth_before.max(Some(now + quiet));
    }

    /// The server failed or was too slow: that is no reason to shrink, but none to grow either.
    pub(crate) fn troubled(&self) {
        let mut state = self.state();
        state.no_growth_before = state.no_growth_before.max(Some(Instant::now() + GROWTH_PAUSE));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        if state.granted > state.limit as usize {
            state.granted -= 1;
            self.permit.take().into_iter().for_each(SemaphorePermit::forget);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter {
        Limiter::new(Concurrency { start: 4, min: 2, max: 16 })
    }

    /// Fills every slot, so that growth is wanted, then reports one success per slot.
    async fn round(limiter: &Limiter) {
        let mut slots = Vec::new();
        for _ in 0..limiter.limit() {
            slots.push(limiter.slot().await);
        }
        for _ in 0..slots.len() {
            limiter.succeeded();
            let free = limiter.slots.available_permits();
            for _ in 0..free {
                slots.push(limiter.slot().await);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn doubles_to_the_top_then_shrinks_by_a_fifth_and_creeps_back() {
        let limiter = limiter();
        let mut seen = vec![limiter.limit()];
        for _ in 0..3 {
            round(&limiter).await;
            seen.push(limiter.limit());
        }
        assert_eq!(seen, [4, 8, 16, 16]);
        limiter.overloaded(None);
        assert_eq!(limiter.limit(), 12);
        round(&limiter).await;
        assert_eq!(limiter.limit(), 12, "no growth while the server cools down");
        tokio::time::advance(COOLDOWN).await;
        round(&limiter).await;
        assert_eq!(limiter.limit(), 13, "one more a round");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_counts_once_and_the_least_is_kept() {
        let limiter = limiter();
        for _ in 0..50 {
            limiter.overloaded(Some(Duration::from_secs(30)));
        }
        assert_eq!(limiter.limit(), 3);
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(31)).await;
            limiter.overloaded(Some(Duration::from_secs(30)));
        }
        assert_eq!(limiter.limit(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_stops_growth_without_shrinking() {
        let limiter = limiter();
        limiter.troubled();
        round(&limiter).await;
        assert_eq!(limiter.limit(), 4);
        tokio::time::advance(GROWTH_PAUSE).await;
        round(&limiter).await;
        assert_eq!(limiter.limit(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn slots_in_use_are_taken_back_as_they_return() {
        let limiter = limiter();
        let slots = [limiter.slot().await, limiter.slot().await, limiter.slot().await, limiter.slot().await];
        limiter.overloaded(None);
        assert_eq!(limiter.limit(), 3);
        drop(slots);
        assert_eq!(limiter.slots.available_permits(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_limit_does_not_grow() {
        let limiter = limiter();
        for _ in 0..100 {
            let _slot = limiter.slot().await;
            limiter.succeeded();
        }
        assert_eq!(limiter.limit(), 4);
    }
}
