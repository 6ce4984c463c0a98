//! SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2; RFC 3691 §2; RFC 7162 §3.2.5).

use super::connection::Driver;
use super::message::{bit, mailbox_id};
use super::rights::Rights;
use super::stop::{Outcome, Stop, read};
use super::user::Found;
use super::view::View;
use super::watch::Own;
use imap::command::{Qresync, Select};
use imap::response::{Code, Data, ListEntry, Status};
use imap::server::Selected;
use imap::{Flag, Keyword, Runs};
use std::sync::Arc;
use store::mailbox::{FlagMask, Summary, flag};

impl Driver {
    pub(super) async fn select(&mut self, select: Select) -> Outcome<Status> {
        if self.leave().await {
            // RFC 7162 §3.2.11: what follows is of the other mailbox.
            self.session.select(None);
            self.data(&Data::Status(Status::ok("the mailbox before is closed").with(Code::Closed)));
        }
        let found = self.user()?.find_for(&self.context, &select.mailbox, Rights::READ).await?;
        let (open, store, id) = (self.context.mailboxes.clone(), self.data_store(), found.mailbox.id);
        let reading = read(move || Ok((open.open(id)?, store.mailbox(id)?, store.keywords(id)?)));
        let (Some(mailbox), Some(row), keywords) = reading.await? else {
            return Err(Stop::no(Code::Nonexistent, "the mailbox has just gone"));
        };
        let changes = Rights::SEEN | Rights::WRITE | Rights::MARK_DELETED | Rights::EXPUNGE | Rights::INSERT;
        let read_only = select.read_only || !found.rights.has_any(changes);
        let mut view = View::new(mailbox, read_only);
        if self.session.enabled().rev2 {
            view = view.without_recent();
        }
        view.learn(keywords.iter().map(String::as_str));
        let found = Found { mailbox: row, ..found };
        self.tell_selected(&select, &found, &view).await?;
        let (uidvalidity, uidnext) = (found.mailbox.uidvalidity, found.mailbox.uidnext);
        let code = if read_only { Code::ReadOnly } else { Code::ReadWrite };
        self.view = Some(view);
        self.rights = found.rights;
        self.session.select(Some(Selected { read_only }));
        if let Some(qresync) = select.qresync.filter(|qresync| qresync.uidvalidity == uidvalidity) {
            self.resynchronize(qresync, uidnext).await?;
        }
        Ok(Status::ok("the mailbox is open").with(code))
    }

    async fn tell_selected(&mut self, select: &Select, found: &Found, view: &View) -> Outcome<()> {
        let exists = view.uids().len();
        self.tell_flags_there(view.read_only, found.rights, &view.keywords);
        self.data(&Data::Exists(exists));
        let rev2 = self.session.enabled().rev2;
        if let Some(recent) = view.recent() {
            self.data(&Data::Recent(recent.len()));
            self.tell_first_unseen(found, view).await?;
        }
        self.tell("UIDs are valid", Code::UidValidity(found.mailbox.uidvalidity));
        let uidnext = found.mailbox.uidnext.max(view.uids().last().map_or(1, |last| last.saturating_add(1)));
        self.tell("the next UID", Code::UidNext(uidnext));
        self.tell("the latest change", Code::HighestModSeq(view.modseq()));
        self.tell("for ever", Code::MailboxId(mailbox_id(found.mailbox.id)));
        if rev2 {
            // RFC 9051 §6.3.2: the name as it is kept.
            let name = select.mailbox.as_str().to_owned();
            self.data(&Data::List(ListEntry { mailbox: name, ..ListEntry::default() }));
        }
        Ok(())
    }

    /// Which flags there are in the folder, and which of them the client may keep there.
    fn tell_flags_there(&mut self, read_only: bool, rights: Rights, keywords: &[String]) {
        let keywords = keywords.iter().filter_map(|name| Keyword::new(name)).map(Flag::Keyword);
        let flags: Vec<Flag> = Flag::SYSTEM.into_iter().chain(keywords).collect();
        let permanent = match read_only {
            true => Vec::new(),
            false => flags.iter().filter(|flag| may_set(rights, flag)).cloned().collect(),
        };
        let any_keyword = !read_only && rights.has(Rights::WRITE);
        self.data(&Data::Flags(flags));
        self.tell("these are kept", Code::PermanentFlags { flags: permanent, any_keyword });
    }

    /// Before a message's flags are told: a keyword that the client has not heard of joins those that there are (RFC 9051
    /// §7.3.5).
    pub(super) fn tell_new_keywords(&mut self, row: &Summary) {
        let Some(view) = &mut self.view else { return };
        if view.learn(row.keywords.iter()) {
            let (read_only, keywords) = (view.read_only, view.keywords.clone());
            self.tell_flags_there(read_only, self.rights, &keywords);
        }
    }

