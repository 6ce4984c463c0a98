//! Guessing passwords: slower with every failure, then shut out for a while.

use crate::bounded::{Bounded, Expires};
use crate::{MAX_KEYS, Network, is_exempt};
use ipnet::IpNet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest delay: with a longer one, mail programs give up waiting.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// Doublings after which the delay has long reached its maximum.
const MAX_DOUBLINGS: u32 = 8;

/// How failed logins are dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthRules {
    /// So many failures within `window` shut an address out. 0: none is ever shut out.
    pub failures: u32,
    /// Counted from the first failure; also how long a failure slows the next.
    pub window: Duration,
    /// How long an address is shut out.
    pub shut_out: Duration,
    /// The answer to the first failure waits so long, each further one twice as long, at most 10 seconds.
    pub first_delay: Duration,
    /// Networks that are never shut out nor slowed for their address.
    pub exempt: Vec<IpNet>,
}

impl Default for AuthRules {
    fn default() -> Self {
        let quarter = Duration::from_secs(15 * 60);
        let first_delay = Duration::from_secs(1);
        Self { failures: 10, window: quarter, shut_out: quarter, first_delay, exempt: Vec::new() }
    }
}

/// The address may not log in before `until`, and its connections need not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutOut {
    pub until: Instant,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthFailure {
    /// To let pass before the client is told.
    pub delay: Duration,
    /// This failure was one too many: tell the client, then close.
    pub shut_out: Option<ShutOut>,
}

/// Counts failed logins by [`Network`] and by account name. All servers share one.
///
/// Names are counted as they are tried, whether such an account exists or not, so that nothing here tells. A name
/// alone is slowed, never shut out: strangers could lock its owner out. The right password is never slowed.
#[derive(Debug)]
pub struct AuthGuard {
    /// Names are kept as keyed hashes: small, and of no use to one who reads the memory.
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: AuthRules,
    networks: Bounded<Network, Failures>,
    shut_out: Bounded<Network, Until>,
    names: Bounded<u64, Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    expires: Instant,
}

impl Expires for Failures {
    fn expires(&self) -> Instant {
        self.expires
    }
}

#[derive(Debug, Clone, Copy)]
struct Until(Instant);

impl Expires for Until {
    fn expires(&self) -> Instant {
        self.0
    }
}

impl AuthGuard {
    pub fn new(rules: AuthRules) -> Self {
        let state = State {
            rules,
            networks: Bounded::new(MAX_KEYS),
            shut_out: Bounded::new(MAX_KEYS),
            names: Bounded::new(MAX_KEYS),
        };
        Self { hasher: RandomState::new(), state: Mutex::new(state) }
    }

    /// Changes the rules; counts and shut-outs stay.
    pub fn set_rules(&self, rules: AuthRules) {
        self.lock(|state| state.rules = rules);
    }

    /// Whether the client may try to log in. To be asked when it connects and before each attempt. `None`: a Unix
    /// socket, always.
    ///
    /// # Errors
    /// [`ShutOut`] says until when not.
    pub fn check(&self, address: Option<IpAddr>, now: Instant) -> Result<(), ShutOut> {
        self.lock(|state| {
            let Some(network) = state.watched(address) else { return Ok(()) };
            let until = state.shut_out.get(&network, now);
            until.map_or(Ok(()), |until| Err(ShutOut { until: until.0 }))
        })
    }

    /// Counts a failed login to the account named as the client named it.
    pub fn failed(&self, address: Option<IpAddr>, name: &str, now: Instant) -> AuthFailure {
        let name = self.key(name);
        self.lock(|state| {
            let (window, first) = (state.rules.window, state.rules.first_delay);
            let for_name = count(&mut state.names, name, window, now);
            let Some(network) = state.watched(address) else {
                return AuthFailure { delay: delay(first, for_name), shut_out: None };
            };
            let for_network = count(&mut state.networks, network, window, now);
            let shut_out = state.shut_out_after(network, for_network, now);
            AuthFailure { delay: delay(first, for_name.max(for_network)), shut_out }
        })
    }

    /// Forgets the failures of the address and of the name, but not that an address is shut out.
    pub fn succeeded(&self, address: Option<IpAddr>, name: &str) {
        let name = self.key(name);
        self.lock(|state| {
            state.names.remove(&name);
            if let Some(address) = address {
                state.networks.remove(&Network::of(address));
            }
        });
    }

    fn key(&self, name: &str) -> u64 {
        self.hasher.hash_one(name.to_lowercase())
    }

    fn lock<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // Each step leaves the tables whole: a panic elsewhere does not spoil them.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// What the address is counted by, unless it is exempt.
    fn watched(&self, address: Option<IpAddr>) -> Option<Network> {
        address.filter(|address| !is_exempt(&self.rules.exempt, *address)).map(Network::of)
    }

    fn shut_out_after(&mut self, network: Network, failures: u32, now: Instant) -> Option<ShutOut> {
        if self.rules.failures == 0 || failures < self.rules.failures {
            return None;
        }
        let until = now + self.rules.shut_out;
        self.shut_out.insert(network, Until(until), now);
        self.networks.remove(&network);
        Some(ShutOut { until })
    }
}

