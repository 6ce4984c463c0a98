//! Greylisting: who has never sent here is asked to come back, which programs that only send spam do not (RFC 6647).
//!
//! First attempts are in memory only, bounded: after a restart somebody waits once more. Who came back is remembered in
//! the store. The tuple is that of RFC 6647 §5: network, sender, first recipient. What is remembered is narrower than it
//! recommends, network and domain of the sender: one customer of a large host does not open it for all the others.

use crate::bounded::{Bounded, Expires};
use crate::{MAX_KEYS, Network};
use address::{Address, Domain, ReversePath};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Store, StoreError};

/// How long who came back need not show it again in the store: a write for each message would be too many.
const REFRESH: i64 = 24 * 3600 * 1000;

/// Who is asked to come back, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GreylistRules {
    /// Who comes back sooner still has to wait (RFC 6647 §5: a minute).
    pub delay: Duration,
    /// Who comes back later begins anew (RFC 6647 §5: a day).
    pub window: Duration,
    /// How long who came back is remembered after its last message (RFC 6647 §5: at least a week).
    pub remember: Duration,
    /// Those whose sender SPF vouches for are asked too. Who authenticates need not be (RFC 6647 §5, 7): what sends spam
    /// without coming back does so from hosts that no domain names.
    pub ask_verified: bool,
}

impl Default for GreylistRules {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(60),
            window: Duration::from_secs(24 * 3600),
            remember: Duration::from_secs(36 * 24 * 3600),
            ask_verified: false,
        }
    }
}

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) ip: IpAddr,
    pub(super) sender: &'a ReversePath,
    pub(super) recipient: &'a Address,
    /// SPF says that the client may use this sender: then it is known wherever it comes from.
    pub(super) verified: bool,
}

/// What becomes of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was here before.
    Known,
    /// It came back.
    Passed,
    /// So long until it may.
    Wait(Duration),
}

/// The attempts that have not come back yet.
#[derive(Debug)]
pub(super) struct Greylist {
    /// Tuples are kept as keyed hashes: small, whatever strangers send.
    hasher: RandomState,
    first: Mutex<Bounded<u64, FirstSeen>>,
}

#[derive(Debug, Clone, Copy)]
struct FirstSeen {
    at: Instant,
    expires: Instant,
}

impl Expires for FirstSeen {
    fn expires(&self) -> Instant {
        self.expires
    }
}

impl Greylist {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), first: Mutex::new(Bounded::new(MAX_KEYS)) }
    }

    /// `now` twice: what is in memory does not follow a clock that is set.
    pub(super) async fn check(
        &self,
        store: &Store,
        rules: &GreylistRules,
        attempt: &Attempt<'_>,
        now: Instant,
        unix_ms: i64,
    ) -> Result<Answer, StoreError> {
        let keys = passes(attempt);
        let until = unix_ms.saturating_add(i64::try_from(rules.remember.as_millis()).unwrap_or(i64::MAX));
        let mut known = None;
        for key in &keys {
            known = known.max(store.greylist_pass(key)?.filter(|until| *until > unix_ms));
        }
        let answer = match known {
            Some(known) if known > until.saturating_sub(REFRESH) => return Ok(Answer::Known),
            Some(_) => Answer::Known,
            None => self.wait(rules, attempt, now),
        };
        if !matches!(answer, Answer::Wait(_)) {
            store.remember_greylist_pass(keys, until).await?;
        }
        Ok(answer)
    }

    fn wait(&self, rules: &GreylistRules, attempt: &Attempt<'_>, now: Instant) -> Answer {
        let network = Network::neighbours(attempt.ip);
        let key = self.hasher.hash_one((network, attempt.sender.to_string(), attempt.recipient.folded()));
        // Each step leaves the table whole: a panic elsewhere does not spoil it.
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = first.get(&key, now) else {
            first.insert(key, FirstSeen { at: now, expires: now + rules.window }, now);
            return Answer::Wait(rules.delay);
        };
        let left = rules.delay.saturating_sub(now.saturating_duration_since(seen.at));
        if left.is_zero() {
            first.remove(&key);
            return Answer::Passed;
        }
        Answer::Wait(left)
    }
}

/// Under what a pass is remembered: network and domain of the sender, and the domain alone where SPF vouches for it.
fn passes(attempt: &Attempt<'_>) -> Vec<String> {
    let domain = attempt.sender.address().and_then(Address::domain).map_or("<>", Domain::as_str);
    let by_network = format!("{} {domain}", Network::neighbours(attempt.ip));
    let by_domain = (attempt.verified && domain != "<>").then(|| format!("spf {domain}"));
    [Some(by_network), by_domain].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Options;

    const MINUTE: u64 = 60;
    const DAY: u64 = 24 * 60 * MINUTE;

    /// Each step: seconds since the start, address, sender, whether SPF vouches for it, and what comes of it.
    async fn check(steps: &[(u64, &str, &str, bool, Answer)]) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let (greylist, rules, start) = (Greylist::new(), GreylistRules::default(), Instant::now());
        for (seconds, ip, sender, verified, expected) in steps {
            let sender: ReversePath = sender.parse().unwrap();
            let recipient = "me@example.org".parse().unwrap();
            let attempt = Attempt {
                ip: ip.parse().unwrap(),
                sender: &sender,
                recipient: &recipient,
                verified: *verified,
            };
            let (now, unix_ms) = (start + Duration::from_secs(*seconds), *seconds as i64 * 1000);
            let answer = greylist.check(&store, &rules, &attempt, now, unix_ms).await.unwrap();
            assert_eq!(answer, *expected, "{sender} at {seconds} s");
        }
    }

    fn wait(seconds: u64) -> Answer {
        Answer::Wait(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn who_comes_back_in_time_is_known() {
        let (a, b) = ("a@one.example", "b@one.example");
        check(&[
            (0, "192.0.2.1", a, false, wait(60)),
            (20, "192.0.2.1", a, false, wait(40)),
            (MINUTE, "192.0.2.7", a, false, Answer::Passed),
            (MINUTE + 1, "192.0.2.1", b, false, Answer::Known),
            (MINUTE + 1, "198.51.100.1", a, false, wait(60)),
            (MINUTE + 1, "192.0.2.1", "a@two.example", false, wait(60)),
            (MINUTE + 1, "192.0.2.1", "", false, wait(60)),
            (20 * DAY, "192.0.2.1", a, false, Answer::Known),
            (50 * DAY, "192.0.2.1", a, false, Answer::Known),
            (90 * DAY, "192.0.2.1", a, false, wait(60)),
            (92 * DAY, "192.0.2.1", a, false, wait(60)),
        ])
        .await;
    }

    #[tokio::test]
    async fn a_sender_that_spf_vouches_for_is_known_everywhere() {
        let a = "a@one.example";
        check(&[
            (0, "2001:db8::1", a, true, wait(60)),
            (MINUTE, "2001:db8::2", a, true, Answer::Passed),
            (MINUTE, "192.0.2.1", a, true, Answer::Known),
            (MINUTE, "198.51.100.1", a, false, wait(60)),
        ])
        .await;
    }
}
