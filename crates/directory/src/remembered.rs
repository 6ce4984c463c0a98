//! Passwords that were right a moment ago: phones log in every few minutes, argon2 is slow on purpose.

use aws_lc_rs::hmac;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::Id;

/// How long a right password is remembered.
const KEPT: Duration = Duration::from_secs(600);
/// How many; past it those that have run out go, then all.
const MAX_KEPT: usize = 10_000;

/// Keyed hashes of credential and password; the key is of this process and never leaves it.
#[derive(Debug)]
pub(crate) struct Remembered {
    key: hmac::Key,
    entries: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Remembered {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key), entries: Mutex::default() }
    }

    /// The hash under which a password is remembered for one credential row. A changed password is another row.
    pub(crate) fn tag(&self, credential: Id, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&credential.get().to_be_bytes());
        context.update(password.as_bytes());
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    pub(crate) fn knows(&self, tag: &[u8; 32], now: Instant) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(tag).is_some_and(|until| now < *until)
    }

    pub(crate) fn add(&self, tag: [u8; 32], now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_KEPT {
            entries.retain(|_, until| now < *until);
        }
        if entries.len() >= MAX_KEPT {
            entries.clear();
        }
        entries.insert(tag, now + KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_for_its_credential_and_for_ten_minutes() {
        let (remembered, now, row) = (Remembered::new([1; 32]), Instant::now(), Id::generate());
        let tag = remembered.tag(row, "secret");
        assert!(!remembered.knows(&tag, now));
        remembered.add(tag, now);
        assert!(remembered.knows(&tag, now + Duration::from_secs(599)));
        assert!(!remembered.knows(&tag, now + Duration::from_secs(601)));
        assert!(!remembered.knows(&remembered.tag(Id::generate(), "secret"), now));
        assert!(!remembered.knows(&remembered.tag(row, "Secret"), now));
    }
}
