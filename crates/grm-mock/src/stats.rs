//! What the server saw.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde::Serialize;

use crate::{
    canonical::Key,
    parts::{ArrivedPart, MockMedia},
};

/// Totals since the start or the last reset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MockStats {
    /// Requests to chat and reward routes.
    pub requests: u64,
    /// How they were answered; connections reset on purpose count under 0.
    pub by_status: BTreeMap<u16, u64>,
    /// Different requests.
    pub unique_keys: u64,
    /// The most often any one of them came.
    pub max_count_per_key: u64,
    /// Requests under way at once, at most.
    pub in_flight_peak: usize,
    /// Media that arrived whole, by kind.
    pub media: BTreeMap<MockMedia, u64>,
}

/// What an answered request held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arrived {
    /// The path asked.
    pub path: String,
    /// Parts of all messages in their order.
    pub parts: Vec<ArrivedPart>,
}

/// Requests whose parts are kept.
const ARRIVALS_KEPT: usize = 4096;

/// One request as it came, kept when the settings say `record`.
#[derive(Debug, Clone)]
pub struct Received {
    /// When it came.
    pub at: Instant,
    /// The path asked.
    pub path: String,
    /// The body.
    pub body: Vec<u8>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    requests: u64,
    by_status: BTreeMap<u16, u64>,
    keys: BTreeMap<Key, Seen>,
    in_flight: usize,
    in_flight_peak: usize,
    received: Vec<Received>,
    media: BTreeMap<MockMedia, u64>,
    arrivals: VecDeque<Arrived>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    count: u64,
    failed_in_a_row: u32,
}

/// A request's place among the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) number: u64,
    pub(crate) times_seen: u64,
    pub(crate) failed_in_a_row: u32,
    pub(crate) in_flight: usize,
}

/// Counts a request as under way until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a Counts);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.inner().in_flight -= 1;
    }
}

impl Counts {
    pub(crate) fn arrive(&self, key: Key) -> (Place, UnderWay<'_>) {
        let mut inner = self.inner();
        inner.requests += 1;
        inner.in_flight += 1;
        inner.in_flight_peak = inner.in_flight_peak.max(inner.in_flight);
        let (number, in_flight) = (inner.requests, inner.in_flight);
        let seen = inner.keys.entry(key).or_default();
        seen.count += 1;
        let place = Place { number, in_flight, times_seen: seen.count, failed_in_a_row: seen.failed_in_a_row };
        (place, UnderWay(self))
    }

    /// Notes how a request was answered; status 0 is a reset.
    pub(crate) fn answered(&self, key: &Key, status: u16, failed: bool) {
        let mut inner = self.inner();
        *inner.by_status.entry(status).or_default() += 1;
        if let Some(seen) = inner.keys.get_mut(key) {
            seen.failed_in_a_row = if failed { seen.failed_in_a_row + 1 } else { 0 };
        }
    }

    pub(crate) fn record(&self, received: Received) {
        self.inner().received.push(received);
    }

    pub(crate) fn note_arrival(&self, arrived: Arrived) {
        let mut inner = self.inner();
        for part in &arrived.parts {
            if let ArrivedPart::Media { kind, .. } = part {
                *inner.media.entry(*kind).or_default() += 1;
            }
        }
        inner.arrivals.push_back(arrived);
        if inner.arrivals.len() > ARRIVALS_KEPT {
            inner.arrivals.pop_front();
        }
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrived> {
        self.inner().arrivals.iter().cloned().collect()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.inner().received.clone()
    }

    pub(crate) fn totals(&self) -> MockStats {
        let inner = self.inner();
        MockStats {
            requests: inner.requests,
            by_status: inner.by_status.clone(),
            unique_keys: inner.keys.len() as u64,
            max_count_per_key: inner.keys.values().map(|seen| seen.count).max().unwrap_or(0),
            in_flight_peak: inner.in_flight_peak,
            media: inner.media.clone(),
        }
    }

    /// Keys in hex with their counts, in the keys' order.
    pub(crate) fn by_key(&self) -> Vec<(String, u64)> {
        let hex = |key: &Key| blake3::Hash::from_bytes(*key).to_hex().to_string();
        self.inner().keys.iter().map(|(key, seen)| (hex(key), seen.count)).collect()
    }

    pub(crate) fn reset(&self) {
        let mut inner = self.inner();
        let in_flight = inner.in_flight;
        *inner = Inner { in_flight, in_flight_peak: in_flight, ..Inner::default() };
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
