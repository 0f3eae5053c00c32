//! Several servers that answer as one model.
//!
//! A pair's calls go to one server, where what they share is already computed; pairs are spread by rendezvous hashing,
//! away from servers that have more than their share. A server that cannot be reached is left out, its calls go to
//! another, and it is asked again later with growing pauses. Which server answered is nobody's business: all must serve
//! the same model, and the identity, which enters every journal key, holds no address.

mod answering;
mod choice;
mod identity;
mod member;
mod pairs;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use grm_core::{
    BoxFuture, ChatModel, ChatReply, ChatRequest, ModelError, ModelIdentity, RewardModel, RewardRequest, RewardScore,
};
use serde::Serialize;

use crate::{
    BreakerConfig, ChatEndpoint, RemoteChat, RemoteReward, RewardEndpoint, SquashCheck, Transport, TransportConfig,
    address::without_credentials_text,
};
use answering::Fleet;
use member::Way;

/// Limits and pauses of a fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetConfig {
    /// Calls a server works on at once; when twice as many are with it, some may go to one that is half idle.
    pub calls_per_server: usize,
    /// A new pair passes over servers that have more than this times the mean of calls in flight.
    pub load_factor: f64,
    /// Pause before a server that was left out is asked again; it doubles each time.
    pub retry_first: Duration,
    /// The longest such pause.
    pub retry_cap: Duration,
    /// How long calls wait when no server is left before they fail.
    pub patience: Duration,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            calls_per_server: 64,
            load_factor: 1.25,
            retry_first: Duration::from_secs(1),
            retry_cap: Duration::from_secs(60),
            patience: Duration::from_secs(120),
        }
    }
}

impl FleetConfig {
    /// A transport's settings for servers of a fleet: trouble is answered by going elsewhere, not by waiting.
    #[must_use]
    pub fn transport(&self, single: &TransportConfig) -> TransportConfig {
        let breaker = BreakerConfig { failures: 5, probe_every: self.retry_first, patience: Duration::ZERO };
        TransportConfig { attempts: 2, breaker, ..single.clone() }
    }
}

/// What a fleet's servers did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FleetStats {
    /// One entry a server, in the order they were named.
    pub servers: Vec<ServerStats>,
    /// Calls answered by another server because the first could not.
    pub moved: u64,
    /// Calls answered by another server because the pair's own was full.
    pub overflowed: u64,
    /// Calls answered.
    pub calls: u64,
    /// Of those, calls answered by the server that answered most of their pair's.
    pub on_majority: u64,
    /// Of those, calls answered by the server that was their pair's home then. More than `on_majority` where pairs lost
    /// their home on the way.
    pub at_home: u64,
    /// Pairs that lost their home and got another.
    pub rehomed: u64,
}

/// One server of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerStats {
    /// Its address, without credentials.
    pub place: String,
    /// Calls it answered.
    pub calls: u64,
    /// Calls it was asked and could not answer.
    pub failed: u64,
    /// Times it was left out.
    pub left_out: u64,
    /// True while it gets calls.
    pub up: bool,
}

impl FleetStats {
    /// Share of calls that found their pair's prefix where most of the pair's calls went; `None` before the first call.
    #[must_use]
    pub fn affinity(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.on_majority as f64 / self.calls as f64)
    }

    /// The same where a pair whose home died starts afresh: the share of calls at the home of their moment.
    #[must_use]
    pub fn affinity_to_home(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.at_home as f64 / self.calls as f64)
    }

    /// True while no server gets calls.
    #[must_use]
    pub fn is_down(&self) -> bool {
        !self.servers.iter().any(|server| server.up)
    }
}

/// Several chat servers behind one model.
#[derive(Debug)]
pub struct ChatFleet(Arc<Fleet<dyn ChatModel>>);

impl ChatFleet {
    /// Asks every server what it serves. Fails when none answers, when one refuses the key, or when they do not all
    /// serve the same model. Servers that do not answer are left out for now. `transport` should be one of
    /// [`FleetConfig::transport`]'s settings.
    pub async fn connect(
        endpoints: Vec<ChatEndpoint>,
        transport: Arc<Transport>,
        config: FleetConfig,
    ) -> Result<Self, ModelError> {
        let ways = endpoints.into_iter().map(|endpoint| chat_way(endpoint, Arc::clone(&transport))).collect();
        Fleet::gather(ways, config).await.map(Self)
    }

    /// What the servers did so far.
    #[must_use]
    pub fn stats(&self) -> FleetStats {
        self.0.stats()
    }

    /// Where the counts can be had when the model itself is behind something else.
    #[must_use]
    pub fn watch(&self) -> FleetWatch {
        let fleet = Arc::clone(&self.0);
        FleetWatch(Arc::new(move || fleet.stats()))
    }
}

