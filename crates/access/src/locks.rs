//! Who has a maildrop open.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use store::Id;

/// One POP3 session an account at a time (RFC 1939 §4). Clones share the locks.
#[derive(Debug, Clone, Default)]
pub struct Locks(Arc<Mutex<HashSet<Id>>>);

/// Holds an account's maildrop until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    locks: Locks,
    account: Id,
}

impl Locks {
    /// The lock, unless another session has it.
    pub(crate) fn take(&self, account: Id) -> Option<Lock> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account);
        taken.then(|| Lock { locks: self.clone(), account })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.locks.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_again_when_its_session_is_gone() {
        let (locks, one, other) = (Locks::default(), Id::generate(), Id::generate());
        let held = locks.take(one).unwrap();
        let shared = locks.clone();
        assert!(shared.take(one).is_none() && locks.take(one).is_none());
        assert!(locks.take(other).is_some());
        drop(held);
        assert!(shared.take(one).is_some());
    }
}
