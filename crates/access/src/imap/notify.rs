//! NOTIFY (RFC 5465): a client hears of folders that it has not selected, its own and those that others share with it.

use super::connection::{Driver, End};
use super::list::Listed;
use super::open::Watched;
use super::stop::{Outcome, Stop, read};
use super::watch::{Did, Gathered, Happenings, Known, Own, Watch};
use imap::command::{Notify, StatusItem};
use imap::fetch::{FetchItem, FetchModifiers};
use imap::response::{Code, Data, Status};
use imap::{MailboxName, Runs, SeqNumber, SequenceSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::Id;
use store::mailbox::Mailbox;

/// What is said of a folder in which something happened.
const TOLD: [StatusItem; 4] =
    [StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity, StatusItem::Unseen];

impl Driver {
    pub(super) async fn notify(&mut self, notify: Option<Notify>) -> Outcome<Status> {
        let Some(Notify { status, groups }) = notify else {
            self.watch = None;
            return Ok(Status::ok("nothing more is told"));
        };
        let user = self.user()?.id;
        let mut watch = Watch::new(user, groups, self.context.mailboxes.watch(user));
        let names = self.names_watched(&watch.watched).await?;
        for entry in watch.begin(folders(&names, user)) {
            self.data(&Data::List(entry));
        }
        if status {
            // RFC 5465 §3.1: of folders with events of messages, the selected one not among them.
            let selected = self.view.as_ref().map(|view| view.mailbox.id);
            for (name, listed) in &names {
                let Some(mailbox) = listed.found.as_ref().map(|found| &found.mailbox) else { continue };
                let wanted = watch.wants_messages(mailbox.id, Happenings::ANY).is_some();
                if Some(mailbox.id) != selected && wanted {
                    self.tell_status(name, mailbox)?;
                }
            }
        }
        self.watch = Some(Box::new(watch));
        Ok(Status::ok("you will be told"))
    }

    /// All names that the user can list. Whatever happens in those folders after they were read is told to `watched`.
    async fn names_watched(&self, watched: &Arc<Watched>) -> Outcome<BTreeMap<String, Listed>> {
        let user = self.user()?.id;
        loop {
            let names = self.names().await?;
            let found = names.values().filter_map(|listed| listed.found.as_ref());
            let owners = found.map(|found| found.mailbox.account).filter(|owner| *owner != user);
            let owners: BTreeSet<Id> = owners.collect();
            if !self.context.mailboxes.follow(watched, owners) {
                return Ok(names);
            }
        }
    }

    /// What has gathered of folders that are not selected.
    pub(super) async fn tell_watched(&mut self) -> Result<(), End> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        let gathered = watch.take();
        if !gathered.overflow {
            match self.tell_gathered(gathered).await {
                Ok(()) => return Ok(()),
                Err(Stop::End(end)) => return Err(end),
                // What could not be read cannot be told.
                Err(Stop::Answer(_)) => {}
            }
        }
        // RFC 5465 §5.8: as after NOTIFY NONE.
        self.watch = None;
        let status = Status::ok("not everything could be told").with(Code::NotificationOverflow);
        self.data(&Data::Status(status));
        Ok(())
    }

    async fn tell_gathered(&mut self, gathered: Gathered) -> Outcome<()> {
        if gathered.folders {
            let (user, watched) =
                (self.user()?.id, self.watch.as_ref().map(|watch| Arc::clone(&watch.watched)));
            let Some(watched) = watched else { return Ok(()) };
            let names = self.names_watched(&watched).await?;
            let Some(watch) = &mut self.watch else { return Ok(()) };
            for entry in watch.renew(folders(&names, user)) {
                self.data(&Data::List(entry));
            }
        }
        for (mailbox, entries) in gathered.notes {
            self.tell_notes(mailbox, entries);
        }
        let selected = self.view.as_ref().map(|view| view.mailbox.id);
        for (id, happened) in gathered.messages.into_iter().filter(|(id, _)| Some(*id) != selected) {
            let wanted = self.watch.as_ref().and_then(|watch| watch.wants_messages(id, happened));
            let Some(name) = wanted.map(|known| known.name.clone()) else { continue };
            let store = self.data_store();
            if let Some(mailbox) = read(move || store.mailbox(id)).await? {
                self.tell_status(&name, &mailbox)?;
            }
        }
        Ok(())
    }

    fn tell_status(&mut self, name: &str, mailbox: &Mailbox) -> Outcome<()> {
        let mut items = TOLD.to_vec();
        if self.session.enabled().condstore {
            items.push(StatusItem::HighestModSeq);
        }
        let items = self.status_of(mailbox, &items)?;
        self.data(&Data::MailboxStatus { mailbox: MailboxName::new(name), items });
        Ok(())
    }

    /// Names of entries that changed (RFC 5465 §5.6, §5.7; RFC 5464 §4.4.2).
    fn tell_notes(&mut self, mailbox: Option<Id>, entries: BTreeSet<String>) {
        let Some(watch) = &self.watch else { return };
        let mailbox = match mailbox {
            None if watch.wants_server_notes() => None,
            None => return,
            Some(id) => match watch.wants_notes(id) {
                Some(known) => Some(MailboxName::new(&known.name)),
                None => return,
            },
        };
        self.data(&Data::MetadataChanged { mailbox, entries: entries.into_iter().collect() });
    }

    /// What this client has done itself with messages or notes is nothing to tell it (RFC 5465 §5).
    pub(super) fn made(&mut self, own: &Own<'_>) {
        let Some(watch) = &mut self.watch else { return };
        self.context.mailboxes.catch_up();
        watch.made(own);
        if let (Own::Delivered(to, uids), Some(view)) = (own, &self.view)
            && view.mailbox.id == *to
        {
            watch.put(uids);
        }
    }

    /// The same of a folder.
    pub(super) fn did(&mut self, did: &Did<'_>) {
        if let Some(watch) = &mut self.watch {
            watch.did(did);
        }
    }

    /// New messages of the selected folder, with what NOTIFY asked for of them. Its own the client knows (RFC 5465 §5.2).
    pub(super) async fn tell_new(&mut self, new: &Runs) -> Outcome<()> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        let new = watch.of_others(new);
        let Some(mut items) = watch.fetched().map(<[_]>::to_vec) else { return Ok(()) };
        if new.is_empty() {
            return Ok(());
        }
        // RFC 7162 §3.2.4: nobody's FETCH is answered here, so that both are told whatever was asked for.
        if self.session.enabled().condstore && !items.contains(&FetchItem::ModSeq) {
            items.push(FetchItem::ModSeq);
        }
        let ranges = new.ranges().map(|run| (SeqNumber::Number(*run.start()), SeqNumber::Number(*run.end())));
        let set = SequenceSet::Numbers(ranges.collect());
        self.fetch(true, &set, items, FetchModifiers::default()).await.map(drop)
    }
}

fn folders(names: &BTreeMap<String, Listed>, user: Id) -> BTreeMap<Id, Known> {
    names.iter().filter_map(|(name, listed)| Known::of(name, listed, user)).collect()
}
