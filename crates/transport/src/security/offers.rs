//! Who has offered STARTTLS before: one that suddenly does not is broken, or somebody on the way takes the offer out.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Most hosts that are remembered; with more all are forgotten, which costs a warning and no mail.
const MAX_HOSTS: usize = 50_000;

#[derive(Debug, Default)]
pub(crate) struct Offers(Mutex<HashSet<String>>);

impl Offers {
    pub(crate) fn seen(&self, host: &str) {
        self.with(|hosts| {
            if hosts.contains(host) {
                return;
            }
            if hosts.len() >= MAX_HOSTS {
                hosts.clear();
            }
            hosts.insert(host.to_owned());
        });
    }

    /// Whether it is missed: told once, until it was seen again.
    pub(crate) fn missed(&self, host: &str) -> bool {
        self.with(|hosts| hosts.remove(host))
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
