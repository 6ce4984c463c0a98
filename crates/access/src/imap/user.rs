//! Who has logged in, and which folders a name means for them.

use super::rights::Rights;
use super::stop::{Outcome, Stop, read};
use crate::Context;
use address::{Address, Domain, Host};
use imap::MailboxName;
use imap::response::Code;
use std::sync::Arc;
use store::directory::AccountRecord;
use store::mailbox::Mailbox;
use store::{Id, Store, StoreError};

/// What others share stands here: `Shared/owner@example.org/Folder` (RFC 2342).
pub(super) const SHARED: &str = "Shared/";
/// In an ACL: every account of the owner's domain.
pub(super) const ANYONE: &str = "anyone";

/// The account of this connection.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: Id,
    /// As ACLs name it.
    pub(super) address: Arc<str>,
}

/// A folder that the user knows of.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) mailbox: Mailbox,
    pub(super) rights: Rights,
}

/// What a name means, whether or not there is such a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Own(String),
    Shared { owner: String, folder: String },
}

impl Place {
    pub(super) fn of(name: &MailboxName) -> Self {
        let shared = name.as_str().strip_prefix(SHARED).and_then(|rest| rest.split_once('/'));
        match shared {
            Some((owner, folder)) => {
                Self::Shared { owner: owner.to_owned(), folder: MailboxName::new(folder).as_str().to_owned() }
            }
            None => Self::Own(name.as_str().to_owned()),
        }
    }
}

impl User {
    pub(super) fn new(account: AccountRecord) -> Self {
        Self { id: account.id, address: account.address.to_string().into() }
    }

    /// The folder of a name, with what the user may do there. One that the user may not even know of is not there.
    pub(super) async fn find(&self, context: &Context, name: &MailboxName) -> Outcome<Found> {
        let found = self.look_up(context, name).await?;
        found.ok_or_else(|| Stop::no(Code::Nonexistent, format!("there is no mailbox {name}")))
    }

    /// The same, with the rights that are needed.
    pub(super) async fn find_for(
        &self,
        context: &Context,
        name: &MailboxName,
        needed: Rights,
    ) -> Outcome<Found> {
        let found = self.find(context, name).await?;
        found.require(needed)?;
        Ok(found)
    }

    pub(super) async fn look_up(&self, context: &Context, name: &MailboxName) -> Outcome<Option<Found>> {
        let (store, user, place) = (context.directory.store().clone(), self.clone(), Place::of(name));
        read(move || user.look_up_now(&store, &place)).await
    }

    fn look_up_now(&self, store: &Store, place: &Place) -> Result<Option<Found>, StoreError> {
        match place {
            Place::Own(folder) => {
                let found = store.mailbox_named(self.id, folder)?;
                Ok(found.map(|mailbox| Found { mailbox, rights: Rights::ALL }))
            }
            Place::Shared { owner, folder } => {
                let Some(owner) = account(store, owner)? else { return Ok(None) };
                let Some(mailbox) = store.mailbox_named(owner.id, folder)? else { return Ok(None) };
                let rights = self.rights(store, owner.id, mailbox.id, &owner.address.to_string())?;
                let visible =
                    rights.has_any(Rights::LOOKUP | Rights::READ | Rights::ADMINISTER | Rights::INSERT);
                Ok(visible.then_some(Found { mailbox, rights }))
            }
        }
    }

    /// The identifiers by which lists may name the user.
    pub(super) fn identifiers(&self) -> [String; 2] {
        [ANYONE.to_owned(), self.address.to_string()]
    }

    /// The user's domain, within which folders are shared.
    pub(super) fn domain(&self) -> Option<Domain> {
        domain(&self.address).parse().ok()
    }

    /// What the user may do with a folder of an account, whose address is `owner`.
    pub(super) fn rights(
        &self,
        store: &Store,
        account: Id,
        mailbox: Id,
        owner: &str,
    ) -> Result<Rights, StoreError> {
        if account == self.id {
            return Ok(Rights::ALL);
        }
        let acl = store.acl(mailbox)?;
        Ok(granted(&acl, &self.address, domain(owner) == domain(&self.address)))
    }
}

/// The account of an address.
fn account(store: &Store, address: &str) -> Result<Option<AccountRecord>, StoreError> {
    let Ok(address) = address.parse::<Address>() else { return Ok(None) };
    match address.host() {
        Host::Domain(domain) => store.account(domain, &address.local().folded()),
        Host::Literal(_) => Ok(None),
    }
}

/// What an ACL gives to somebody; negative rights (`-name`) take away (RFC 4314 §2).
pub(super) fn granted(acl: &[(String, String)], address: &str, same_domain: bool) -> Rights {
    let of = |identifier: &str| {
        let entry = acl.iter().find(|(name, _)| name.eq_ignore_ascii_case(identifier));
        entry.and_then(|(_, rights)| Rights::parse(rights)).unwrap_or_default()
    };
    let anyone = if same_domain { of(ANYONE).without(of("-anyone")) } else { Rights::NONE };
    (anyone | of(address)).without(of(&format!("-{address}")))
}

fn domain(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or_default()
}

impl Found {
    pub(super) fn require(&self, needed: Rights) -> Outcome<()> {
        match self.rights.has(needed) {
            true => Ok(()),
            false => Err(Stop::no(Code::NoPerm, format!("you may not do that with {}", self.mailbox.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_users_own_or_somebodys_shared_folder() {
        let check = |name: &str, expected: Place| assert_eq!(Place::of(&MailboxName::new(name)), expected);
        check("inbox", Place::Own("INBOX".into()));
        check("Shared", Place::Own("Shared".into()));
        check("Shared/a@b", Place::Own("Shared/a@b".into()));
        check("Shared/a@b/inbox", Place::Shared { owner: "a@b".into(), folder: "INBOX".into() });
        check("Shared/a@b/x/y", Place::Shared { owner: "a@b".into(), folder: "x/y".into() });
    }

    #[test]
    fn rights_come_from_the_name_and_from_anyone_and_can_be_taken_away() {
        let entry = |name: &str, rights: &str| (name.to_owned(), rights.to_owned());
        let acl = [entry("anyone", "lrs"), entry("bob@b", "w"), entry("-eve@b", "r"), entry("x@b", "lrswa")];
        assert_eq!(granted(&acl, "bob@b", true).to_string(), "lrsw");
        assert_eq!(granted(&acl, "bob@b", false).to_string(), "w");
        assert_eq!(granted(&acl, "eve@b", true).to_string(), "ls");
        assert_eq!(granted(&[], "eve@b", true), Rights::NONE);
    }
}
