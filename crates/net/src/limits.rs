//! How many connections, in all and from one address.

use crate::Pressure;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bounds; may be changed while running ([`Limits::set`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Connections in all.
    pub total: usize,
    /// Connections from one IPv4 address, or one IPv6 /64 (what one customer has).
    pub per_address: usize,
    /// Networks that `per_address` leaves alone; they count in `total`.
    pub exempt: Vec<IpNet>,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { total: 10_000, per_address: 50, exempt: Vec::new() }
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OverLimit {
    #[error("all {0} connections are in use")]
    Total(usize),
    #[error("the address has {0} connections already")]
    Address(usize),
}

/// Counts connections. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Limits(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    pressure: Pressure,
}

#[derive(Debug, Default)]
struct State {
    settings: LimitSettings,
    total: usize,
    /// Never more entries than connections; an entry goes with its last one.
    by_address: HashMap<IpAddr, usize>,
}

impl Limits {
    pub fn new(settings: LimitSettings) -> Self {
        let state = Mutex::new(State { settings, ..State::default() });
        Self(Arc::new(Shared { state, pressure: Pressure::default() }))
    }

    /// Changes the bounds. Connections that are open stay.
    pub fn set(&self, settings: LimitSettings) {
        let mut state = self.state();
        state.settings = settings;
        self.0.pressure.update(state.total, state.settings.total);
    }

    /// Counts a connection from `address` (`None`: a Unix socket, or a proxy that has yet to name its client)
    /// until the guard is dropped.
    ///
    /// # Errors
    /// When one of the bounds is reached.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<Guard, OverLimit> {
        let mut state = self.state();
        if state.total >= state.settings.total {
            return Err(OverLimit::Total(state.settings.total));
        }
        let key = address.map(key);
        if let Some(address) = address {
            state.count_address(address)?;
        }
        state.total += 1;
        self.0.pressure.update(state.total, state.settings.total);
        drop(state);
        Ok(Guard { shared: Arc::clone(&self.0), key })
    }

    /// Connections counted now.
    pub fn count(&self) -> usize {
        self.state().total
    }

    /// Whether connections are scarce: time to answer 4xx early, and to close idle ones.
    pub fn under_pressure(&self) -> bool {
        self.0.pressure.is_on()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The counts are right at every step: a panic elsewhere does not spoil them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count_address(&mut self, address: IpAddr) -> Result<(), OverLimit> {
        let exempt = self.settings.exempt.iter().any(|network| network.contains(&address.to_canonical()));
        let count = self.by_address.entry(key(address)).or_default();
        if *count >= self.settings.per_address && !exempt {
            let error = OverLimit::Address(*count);
            self.release_if_unused(key(address));
            return Err(error);
        }
        *count += 1;
        Ok(())
    }

    fn release_address(&mut self, key: IpAddr) {
        if let Some(count) = self.by_address.get_mut(&key) {
            *count = count.saturating_sub(1);
        }
        self.release_if_unused(key);
    }

    fn release_if_unused(&mut self, key: IpAddr) {
        if self.by_address.get(&key) == Some(&0) {
            self.by_address.remove(&key);
        }
    }
}

/// What shares a count: an IPv4 address, or an IPv6 /64.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

/// Counts one connection as long as it lives.
#[derive(Debug)]
pub struct Guard {
    shared: Arc<Shared>,
    key: Option<IpAddr>,
}

impl Guard {
    /// Counts the connection for another address, once a proxy has named its client.
    ///
    /// # Errors
    /// When that address has too many connections; the connection still counts in all.
    pub fn set_address(&mut self, address: IpAddr) -> Result<(), OverLimit> {
        let mut state = self.shared.state();
        if let Some(before) = self.key.take() {
            state.release_address(before);
        }
        state.count_address(address)?;
        self.key = Some(key(address));
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Some(key) = self.key {
            state.release_address(key);
        }
        state.total = state.total.saturating_sub(1);
        self.shared.pressure.update(state.total, state.settings.total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(total: usize, per_address: usize) -> Limits {
        Limits::new(LimitSettings { total, per_address, exempt: vec!["192.0.2.0/24".parse().unwrap()] })
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_guard_counts_as_long_as_it_lives() {
        let limits = limits(2, 9);
        let one = limits.admit(None).unwrap();
        let _two = limits.admit(ip("198.51.100.1")).unwrap();
        assert_eq!(limits.admit(None).unwrap_err(), OverLimit::Total(2));
        drop(one);
        assert_eq!(limits.count(), 1);
        limits.admit(None).unwrap();
    }

    #[test]
    fn addresses_count_by_v4_address_and_v6_network() {
        let limits = limits(100, 1);
        let check = |first: &str, second: &str, expected: bool| {
            let _guard = limits.admit(ip(first)).unwrap();
            assert_eq!(limits.admit(ip(second)).is_ok(), expected, "{first} {second}");
        };
        check("198.51.100.1", "198.51.100.1", false);
        check("198.51.100.1", "198.51.100.2", true);
        check("198.51.100.1", "::ffff:198.51.100.1", false);
        check("2001:db8::1", "2001:db8::ffff:1", false);
        check("2001:db8::1", "2001:db8:0:1::1", true);
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        assert!(limits.state().by_address.is_empty());
    }

    #[test]
    fn a_proxy_s_connection_counts_for_its_client() {
        let limits = limits(9, 1);
        let client: IpAddr = "198.51.100.1".parse().unwrap();
        let (mut one, mut two) = (limits.admit(None).unwrap(), limits.admit(None).unwrap());
        one.set_address(client).unwrap();
        assert_eq!(two.set_address(client), Err(OverLimit::Address(1)));
        drop(one);
        two.set_address(client).unwrap();
        drop(two);
        assert!(limits.state().by_address.is_empty());
    }

    #[test]
    fn pressure_begins_at_90_percent_and_ends_at_80() {
        let limits = limits(20, 9);
        let mut guards: Vec<_> = (0..17).map(|_| limits.admit(None).unwrap()).collect();
        assert!(!limits.under_pressure());
        guards.push(limits.admit(None).unwrap());
        assert!(limits.under_pressure());
        guards.pop();
        assert!(limits.under_pressure(), "17 of 20 are still many");
        guards.pop();
        assert!(!limits.under_pressure());
        guards.push(limits.admit(None).unwrap());
        assert!(!limits.under_pressure(), "and are not, coming from below");
        limits.set(LimitSettings { total: 18, ..LimitSettings::default() });
        assert!(limits.under_pressure(), "of fewer they are");
    }

    #[test]
    fn new_bounds_hold_for_who_comes_next() {
        let limits = limits(1, 1);
        let _open = limits.admit(None).unwrap();
        limits.set(LimitSettings { total: 2, ..LimitSettings::default() });
        assert!(limits.admit(None).is_ok());
    }
}