    /// For a client that has just made itself aware of modification sequences (RFC 7162 §3.1).
    pub(super) fn tell_modseq(&mut self) {
        if let Some(modseq) = self.view.as_ref().map(View::modseq) {
            self.tell("the latest change", Code::HighestModSeq(modseq));
        }
    }

    fn tell(&mut self, text: &str, code: Code) {
        self.data(&Data::Status(Status::ok(text).with(code)));
    }

    /// RFC 3501 §7.1, UNSEEN.
    async fn tell_first_unseen(&mut self, found: &Found, view: &View) -> Outcome<()> {
        if found.mailbox.unseen == 0 {
            return Ok(());
        }
        let (store, id) = (self.data_store(), found.mailbox.id);
        let first = read(move || store.first_without(id, flag::SEEN)).await?;
        if let Some(number) = first.and_then(|uid| view.number(uid)) {
            self.tell("the first one unseen", Code::Unseen(number));
        }
        Ok(())
    }

    /// What changed since the client was last here.
    async fn resynchronize(&mut self, qresync: Qresync, uidnext: u32) -> Outcome<()> {
        let view = self.view()?;
        let (id, there) = (view.mailbox.id, (**view.uids()).clone());
        // Not the last that is there: those after it may have gone (RFC 7162 §3.2.5, the default of known UIDs).
        let last = uidnext.saturating_sub(1);
        let known = qresync.known_uids.and_then(|set| set.resolve(last));
        let known = known.unwrap_or_else(|| Runs::from_ranges([1..=last]));
        let (store, since) = (self.data_store(), qresync.modseq);
        let asked = known.clone();
        let gone = read(move || store.vanished(id, since, &asked)).await?;
        let gone = gone.difference(&there);
        if !gone.is_empty() {
            self.data(&Data::Vanished { earlier: true, uids: gone });
        }
        let changed = self.pages(known.intersection(&there))?.changed_since(since);
        self.tell_each(changed, |driver, row| driver.tell_flags_of(row, false)).await
    }

    /// What the user may do in the open folder now: its owner may have changed the list since (RFC 4314 §4 lets the server
    /// keep `r` alone for as long as it is open).
    pub(super) async fn renew_rights(&mut self) -> Outcome<()> {
        let Some(view) = &self.view else { return Ok(()) };
        let (store, user, open) = (self.data_store(), self.user()?.clone(), Arc::clone(&view.mailbox));
        if open.account != user.id {
            self.rights = read(move || {
                let owner = store.account_by_id(open.account)?;
                owner.map_or(Ok(Rights::NONE), |owner| {
                    user.rights(&store, open.account, open.id, &owner.address.to_string())
                })
            })
            .await?;
        }
        Ok(())
    }

    /// What is marked goes in silence (RFC 9051 §6.4.1).
    pub(super) async fn close(&mut self) -> Outcome<Status> {
        let view = self.view()?;
        let (id, read_only) = (view.mailbox.id, view.read_only);
        if !read_only && self.rights.has(Rights::EXPUNGE) {
            let gone = self.data_store().expunge(id, None).await?;
            self.made(&Own::Expunged(id, &gone));
        }
        self.unselect().await
    }

    pub(super) async fn unselect(&mut self) -> Outcome<Status> {
        self.view()?;
        self.leave().await;
        self.session.select(None);
        Ok(Status::ok("the mailbox is closed"))
    }

    /// Forgets the folder that is open; `false`: none is. What was told of it while it was open is told. What this client was the first to
    /// hear of is noted before, so that it is not recent to whoever opens the folder next; where that cannot be written, it is (RFC 3501
    /// §2.3.2).
    pub(super) async fn leave(&mut self) -> bool {
        let Some(view) = self.view.take() else { return false };
        if let Some(watch) = &mut self.watch {
            watch.left(&view);
        }
        if let Some(below) = view.told_below()
            && let Err(error) = self.data_store().note_told(view.mailbox.id, below).await
        {
            tracing::warn!(protocol = %"imap", session = %self.id, %error, "messages stay recent");
        }
        true
    }
}

/// The flags that rights allow to be set.
pub(super) fn settable(rights: Rights) -> FlagMask {
    let allowed = Flag::SYSTEM.iter().filter(|flag| may_set(rights, flag));
    FlagMask { flags: allowed.fold(0, |bits, flag| bits | bit(flag)), keywords: rights.has(Rights::WRITE) }
}

/// Whether rights allow a flag to be changed (RFC 4314 §4).
pub(super) fn may_set(rights: Rights, flag: &Flag) -> bool {
    rights.has(match flag {
        Flag::Seen => Rights::SEEN,
        Flag::Deleted => Rights::MARK_DELETED,
        _ => Rights::WRITE,
    })
}
