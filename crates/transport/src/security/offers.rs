//! Who has offered STARTTLS before: one that suddenly does not is broken, or somebody on the way takes the offer out.
//!
//! It is kept across restarts, where there is a store: a restart is no reason to forget it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use store::{Store, clock};

/// Most hosts that are remembered; with more, those that were seen longest ago are forgotten, which costs a warning and no mail.
const MAX_HOSTS: usize = 50_000;
/// Of so many, one part is forgotten at once.
const PART: usize = 10;
/// A host that was not called for this long is forgotten, in seconds: 90 days.
const KEPT: i64 = 90 * DAY;
/// How often, in seconds, it is written that a host still offers it; and how often the log tells that it does not.
const DAY: i64 = 24 * 3600;

#[derive(Debug, Default)]
pub(crate) struct Offers {
    hosts: Mutex<HashMap<String, Offer>>,
    /// Of whom the store knows no offer either: it need not be asked again. Of too many, all are forgotten.
    without: Mutex<HashSet<String>>,
    store: Option<Store>,
}

/// Times are in seconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Offer {
    seen: i64,
    /// When the log last told that it is missing.
    told: i64,
}

impl Offers {
    pub(crate) fn keep_in(&mut self, store: Store) {
        self.store = Some(store);
    }

    pub(crate) async fn seen(&self, host: &str) {
        let now = seconds();
        let is_known =
            self.with(|hosts| hosts.get(host).is_some_and(|offer| now - offer.seen < DAY && offer.told == 0));
        if is_known {
            return;
        }
        self.remember(host, now);
        let Some(store) = &self.store else { return };
        let kept = store.keep_starttls(host.to_owned(), now).await;
        let _ =
            kept.map_err(|error| tracing::warn!(%error, %host, "it is not kept that a host offers STARTTLS"));
    }

    /// Whether it has offered it before, as far as anybody remembers.
    pub(crate) fn is_missed(&self, host: &str) -> bool {
        if self.with(|hosts| hosts.contains_key(host)) {
            return true;
        }
        if self.with_those_without(|without| without.contains(host)) {
            return false;
        }
        let kept = match self.store.as_ref().map(|store| store.starttls_seen(host)) {
            Some(Ok(kept)) => kept,
            Some(Err(error)) => {
                tracing::warn!(%error, %host, "whether a host has offered STARTTLS cannot be read");
                None
            }
            None => None,
        };
        let lately = kept.filter(|seen| seconds() - seen < KEPT);
        match lately {
            Some(seen) => self.remember(host, seen),
            None => self.with_those_without(|without| {
                if without.len() >= MAX_HOSTS {
                    without.clear();
                }
                without.insert(host.to_owned());
            }),
        }
        lately.is_some()
    }

    /// Whether the log is to tell that it is missed: once a day, and anew after it was seen again.
    pub(crate) fn is_news(&self, host: &str) -> bool {
        let now = seconds();
        self.with(|hosts| match hosts.get_mut(host) {
            Some(offer) if now - offer.told < DAY => false,
            Some(offer) => {
                offer.told = now;
                true
            }
            None => true,
        })
    }

    /// Those that were not called for long, and those that are too many.
    pub(crate) async fn forget_old(&self) {
        let before = seconds() - KEPT;
        self.with(|hosts| hosts.retain(|_, offer| offer.seen >= before));
        let Some(store) = &self.store else { return };
        let forgotten = store.forget_starttls(before, MAX_HOSTS).await;
        let _ = forgotten.map_err(
            |error| tracing::warn!(%error, "hosts that offered STARTTLS long ago are not forgotten"),
        );
    }

    fn remember(&self, host: &str, seen: i64) {
        self.with(|hosts| {
            if hosts.len() >= MAX_HOSTS && !hosts.contains_key(host) {
                forget_oldest(hosts);
            }
            hosts.insert(host.to_owned(), Offer { seen, told: 0 });
        });
        self.with_those_without(|without| without.remove(host));
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Offer>) -> T) -> T {
        act(&mut self.hosts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_those_without<T>(&self, act: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        act(&mut self.without.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn forget_oldest(hosts: &mut HashMap<String, Offer>) {
    let mut by_age: Vec<(i64, String)> =
        hosts.iter().map(|(host, offer)| (offer.seen, host.clone())).collect();
    by_age.sort_unstable();
    for (_, host) in by_age.into_iter().take(hosts.len() / PART + 1) {
        hosts.remove(&host);
    }
}

fn seconds() -> i64 {
    i64::try_from(clock::seconds()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_told_once_a_day_until_it_is_seen_again() {
        let offers = Offers::default();
        assert!(!offers.is_missed("mx.example"));
        for _ in 0..2 {
            offers.seen("mx.example").await;
            assert!(offers.is_missed("mx.example") && offers.is_news("mx.example"));
            assert!(offers.is_missed("mx.example") && !offers.is_news("mx.example"));
        }
    }

    #[tokio::test]
    async fn a_restart_forgets_none_and_time_does() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &store::Options::default()).unwrap();
        let offers = || {
            let mut offers = Offers::default();
            offers.keep_in(store.clone());
            offers
        };
        offers().seen("mx.example").await;
        store.keep_starttls("old.example".to_owned(), seconds() - KEPT - 1).await.unwrap();
        let after = offers();
        assert!(after.is_missed("mx.example") && after.is_news("mx.example"));
        for _ in 0..2 {
            assert!(!after.is_missed("old.example") && !after.is_missed("other.example"));
        }
        after.forget_old().await;
        assert_eq!(store.starttls_seen("old.example").unwrap(), None);
        assert!(store.starttls_seen("mx.example").unwrap().is_some());
    }

    #[tokio::test]
    async fn one_that_did_not_offer_it_may_begin_to() {
        let folder = tempfile::tempdir().unwrap();
        let mut offers = Offers::default();
        offers.keep_in(Store::open(folder.path(), &store::Options::default()).unwrap());
        assert!(!offers.is_missed("mx.example"));
        offers.seen("mx.example").await;
        assert!(offers.is_missed("mx.example"));
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let offers = Offers::default();
        for number in 0..=MAX_HOSTS {
            offers.remember(&format!("mx{number}.example"), seconds() + number as i64);
        }
        assert!(!offers.is_missed("mx0.example") && offers.is_missed("mx50000.example"));
        let kept = offers.with(|hosts| hosts.len());
        assert!(kept > MAX_HOSTS / 2 && kept <= MAX_HOSTS, "{kept}");
    }
}
