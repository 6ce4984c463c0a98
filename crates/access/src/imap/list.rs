//! LIST, LSUB, STATUS (RFC 9051 §6.3.9 and §6.3.11; RFC 5258, RFC 5819, RFC 6154, RFC 8438, RFC 8440).

use super::connection::Driver;
use super::message::mailbox_id;
use super::rights::Rights;
use super::stop::{Outcome, read};
use super::user::{Found, SHARED, User};
use imap::MailboxName;
use imap::command::{List, ListReturn, ListSelect, StatusItem};
use imap::name::Pattern;
use imap::response::{Data, ListEntry, Status, StatusValue};
use std::collections::BTreeMap;
use store::mailbox::Mailbox;
use store::{Store, StoreError};

/// A name that can be listed.
#[derive(Debug, Default)]
struct Listed {
    /// `None`: a level above folders, or a subscribed name without a folder.
    found: Option<Found>,
    subscribed: bool,
    has_children: bool,
    /// A name below is subscribed.
    child_subscribed: bool,
}

impl Driver {
    pub(super) async fn list(&mut self, list: List) -> Outcome<Status> {
        if !list.extended && list.patterns.iter().all(String::is_empty) {
            // RFC 9051 §6.3.9: an empty pattern asks for the delimiter.
            let flat = ListEntry { attributes: vec!["\\Noselect".into()], ..ListEntry::default() };
            self.data(&Data::List(flat));
            return Ok(Status::ok("this is the delimiter"));
        }
        let patterns = list.patterns.iter().filter(|pattern| !pattern.is_empty());
        let patterns: Vec<Pattern> = patterns.map(|pattern| Pattern::new(&list.reference, pattern)).collect();
        let names = self.names().await?;
        for (name, listed) in &names {
            if !patterns.iter().any(|pattern| pattern.matches(name)) {
                continue;
            }
            let Some(entry) = entry(name, listed, list.select, &list.returns) else { continue };
            self.data(&Data::List(entry));
            if let (true, Some(found)) = (list.returns.my_rights, &listed.found) {
                let rights = found.rights.to_string();
                self.data(&Data::MyRights { mailbox: MailboxName::new(name), rights });
            }
            if let (Some(items), Some(found)) = (&list.returns.status, &listed.found)
                && found.rights.has(Rights::READ)
            {
                let mailbox = MailboxName::new(name);
                let items = self.status_of(&found.mailbox, items);
                self.data(&Data::MailboxStatus { mailbox, items });
            }
            self.relieve().await?;
        }
        Ok(Status::ok("these are the mailboxes"))
    }

    /// RFC 3501 §6.3.9: subscribed names; with `%`, levels above them as well.
    pub(super) async fn lsub(&mut self, reference: &str, pattern: &str) -> Outcome<Status> {
        let pattern = Pattern::new(reference, pattern);
        for (name, listed) in &self.names().await? {
            if !pattern.matches(name) || !(listed.subscribed || listed.child_subscribed) {
                continue;
            }
            let level = !listed.subscribed;
            let attributes = if level { vec!["\\Noselect".into()] } else { Vec::new() };
            self.data(&Data::Lsub(ListEntry { attributes, mailbox: name.clone(), ..ListEntry::default() }));
        }
        Ok(Status::ok("these are the subscribed mailboxes"))
    }

    pub(super) async fn status(&mut self, mailbox: &MailboxName, items: &[StatusItem]) -> Outcome<Status> {
        let found = self.user()?.find_for(&self.context, mailbox, Rights::READ).await?;
        let items = self.status_of(&found.mailbox, items);
        self.data(&Data::MailboxStatus { mailbox: mailbox.clone(), items });
        Ok(Status::ok("this is its status"))
    }

