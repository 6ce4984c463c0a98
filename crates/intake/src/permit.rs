//! The permit without which no recipient is accepted (DESIGN.md, principle 2).
//!
//! A [`RelayPermit`] names its recipient and its transaction, cannot be cloned, and is made by three functions of
//! this module only: [`local`], [`authenticated`] and [`trusted`]. [`TransactionId`]s are never used twice, and a
//! session makes a new one after STARTTLS and XCLIENT, so that a permit does not outlive what it was given for.

use address::{Address, ReversePath};
use directory::{Resolution, Target};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// One transaction of this process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TransactionId(u64);

impl TransactionId {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Leave to accept one recipient in one transaction.
#[derive(Debug)]
pub(crate) struct RelayPermit {
    recipient: Address,
    transaction: u64,
}

impl RelayPermit {
    /// Gives the recipient out, to the transaction that it was made for alone.
    pub(crate) fn redeem(self, transaction: &TransactionId) -> Option<Address> {
        (self.transaction == transaction.0).then_some(self.recipient)
    }
}

/// Who logged in, or whom the kernel named: proof that [`authenticated`] asks for.
#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "that it is there is what counts")]
pub(crate) enum Authenticated<'a> {
    Account(&'a directory::Login),
    /// A process of this machine on `submit.sock`.
    LocalUser(net::Peer),
}

/// The recipient is ours: an address here, one of a relay domain, or a sender that was rewritten here (SRS), which takes
/// notifications only.
pub(crate) fn local(
    recipient: &Address,
    resolution: &Resolution,
    sender: &ReversePath,
    transaction: &TransactionId,
) -> Option<RelayPermit> {
    let ours = match resolution {
        Resolution::Here(targets) => !targets.is_empty(),
        Resolution::Relay(_) => true,
        Resolution::Returned(_) => sender.is_null(),
        Resolution::Unknown | Resolution::Disabled | Resolution::Elsewhere => false,
    };
    ours.then(|| RelayPermit { recipient: recipient.clone(), transaction: transaction.0 })
}

/// The session is authenticated.
pub(crate) fn authenticated(
    recipient: &Address,
    _who: Authenticated<'_>,
    transaction: &TransactionId,
) -> RelayPermit {
    RelayPermit { recipient: recipient.clone(), transaction: transaction.0 }
}

/// The client's address is in the explicit list.
pub(crate) fn trusted(
    recipient: &Address,
    client: IpAddr,
    networks: &[IpNet],
    transaction: &TransactionId,
) -> Option<RelayPermit> {
    let listed = networks.iter().any(|network| network.contains(&client));
    listed.then(|| RelayPermit { recipient: recipient.clone(), transaction: transaction.0 })
}

/// Whether all that a local recipient needs is a copy in a mailbox here.
pub(crate) fn is_mailbox(target: &Target) -> bool {
    matches!(target, Target::Account { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        "a@b.example".parse().unwrap()
    }

    #[test]
    fn a_permit_is_good_for_its_transaction_alone() {
        let (one, other) = (TransactionId::new(), TransactionId::new());
        let networks = ["192.0.2.0/24".parse().unwrap()];
        let permit = || trusted(&address(), "192.0.2.9".parse().unwrap(), &networks, &one);
        assert_eq!(permit().unwrap().redeem(&one), Some(address()));
        assert_eq!(permit().unwrap().redeem(&other), None);
    }

    #[test]
    fn nobody_else_gets_one() {
        let id = TransactionId::new();
        let networks = ["192.0.2.0/24".parse().unwrap()];
        assert!(trusted(&address(), "198.51.100.1".parse().unwrap(), &networks, &id).is_none());
        assert!(trusted(&address(), "127.0.0.1".parse().unwrap(), &[], &id).is_none());
        for resolution in
            [Resolution::Elsewhere, Resolution::Unknown, Resolution::Disabled, Resolution::Here(vec![])]
        {
            assert!(local(&address(), &resolution, &ReversePath::Null, &id).is_none(), "{resolution:?}");
        }
        let returned = Resolution::Returned(address());
        assert!(local(&address(), &returned, &ReversePath::Null, &id).is_some());
        assert!(local(&address(), &returned, &ReversePath::Address(address()), &id).is_none());
    }
}
