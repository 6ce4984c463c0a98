//! NOTIFY (RFC 5465): a client hears of folders that it has not selected.
//!
//! Of an account's own folders; those that others share are looked at when they are selected.

use super::connection::Driver;
use super::open::{Happened, Watched};
use super::stop::{Outcome, Stop, read};
use imap::command::{EventGroup, MailboxFilter, Notify, NotifyEvent, StatusItem};
use imap::fetch::{FetchItem, FetchModifiers};
use imap::response::{Code, Data, ListEntry, Status};
use imap::{MailboxName, Runs, SeqNumber, SequenceSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::mailbox::{INBOX, Mailbox};
use store::{Change, Id, MailboxChange};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Events that are told of, as BADEVENT names them.
const SUPPORTED: [&str; 5] =
    ["MessageNew", "MessageExpunge", "FlagChange", "MailboxName", "SubscriptionChange"];
/// What is said of a folder in which something happened.
const TOLD: [StatusItem; 4] =
    [StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity, StatusItem::Unseen];

/// What a client asked to be told.
#[derive(Debug)]
pub(super) struct Watch {
    groups: Vec<EventGroup>,
    changes: Receiver<Happened>,
    /// Keeps the account's changes coming.
    _watched: Arc<Watched>,
    /// A change that [`Watch::changed`] took.
    first: Option<Result<Happened, RecvError>>,
    /// Folders as the client knows them, if it wants to hear of names.
    names: BTreeMap<Id, Known>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    name: String,
    subscribed: bool,
}

/// What has gathered.
#[derive(Debug, Default)]
struct Gathered {
    mailboxes: BTreeMap<Id, Happenings>,
    folders: bool,
    overflow: bool,
}

/// Which kinds of events there were in a folder.
#[derive(Debug, Clone, Copy, Default)]
struct Happenings {
    new: bool,
    expunged: bool,
    flags: bool,
}

impl Happenings {
    fn note(&mut self, kind: &MailboxChange) {
        match kind {
            MailboxChange::Delivered { .. } => self.new = true,
            MailboxChange::Expunged { .. } => self.expunged = true,
            MailboxChange::Flags { .. } => self.flags = true,
            MailboxChange::Gone => {}
        }
    }

    fn include(self, event: &NotifyEvent) -> bool {
        match event {
            NotifyEvent::MessageNew(_) => self.new,
            NotifyEvent::MessageExpunge => self.expunged,
            NotifyEvent::FlagChange => self.flags,
            _ => false,
        }
    }
}

impl Watch {
    /// Until something happened.
    pub(super) async fn changed(&mut self) {
        if self.first.is_none() {
            self.first = Some(self.changes.recv().await);
        }
    }

    /// Whether changes of the selected folder are told at once.
    pub(super) fn selected(&self) -> bool {
        self.groups.iter().any(|group| group.mailboxes == MailboxFilter::Selected)
    }

    /// What is to be fetched of new messages in the selected folder.
    fn fetched(&self) -> Option<&[FetchItem]> {
        self.of_selected().iter().find_map(|event| match event {
            NotifyEvent::MessageNew(items) if !items.is_empty() => Some(&items[..]),
            _ => None,
        })
    }

    /// Whether flags of the selected folder are told. Without a group for it none of its events are wanted (RFC 5465 §3.1).
    pub(super) fn wants_flags(&self) -> bool {
        self.of_selected().contains(&NotifyEvent::FlagChange)
    }

    fn of_selected(&self) -> &[NotifyEvent] {
        let selected = [MailboxFilter::Selected, MailboxFilter::SelectedDelayed];
        let group = self.groups.iter().find(|group| selected.contains(&group.mailboxes));
        group.map_or(&[], |group| &group.events)
    }

    fn wants_names(&self) -> bool {
        let names =
            |event: &NotifyEvent| matches!(event, NotifyEvent::MailboxName | NotifyEvent::SubscriptionChange);
        self.groups.iter().any(|group| group.events.iter().any(names))
    }

    fn gather(&mut self) -> Gathered {
        let mut gathered = Gathered::default();
        let mut next = self.first.take().map(|first| first.map_err(|_| TryRecvError::Lagged(0)));
        loop {
            let happened = match next.take().unwrap_or_else(|| self.changes.try_recv()) {
                Ok(Some(happened)) => happened,
                Ok(None) | Err(TryRecvError::Lagged(_)) => {
                    gathered.overflow = true;
                    return gathered;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return gathered,
            };
            match &*happened {
                Change::Mailbox { mailbox, kind, .. } => {
                    gathered.folders |= matches!(kind, MailboxChange::Gone);
                    gathered.mailboxes.entry(*mailbox).or_default().note(kind);
                }
                Change::Folders { .. } => gathered.folders = true,
                _ => {}
            }
        }
    }

    /// Whether an event of a folder is wanted: each group that it belongs to counts (RFC 5465 §6).
    fn wants(&self, mailbox: &Known, is: impl Fn(&NotifyEvent) -> bool) -> bool {
        let groups = self.groups.iter().filter(|group| matches(&group.mailboxes, mailbox));
        groups.flat_map(|group| &group.events).any(is)
    }
}

fn matches(filter: &MailboxFilter, mailbox: &Known) -> bool {
    let name = mailbox.name.as_str();
    match filter {
        MailboxFilter::Selected | MailboxFilter::SelectedDelayed => false,
        MailboxFilter::Inboxes => name == INBOX,
        MailboxFilter::Personal => true,
        MailboxFilter::Subscribed => mailbox.subscribed,
        MailboxFilter::Mailboxes(names) => names.iter().any(|named| named.as_str() == name),
        MailboxFilter::Subtree(roots) => roots.iter().any(|root| {
            name.strip_prefix(root.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }),
    }
}

fn is_supported(event: &NotifyEvent) -> bool {
    !matches!(
        event,
        NotifyEvent::AnnotationChange
            | NotifyEvent::MailboxMetadataChange
            | NotifyEvent::ServerMetadataChange
    )
}

impl Driver {
    pub(super) async fn notify(&mut self, notify: Option<Notify>) -> Outcome<Status> {
        let Some(Notify { status, groups }) = notify else {
            self.watch = None;
            return Ok(Status::ok("nothing more is told"));
        };
        if !groups.iter().flat_map(|group| &group.events).all(is_supported) {
            let code = Code::BadEvent(SUPPORTED.map(str::to_owned).to_vec());
            return Err(Stop::no(code, "not all of these events are known"));
        }
        let watched = self.context.mailboxes.watch(self.user()?.id);
        let changes = watched.subscribe();
        let mut watch = Watch { groups, changes, _watched: watched, first: None, names: BTreeMap::new() };
        let mailboxes = self.own_mailboxes().await?;
        if watch.wants_names() {
            watch.names = mailboxes.iter().map(known).collect();
        }
        if status {
            // RFC 5465 §3.1: of folders with events of messages, the selected one not among them.
            let selected = self.view.as_ref().map(|view| view.mailbox.id);
            let any = Happenings { new: true, expunged: true, flags: true };
            let wanted = |mailbox: &&Mailbox| {
                Some(mailbox.id) != selected && watch.wants(&known(mailbox).1, |event| any.include(event))
            };
            for mailbox in mailboxes.iter().filter(wanted) {
                self.tell_status(mailbox);
            }
        }
        self.watch = Some(Box::new(watch));
        Ok(Status::ok("you will be told"))
    }

    /// What has gathered of folders that are not selected.
    pub(super) async fn tell_watched(&mut self) -> Outcome<()> {
        let Some(mut watch) = self.watch.take() else { return Ok(()) };
        let gathered = watch.gather();
        if gathered.overflow {
            // RFC 5465 §5.8: as after NOTIFY NONE.
            let status = Status::ok("too much happened at once").with(Code::NotificationOverflow);
            self.data(&Data::Status(status));
            return Ok(());
        }
        if gathered.folders && watch.wants_names() {
            self.tell_names(&mut watch).await?;
        }
        let selected = self.view.as_ref().map(|view| view.mailbox.id);
        for (id, happened) in gathered.mailboxes.into_iter().filter(|(id, _)| Some(*id) != selected) {
            let store = self.data_store();
            let Some(mailbox) = read(move || store.mailbox(id)).await? else { continue };
            if watch.wants(&known(&mailbox).1, |event| happened.include(event)) {
                self.tell_status(&mailbox);
            }
        }
        self.watch = Some(watch);
        Ok(())
    }

    fn tell_status(&mut self, mailbox: &Mailbox) {
        let mut items = TOLD.to_vec();
        if self.session.enabled().condstore {
            items.push(StatusItem::HighestModSeq);
        }
        let items = self.status_of(mailbox, &items);
        self.data(&Data::MailboxStatus { mailbox: MailboxName::new(&mailbox.name), items });
    }

    /// What this client has done itself with a folder is nothing to tell it (RFC 5465 §5): from now on it knows the
    /// folder of this name and those below as they are.
    pub(super) async fn knows(&mut self, name: &str) -> Outcome<()> {
        if !self.watch.as_ref().is_some_and(|watch| watch.wants_names()) {
            return Ok(());
        }
        let now: BTreeMap<Id, Known> = self.own_mailboxes().await?.iter().map(known).collect();
        let Some(watch) = &mut self.watch else { return Ok(()) };
        let concerned = |known: &Known| {
            known.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        watch.names.retain(|id, known| now.contains_key(id) || !concerned(known));
        watch.names.extend(now.into_iter().filter(|(_, known)| concerned(known)));
        Ok(())
    }

    /// Folders that were made, renamed, removed, subscribed (RFC 5465 §5.4, §5.5).
    async fn tell_names(&mut self, watch: &mut Watch) -> Outcome<()> {
        let mailboxes = self.own_mailboxes().await?;
        let now: BTreeMap<Id, Known> = mailboxes.iter().map(known).collect();
        let is_name = |event: &NotifyEvent| *event == NotifyEvent::MailboxName;
        let is_subscription = |event: &NotifyEvent| *event == NotifyEvent::SubscriptionChange;
        for (id, known) in &watch.names {
            if !now.contains_key(id) && watch.wants(known, is_name) {
                let attributes = vec!["\\NonExistent".to_owned()];
                let mailbox = known.name.clone();
                self.data(&Data::List(ListEntry { attributes, mailbox, ..ListEntry::default() }));
            }
        }
        for (id, known) in &now {
            let before = watch.names.get(id);
            let named = before.is_none_or(|before| before.name != known.name)
                && (watch.wants(known, is_name) || before.is_some_and(|before| watch.wants(before, is_name)));
            // Who unsubscribes takes the folder out of SUBSCRIBED groups, and is to hear that as well.
            let subscription = before.filter(|before| before.subscribed != known.subscribed);
            let subscribed = subscription.is_some_and(|before| {
                watch.wants(known, is_subscription) || watch.wants(before, is_subscription)
            });
            if !named && !subscribed {
                continue;
            }
            let attributes = if known.subscribed { vec!["\\Subscribed".to_owned()] } else { Vec::new() };
            let old_name = before.map(|before| before.name.clone()).filter(|before| *before != known.name);
            let mailbox = known.name.clone();
            self.data(&Data::List(ListEntry { attributes, mailbox, old_name, ..ListEntry::default() }));
        }
        watch.names = now;
        Ok(())
    }

    /// New messages of the selected folder, with what NOTIFY asked for of them.
    pub(super) async fn tell_new(&mut self, new: &Runs) -> Outcome<()> {
        let Some(items) = self.watch.as_ref().and_then(|watch| watch.fetched()).map(<[_]>::to_vec) else {
            return Ok(());
        };
        if new.is_empty() {
            return Ok(());
        }
        let ranges = new.ranges().map(|run| (SeqNumber::Number(*run.start()), SeqNumber::Number(*run.end())));
        let set = SequenceSet::Numbers(ranges.collect());
        self.fetch(true, &set, items, FetchModifiers::default()).await.map(drop)
    }

    async fn own_mailboxes(&self) -> Outcome<Vec<Mailbox>> {
        let (store, user) = (self.data_store(), self.user()?.id);
        read(move || store.mailboxes(user)).await
    }
}

fn known(mailbox: &Mailbox) -> (Id, Known) {
    (mailbox.id, Known { name: mailbox.name.clone(), subscribed: mailbox.subscribed })
}
