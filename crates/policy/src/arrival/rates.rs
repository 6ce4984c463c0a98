//! How many messages strangers may bring in an hour.

use crate::{Network, Rate, RateLimiter, RetryAfter};
use address::{Address, ReversePath};
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

/// Messages in an hour; `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateRules {
    /// Of one address (IPv6: a /64).
    pub address: Option<u32>,
    /// Of one address and its neighbours ([`Network::neighbours`]).
    pub network: Option<u32>,
    /// With one sender, whoever brings them. The null sender is everybody's, and not counted.
    pub sender: Option<u32>,
}

/// What was used up; a restart forgets it.
#[derive(Debug)]
pub(super) struct Rates {
    rules: RwLock<RateRules>,
    addresses: RateLimiter<Network>,
    networks: RateLimiter<Network>,
    senders: RateLimiter<String>,
}

impl Rates {
    pub(super) fn new(rules: RateRules) -> Self {
        let rates = Self {
            rules: RwLock::default(),
            addresses: RateLimiter::new(hourly(None)),
            networks: RateLimiter::new(hourly(None)),
            senders: RateLimiter::new(hourly(None)),
        };
        rates.set(rules);
        rates
    }

    /// Changes the rates; what was used stays used.
    pub(super) fn set(&self, rules: RateRules) {
        self.addresses.set_rate(hourly(rules.address));
        self.networks.set_rate(hourly(rules.network));
        self.senders.set_rate(hourly(rules.sender));
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Counts one message.
    ///
    /// # Errors
    /// Whose rate is used up, and for how long. What was counted before that stays counted.
    pub(super) fn check(
        &self,
        ip: IpAddr,
        from: &ReversePath,
        now: Instant,
    ) -> Result<(), (String, RetryAfter)> {
        let rules = *self.rules.read().unwrap_or_else(PoisonError::into_inner);
        if rules.address.is_some() {
            let address = Network::of(ip);
            self.addresses.check(address, 1, now).map_err(|wait| (ip.to_string(), wait))?;
        }
        if rules.network.is_some() {
            let network = Network::neighbours(ip);
            self.networks.check(network, 1, now).map_err(|wait| (network.to_string(), wait))?;
        }
        if let (Some(_), Some(sender)) = (rules.sender, from.address().map(Address::folded)) {
            self.senders.check(sender.clone(), 1, now).map_err(|wait| (format!("<{sender}>"), wait))?;
        }
        Ok(())
    }
}

fn hourly(count: Option<u32>) -> Rate {
    Rate::per_hour(count.unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each attempt: address, sender, and whose rate is used up.
    fn check(rules: RateRules, attempts: &[(&str, &str, Option<&str>)]) {
        let (rates, now) = (Rates::new(rules), Instant::now());
        for (ip, from, expected) in attempts {
            let found = rates.check(ip.parse().unwrap(), &from.parse().unwrap(), now).err();
            assert_eq!(found.map(|(whose, _)| whose).as_deref(), *expected, "{ip} {from}");
        }
    }

    #[test]
    fn each_rate_has_its_key() {
        let none = RateRules::default();
        let (a, b) = ("a@example.org", "b@example.org");
        check(none, &[("192.0.2.1", a, None); 5]);
        check(
            RateRules { address: Some(1), ..none },
            &[("192.0.2.1", a, None), ("192.0.2.1", b, Some("192.0.2.1")), ("192.0.2.2", a, None)],
        );
        check(
            RateRules { network: Some(2), ..none },
            &[
                ("192.0.2.1", a, None),
                ("192.0.2.2", a, None),
                ("192.0.2.3", a, Some("192.0.2.0/24")),
                ("198.51.100.1", a, None),
            ],
        );
        check(
            RateRules { sender: Some(1), ..none },
            &[
                ("192.0.2.1", a, None),
                ("198.51.100.1", "A@EXAMPLE.org", Some("<a@example.org>")),
                ("192.0.2.1", b, None),
                ("192.0.2.1", "", None),
                ("192.0.2.1", "", None),
            ],
        );
    }
}
