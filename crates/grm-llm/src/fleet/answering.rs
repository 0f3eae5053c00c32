//! One call: choose a server, ask it, go to another if it is not there.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use grm_core::{ChatModel, ModelError, ModelIdentity, RewardModel};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use super::{
    FleetConfig, FleetStats,
    choice::{self, Candidate, lot},
    identity, member, nobody,
    pairs::{PairKey, Pairs},
};
use member::{Member, Seat, Way};

/// A model that can be in a fleet.
pub(super) trait Named: Send + Sync {
    fn who(&self) -> &ModelIdentity;
}

impl Named for dyn ChatModel {
    fn who(&self) -> &ModelIdentity {
        self.identity()
    }
}

impl Named for dyn RewardModel {
    fn who(&self) -> &ModelIdentity {
        self.identity()
    }
}

pub(super) struct Fleet<M: ?Sized> {
    config: FleetConfig,
    identity: ModelIdentity,
    members: Vec<Member<M>>,
    pairs: Mutex<Pairs>,
    came_back: Notify,
    moved: AtomicU64,
    overflowed: AtomicU64,
}

impl<M: Named + ?Sized + 'static> std::fmt::Debug for Fleet<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.stats().fmt(f)
    }
}

impl<M: Named + ?Sized + 'static> Fleet<M> {
    /// Reaches every server at once. Those that do not answer are left out and asked again; any other error is one.
    pub(super) async fn gather(ways: Vec<Way<M>>, config: FleetConfig) -> Result<Arc<Self>, ModelError> {
        let (mut found, mut silent) = (Vec::new(), None);
        let models = reach_all(&ways).await.into_iter().map(|reached| match reached {
            Ok(model) => Ok(Some(model)),
            Err(error) if is_absence(&error) => {
                tracing::warn!("{error}; the run begins without it and asks it again later");
                silent = Some(error);
                Ok(None)
            }
            Err(error) => Err(error),
        });
        let models = models.collect::<Result<Vec<_>, ModelError>>()?;
        for (way, model) in ways.iter().zip(&models) {
            found.extend(model.iter().map(|model| (way.place.clone(), model.who().clone())));
        }
        let identity = identity::common(&found)?.cloned().ok_or_else(|| nobody(silent))?;
        let members: Vec<_> = ways.into_iter().zip(models).map(|(way, model)| Member::new(way, model)).collect();
        let (pairs, came_back) = Default::default();
        let fleet = Arc::new(Self {
            config,
            identity,
            members,
            pairs,
            came_back,
            moved: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
        });
        for (index, _) in fleet.members.iter().enumerate().filter(|(_, member)| !member.is_up()) {
            fleet.ask_again_later(index);
        }
        Ok(fleet)
    }

    pub(super) fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    pub(super) fn stats(&self) -> FleetStats {
        let answered = self.pairs().totals();
        FleetStats {
            servers: self.members.iter().map(Member::stats).collect(),
            moved: self.moved.load(Ordering::Relaxed),
            overflowed: self.overflowed.load(Ordering::Relaxed),
            calls: answered.calls,
            on_majority: answered.on_majority,
            at_home: answered.at_home,
            rehomed: answered.rehomed,
        }
    }

    /// Asks the pair's server, or others in turn while they are not there. An error of the call itself is given back at
    /// once: it would be the same everywhere.
    pub(super) async fn ask<T, Running>(
        self: &Arc<Self>,
        pair: &str,
        call: impl Fn(Arc<M>) -> Running,
    ) -> Result<T, ModelError>
    where
        Running: Future<Output = Result<T, ModelError>>,
    {
        let key = lot("", pair);
        let (mut tried, mut last, mut patience) = (Vec::new(), None, None);
        loop {
            let Some(seat) = self.seat(key, pair, &tried) else {
                if self.anybody() {
                    return Err(nobody(last));
                }
                let until = *patience.get_or_insert_with(|| Instant::now() + self.config.patience);
                if !self.wait_for_anybody(until).await {
                    return Err(nobody(last));
                }
                tried.clear();
                continue;
            };
            match call(Arc::clone(&seat.model)).await {
                Ok(reply) => {
                    self.answered(key, &seat, !tried.is_empty());
                    return Ok(reply);
                }
                Err(error) if moves_on(&error) => {
                    self.failed(&seat, &error);
                    tried.push(seat.index);
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A place at the pair's server if it is there and not full, else at the next best.
    fn seat(&self, key: PairKey, pair: &str, tried: &[usize]) -> Option<Seat<'_, M>> {
        // One at a time, so that loads are what they seem.
        let mut pairs = self.pairs();
        let candidate = |(index, member): (usize, &Member<M>)| {
            (member.is_up() && !tried.contains(&index)).then(|| Candidate {
                index,
                lot: lot(&member.way.place, pair),
                load: member.load(),
            })
        };
        let candidates: Vec<Candidate> = self.members.iter().enumerate().filter_map(candidate).collect();
        let known = pairs.home(key).filter(|home| self.members[*home].is_up());
        let home = known.and_then(|home| candidates.iter().find(|candidate| candidate.index == home));
        let index = match home {
            // A queue of one more round is worth a warm prefix.
            Some(home) if home.load < 2 * self.config.calls_per_server => home.index,
            Some(home) => choice::elsewhere(&candidates, self.config.calls_per_server).unwrap_or(home.index),
            None => choice::home(&candidates, self.config.load_factor)?,
        };
        if known.is_none() {
            pairs.settle(key, index, self.members.len());
        }
        self.members[index].seat(index, known.is_some_and(|home| home != index))
    }

    fn answered(&self, key: PairKey, seat: &Seat<'_, M>, moved: bool) {
        seat.member.answered();
        self.moved.fetch_add(u64::from(moved), Ordering::Relaxed);
        self.overflowed.fetch_add(u64::from(seat.away && !moved), Ordering::Relaxed);
        self.pairs().answered(key, seat.index, self.members.len());
    }

    /// A server that cannot be reached or refuses us is left out at once, one that only fails after a few times: the
    /// call may be what it fails at.
    fn failed(self: &Arc<Self>, seat: &Seat<'_, M>, error: &ModelError) {
        let often = seat.member.failed();
        let gone = !matches!(error, ModelError::Exhausted { .. });
        if (often || gone) && seat.member.leave_out() {
            tracing::warn!("{error}; its calls go to other servers, and it is asked again later");
            self.ask_again_later(seat.index);
        }
    }

    /// Asks in the background, with growing pauses, until the server is back or the fleet is gone.
    fn ask_again_later(self: &Arc<Self>, index: usize) {
        let FleetConfig { retry_first: mut pause, retry_cap, .. } = self.config;
        let fleet = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(pause).await;
                let Some(fleet) = fleet.upgrade() else { return };
                match fleet.reach(index).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%error, "still left out"),
                }
                pause = next_pause(pause, retry_cap);
            }
        });
    }

    async fn reach(&self, index: usize) -> Result<(), ModelError> {
        let member = &self.members[index];
        let model = member.way.reach().await?;
        if *model.who() != self.identity {
            let error = identity::differs(&member.way.place, model.who(), "the rest", &self.identity);
            tracing::warn!("{error}; it stays left out");
            return Err(error);
        }
        tracing::info!(place = member.way.place, "the server is back");
        member.came_back(model);
        self.came_back.notify_waiters();
        Ok(())
    }

    fn anybody(&self) -> bool {
        self.members.iter().any(Member::is_up)
    }

    /// True as soon as a server is there, false when it takes too long.
    async fn wait_for_anybody(&self, until: Instant) -> bool {
        loop {
            let mut came_back = std::pin::pin!(self.came_back.notified());
            came_back.as_mut().enable();
            if self.anybody() {
                return true;
            }
            if timeout_at(until, came_back).await.is_err() {
                return false;
            }
        }
    }

    fn pairs(&self) -> MutexGuard<'_, Pairs> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All servers at once, results in their order.
async fn reach_all<M: Named + ?Sized + 'static>(ways: &[Way<M>]) -> Vec<Result<Arc<M>, ModelError>> {
    let mut asking = JoinSet::new();
    for (index, way) in ways.iter().enumerate() {
        let reached = way.reach();
        asking.spawn(async move { (index, reached.await) });
    }
    let mut all: Vec<_> = ways.iter().map(|_| Err(ModelError::Cancelled)).collect();
    while let Some(Ok((index, reached))) = asking.join_next().await {
        all[index] = reached;
    }
    all
}

fn next_pause(pause: Duration, cap: Duration) -> Duration {
    pause.saturating_mul(2).min(cap)
}

/// Nobody answered: a reason to begin without the server.
pub(super) fn is_absence(error: &ModelError) -> bool {
    matches!(error, ModelError::Unreachable { .. } | ModelError::Exhausted { .. })
}

/// True for errors that are about the server and not about the call.
fn moves_on(error: &ModelError) -> bool {
    is_absence(error) || matches!(error, ModelError::Rejected { status: 401 | 403 | 404, .. })
}
