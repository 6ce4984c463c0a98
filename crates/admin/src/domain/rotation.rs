//! Which stage of its life a signing key comes to next, decided from what is known: no store, no DNS, no clock.
//!
//! ```text
//!            its record was seen at all            nothing under way carries        its record has gone
//!            authoritative servers                 a signature of it                from the DNS
//!  Waiting ────────────────────────────▶ Active ─▶ Retiring ────────────▶ Removable ────────────▶ (forgotten)
//!                                          └─ another of its kind became active
//! ```

use mailauth::dkim::Algorithm;
use serde::{Deserialize, Serialize};
use store::directory::{KeyStage, KeyStep};

/// After a key stopped signing, a session may still finish a message that it began to sign, in milliseconds: keys are kept
/// ready for 30 s, a slow sender takes minutes, and whoever gets the message may look for the record later still.
pub const IN_FLIGHT: i64 = 3_600_000;

/// Where the record of a key was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// All authoritative servers have it.
    Everywhere,
    /// Some have it, or not all answered.
    Partly,
    /// All answered, and none has a record of that name.
    Nowhere,
    /// Nobody could be asked.
    Unknown,
}

/// What is known of one key of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub selector: String,
    /// `None`: its private half has gone, or cannot be read.
    pub algorithm: Option<Algorithm>,
    pub stage: KeyStage,
    /// When it came to its stage, in milliseconds since 1970.
    pub since: i64,
    pub seen: Seen,
    /// A message in the queue has its signature.
    pub needed: bool,
}

/// The steps that the keys of one domain take now, at most one each.
pub fn steps(keys: &[Facts], now: i64) -> Vec<KeyStep> {
    let begins = |key: &&Facts| key.stage == KeyStage::Waiting && key.seen == Seen::Everywhere;
    let begun: Vec<Algorithm> = keys.iter().filter(begins).filter_map(|key| key.algorithm).collect();
    let step = |key: &Facts| {
        let to = next(key, &begun, now)?;
        Some(KeyStep { selector: key.selector.clone(), to })
    };
    keys.iter().filter_map(step).collect()
}

/// The next stage; `Some(None)` is the end, `None` that it stays. `begun` are the kinds of which a new key begins to sign.
fn next(key: &Facts, begun: &[Algorithm], now: i64) -> Option<Option<KeyStage>> {
    match key.stage {
        KeyStage::Waiting => {
            (key.seen == Seen::Everywhere && key.algorithm.is_some()).then_some(Some(KeyStage::Active))
        }
        KeyStage::Active => key
            .algorithm
            .is_some_and(|algorithm| begun.contains(&algorithm))
            .then_some(Some(KeyStage::Retiring)),
        KeyStage::Retiring => {
            let in_flight = now < key.since.saturating_add(IN_FLIGHT);
            (!in_flight && !key.needed).then_some(Some(KeyStage::Removable))
        }
        KeyStage::Removable => (key.seen == Seen::Nowhere).then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Algorithm::{Ed25519Sha256 as ED, RsaSha256 as RSA};
    use KeyStage::{Active, Removable, Retiring, Waiting};
    use Seen::{Everywhere, Nowhere, Partly, Unknown};

    const NOW: i64 = 1_000_000_000;

    fn key(selector: &str, algorithm: Algorithm, stage: KeyStage, seen: Seen) -> Facts {
        Facts { selector: selector.into(), algorithm: Some(algorithm), stage, since: 0, seen, needed: false }
    }

    fn check(keys: &[Facts], expected: &[(&str, Option<KeyStage>)]) {
        let taken: Vec<_> = steps(keys, NOW).into_iter().map(|step| (step.selector, step.to)).collect();
        let expected: Vec<_> = expected.iter().map(|(s, to)| ((*s).to_owned(), *to)).collect();
        assert_eq!(taken, expected, "{keys:?}");
    }

    #[test]
    fn a_new_key_signs_once_all_servers_have_its_record() {
        let old = key("w1", RSA, Active, Everywhere);
        for seen in [Nowhere, Partly, Unknown] {
            check(&[old.clone(), key("w2", RSA, Waiting, seen)], &[]);
        }
        check(&[old, key("w2", RSA, Waiting, Everywhere)], &[("w1", Some(Retiring)), ("w2", Some(Active))]);
    }

    #[test]
    fn each_kind_of_key_goes_its_own_way() {
        let keys = [
            key("w1", RSA, Active, Everywhere),
            key("w2", ED, Active, Everywhere),
            key("w3", RSA, Waiting, Partly),
            key("w4", ED, Waiting, Everywhere),
        ];
        check(&keys, &[("w2", Some(Retiring)), ("w4", Some(Active))]);
        check(
            &[key("w1", RSA, Active, Everywhere), key("w2", ED, Waiting, Everywhere)],
            &[("w2", Some(Active))],
        );
    }

    #[test]
    fn an_active_key_whose_record_has_gone_goes_on() {
        for seen in [Nowhere, Partly, Unknown] {
            check(&[key("w1", RSA, Active, seen)], &[]);
        }
    }

    #[test]
    fn an_old_key_stays_while_something_needs_it() {
        let old = |since: i64, needed: bool| Facts { since, needed, ..key("w1", RSA, Retiring, Everywhere) };
        check(&[old(NOW - IN_FLIGHT + 1, false)], &[]);
        check(&[old(0, true)], &[]);
        check(&[old(NOW - IN_FLIGHT, false)], &[("w1", Some(Removable))]);
        // A damaged key retires too.
        check(&[Facts { algorithm: None, ..old(0, false) }], &[("w1", Some(Removable))]);
    }

    #[test]
    fn a_key_is_forgotten_when_its_record_has_gone() {
        for seen in [Everywhere, Partly, Unknown] {
            check(&[key("w1", RSA, Removable, seen)], &[]);
        }
        check(&[Facts { algorithm: None, ..key("w1", RSA, Removable, Nowhere) }], &[("w1", None)]);
    }

    #[test]
    fn a_key_that_cannot_be_read_never_begins_to_sign() {
        let damaged = Facts { algorithm: None, ..key("w2", RSA, Waiting, Everywhere) };
        check(&[key("w1", RSA, Active, Everywhere), damaged], &[]);
    }

    /// From the first day to the last, with the world as it is at each step.
    #[test]
    fn a_whole_life() {
        let mut old = key("w1", RSA, Active, Everywhere);
        let mut new = key("w2", RSA, Waiting, Nowhere);
        let mut now = NOW;
        let mut pass = |old: &mut Facts, new: &mut Facts| {
            now += IN_FLIGHT;
            let taken = steps(&[old.clone(), new.clone()], now);
            for key in [old, new] {
                if let Some(step) = taken.iter().find(|step| step.selector == key.selector) {
                    key.stage = step.to.unwrap_or(Removable);
                    key.since = now;
                }
            }
            taken.len()
        };
        assert_eq!(pass(&mut old, &mut new), 0);
        new.seen = Everywhere;
        assert_eq!(pass(&mut old, &mut new), 2);
        old.needed = true;
        assert_eq!(pass(&mut old, &mut new), 0);
        old.needed = false;
        assert_eq!(pass(&mut old, &mut new), 1);
        assert_eq!((old.stage, new.stage), (Removable, Active));
        old.seen = Nowhere;
        assert_eq!(pass(&mut old, &mut new), 1);
    }
}
