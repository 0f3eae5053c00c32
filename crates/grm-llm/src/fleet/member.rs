//! One server of a fleet: how it is reached, whether it is there, and what it did.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use grm_core::{BoxFuture, ModelError};

use super::ServerStats;

type Reach<M> = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<M>, ModelError>> + Send + Sync>;

/// How a server is reached, now and after it was away.
pub(super) struct Way<M: ?Sized> {
    pub(super) place: String,
    reach: Reach<M>,
}

impl<M: ?Sized> Way<M> {
    pub(super) fn new(
        place: String,
        reach: impl Fn() -> BoxFuture<'static, Result<Arc<M>, ModelError>> + Send + Sync + 'static,
    ) -> Self {
        Self { place, reach: Box::new(reach) }
    }

    pub(super) fn reach(&self) -> BoxFuture<'static, Result<Arc<M>, ModelError>> {
        (self.reach)()
    }
}

/// Passing failures in a row after which a server is left out although it can be reached.
const FAILURES: u32 = 3;

pub(super) struct Member<M: ?Sized> {
    pub(super) way: Way<M>,
    model: Mutex<Option<Arc<M>>>,
    load: AtomicUsize,
    calls: AtomicU64,
    failed: AtomicU64,
    left_out: AtomicU64,
    failures_in_a_row: AtomicU32,
}

impl<M: ?Sized> fmt::Debug for Member<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}

/// A call's place at a server; the server is less busy when it is dropped.
pub(super) struct Seat<'a, M: ?Sized> {
    pub(super) index: usize,
    pub(super) member: &'a Member<M>,
    pub(super) model: Arc<M>,
    /// True when the pair is at home elsewhere and that server is there.
    pub(super) away: bool,
}

impl<M: ?Sized> Drop for Seat<'_, M> {
    fn drop(&mut self) {
        self.member.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<M: ?Sized> Member<M> {
    /// A server, there if `model` is.
    pub(super) fn new(way: Way<M>, model: Option<Arc<M>>) -> Self {
        let left_out = AtomicU64::new(u64::from(model.is_none()));
        Self {
            way,
            model: Mutex::new(model),
            load: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            left_out,
            failures_in_a_row: AtomicU32::new(0),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.model().is_some()
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// A place for one more call, if the server is there.
    pub(super) fn seat(&self, index: usize, away: bool) -> Option<Seat<'_, M>> {
        let model = self.model().clone()?;
        self.load.fetch_add(1, Ordering::Relaxed);
        Some(Seat { index, member: self, model, away })
    }

    pub(super) fn answered(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.failures_in_a_row.store(0, Ordering::Relaxed);
    }

    /// Counts a failure; true when there were so many in a row that the server should be left out.
    pub(super) fn failed(&self) -> bool {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES
    }

    /// Gives it calls again.
    pub(super) fn came_back(&self, model: Arc<M>) {
        self.failures_in_a_row.store(0, Ordering::Relaxed);
        *self.model() = Some(model);
    }

    /// Gives it no more calls; false when that was so already.
    pub(super) fn leave_out(&self) -> bool {
        let was_up = self.model().take().is_some();
        self.left_out.fetch_add(u64::from(was_up), Ordering::Relaxed);
        was_up
    }

    pub(super) fn stats(&self) -> ServerStats {
        ServerStats {
            place: self.way.place.clone(),
            calls: self.calls.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            left_out: self.left_out.load(Ordering::Relaxed),
            up: self.is_up(),
        }
    }

    fn model(&self) -> MutexGuard<'_, Option<Arc<M>>> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
