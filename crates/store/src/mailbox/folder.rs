//! Making, naming and removing folders (RFC 9051 §6.3.4–§6.3.8).

use super::{Copied, INBOX, Mailbox, UidRuns, name, sqlite};
use crate::committer::Writer;
use crate::{Id, Store, StoreError};

impl Store {
    /// Makes a folder, and those it is in where they are missing. `role`: its special use (RFC 6154); several may share one.
    ///
    /// # Errors
    /// [`StoreError::Exists`]; [`StoreError::Refused`] for what cannot be a name; [`StoreError::Limit`].
    pub async fn create_mailbox(
        &self,
        account: Id,
        name: &str,
        role: Option<&str>,
    ) -> Result<Mailbox, StoreError> {
        self.make_mailbox(account, name, role, sqlite::folder::create).await
    }

    /// The same; what is made has the access list of the nearest folder that it is in (RFC 4314 §4, CREATE).
    ///
    /// # Errors
    /// As [`Store::create_mailbox`].
    pub async fn create_mailbox_shared_as_above(
        &self,
        account: Id,
        name: &str,
        role: Option<&str>,
    ) -> Result<Mailbox, StoreError> {
        self.make_mailbox(account, name, role, sqlite::folder::create_shared_as_above).await
    }

    async fn make_mailbox(
        &self,
        account: Id,
        name: &str,
        role: Option<&str>,
        create: fn(&Writer<'_>, Id, &str, Option<&str>) -> Result<Mailbox, StoreError>,
    ) -> Result<Mailbox, StoreError> {
        name::check(name)?;
        let (name, role) = (name.to_owned(), role.map(str::to_owned));
        self.inner.committer.write(move |w| create(w, account, &name, role.as_deref())).await
    }

    /// Renames a folder and all that is in it, in one transaction; subscriptions keep their names. INBOX stays: its
    /// messages move to the new folder, slice by slice (RFC 9051 §6.3.6); then says which folder that is, and what moved.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the new name is taken; [`StoreError::NotFound`]; [`StoreError::Refused`];
    /// [`StoreError::Limit`].
    pub async fn rename_mailbox(
        &self,
        id: Id,
        new_name: &str,
    ) -> Result<Option<(Mailbox, Copied)>, StoreError> {
        name::check(new_name)?;
        let mailbox = self.mailbox(id)?.ok_or_else(|| not_found(id))?;
        if mailbox.name == INBOX {
            let new = self.create_mailbox(mailbox.account, new_name, None).await?;
            let moved = self.move_messages(id, UidRuns::from(0..=u32::MAX), new.id).await?;
            return Ok(Some((new, moved)));
        }
        let new_name = new_name.to_owned();
        self.inner.committer.write(move |w| sqlite::folder::rename(w, id, &new_name)).await.map(|()| None)
    }

    /// Takes a folder away, at once for everybody; its messages go slice by slice, by [`Store::purge`], and can be
    /// brought back. Folders in it stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Refused`] for INBOX.
    pub async fn delete_mailbox(&self, id: Id) -> Result<(), StoreError> {
        let keep = self.undelete_ms() > 0;
        self.inner.committer.write(move |w| sqlite::folder::delete(w, id, keep)).await?;
        self.inner.purge_wanted.notify_one();
        Ok(())
    }

    /// Subscribes to a name or no longer does; there need not be such a folder.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for what cannot be a name; [`StoreError::Limit`].
    pub async fn subscribe(&self, account: Id, name: &str, subscribed: bool) -> Result<(), StoreError> {
        if subscribed {
            name::check(name)?;
        }
        let name = name.to_owned();
        self.inner.committer.write(move |w| sqlite::folder::subscribe(w, account, &name, subscribed)).await
    }
}

pub(super) fn not_found(mailbox: Id) -> StoreError {
    StoreError::NotFound(format!("folder {mailbox}"))
}
