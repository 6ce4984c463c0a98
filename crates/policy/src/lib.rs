//! What to think of a client: how often it may come, how it fares when it guesses passwords or recipients; and of the
//! mail it brings ([`arrival`]).
//!
//! Each question has a small answer: a [`Verdict`] with the words for the client and a reason for the trail, or a
//! [`Duration`](std::time::Duration) that the driver lets pass before it answers. But for the [`Gate`] and
//! [`arrival`], nothing here waits, looks anything up or reads a clock: the [`Instant`](std::time::Instant) is an argument.
//! All state is in memory and bounded, and a restart forgives; whom greylisting knows is in the store.
//!
//! - [`RateLimiter`]: so many in a period, by any key: messages an hour of an account, connections a minute of a
//!   [`Network`].
//! - [`AuthGuard`]: failed logins slow the answers, then shut the address out for a while.
//! - [`Gate`]: logs a connection's client in, with the directory and the guard, whatever the protocol.
//! - [`HarvestGuard`]: unknown recipients slow the replies.
//! - [`arrival::Arrival`]: who vouches for a message, and what follows when nobody does.
//!
//! ```
//! use policy::{AuthGuard, AuthRules, Network, Rate, RateLimiter};
//! use std::time::{Duration, Instant};
//!
//! let now = Instant::now();
//! let client = "2001:db8::1".parse().unwrap();
//!
//! let connections = RateLimiter::new(Rate { count: 2, period: Duration::from_secs(60) });
//! assert!(connections.check(Network::of(client), 1, now).is_ok());
//! assert!(connections.check(Network::of(client), 1, now).is_ok());
//! let refused = connections.check(Network::of(client), 1, now).unwrap_err();
//! assert_eq!(refused.0, Duration::from_secs(30));
//!
//! let guard = AuthGuard::new(AuthRules::default());
//! assert!(guard.check(Some(client), now).is_ok());
//! let failure = guard.failed(Some(client), "me@example.org", now);
//! assert_eq!(failure.delay, Duration::from_secs(1)); // sleep so long, then say no
//! ```

pub mod arrival;
mod bounded;
mod gate;
mod harvest;
mod network;
mod rate;
mod shutout;
mod verdict;

pub use gate::{Gate, Outcome, Refused, Visitor};
pub use harvest::{HarvestGuard, HarvestRules, SessionMisses};
pub use network::{Network, is_exempt};
pub use rate::{Rate, RateLimiter, RetryAfter};
pub use shutout::{AuthFailure, AuthGuard, AuthRules, ShutOut};
pub use verdict::Verdict;

/// Most keys that each table remembers: some tens of bytes each, so a few MiB when a flood comes from everywhere.
pub const MAX_KEYS: usize = 100_000;
