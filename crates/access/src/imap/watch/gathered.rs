//! What has happened and is to be told: gathered of the changes, without those that the client made itself.

use imap::Runs;
use imap::command::NotifyEvent;
use std::collections::{BTreeMap, BTreeSet};
use store::{Change, Id, MailboxChange};

/// What is to be told.
#[derive(Debug, Default)]
pub(in crate::imap) struct Gathered {
    pub(in crate::imap) messages: BTreeMap<Id, Happenings>,
    /// Entries that changed, of folders and, under `None`, of the account.
    pub(in crate::imap) notes: BTreeMap<Option<Id>, BTreeSet<String>>,
    /// There may be other folders now.
    pub(in crate::imap) folders: bool,
    /// More than was kept.
    pub(in crate::imap) overflow: bool,
}

/// Which kinds of events there were in a folder.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::imap) struct Happenings {
    new: bool,
    expunged: bool,
    flags: bool,
}

/// What the client has just done itself: it is not told of it (RFC 5465 §5).
#[derive(Debug)]
pub(in crate::imap) enum Own<'a> {
    Delivered(Id, &'a Runs),
    Expunged(Id, &'a Runs),
    /// Out of the one and into the other, which may be announced in any order.
    Moved {
        from: (Id, &'a Runs),
        to: (Id, &'a Runs),
    },
    Noted(Option<Id>, &'a [String]),
}

impl Happenings {
    pub(in crate::imap) const ANY: Self = Self { new: true, expunged: true, flags: true };

    fn note(&mut self, kind: &MailboxChange) {
        match kind {
            MailboxChange::Delivered { .. } => self.new = true,
            MailboxChange::Expunged { .. } => self.expunged = true,
            MailboxChange::Flags { .. } => self.flags = true,
            MailboxChange::Annotated | MailboxChange::Gone => {}
        }
    }

    pub(super) fn include(self, event: &NotifyEvent) -> bool {
        match event {
            NotifyEvent::MessageNew(_) => self.new,
            NotifyEvent::MessageExpunge => self.expunged,
            NotifyEvent::FlagChange => self.flags,
            _ => false,
        }
    }
}

impl Own<'_> {
    pub(super) fn is(&self, change: &Change, user: Id) -> bool {
        match (self, change) {
            (Self::Moved { from, to }, _) => {
                Self::Expunged(from.0, from.1).is(change, user)
                    || Self::Delivered(to.0, to.1).is(change, user)
            }
            (Self::Delivered(to, uids), Change::Mailbox { mailbox, kind, .. }) => {
                matches!(kind, MailboxChange::Delivered { first, .. } if uids.contains(*first))
                    && mailbox == to
            }
            (Self::Expunged(from, uids), Change::Mailbox { mailbox, kind, .. }) => {
                matches!(kind, MailboxChange::Expunged { uids: gone } if gone.difference(uids).is_empty())
                    && mailbox == from
            }
            (Self::Noted(of, names), Change::Metadata { mailbox, by, entries, .. }) => {
                let same = |(name, entry): (&String, &String)| name.eq_ignore_ascii_case(entry);
                mailbox == of
                    && *by == user
                    && names.len() == entries.len()
                    && names.iter().zip(&**entries).all(same)
            }
            _ => false,
        }
    }
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.notes.is_empty() && !self.folders && !self.overflow
    }

    pub(super) fn note(&mut self, change: &Change, user: Id) {
        match change {
            Change::Mailbox { mailbox, kind, .. } => {
                self.folders |= matches!(kind, MailboxChange::Gone);
                self.messages.entry(*mailbox).or_default().note(kind);
            }
            Change::Folders { .. } | Change::Access { .. } => self.folders = true,
            Change::Metadata { mailbox, by, entries, .. } => {
                let seen = entries.iter().filter(|entry| *by == user || entry.starts_with("/shared/"));
                let seen: Vec<String> = seen.cloned().collect();
                if !seen.is_empty() {
                    self.notes.entry(*mailbox).or_default().extend(seen);
                }
            }
            Change::Queued(_) | Change::Domains => {}
        }
    }
}
