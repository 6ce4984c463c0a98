//! Whether a list is one still (RFC 5782 §5).
//!
//! Every list has one entry that must be there and one that must not. A list that lacks the first has gone, or does not
//! answer us; one that has the second lists everybody. Either is left out, and an error in the log (`list-dead`) says so.

use super::{Kind, List, reversed};
use address::Domain;
use dns::Lookup;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use tokio::time::timeout;

/// How often lists are tested.
pub(in super::super) const INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How long one question of a test may take.
const WAIT: Duration = Duration::from_secs(15);

/// How it stands with each list.
#[derive(Debug, Default)]
pub(in super::super) struct Health(RwLock<HashMap<(Domain, Kind), State>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// `v6`: it has IPv6 addresses too.
    Alive {
        v6: bool,
    },
    Dead(String),
}

/// What must be in a list, and what must not.
pub(super) struct Probe {
    present: String,
    absent: String,
}

impl Probe {
    pub(super) fn of(kind: Kind, v6: bool) -> Self {
        let mapped = |last: u8| {
            let v4 = Ipv4Addr::new(127, 0, 0, last);
            reversed(if v6 { IpAddr::V6(v4.to_ipv6_mapped()) } else { IpAddr::V4(v4) })
        };
        match kind {
            Kind::Addresses => Self { present: mapped(2), absent: mapped(1) },
            Kind::Domains => Self { present: "test".to_owned(), absent: "invalid".to_owned() },
        }
    }
}

impl Health {
    /// Whether the list may be asked. One that was not tested yet may not.
    pub(super) fn is_usable(&self, list: &List, v6: bool) -> bool {
        let states = self.0.read().unwrap_or_else(PoisonError::into_inner);
        matches!(states.get(&(list.zone.clone(), list.kind)), Some(State::Alive { v6: also }) if !v6 || *also)
    }

    /// Tests the lists, and forgets those that are not among them. One that cannot be asked now stays as it was.
    pub(in super::super) async fn test(&self, dns: &dyn Lookup, lists: &[List]) {
        for list in lists {
            let state = match examine(dns, list).await {
                Ok(state) => state,
                Err(reason) => {
                    tracing::warn!(zone = %list.zone, reason, "a list cannot be tested now");
                    continue;
                }
            };
            let key = (list.zone.clone(), list.kind);
            let before = {
                let mut states = self.0.write().unwrap_or_else(PoisonError::into_inner);
                states.insert(key, state.clone())
            };
            tell(list, before.as_ref(), &state);
        }
        let is_listed =
            |zone: &Domain, kind| lists.iter().any(|list| list.zone == *zone && list.kind == kind);
        let mut states = self.0.write().unwrap_or_else(PoisonError::into_inner);
        states.retain(|(zone, kind), _| is_listed(zone, *kind));
    }
}

/// Changes only: a list that stays dead is not told of every quarter of an hour.
fn tell(list: &List, before: Option<&State>, now: &State) {
    match (before, now) {
        (Some(before), now) if before == now => {}
        (_, State::Dead(reason)) => {
            tracing::error!(alert = "list-dead", zone = %list.zone, reason, "a list is left out");
        }
        (Some(State::Dead(_)), State::Alive { .. }) => {
            tracing::warn!(alert = "list-alive", zone = %list.zone, "a list is asked again");
        }
        (_, State::Alive { v6 }) => tracing::info!(zone = %list.zone, v6, "a list passed its test"),
    }
}

async fn examine(dns: &dyn Lookup, list: &List) -> Result<State, String> {
    if let Some(fault) = fault(dns, list, &Probe::of(list.kind, false)).await? {
        return Ok(State::Dead(fault));
    }
    let v6 = list.kind == Kind::Addresses && fault(dns, list, &Probe::of(list.kind, true)).await?.is_none();
    Ok(State::Alive { v6 })
}

/// What is wrong with the list; the error says why that cannot be learnt now.
pub(super) async fn fault(dns: &dyn Lookup, list: &List, probe: &Probe) -> Result<Option<String>, String> {
    let absent = format!("{}.{}", probe.absent, list.zone);
    if !answers(dns, &absent).await?.is_empty() {
        return Ok(Some(format!("{absent} has an address: it lists everything")));
    }
    let present = format!("{}.{}", probe.present, list.zone);
    let found = answers(dns, &present).await?;
    if found.iter().any(|ip| super::codes::counts(&[], *ip)) {
        return Ok(None);
    }
    Ok(Some(match found.first() {
        Some(ip) => format!("{present} is {ip}: the list does not answer us, or is none any more"),
        None => format!("{present} is missing: the list is empty, or does not answer us"),
    }))
}

async fn answers(dns: &dyn Lookup, name: &str) -> Result<Vec<Ipv4Addr>, String> {
    match timeout(WAIT, dns.address_records(name, false)).await {
        Ok(Ok(found)) => Ok(found
            .into_iter()
            .filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None })
            .collect()),
        Ok(Err(error)) if error.is_temporary() => Err(error.to_string()),
        Ok(Err(_)) => Ok(Vec::new()),
        Err(_) => Err(format!("{name}: no answer in time")),
    }
}
