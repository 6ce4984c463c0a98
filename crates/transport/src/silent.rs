//! Addresses that did not answer a moment ago, so that one dead host among several does not slow the rest.

use net::Endpoint;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Most addresses that are remembered; more are forgotten, which costs some waiting and no mail.
const MAX_SILENT: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Silent {
    remembered: Duration,
    until: Mutex<HashMap<Endpoint, Instant>>,
}

impl Silent {
    pub(crate) fn new(remembered: Duration) -> Self {
        Self { remembered, until: Mutex::default() }
    }

    pub(crate) fn contains(&self, endpoint: &Endpoint) -> bool {
        self.with(|until| until.get(endpoint).is_some_and(|until| *until > Instant::now()))
    }

    pub(crate) fn add(&self, endpoint: &Endpoint) {
        self.with(|until| {
            let now = Instant::now();
            if until.len() >= MAX_SILENT {
                until.retain(|_, until| *until > now);
            }
            if until.len() < MAX_SILENT {
                until.insert(endpoint.clone(), now + self.remembered);
            }
        });
    }

    pub(crate) fn remove(&self, endpoint: &Endpoint) {
        self.with(|until| until.remove(endpoint));
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Endpoint, Instant>) -> T) -> T {
        act(&mut self.until.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