/// One more; how many that makes within the window.
fn count<K: std::hash::Hash + Eq>(
    table: &mut Bounded<K, Failures>,
    key: K,
    window: Duration,
    now: Instant,
) -> u32 {
    let before = table.get(&key, now).copied().unwrap_or(Failures { count: 0, expires: now + window });
    let failures = Failures { count: before.count.saturating_add(1), ..before };
    table.insert(key, failures, now);
    failures.count
}

fn delay(first: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(MAX_DOUBLINGS);
    first.saturating_mul(2u32.pow(doublings)).min(MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    struct World {
        guard: AuthGuard,
        now: Instant,
    }

    impl World {
        fn new(rules: AuthRules) -> Self {
            Self { guard: AuthGuard::new(rules), now: Instant::now() }
        }

        fn may_try(&self, address: &str) -> bool {
            self.guard.check(Some(address.parse().unwrap()), self.now).is_ok()
        }

        /// Fails once; the delay in seconds.
        fn fail(&self, address: &str, name: &str) -> u64 {
            self.guard.failed(Some(address.parse().unwrap()), name, self.now).delay.as_secs()
        }

        fn succeed(&self, address: &str, name: &str) {
            self.guard.succeeded(Some(address.parse().unwrap()), name);
        }
    }

    #[test]
    fn each_failure_slows_the_next_answer_and_the_tenth_shuts_out() {
        let mut world = World::new(AuthRules::default());
        let delays: Vec<u64> = (0..9).map(|i| world.fail("192.0.2.1", &format!("user{i}"))).collect();
        assert_eq!(delays, [1, 2, 4, 8, 10, 10, 10, 10, 10]);
        assert!(world.may_try("192.0.2.1"));
        let last = world.guard.failed(Some("192.0.2.1".parse().unwrap()), "user", world.now);
        assert_eq!(last.shut_out, Some(ShutOut { until: world.now + 15 * MINUTE }));
        assert!(!world.may_try("192.0.2.1") && world.may_try("192.0.2.2"));
        world.succeed("192.0.2.1", "user");
        assert!(!world.may_try("192.0.2.1"), "success elsewhere does not end a shut-out");
        world.now += 15 * MINUTE;
        assert!(world.may_try("192.0.2.1"));
        assert_eq!(world.fail("192.0.2.1", "fresh"), 1);
    }

    #[test]
    fn an_ipv6_customer_is_one_address() {
        let world = World::new(AuthRules { failures: 2, ..AuthRules::default() });
        world.fail("2001:db8::1", "a");
        world.fail("2001:db8::2", "b");
        assert!(!world.may_try("2001:db8::3") && world.may_try("2001:db8:0:1::1"));
    }

    #[test]
    fn names_are_slowed_from_wherever_they_are_tried_but_never_shut_out() {
        let world = World::new(AuthRules::default());
        let delays: Vec<u64> = (1..=30).map(|i| world.fail(&format!("192.0.2.{i}"), "Me")).collect();
        assert_eq!(delays[..5], [1, 2, 4, 8, 10]);
        assert_eq!(world.fail("198.51.100.1", "mE"), 10);
        assert!(world.may_try("198.51.100.1"));
        world.succeed("198.51.100.1", "me");
        assert_eq!(world.fail("198.51.100.1", "me"), 1);
    }

    #[test]
    fn failures_are_forgotten_after_the_window_and_by_success() {
        let mut world = World::new(AuthRules { failures: 3, ..AuthRules::default() });
        world.fail("192.0.2.1", "a");
        world.fail("192.0.2.1", "a");
        world.now += 15 * MINUTE;
        assert_eq!(world.fail("192.0.2.1", "a"), 1);
        world.fail("192.0.2.1", "a");
        world.succeed("192.0.2.1", "a");
        assert_eq!(world.fail("192.0.2.1", "a"), 1);
        assert!(world.may_try("192.0.2.1"));
    }

    #[test]
    fn exempt_networks_and_unix_sockets_are_never_shut_out() {
        let rules =
            AuthRules { failures: 1, exempt: vec!["127.0.0.0/8".parse().unwrap()], ..AuthRules::default() };
        let world = World::new(rules);
        assert_eq!(world.fail("127.0.0.1", "a"), 1);
        assert!(world.may_try("127.0.0.1") && world.may_try("::ffff:127.0.0.1"));
        let failure = world.guard.failed(None, "b", world.now);
        assert_eq!(failure, AuthFailure { delay: Duration::from_secs(1), shut_out: None });
        assert!(world.guard.check(None, world.now).is_ok());
        assert!(world.may_try("192.0.2.1"));
        world.fail("192.0.2.1", "c");
        assert!(!world.may_try("192.0.2.1"));
    }

    proptest! {
        /// Whatever an address does, it gets no more than `failures` wrong answers in a window.
        #[test]
        fn guesses_are_bounded(steps in prop::collection::vec((0u64..300, 0u8..4), 1..300)) {
            let rules = AuthRules { failures: 5, ..AuthRules::default() };
            let mut world = World::new(rules.clone());
            let mut guesses = Vec::new();
            for (seconds, name) in steps {
                world.now += Duration::from_secs(seconds);
                if world.may_try("192.0.2.1") {
                    world.fail("192.0.2.1", &name.to_string());
                    guesses.push(world.now);
                }
            }
            for window in guesses.windows(2 * rules.failures as usize) {
                prop_assert!(window[window.len() - 1] - window[0] >= rules.window);
            }
        }
    }
}
