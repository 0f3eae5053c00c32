//! The retry loop: one call, as many attempts as it is worth.

use std::sync::atomic::Ordering;

use grm_core::ModelError;
use reqwest::{Method, Request, header};

use super::{
    Lane, Transport,
    attempt::{Failure, Reading, Trouble, TroubleKind, Unreadable, attempt, bad_reply},
    backoff,
    breaker::GivenUp,
};
use crate::{address::Route, api_key::ApiKey};

/// A connection closed before the reply began costs no attempt this often: the server may have given up a kept
/// connection at the very moment it was used.
const FREE_RETRIES: u32 = 2;

/// One question to one server.
pub(crate) struct Call<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) lane: &'a Lane,
    pub(crate) route: &'a Route,
    pub(crate) key: Option<&'a ApiKey>,
    /// Attempts allowed.
    pub(crate) attempts: u32,
    /// JSON to post; a GET without.
    pub(crate) body: Option<Vec<u8>>,
}

impl Call<'_> {
    /// Asks until there is a reply that `decode` accepts, or a reason to stop.
    pub(crate) async fn run<T>(mut self, decode: impl Fn(&[u8]) -> Result<T, Unreadable>) -> Result<T, ModelError> {
        let _counted = self.lane.count_call();
        let request = self.request();
        let (mut counted, mut free, mut failures) = (0, 0, 0);
        loop {
            let again = request.try_clone().expect("a body in memory can be cloned");
            let (trouble, probe) = match self.once(again, &decode).await {
                Ok(reply) => return Ok(reply),
                Err(Stopped::Final(error)) => return Err(error),
                Err(Stopped::Passing { trouble, probe }) => (trouble, probe),
            };
            self.lane.retries.fetch_add(1, Ordering::Relaxed);
            if trouble.kind == TroubleKind::ClosedEarly && free < FREE_RETRIES {
                free += 1;
                continue;
            }
            failures += 1;
            counted += u32::from(!probe && self.costs_an_attempt(&trouble));
            if counted >= self.attempts {
                self.lane.retries.fetch_sub(1, Ordering::Relaxed);
                return Err(self.exhausted(trouble, counted));
            }
            tracing::debug!(place = self.route.place, failures, reason = trouble.reason, "asking again");
            let pause = backoff::pause(self.transport.config(), failures, trouble.retry_after, self.transport.draw());
            tokio::time::sleep(pause).await;
        }
    }

    async fn once<T>(&self, request: Request, decode: impl Fn(&[u8]) -> Result<T, Unreadable>) -> Result<T, Stopped> {
        let _slot = self.lane.limiter.slot().await;
        let pass = self.lane.breaker.enter().await.map_err(|given_up| Stopped::Final(self.given_up(given_up)))?;
        let config = self.transport.config();
        let reading = Reading { route: self.route, key: self.key, limit: config.response_limit };
        let _in_flight = self.lane.count_request();
        let attempt = attempt(&self.lane.client, request, &reading, decode);
        let outcome = tokio::time::timeout(config.deadline, attempt).await.unwrap_or_else(|_| {
            let reason = format!("no whole reply within {:?}", config.deadline);
            Err(Failure::Passing(Trouble::new(TroubleKind::TimedOut, reason)))
        });
        match outcome {
            Ok(reply) => {
                pass.succeeded();
                self.lane.limiter.succeeded();
                Ok(reply)
            }
            Err(Failure::Final(error)) => {
                pass.succeeded();
                Err(Stopped::Final(error))
            }
            Err(Failure::Passing(trouble)) => {
                let probe = pass.probe;
                pass.failed(&trouble.reason);
                self.tell_limiter(&trouble);
                Err(Stopped::Passing { trouble, probe })
            }
        }
    }

    /// A probe of a server that is down says nothing about this call, and "too many requests" is about all of them
    /// for as long as fewer can be sent.
    fn costs_an_attempt(&self, trouble: &Trouble) -> bool {
        trouble.kind != TroubleKind::Overloaded || self.lane.limiter.is_least()
    }

    fn tell_limiter(&self, trouble: &Trouble) {
        match trouble.kind {
            TroubleKind::Overloaded => {
                self.lane.rate_limited.fetch_add(1, Ordering::Relaxed);
                let cap = self.transport.config().retry_after_cap;
                self.lane.limiter.overloaded(trouble.retry_after.map(|named| named.min(cap)));
            }
            TroubleKind::Status | TroubleKind::TimedOut => self.lane.limiter.troubled(),
            TroubleKind::Connect | TroubleKind::ClosedEarly | TroubleKind::Broken => {}
        }
    }

    fn request(&mut self) -> Request {
        let method = if self.body.is_some() { Method::POST } else { Method::GET };
        let builder = self.lane.client.request(method, self.route.url.clone());
        let mut request = builder.build().expect("the URL was checked and nothing else can be wrong yet");
        if let Some(key) = self.key {
            request.headers_mut().insert(header::AUTHORIZATION, key.header());
        }
        if let Some(body) = self.body.take() {
            let json = header::HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
            *request.body_mut() = Some(body.into());
        }
        request
    }

    fn exhausted(&self, trouble: Trouble, attempts: u32) -> ModelError {
        let place = self.route.place.clone();
        match trouble.kind {
            TroubleKind::Connect => ModelError::Unreachable { place, reason: trouble.reason },
            TroubleKind::Broken => bad_reply(self.route, trouble.reason),
            TroubleKind::ClosedEarly | TroubleKind::TimedOut | TroubleKind::Overloaded | TroubleKind::Status => {
                ModelError::Exhausted { place, attempts, reason: trouble.reason }
            }
        }
    }

    fn given_up(&self, given_up: GivenUp) -> ModelError {
        ModelError::Exhausted { place: self.route.place.clone(), attempts: given_up.failures, reason: given_up.reason }
    }
}

/// Why one attempt brought nothing.
enum Stopped {
    Passing { trouble: Trouble, probe: bool },
    Final(ModelError),
}
