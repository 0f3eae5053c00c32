//! One call at a time per key: later askers of the same question wait for the first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::CallKey;

/// Calls under way.
#[derive(Default)]
pub(crate) struct Flights {
    seats: Mutex<HashMap<CallKey, Arc<tokio::sync::Mutex<()>>>>,
}

/// A place in the queue for one key; leaving it (also by cancellation) lets the next one in.
pub(crate) struct Seat<'a> {
    flights: &'a Flights,
    key: CallKey,
    turn: Option<Arc<tokio::sync::Mutex<()>>>,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<CallKey, Arc<tokio::sync::Mutex<()>>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the queue for a key.
    pub(crate) fn join(&self, key: CallKey) -> Seat<'_> {
        let turn = Arc::clone(self.lock().entry(key).or_default());
        Seat { flights: self, key, turn: Some(turn) }
    }
}

impl Seat<'_> {
    /// Waits until nobody before us is asking.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.as_ref().expect("a seat has its turn until it is dropped").lock().await
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut seats = self.flights.lock();
        self.turn = None;
        if seats.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            seats.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn nothing_is_kept_of_a_key_nobody_waits_for() {
        let flights = Flights::default();
        let key = CallKey::from_hex(&[b'0'; CallKey::HEX]).unwrap();
        let (first, second) = (flights.join(key), flights.join(key));
        let turn = first.turn().now_or_never().unwrap();
        assert!(second.turn().now_or_never().is_none());
        drop(turn);
        drop(first);
        assert_eq!(flights.lock().len(), 1);
        assert!(second.turn().now_or_never().is_some());
        drop(second);
        assert_eq!(flights.lock().len(), 0);
    }
}