/// A fleet's counts, apart from the fleet.
#[derive(Clone)]
pub struct FleetWatch(Arc<dyn Fn() -> FleetStats + Send + Sync>);

impl FleetWatch {
    /// What the servers did so far.
    #[must_use]
    pub fn stats(&self) -> FleetStats {
        (self.0)()
    }
}

impl std::fmt::Debug for FleetWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.stats().fmt(f)
    }
}

impl ChatModel for ChatFleet {
    fn identity(&self) -> &ModelIdentity {
        self.0.identity()
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatReply, ModelError>> {
        Box::pin(async move {
            let pair = Arc::clone(&request.origin.pair);
            let call = |model: Arc<dyn ChatModel>| {
                let request = request.clone();
                async move { model.chat(request).await }
            };
            self.0.ask(&pair, call).await
        })
    }
}

/// Several reward servers behind one model.
#[derive(Debug)]
pub struct RewardFleet(Arc<Fleet<dyn RewardModel>>);

impl RewardFleet {
    /// As [`ChatFleet::connect`]; each server's scores are checked for squashing, and one that squashes is an error.
    pub async fn connect(
        endpoints: Vec<RewardEndpoint>,
        transport: Arc<Transport>,
        config: FleetConfig,
    ) -> Result<Self, ModelError> {
        let ways = endpoints.into_iter().map(|endpoint| reward_way(endpoint, Arc::clone(&transport))).collect();
        Fleet::gather(ways, config).await.map(Self)
    }

    /// Who [`Self::connect`] would find. Asks for no score, and of servers that do not answer nothing at all.
    pub async fn identify(
        endpoints: &[RewardEndpoint],
        transport: &Arc<Transport>,
    ) -> Result<ModelIdentity, ModelError> {
        let (mut found, mut silent) = (Vec::new(), None);
        for endpoint in endpoints {
            match RemoteReward::identify(endpoint, Arc::clone(transport)).await {
                Ok(identity) => found.push((without_credentials_text(&endpoint.base_url), identity)),
                Err(error) if answering::is_absence(&error) => silent = Some(error),
                Err(error) => return Err(error),
            }
        }
        identity::common(&found).map(|identity| identity.cloned())?.ok_or_else(|| nobody(silent))
    }

    /// What the servers did so far.
    #[must_use]
    pub fn stats(&self) -> FleetStats {
        self.0.stats()
    }

    /// Where the counts can be had when the model itself is behind something else.
    #[must_use]
    pub fn watch(&self) -> FleetWatch {
        let fleet = Arc::clone(&self.0);
        FleetWatch(Arc::new(move || fleet.stats()))
    }
}

impl RewardModel for RewardFleet {
    fn identity(&self) -> &ModelIdentity {
        self.0.identity()
    }

    fn score(&self, request: RewardRequest) -> BoxFuture<'_, Result<RewardScore, ModelError>> {
        Box::pin(async move {
            let pair = Arc::clone(&request.origin.pair);
            let call = |model: Arc<dyn RewardModel>| {
                let request = request.clone();
                async move { model.score(request).await }
            };
            self.0.ask(&pair, call).await
        })
    }
}

fn chat_way(endpoint: ChatEndpoint, transport: Arc<Transport>) -> Way<dyn ChatModel> {
    let place = without_credentials_text(&endpoint.base_url);
    Way::new(place, move || {
        let (endpoint, transport) = (endpoint.clone(), Arc::clone(&transport));
        Box::pin(async move {
            let remote = RemoteChat::connect(endpoint, transport).await?;
            Ok(Arc::new(remote) as Arc<dyn ChatModel>)
        })
    })
}

fn reward_way(endpoint: RewardEndpoint, transport: Arc<Transport>) -> Way<dyn RewardModel> {
    let place = without_credentials_text(&endpoint.base_url);
    Way::new(place.clone(), move || {
        let (endpoint, transport, place) = (endpoint.clone(), Arc::clone(&transport), place.clone());
        Box::pin(async move {
            let remote = RemoteReward::connect(endpoint, transport).await?;
            if let SquashCheck::Suspicious { reason, hint } = remote.squash_check() {
                tracing::warn!(place, "the reward server's scores look squashed: {reason}; {hint}");
            }
            Ok(Arc::new(remote) as Arc<dyn RewardModel>)
        })
    })
}

/// The error when no server answered: the last one's, or that none was named.
fn nobody(silent: Option<ModelError>) -> ModelError {
    silent.unwrap_or_else(|| ModelError::Unreachable {
        place: "the fleet".to_owned(),
        reason: "no server is named; give URLs such as http://127.0.0.1:8000/v1, separated by commas".to_owned(),
    })
}
