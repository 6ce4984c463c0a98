//! A folder as the client knows it, and as it is told.

use crate::imap::list::Listed;
use crate::imap::rights::Rights;
use imap::command::MailboxFilter;
use imap::response::ListEntry;
use store::Id;
use store::mailbox::INBOX;

/// A folder as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imap) struct Known {
    pub(in crate::imap) name: String,
    pub(super) own: bool,
    pub(super) subscribed: bool,
    /// What happens to its messages and notes is told to who may read it alone (§5).
    pub(super) readable: bool,
    /// As LIST tells them.
    pub(super) attributes: Vec<String>,
}

impl Known {
    /// A name that can be listed, if there is a folder of that name.
    pub(in crate::imap) fn of(name: &str, listed: &Listed, user: Id) -> Option<(Id, Self)> {
        let found = listed.found.as_ref()?;
        let readable = found.rights.has(Rights::LOOKUP | Rights::READ);
        let mut attributes = listed.attributes(true, true);
        if !readable {
            attributes.push("\\NoAccess".into());
        }
        let own = found.mailbox.account == user;
        let (name, subscribed) = (name.to_owned(), listed.subscribed);
        Some((found.mailbox.id, Self { name, own, subscribed, readable, attributes }))
    }

    pub(super) fn entry(&self, old_name: Option<&str>) -> ListEntry {
        let (mailbox, attributes) = (self.name.clone(), self.attributes.clone());
        ListEntry { mailbox, attributes, old_name: old_name.map(str::to_owned), ..ListEntry::default() }
    }

    /// When it is not there any more, or not for this client.
    pub(super) fn entry_without(&self, attribute: &str) -> ListEntry {
        let attributes = vec![attribute.to_owned()];
        ListEntry { mailbox: self.name.clone(), attributes, ..ListEntry::default() }
    }

    pub(super) fn is_within(&self, root: &str) -> bool {
        self.name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(super) fn matches(&self, filter: &MailboxFilter) -> bool {
        match filter {
            MailboxFilter::Selected | MailboxFilter::SelectedDelayed => false,
            MailboxFilter::Inboxes => self.own && self.name == INBOX,
            MailboxFilter::Personal => self.own,
            MailboxFilter::Subscribed => self.subscribed,
            MailboxFilter::Mailboxes(names) => names.iter().any(|named| named.as_str() == self.name),
            MailboxFilter::Subtree(roots) => roots.iter().any(|root| self.is_within(root.as_str())),
        }
    }
}
