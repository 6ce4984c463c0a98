//! LIST, LSUB, STATUS (RFC 9051 §6.3.9 and §6.3.11; RFC 5258, RFC 5819, RFC 6154, RFC 8438, RFC 8440).

use super::connection::Driver;
use super::message::mailbox_id;
use super::rights::Rights;
use super::stop::{Outcome, read};
use super::user::{Found, SHARED, User};
use imap::MailboxName;
use imap::command::{List, ListSelect, StatusItem};
use imap::name::Pattern;
use imap::response::{Data, ListEntry, Status, StatusValue};
use std::collections::{BTreeMap, HashMap};
use store::mailbox::Mailbox;
use store::{Store, StoreError};

/// A name that can be listed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// `None`: a level above folders, or a subscribed name without a folder.
    pub(super) found: Option<Found>,
    pub(super) subscribed: bool,
    has_children: bool,
    /// A name below is subscribed.
    child_subscribed: bool,
}

/// What is selected below a name.
#[derive(Debug, Clone, Copy, Default)]
struct Below {
    selected: bool,
    /// Some of it matches no pattern, so that its own answer does not tell of it.
    unanswered: bool,
}

impl Listed {
    /// What LIST says of it; `subscribed`: also that.
    pub(super) fn attributes(&self, subscribed: bool, knows_non_existent: bool) -> Vec<String> {
        let mut attributes = Vec::new();
        match &self.found {
            // RFC 5819 §2: a folder whose status is not this user's to see.
            Some(found) if !found.rights.has(Rights::READ) => attributes.push("\\Noselect".to_owned()),
            Some(_) => {}
            None if knows_non_existent => attributes.push("\\NonExistent".into()),
            None => attributes.push("\\Noselect".into()),
        }
        if self.subscribed && subscribed {
            attributes.push("\\Subscribed".into());
        }
        // RFC 3348 §3.
        let children = if self.has_children { "\\HasChildren" } else { "\\HasNoChildren" };
        attributes.push(children.into());
        // Also unasked, as RFC 6154 §2 allows: clients look for it in a plain LIST.
        attributes.extend(self.role().map(str::to_owned));
        attributes
    }

    fn role(&self) -> Option<&str> {
        self.found.as_ref()?.mailbox.role.as_deref()
    }

    /// Whether the name itself meets all selection options; without any, whether there is something of that name.
    fn is_selected(&self, select: ListSelect) -> bool {
        let exists = self.found.is_some() || self.has_children;
        (exists || select.subscribed)
            && (!select.subscribed || self.subscribed)
            && (!select.special_use || self.role().is_some())
    }
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
        let matches = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let names = self.names().await?;
        let below = match list.select.recursive_match {
            true => below(&names, list.select, matches),
            false => HashMap::new(),
        };
        // Clients of RFC 3501 alone do not know \NonExistent.
        let knows_non_existent = list.extended || self.session.enabled().rev2;
        for (name, listed) in &names {
            let below = below.get(name.as_str()).copied().unwrap_or_default();
            // RFC 9051 §6.3.9.3, the two reasons for an answer.
            if !matches(name) || !listed.is_selected(list.select) && !below.unanswered {
                continue;
            }
            let subscribed = list.returns.subscribed || list.select.subscribed;
            let attributes = listed.attributes(subscribed, knows_non_existent);
            let mut entry = ListEntry { mailbox: name.clone(), attributes, ..ListEntry::default() };
            if below.selected {
                // The only option that RECURSIVEMATCH goes with.
                entry.child_info.push("SUBSCRIBED".into());
            }
            self.data(&Data::List(entry));
            if let (true, Some(found)) = (list.returns.my_rights, &listed.found) {
                let rights = found.rights.to_string();
                self.data(&Data::MyRights { mailbox: MailboxName::new(name), rights });
            }
            if let (Some(items), Some(found)) = (&list.returns.status, &listed.found)
                && found.rights.has(Rights::READ)
            {
                let mailbox = MailboxName::new(name);
                let items = self.status_of(&found.mailbox, items)?;
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
        let items = self.status_of(&found.mailbox, items)?;
        self.data(&Data::MailboxStatus { mailbox: mailbox.clone(), items });
        Ok(Status::ok("this is its status"))
    }

    pub(super) fn status_of(
        &self,
        mailbox: &Mailbox,
        items: &[StatusItem],
    ) -> Outcome<Vec<(StatusItem, StatusValue)>> {
        let value = |item: StatusItem| -> Outcome<StatusValue> {
            Ok(match item {
                StatusItem::Messages => StatusValue::Number(mailbox.messages),
                // RFC 9051 has none.
                StatusItem::Recent if self.session.enabled().rev2 => StatusValue::Number(0),
                StatusItem::Recent => StatusValue::Number(self.context.mailboxes.recent_count(mailbox.id)?),
                StatusItem::UidNext => StatusValue::Number(mailbox.uidnext.into()),
                StatusItem::UidValidity => StatusValue::Number(mailbox.uidvalidity.into()),
                StatusItem::Unseen => StatusValue::Number(mailbox.unseen),
                StatusItem::Deleted => StatusValue::Number(mailbox.deleted),
                StatusItem::Size => StatusValue::Number(mailbox.octets),
                // Rarely asked, so that it is not kept counted.
                StatusItem::DeletedStorage => {
                    let octets = self.data_store().deleted_octets(mailbox.id)?;
                    StatusValue::Number(octets.div_ceil(1_024))
                }
                StatusItem::HighestModSeq => StatusValue::Number(mailbox.modseq),
                StatusItem::AppendLimit => StatusValue::Number(self.context.message_size()),
                StatusItem::MailboxId => StatusValue::Id(mailbox_id(mailbox.id)),
            })
        };
        items.iter().map(|item| Ok((*item, value(*item)?))).collect()
    }

    /// Every name that this user can list, with the levels above.
    pub(super) async fn names(&self) -> Outcome<BTreeMap<String, Listed>> {
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
        let rights = user.rights(store, mailbox.account, mailbox.id, &owner)?;
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

/// What is selected below each name (RFC 9051 §6.3.9.6), whether it matches a pattern or not.
fn below(
    names: &BTreeMap<String, Listed>,
    select: ListSelect,
    matches: impl Fn(&str) -> bool,
) -> HashMap<&str, Below> {
    let mut all = HashMap::<&str, Below>::new();
    for (name, _) in names.iter().filter(|(_, listed)| listed.is_selected(select)) {
        let unanswered = !matches(name);
        for (end, _) in name.match_indices('/') {
            let below = all.entry(&name[..end]).or_default();
            below.selected = true;
            below.unanswered |= unanswered;
        }
    }
    all
}
