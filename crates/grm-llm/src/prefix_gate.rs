//! Lets one call compute a shared prefix before the others come to use it.
//!
//! A server's prefix cache helps only calls that arrive after the first one's prompt was processed; sent together,
//! all of them miss together. So the first call that carries a prefix goes ahead and the rest wait for its reply.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};

/// Names a model and a prefix.
pub(crate) type PrefixKey = [u8; 16];

/// A prefix nobody asked about for this long has likely left the server's cache.
const IDLE: Duration = Duration::from_secs(600);

/// Prefixes remembered at most, in two halves: when the younger is full the older is forgotten.
const HALF: usize = 2048;

#[derive(Debug, Default)]
pub(crate) struct PrefixGate {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    young: HashMap<PrefixKey, Prefix>,
    old: HashMap<PrefixKey, Prefix>,
}

#[derive(Debug, Clone)]
struct Prefix {
    /// Without permits; closed when the leader is done, which wakes all who wait.
    done: Arc<Semaphore>,
    used: Instant,
}

/// Held by the first call while it is under way; dropping it, for whatever reason, lets the others go.
#[derive(Debug)]
pub(crate) struct Leader(Arc<Semaphore>);

impl Drop for Leader {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl PrefixGate {
    /// Returns at once for the first call with this prefix; the others come back when it is done.
    pub(crate) async fn pass(&self, key: PrefixKey) -> Option<Leader> {
        let (done, leads) = self.enter(key);
        if leads {
            return Some(Leader(done));
        }
        // No permit is ever added: this returns, with an error, when the leader closes the semaphore.
        let _closed = done.acquire().await;
        None
    }

    fn enter(&self, key: PrefixKey) -> (Arc<Semaphore>, bool) {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.young.remove(&key).or_else(|| known.old.remove(&key));
        let warm = found.filter(|prefix| !prefix.done.is_closed() || now - prefix.used < IDLE);
        let leads = warm.is_none();
        let done = warm.map_or_else(|| Arc::new(Semaphore::new(0)), |prefix| prefix.done);
        if known.young.len() >= HALF {
            known.old = std::mem::take(&mut known.young);
        }
        known.young.insert(key, Prefix { done: Arc::clone(&done), used: now });
        (done, leads)
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        let known = self.known.lock().unwrap();
        known.young.len() + known.old.len()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_leads_and_the_rest_follow_when_it_is_done() {
        let gate = PrefixGate::default();
        let leader = gate.pass([1; 16]).await.expect("leads");
        let mut followers = [Box::pin(gate.pass([1; 16])), Box::pin(gate.pass([1; 16]))];
        for follower in &mut followers {
            assert!(follower.as_mut().now_or_never().is_none(), "waits");
        }
        assert!(gate.pass([2; 16]).await.is_some(), "another prefix has its own leader");
        drop(leader);
        for follower in followers {
            assert!(follower.await.is_none(), "follows");
        }
        assert!(gate.pass([1; 16]).await.is_none(), "later ones find it warm");
    }

    #[tokio::test(start_paused = true)]
    async fn a_prefix_gone_cold_is_led_again() {
        let gate = PrefixGate::default();
        drop(gate.pass([1; 16]).await);
        tokio::time::advance(IDLE).await;
        assert!(gate.pass([1; 16]).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let gate = PrefixGate::default();
        for number in 0..20_000_u128 {
            drop(gate.pass(number.to_le_bytes()).await);
        }
        assert!(gate.remembered() <= 2 * HALF, "{}", gate.remembered());
    }
}
