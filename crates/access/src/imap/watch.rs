//! What a client asked by NOTIFY to be told (RFC 5465), the folders as it knows them, and what has gathered for it.

mod gathered;
mod known;

pub(super) use gathered::{Gathered, Happenings, Own};
pub(super) use known::Known;

use super::open::{Happened, Watched};
use super::user::SHARED;
use super::view::View;
use imap::Runs;
use imap::command::{EventGroup, MailboxFilter, NotifyEvent};
use imap::fetch::FetchItem;
use imap::response::ListEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Change, Id, MailboxChange};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// One client's.
#[derive(Debug)]
pub(super) struct Watch {
    user: Id,
    groups: Vec<EventGroup>,
    /// Keeps the changes coming.
    pub(super) watched: Arc<Watched>,
    changes: Receiver<Happened>,
    /// Those that it can list, its own and what others share with it.
    folders: BTreeMap<Id, Known>,
    gathered: Gathered,
    /// Messages that it has put into the open folder itself, of which it has not been told there yet.
    own: Runs,
}

/// The same with a folder, by the names that the client has for it.
#[derive(Debug)]
pub(super) enum Did<'a> {
    Make(Id, &'a str),
    Remove(Id, &'a str),
    /// With all that is in it.
    Rename {
        id: Id,
        from: &'a str,
        to: &'a str,
    },
    Subscribe(&'a str, bool),
}

impl Watch {
    pub(super) fn new(user: Id, groups: Vec<EventGroup>, watched: Arc<Watched>) -> Self {
        let changes = watched.subscribe();
        let (folders, gathered, own) = Default::default();
        Self { user, groups, watched, changes, folders, gathered, own }
    }

    /// Until something happened that may have to be told.
    pub(super) async fn changed(&mut self) {
        while self.gathered.is_empty() {
            match self.changes.recv().await {
                Ok(Some(change)) => self.gathered.note(&change, self.user),
                Ok(None) | Err(RecvError::Lagged(_)) => self.gathered.overflow = true,
                // `watched` holds the other end.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// All that has gathered.
    pub(super) fn take(&mut self) -> Gathered {
        self.take_in(|_| false);
        std::mem::take(&mut self.gathered)
    }

    /// The client has done something, and it has been announced.
    pub(super) fn made(&mut self, own: &Own<'_>) {
        let user = self.user;
        self.take_in(|change| own.is(change, user));
    }

    /// The client has put messages into the folder that it has open.
    pub(super) fn put(&mut self, uids: &Runs) {
        self.own = self.own.union(uids);
    }

    /// Those of new messages in the open folder that are not the client's own.
    pub(super) fn of_others(&mut self, new: &Runs) -> Runs {
        new.difference(&std::mem::take(&mut self.own))
    }

    /// The client leaves the folder that it had open: what it was told there is not told once more.
    pub(super) fn left(&mut self, view: &View) {
        self.own = Runs::default();
        self.take_in(|change| match change {
            Change::Mailbox { mailbox, modseq, kind, .. } if *mailbox == view.mailbox.id => match kind {
                MailboxChange::Expunged { uids } => uids.intersection(view.uids()).is_empty(),
                MailboxChange::Delivered { .. } | MailboxChange::Flags { .. } | MailboxChange::Annotated => {
                    *modseq <= view.modseq()
                }
                MailboxChange::Gone => false,
            },
            _ => false,
        });
    }

    fn take_in(&mut self, is_known: impl Fn(&Change) -> bool) {
        while !self.gathered.overflow {
            match self.changes.try_recv() {
                Ok(Some(change)) if is_known(&change) => {}
                Ok(Some(change)) => self.gathered.note(&change, self.user),
                Ok(None) | Err(TryRecvError::Lagged(_)) => self.gathered.overflow = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Whether changes of the selected folder are told at once.
    pub(super) fn selected(&self) -> bool {
        self.groups.iter().any(|group| group.mailboxes == MailboxFilter::Selected)
    }

    /// What is to be fetched of new messages in the selected folder.
    pub(super) fn fetched(&self) -> Option<&[FetchItem]> {
        self.of_selected().iter().find_map(|event| match event {
            NotifyEvent::MessageNew(items) if !items.is_empty() => Some(&items[..]),
            _ => None,
        })
    }

    /// Whether flags of the selected folder are told. Without a group for it none of its events are wanted (§3.1).
    pub(super) fn wants_flags(&self) -> bool {
        self.of_selected().contains(&NotifyEvent::FlagChange)
    }

    fn of_selected(&self) -> &[NotifyEvent] {
        let selected = [MailboxFilter::Selected, MailboxFilter::SelectedDelayed];
        let group = self.groups.iter().find(|group| selected.contains(&group.mailboxes));
        group.map_or(&[], |group| &group.events)
    }

    pub(super) fn wants_server_notes(&self) -> bool {
        self.groups.iter().any(|group| group.events.contains(&NotifyEvent::ServerMetadataChange))
    }

    /// The folder, if the client is to be told of what happened to its messages.
    pub(super) fn wants_messages(&self, mailbox: Id, happened: Happenings) -> Option<&Known> {
        self.readable(mailbox, |event| happened.include(event))
    }

    /// The same of its notes.
    pub(super) fn wants_notes(&self, mailbox: Id) -> Option<&Known> {
        self.readable(mailbox, |event| *event == NotifyEvent::MailboxMetadataChange)
    }

    fn readable(&self, mailbox: Id, is: impl Fn(&NotifyEvent) -> bool) -> Option<&Known> {
        self.folders.get(&mailbox).filter(|known| known.readable && self.wants(known, is))
    }

    /// Whether an event of a folder is wanted: each group that it belongs to counts (§6).
    fn wants(&self, known: &Known, is: impl Fn(&NotifyEvent) -> bool) -> bool {
        let groups = self.groups.iter().filter(|group| known.matches(&group.mailboxes));
        groups.flat_map(|group| &group.events).any(is)
    }

    fn wants_name(&self, known: &Known) -> bool {
        self.wants(known, |event| *event == NotifyEvent::MailboxName)
    }

    fn wants_subscription(&self, known: &Known) -> bool {
        self.wants(known, |event| *event == NotifyEvent::SubscriptionChange)
    }

    /// Whether something is wanted of the folder that only who may read it is told.
    fn wants_to_read(&self, known: &Known) -> bool {
        self.wants(known, |event| {
            Happenings::ANY.include(event) || *event == NotifyEvent::MailboxMetadataChange
        })
    }

    /// The client asks for the first time: the folders as they are, and what it is told of those that it may not read
    /// (§3.1).
    pub(super) fn begin(&mut self, folders: BTreeMap<Id, Known>) -> Vec<ListEntry> {
        self.folders = folders;
        let closed = self.folders.values().filter(|known| !known.readable && self.wants_to_read(known));
        closed.map(|known| known.entry(None)).collect()
    }

    /// What the client has done with a folder it knows, unless it takes that folder for another: then it is told.
    pub(super) fn did(&mut self, did: &Did<'_>) {
        match *did {
            Did::Make(id, name) => {
                let own = !name.starts_with(SHARED);
                let (name, attributes) = (name.to_owned(), Vec::new());
                let made = Known { name, own, subscribed: false, readable: true, attributes };
                self.folders.entry(id).or_insert(made);
            }
            Did::Remove(id, name) if self.is_named(id, name) => drop(self.folders.remove(&id)),
            Did::Rename { id, from, to } if self.is_named(id, from) => {
                for known in self.folders.values_mut().filter(|known| known.is_within(from)) {
                    // Subscriptions keep their names.
                    known.subscribed = false;
                    known.name = format!("{to}{}", &known.name[from.len()..]);
                }
            }
            Did::Subscribe(name, subscribed) => {
                for known in self.folders.values_mut().filter(|known| known.name == name) {
                    known.subscribed = subscribed;
                }
            }
            Did::Remove(..) | Did::Rename { .. } => {}
        }
    }

    fn is_named(&self, id: Id, name: &str) -> bool {
        self.folders.get(&id).is_some_and(|known| known.name == name)
    }

    /// The folders are these now. What the client is told of it (§5.4, §5.5, §5.9): what has gone, what has a new name, and
    /// what is there, so that who goes by one after the other ends with the right names.
    pub(super) fn renew(&mut self, now: BTreeMap<Id, Known>) -> Vec<ListEntry> {
        let before = std::mem::replace(&mut self.folders, now);
        let (mut told, mut there) = (Vec::new(), BTreeMap::new());
        // A folder that comes or goes concerns the one that it is in as well.
        let mut parents = BTreeSet::new();
        for (_, gone) in by_name(&before).filter(|(id, _)| !self.folders.contains_key(id)) {
            if self.wants_name(gone) {
                told.push(gone.entry_without("\\NonExistent"));
                parents.extend(above(&gone.name));
            } else if !gone.own && gone.readable && self.wants_to_read(gone) {
                told.push(gone.entry_without("\\NoAccess"));
            }
        }
        let renamed = self.renamed(&before);
        // Names that are told to be none any more. Those that are another folder's now are told after.
        let mut ended: BTreeSet<String> =
            told.iter().map(|entry: &ListEntry| entry.mailbox.clone()).collect();
        ended.extend(renamed.values().map(|old| (*old).to_owned()));
        for (id, known) in by_name(&self.folders) {
            let name = known.name.as_str();
            let Some(old) = before.get(id) else {
                if self.wants_name(known) {
                    there.insert(name, known.entry(None));
                    parents.extend(above(name));
                }
                continue;
            };
            let old_name = renamed.get(name).copied().filter(|old| !moved_along(name, old, &renamed));
            if old_name.is_some() {
                told.push(known.entry(old_name));
            }
            // Who unsubscribes takes the folder out of SUBSCRIBED groups, and is to hear that as well.
            let subscribed = old.subscribed != known.subscribed
                && (self.wants_subscription(known) || self.wants_subscription(old));
            let access = old.readable != known.readable && self.wants_to_read(known);
            let another = ended.contains(name) && self.wants_name(known);
            if another || access || (subscribed && old_name.is_none()) {
                there.insert(name, known.entry(None));
            }
        }
        for known in self.folders.values().filter(|known| parents.contains(known.name.as_str())) {
            if self.wants_name(known) {
                there.entry(&known.name).or_insert_with(|| known.entry(None));
            }
        }
        told.extend(there.into_values());
        told
    }

    /// Folders that have other names now, by the new one, as far as that is to be told: to who asked about the one or the
    /// other.
    fn renamed<'a>(&'a self, before: &'a BTreeMap<Id, Known>) -> BTreeMap<&'a str, &'a str> {
        let both = self.folders.iter().filter_map(|(id, known)| Some((known, before.get(id)?)));
        let renamed = both.filter(|(known, old)| known.name != old.name);
        let told = renamed.filter(|(known, old)| self.wants_name(known) || self.wants_name(old));
        told.map(|(known, old)| (known.name.as_str(), old.name.as_str())).collect()
    }
}

fn by_name(folders: &BTreeMap<Id, Known>) -> impl Iterator<Item = (&Id, &Known)> {
    let mut folders: Vec<_> = folders.iter().collect();
    folders.sort_unstable_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    folders.into_iter()
}

/// The name of what a folder is in.
fn above(name: &str) -> Option<&str> {
    name.rsplit_once('/').map(|(above, _)| above)
}

/// Whether a folder has its new name because what it is in was renamed, of which that is told alone (§5.4).
fn moved_along(name: &str, old: &str, renamed: &BTreeMap<&str, &str>) -> bool {
    match (name.rsplit_once('/'), old.rsplit_once('/')) {
        (Some((above, last)), Some((old_above, old_last))) => {
            last == old_last && renamed.get(above) == Some(&old_above)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imap::MailboxName;

    fn known(name: &str) -> Known {
        let attributes = vec!["\\HasNoChildren".to_owned()];
        Known { name: name.to_owned(), own: true, subscribed: false, readable: true, attributes }
    }

    /// Folders by id, as `1:Name`.
    fn folders(list: &[(u8, &str)], ids: &[Id]) -> BTreeMap<Id, Known> {
        list.iter().map(|(id, name)| (ids[usize::from(*id)], known(name))).collect()
    }

    #[test]
    fn whoever_follows_what_is_told_of_names_has_the_right_ones() {
        let ids: Vec<Id> = (0..5).map(|_| Id::generate()).collect();
        let check = |before: &[(u8, &str)], now: &[(u8, &str)], expected: &[&str]| {
            let events = vec![NotifyEvent::MailboxName];
            let groups = vec![EventGroup { mailboxes: MailboxFilter::Personal, events }];
            let mut watch = Watch::new(ids[0], groups, Watched::alone(ids[0]));
            assert!(watch.begin(folders(before, &ids)).is_empty());
            let told = watch.renew(folders(now, &ids));
            let words = told.iter().map(|entry| match (&entry.old_name, entry.attributes[0].as_str()) {
                (_, "\\NonExistent") => format!("-{}", entry.mailbox),
                (Some(old), _) => format!("{old}>{}", entry.mailbox),
                (None, _) => format!("+{}", entry.mailbox),
            });
            assert_eq!(words.collect::<Vec<_>>(), expected);
            let mut names: BTreeSet<String> = before.iter().map(|(_, name)| (*name).to_owned()).collect();
            for ListEntry { mailbox, old_name, attributes, .. } in &told {
                let moved = |name: String| match old_name.as_ref().and_then(|old| name.strip_prefix(old)) {
                    Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{mailbox}{rest}"),
                    _ => name,
                };
                names = names.into_iter().map(moved).collect();
                match attributes[0].as_str() {
                    "\\NonExistent" => names.remove(mailbox),
                    _ => names.insert(mailbox.clone()),
                };
            }
            assert_eq!(names, now.iter().map(|(_, name)| (*name).to_owned()).collect());
        };
        check(&[(1, "a")], &[(1, "a")], &[]);
        check(&[(1, "a")], &[(1, "a"), (2, "a/b")], &["+a", "+a/b"]);
        check(&[(1, "a"), (2, "a/b")], &[(1, "a")], &["-a/b", "+a"]);
        check(&[(1, "a")], &[(2, "a")], &["-a", "+a"]);
        check(&[(1, "a"), (2, "a/b"), (3, "a/b/c")], &[(1, "x"), (2, "x/b"), (3, "x/b/c")], &["a>x"]);
        check(&[(1, "a")], &[(1, "b"), (2, "a")], &["a>b", "+a"]);
        check(&[(1, "a"), (2, "b")], &[(1, "b"), (2, "c")], &["a>b", "b>c", "+b"]);
        check(&[(1, "a"), (2, "b")], &[(1, "b"), (2, "a")], &["b>a", "a>b", "+a", "+b"]);
    }

    #[test]
    fn own_doings_are_not_gathered_and_those_of_others_are() {
        let (user, folder) = (Id::generate(), Id::generate());
        let watched = Watched::alone(user);
        let events = vec![NotifyEvent::MessageNew(Vec::new()), NotifyEvent::MessageExpunge];
        let groups =
            vec![EventGroup { mailboxes: MailboxFilter::Mailboxes(vec![MailboxName::new("a")]), events }];
        let mut watch = Watch::new(user, groups, Arc::clone(&watched));
        let delivered = |first, last| Change::Mailbox {
            account: user,
            mailbox: folder,
            modseq: 1,
            kind: MailboxChange::Delivered { first, last },
        };
        let noted = |by, entry: &str| Change::Metadata {
            account: user,
            mailbox: Some(folder),
            by,
            entries: [entry.to_owned()].into(),
        };
        let own = Runs::from_ranges([1..=3]);
        watched.send(Some(Arc::new(delivered(1, 3))));
        watch.made(&Own::Delivered(folder, &own));
        watched.send(Some(Arc::new(noted(user, "/private/x"))));
        watch.made(&Own::Noted(Some(folder), &["/Private/X".to_owned()]));
        watched.send(Some(Arc::new(noted(Id::generate(), "/private/x"))));
        assert!(watch.take().is_empty());
        watched.send(Some(Arc::new(delivered(4, 4))));
        watch.made(&Own::Delivered(folder, &own));
        watched.send(Some(Arc::new(noted(Id::generate(), "/shared/x"))));
        let gathered = watch.take();
        assert_eq!((gathered.messages.len(), gathered.notes.len()), (1, 1));
    }
}
