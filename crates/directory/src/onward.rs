//! Under which sender mail goes on to another's server, and back (SRS).

use crate::{Directory, DirectoryError};
use address::{Address, Domain, ReversePath};
use mailauth::srs::{self, DAY, MAX_AGE, Original, Rewritten, SrsError};
use store::directory::DomainKind;
use store::{StoreError, clock};

/// Mail that goes on: its sender, and whether it leaves the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onward {
    pub reverse_path: ReversePath,
    /// Who does not fit into it: to be remembered ([`Directory::remember`]) before the mail goes on.
    pub remembered: Option<RememberedSender>,
    /// Its next host is another's, who does not know that we looked at it.
    pub leaves: bool,
    /// Why it is still the old one although an address of ours was needed: SPF will not pass.
    pub unchanged: Option<SrsError>,
}

/// A sender whose rewritten address has a token of it only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedSender {
    pub token: String,
    pub sender: Address,
}

impl From<&ReversePath> for Onward {
    fn from(sender: &ReversePath) -> Self {
        Self { reverse_path: sender.clone(), remembered: None, leaves: false, unchanged: None }
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
            Ok(Rewritten { address, token }) => Onward {
                reverse_path: ReversePath::Address(address),
                remembered: token.map(|token| RememberedSender { token, sender: stranger.clone() }),
                ..same
            },
            Err(error) => Onward { unchanged: Some(error), ..same },
        })
    }

    /// Remembers a sender for as long as the address that stands for it is taken.
    pub async fn remember(&self, remembered: RememberedSender) -> Result<(), StoreError> {
        let RememberedSender { token, sender } = remembered;
        // A day more than the address itself counts, which has days only.
        let until = clock::seconds() + (MAX_AGE + 1) * DAY;
        self.store.remember_sender(token, sender, until as i64).await
    }

    /// The stranger to whom a notification to `address`, of a domain of ours, goes on.
    pub(crate) fn returned(&self, address: &Address) -> Result<Option<Address>, DirectoryError> {
        if !srs::is_rewritten(address.local()) {
            return Ok(None);
        }
        Ok(match self.srs.reverse(address, clock::seconds()) {
            Ok(Original::Sender(sender)) => Some(sender),
            Ok(Original::Token(token)) => self.store.remembered_sender(&token)?,
            Err(_) => None,
        })
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