    pub(super) fn status_of(
        &self,
        mailbox: &Mailbox,
        items: &[StatusItem],
    ) -> Vec<(StatusItem, StatusValue)> {
        let value = |item: StatusItem| match item {
            StatusItem::Messages => StatusValue::Number(mailbox.messages),
            StatusItem::Recent => StatusValue::Number(0),
            StatusItem::UidNext => StatusValue::Number(mailbox.uidnext.into()),
            StatusItem::UidValidity => StatusValue::Number(mailbox.uidvalidity.into()),
            StatusItem::Unseen => StatusValue::Number(mailbox.unseen),
            StatusItem::Deleted => StatusValue::Number(mailbox.deleted),
            StatusItem::Size => StatusValue::Number(mailbox.octets),
            // Rarely asked, so that it is not kept counted.
            StatusItem::DeletedStorage => {
                let octets = self.data_store().deleted_octets(mailbox.id).unwrap_or(0);
                StatusValue::Number(octets.div_ceil(1_024))
            }
            StatusItem::HighestModSeq => StatusValue::Number(mailbox.modseq),
            StatusItem::AppendLimit => StatusValue::Number(self.context.message_size()),
            StatusItem::MailboxId => StatusValue::Id(mailbox_id(mailbox.id)),
        };
        items.iter().map(|item| (*item, value(*item))).collect()
    }

    /// Every name that this user can list, with the levels above.
    async fn names(&mut self) -> Outcome<BTreeMap<String, Listed>> {
        let (store, user) = (self.data_store(), self.user()?.clone());
        read(move || names(&store, &user)).await
    }
}

fn names(store: &Store, user: &User) -> Result<BTreeMap<String, Listed>, StoreError> {
    let mut names = BTreeMap::<String, Listed>::new();
    for mailbox in store.mailboxes(user.id)? {
        let subscribed = mailbox.subscribed;
        let found = Some(Found { rights: Rights::ALL, mailbox });
        let name = found.as_ref().map(|found| found.mailbox.name.clone()).unwrap_or_default();
        names.insert(name, Listed { found, subscribed, ..Listed::default() });
    }
    for (name, found) in shared(store, user)? {
        names.insert(name, Listed { found: Some(found), ..Listed::default() });
    }
    for name in store.subscriptions(user.id)? {
        names.entry(name).or_default().subscribed = true;
    }
    tell_parents(&mut names);
    Ok(names)
}

/// What others let this user know of.
fn shared(store: &Store, user: &User) -> Result<Vec<(String, Found)>, StoreError> {
    let Some(domain) = user.domain() else { return Ok(Vec::new()) };
    let mut shared = Vec::new();
    for mailbox in store.shared_with(&domain, &user.identifiers())? {
        let Some(owner) = store.account_by_id(mailbox.account)? else { continue };
        let owner = owner.address.to_string();
        let rights = user.rights(store, &mailbox, &owner)?;
        if mailbox.account != user.id && rights.has(Rights::LOOKUP) {
            shared.push((format!("{SHARED}{owner}/{}", mailbox.name), Found { mailbox, rights }));
        }
    }
    Ok(shared)
}

/// Every name tells the levels above it that they have children.
fn tell_parents(names: &mut BTreeMap<String, Listed>) {
    let each: Vec<(String, bool, bool)> = names
        .iter()
        .map(|(name, listed)| (name.clone(), listed.found.is_some(), listed.subscribed))
        .collect();
    for (name, is_folder, subscribed) in each {
        for (end, _) in name.match_indices('/') {
            let level = names.entry(name[..end].to_owned()).or_default();
            level.has_children |= is_folder;
            level.child_subscribed |= subscribed;
        }
    }
}

/// The answer for a name, if the selection options let it through.
fn entry(name: &str, listed: &Listed, select: ListSelect, returns: &ListReturn) -> Option<ListEntry> {
    let mut entry = ListEntry { mailbox: name.to_owned(), ..ListEntry::default() };
    let role = listed.found.as_ref().and_then(|found| found.mailbox.role.clone());
    let direct = !(select.subscribed && !listed.subscribed || select.special_use && role.is_none());
    if select.subscribed && select.recursive_match && listed.child_subscribed {
        entry.child_info.push("SUBSCRIBED".into());
    }
    let exists = listed.found.is_some() || listed.has_children || listed.subscribed && select.subscribed;
    if !exists || !direct && entry.child_info.is_empty() {
        return None;
    }
    match &listed.found {
        Some(_) => {}
        None if listed.has_children => entry.attributes.push("\\Noselect".into()),
        None => entry.attributes.push("\\NonExistent".into()),
    }
    if listed.subscribed && (returns.subscribed || select.subscribed) {
        entry.attributes.push("\\Subscribed".into());
    }
    let children = if listed.has_children { "\\HasChildren" } else { "\\HasNoChildren" };
    entry.attributes.push(children.into());
    // Also unasked, as RFC 6154 §2 allows: clients look for it in a plain LIST.
    entry.attributes.extend(role);
    Some(entry)
}
