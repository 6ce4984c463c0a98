//! CREATE, DELETE, RENAME, SUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8).

use super::connection::Driver;
use super::message::mailbox_id;
use super::rights::Rights;
use super::stop::{Outcome, Stop, read};
use super::user::Place;
use super::watch::{Did, Own};
use imap::MailboxName;
use imap::response::{Code, Status};
use store::mailbox::INBOX;

/// Special uses that a client may ask for (RFC 6154 §3). `\All`, `\Flagged` and `\Important` are views, which there are
/// none of here.
const USES: [&str; 5] = ["\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"];

impl Driver {
    pub(super) async fn create(&mut self, name: &MailboxName, special_use: &[String]) -> Outcome<Status> {
        // RFC 9051 §6.3.4: a trailing delimiter says that there will be names below, which needs nothing here.
        let name = MailboxName::new(name.as_str().trim_end_matches('/'));
        let role = match special_use {
            [] => None,
            [one] => Some(known_use(one)?),
            _ => return Err(Stop::no(Code::UseAttr, "a mailbox has one special use at most")),
        };
        let (owner, folder) = self.place_to_make(&name).await?;
        let made = self.data_store().create_mailbox_shared_as_above(owner, &folder, role).await?;
        self.did(&Did::Make(made.id, name.as_str()));
        let id = Code::MailboxId(mailbox_id(made.id));
        Ok(Status::ok("the mailbox is there").with(id))
    }

    /// Whose folder it would be, and its name there.
    async fn place_to_make(&self, name: &MailboxName) -> Outcome<(store::Id, String)> {
        let user = self.user()?;
        match Place::of(name) {
            Place::Own(folder) => Ok((user.id, folder)),
            Place::Shared { owner, folder } => {
                let above = folder.rsplit_once('/').map(|(above, _)| format!("Shared/{owner}/{above}"));
                let missing = || Stop::no(Code::NoPerm, "only the owner makes mailboxes there");
                let above = MailboxName::new(&above.ok_or_else(missing)?);
                let found = user.find_for(&self.context, &above, Rights::CREATE).await?;
                Ok((found.mailbox.account, folder))
            }
        }
    }

    pub(super) async fn delete(&mut self, name: &MailboxName) -> Outcome<Status> {
        let found = self.user()?.find_for(&self.context, name, Rights::DELETE).await?;
        if found.mailbox.name == INBOX {
            return Err(Stop::no(Code::Cannot, "INBOX stays"));
        }
        let below = format!("{}/", found.mailbox.name);
        let (store, owner) = (self.data_store(), found.mailbox.account);
        let has_children =
            read(move || Ok(store.mailboxes(owner)?.iter().any(|other| other.name.starts_with(&below))))
                .await?;
        if has_children {
            return Err(Stop::no(Code::HasChildren, "there are mailboxes in it: delete those first"));
        }
        self.data_store().delete_mailbox(found.mailbox.id).await?;
        // Not before: a client that is told NO has it open still.
        if self.view.as_ref().is_some_and(|view| view.mailbox.id == found.mailbox.id) {
            self.unselect().await?;
        }
        self.did(&Did::Remove(found.mailbox.id, name.as_str()));
        Ok(Status::ok("the mailbox is gone"))
    }

    pub(super) async fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Outcome<Status> {
        let to = MailboxName::new(to.as_str().trim_end_matches('/'));
        let found = self.user()?.find_for(&self.context, from, Rights::DELETE).await?;
        let (owner, folder) = self.place_to_make(&to).await?;
        if owner != found.mailbox.account {
            return Err(Stop::no(Code::Cannot, "a mailbox stays with its owner"));
        }
        let id = found.mailbox.id;
        match self.data_store().rename_mailbox(id, &folder).await? {
            None => self.did(&Did::Rename { id, from: from.as_str(), to: to.as_str() }),
            // INBOX stays, and what is made of its messages is another folder.
            Some((made, moved)) => {
                self.did(&Did::Make(made.id, to.as_str()));
                let (from, to) = ((id, &moved.pairs.from), (made.id, &moved.pairs.to));
                self.made(&Own::Moved { from, to });
            }
        }
        Ok(Status::ok("the mailbox has its new name"))
    }

    pub(super) async fn subscribe(&mut self, name: &MailboxName, subscribed: bool) -> Outcome<Status> {
        let user = self.user()?.id;
        self.data_store().subscribe(user, name.as_str(), subscribed).await?;
        self.did(&Did::Subscribe(name.as_str(), subscribed));
        Ok(Status::ok("done"))
    }
}

fn known_use(named: &str) -> Outcome<&'static str> {
    let known = USES.into_iter().find(|known| known.eq_ignore_ascii_case(named));
    known.ok_or_else(|| Stop::no(Code::UseAttr, format!("{named} is no special use that can be given")))
}
