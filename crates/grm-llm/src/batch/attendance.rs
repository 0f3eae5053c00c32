//! When a pair can get no further: all its calls are left in the file, and no other is under way.
//!
//! A call that waits gives up its pair, and with it whatever else the pair is doing. It therefore waits until the rest has
//! come to an end, so that a pair leaves all the calls of a stage at once and no call to a live server is thrown away.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use grm_core::{
    BoxFuture, ChatModel, ChatReply, ChatRequest, ModelError, ModelIdentity, RewardModel, RewardRequest, RewardScore,
};
use tokio::{sync::Notify, task::yield_now};

/// Turns given to a pair after its last call ended, to begin another.
const TURNS: usize = 3;

/// Calls under way, by pair.
#[derive(Debug, Default)]
pub(super) struct Attendance(Mutex<HashMap<Arc<str>, Arc<Room>>>);

#[derive(Debug, Default)]
struct Room {
    busy: AtomicUsize,
    quiet: Notify,
}

/// A call that is under way, or one that waits for those.
struct Guest<'a> {
    attendance: &'a Attendance,
    pair: Arc<str>,
    room: Option<Arc<Room>>,
}

/// Counts as under way until it is dropped.
pub(super) struct Busy<'a>(Guest<'a>);

impl Attendance {
    /// One more call of the pair is under way.
    pub(super) fn enter(&self, pair: &Arc<str>) -> Busy<'_> {
        let guest = self.guest(pair);
        guest.room().busy.fetch_add(1, Ordering::SeqCst);
        Busy(guest)
    }

    /// Returns when no call of the pair is under way and none was begun in the turns after the last.
    pub(super) async fn all_quiet(&self, pair: &Arc<str>) {
        let guest = self.guest(pair);
        loop {
            let mut quiet = std::pin::pin!(guest.room().quiet.notified());
            quiet.as_mut().enable();
            if !guest.is_busy() && guest.stays_quiet().await {
                return;
            }
            if guest.is_busy() {
                quiet.await;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rooms().is_empty()
    }

    fn guest(&self, pair: &Arc<str>) -> Guest<'_> {
        let room = self.rooms().entry(pair.clone()).or_default().clone();
        Guest { attendance: self, pair: pair.clone(), room: Some(room) }
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Room>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest<'_> {
    fn room(&self) -> &Room {
        self.room.as_ref().expect("a guest has a room until it is dropped")
    }

    fn is_busy(&self) -> bool {
        self.room().busy.load(Ordering::SeqCst) > 0
    }

    async fn stays_quiet(&self) -> bool {
        for _ in 0..TURNS {
            yield_now().await;
            if self.is_busy() {
                return false;
            }
        }
        true
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let mut rooms = self.attendance.rooms();
        self.room = None;
        if rooms.get(&self.pair).is_some_and(|room| Arc::strong_count(room) == 1) {
            rooms.remove(&self.pair);
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.0.room().busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.room().quiet.notify_waiters();
        }
    }
}

/// A model whose calls are counted while they are under way.
pub(super) struct Attended<M: ?Sized> {
    pub(super) model: Arc<M>,
    pub(super) attendance: Arc<Attendance>,
}

impl ChatModel for Attended<dyn ChatModel> {
    fn identity(&self) -> &ModelIdentity {
        self.model.identity()
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        Box::pin(async move {
            let _busy = self.attendance.enter(&request.origin.pair);
            self.model.chat(request).await
        })
    }

    fn count_tokens(&self, request: &ChatRequest) -> Option<u64> {
        self.model.count_tokens(request)
    }
}

impl RewardModel for Attended<dyn RewardModel> {
    fn identity(&self) -> &ModelIdentity {
        self.model.identity()
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        Box::pin(async move {
            let _busy = self.attendance.enter(&request.origin.pair);
            self.model.score(request).await
        })
    }
}
