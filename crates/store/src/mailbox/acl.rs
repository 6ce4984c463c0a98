//! Who else may do what with a folder (RFC 4314). The store keeps identifiers and rights and gives them no meaning.

use super::{Mailbox, sqlite};
use crate::{Id, Store, StoreError};
use address::Domain;

/// Identifiers of a folder: they are read with every look at its rights.
pub(super) const MAX_ENTRIES: usize = 200;
/// Octets of an identifier or of its rights.
const MAX_TEXT: usize = 320;

impl Store {
    /// Identifiers and their rights, without the owner's own, which are not kept.
    pub fn acl(&self, mailbox: Id) -> Result<Vec<(String, String)>, StoreError> {
        self.inner.main.with(|db| sqlite::acl::list(db, mailbox))
    }

    /// Sets the rights of an identifier, in place of those it had.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such folder; [`StoreError::Limit`].
    pub async fn set_acl(&self, mailbox: Id, identifier: &str, rights: &str) -> Result<(), StoreError> {
        if identifier.len() > MAX_TEXT || rights.len() > MAX_TEXT {
            return Err(StoreError::Limit(format!("an identifier has at most {MAX_TEXT} octets")));
        }
        let (identifier, rights) = (identifier.to_owned(), rights.to_owned());
        self.inner.committer.write(move |w| sqlite::acl::set(w, mailbox, &identifier, &rights)).await
    }

    /// Removes an identifier; nothing happens when it is not there.
    pub async fn remove_acl(&self, mailbox: Id, identifier: &str) -> Result<(), StoreError> {
        let identifier = identifier.to_owned();
        self.inner.committer.write(move |w| sqlite::acl::remove(w, mailbox, &identifier)).await
    }

    /// Folders of the domain's accounts in whose list one of the identifiers is, by account and name.
    pub fn shared_with(
        &self,
        domain: &Domain,
        identifiers: &[impl AsRef<str>],
    ) -> Result<Vec<Mailbox>, StoreError> {
        let identifiers: Vec<&str> = identifiers.iter().map(AsRef::as_ref).collect();
        self.inner.main.with(|db| sqlite::acl::shared_with(db, domain, &identifiers))
    }
}
