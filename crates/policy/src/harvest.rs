//! Guessing recipients: unknown ones slow the replies.

use crate::bounded::{Bounded, Expires};
use crate::{MAX_KEYS, Network, is_exempt};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Each unknown recipient past the free ones adds this much to the delay of its reply.
const STEP: Duration = Duration::from_secs(1);
/// Longest delay: a client that pipelines a hundred recipients is not to time out (RFC 5321 §4.5.3.2).
const MAX_DELAY: Duration = Duration::from_secs(5);

/// How guessed recipients are dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarvestRules {
    /// Unknown recipients of a session that cost nothing: people mistype, lists grow old.
    pub free_in_session: u32,
    /// Unknown recipients of an address within `window` that cost nothing, over all its sessions.
    pub free_of_address: u32,
    pub window: Duration,
    /// Networks that are never slowed.
    pub exempt: Vec<IpNet>,
}

impl Default for HarvestRules {
    fn default() -> Self {
        let window = Duration::from_secs(3600);
        Self { free_in_session: 3, free_of_address: 20, window, exempt: Vec::new() }
    }
}

/// The unknown recipients of one session.
#[derive(Debug, Default)]
pub struct SessionMisses(u32);

/// Counts unknown recipients by session and by [`Network`].
#[derive(Debug)]
pub struct HarvestGuard(Mutex<State>);

#[derive(Debug)]
struct State {
    rules: HarvestRules,
    networks: Bounded<Network, Misses>,
}

#[derive(Debug, Clone, Copy)]
struct Misses {
    count: u32,
    expires: Instant,
}

impl Expires for Misses {
    fn expires(&self) -> Instant {
        self.expires
    }
}

impl HarvestGuard {
    pub fn new(rules: HarvestRules) -> Self {
        Self(Mutex::new(State { rules, networks: Bounded::new(MAX_KEYS) }))
    }

    /// Changes the rules; counts stay.
    pub fn set_rules(&self, rules: HarvestRules) {
        self.lock().rules = rules;
    }

    /// Counts an unknown recipient; the time to let pass before it is refused. Without an address (a Unix socket)
    /// there is none.
    pub fn missed(&self, session: &mut SessionMisses, address: Option<IpAddr>, now: Instant) -> Duration {
        let mut state = self.lock();
        session.0 = session.0.saturating_add(1);
        let Some(address) = address.filter(|address| !is_exempt(&state.rules.exempt, *address)) else {
            return Duration::ZERO;
        };
        let network = Network::of(address);
        let fresh = Misses { count: 0, expires: now + state.rules.window };
        let before = state.networks.get(&network, now).copied().unwrap_or(fresh);
        let misses = Misses { count: before.count.saturating_add(1), ..before };
        state.networks.insert(network, misses, now);
        let over_session = session.0.saturating_sub(state.rules.free_in_session);
        let over_address = misses.count.saturating_sub(state.rules.free_of_address);
        STEP.saturating_mul(over_session.max(over_address)).min(MAX_DELAY)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Each step leaves the table whole: a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The delays, in seconds, of so many misses in one session.
    fn delays(guard: &HarvestGuard, address: &str, misses: usize, now: Instant) -> Vec<u64> {
        let (mut session, address) = (SessionMisses::default(), address.parse().ok());
        (0..misses).map(|_| guard.missed(&mut session, address, now).as_secs()).collect()
    }

    #[test]
    fn a_session_that_guesses_is_slowed() {
        let (guard, now) = (HarvestGuard::new(HarvestRules::default()), Instant::now());
        assert_eq!(delays(&guard, "192.0.2.1", 10, now), [0, 0, 0, 1, 2, 3, 4, 5, 5, 5]);
        assert_eq!(delays(&guard, "192.0.2.1", 3, now), [0, 0, 0]);
    }

    #[test]
    fn an_address_that_guesses_over_many_sessions_is_slowed_for_a_while() {
        let rules = HarvestRules { free_of_address: 4, ..HarvestRules::default() };
        let (guard, now) = (HarvestGuard::new(rules), Instant::now());
        assert_eq!(delays(&guard, "2001:db8::1", 2, now), [0, 0]);
        assert_eq!(delays(&guard, "2001:db8::2", 2, now), [0, 0]);
        assert_eq!(delays(&guard, "2001:db8::3", 2, now), [1, 2]);
        assert_eq!(delays(&guard, "2001:db8:0:1::3", 2, now), [0, 0]);
        assert_eq!(delays(&guard, "2001:db8::3", 2, now + Duration::from_secs(3600)), [0, 0]);
    }

    #[test]
    fn exempt_networks_and_unix_sockets_are_not_slowed() {
        let rules = HarvestRules { exempt: vec!["192.0.2.0/24".parse().unwrap()], ..HarvestRules::default() };
        let (guard, now) = (HarvestGuard::new(rules), Instant::now());
        assert_eq!(delays(&guard, "192.0.2.1", 9, now), [0; 9]);
        assert_eq!(delays(&guard, "unix", 9, now), [0; 9]);
    }
}
