//! Under which sender mail goes on to another's server, and back (SRS).

use crate::{Directory, DirectoryError};
use address::{Address, Domain, ReversePath};
use mailauth::srs::{self, SrsError};
use store::clock;
use store::directory::DomainKind;

/// Mail that goes on: its sender, and whether it leaves the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onward {
    pub reverse_path: ReversePath,
    /// Its next host is another's, who does not know that we looked at it.
    pub leaves: bool,
    /// Why it is still the old one although an address of ours was needed: SPF will not pass.
    pub unchanged: Option<SrsError>,
}

impl From<&ReversePath> for Onward {
    fn from(sender: &ReversePath) -> Self {
        Self { reverse_path: sender.clone(), leaves: false, unchanged: None }
    }
}

impl Directory {
    /// The reverse-path with which mail from `sender` to `recipient`, who is here, goes on to `to`.
    ///
    /// A stranger's name would not pass SPF from here, so it becomes an address of the recipient's domain that has the
    /// stranger's in it ([`mailauth::srs`]). Mail that stays with us, and that of our own domains and of nobody, keeps its
    /// sender.
    pub fn onward(
        &self,
        sender: &ReversePath,
        recipient: &Address,
        to: &Address,
    ) -> Result<Onward, DirectoryError> {
        let same = Onward { leaves: !self.is_ours(to)?, ..sender.into() };
        let Some(stranger) = sender.address().filter(|_| same.leaves) else { return Ok(same) };
        if self.is_ours(stranger)? {
            return Ok(same);
        }
        let Some(by) = self.forwarding_domain(recipient)? else { return Ok(same) };
        Ok(match self.srs.forward(stranger, &by, clock::seconds()) {
            Ok(rewritten) => Onward { reverse_path: ReversePath::Address(rewritten), ..same },
            Err(error) => Onward { unchanged: Some(error), ..same },
        })
    }

    /// The stranger to whom a notification to `address`, of a domain of ours, goes on.
    pub(crate) fn returned(&self, address: &Address) -> Option<Address> {
        if !srs::is_rewritten(address.local()) {
            return None;
        }
        self.srs.reverse(address, clock::seconds()).ok()
    }

    fn is_ours(&self, address: &Address) -> Result<bool, DirectoryError> {
        Ok(address.domain().map(|domain| self.store.domain(domain)).transpose()?.flatten().is_some())
    }

    /// The recipient's own domain, where what comes back can be taken; else the home domain.
    fn forwarding_domain(&self, recipient: &Address) -> Result<Option<Domain>, DirectoryError> {
        let found = recipient.domain().map(|domain| self.store.domain(domain)).transpose()?.flatten();
        match found.filter(|domain| !matches!(domain.kind, DomainKind::Relay { .. })) {
            Some(domain) => Ok(Some(domain.name)),
            None => self.home_domain(),
        }
    }
}
