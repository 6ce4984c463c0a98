//! COPY, MOVE, EXPUNGE (RFC 9051 §6.4.7 to §6.4.9, §6.4.3; RFC 4315, RFC 6851).

use super::connection::Driver;
use super::progress::Progress;
use super::rights::Rights;
use super::select::settable;
use super::stop::{Outcome, Stop};
use super::watch::Own;
use imap::response::{Code, Data, Status};
use imap::{MailboxName, Runs, SequenceSet};
use store::mailbox::Copied;

impl Driver {
    pub(super) async fn copy(&mut self, uid: bool, set: &SequenceSet, to: &MailboxName) -> Outcome<Status> {
        let (from, uids) = self.named(uid, set)?;
        let to = self.target(to).await?;
        if uids.is_empty() {
            return Ok(Status::ok("there was nothing to copy"));
        }
        let (store, keep) = (self.data_store(), settable(to.rights));
        let copying = async { Ok(store.copy_messages_with(from, uids, to.mailbox.id, keep).await?) };
        let copied = self.with_progress(&Progress::default(), copying).await?;
        self.made(&Own::Delivered(to.mailbox.id, &copied.pairs.to));
        let code = copy_uid(copied).ok_or_else(|| gone(uid))?;
        Ok(Status::ok("copied").with(code))
    }

    pub(super) async fn move_to(
        &mut self,
        uid: bool,
        set: &SequenceSet,
        to: &MailboxName,
    ) -> Outcome<Status> {
        self.writable_view()?;
        if !self.rights.has(Rights::MARK_DELETED | Rights::EXPUNGE) {
            return Err(Stop::no(Code::NoPerm, "you may not take messages away from here"));
        }
        let (from, uids) = self.named(uid, set)?;
        let to = self.target(to).await?;
        if uids.is_empty() {
            return Ok(Status::ok("there was nothing to move"));
        }
        let (store, keep) = (self.data_store(), settable(to.rights));
        let moving = async { Ok(store.move_messages_with(from, uids, to.mailbox.id, keep).await?) };
        let moved = self.with_progress(&Progress::default(), moving).await?;
        self.made(&Own::Delivered(to.mailbox.id, &moved.pairs.to));
        let code = copy_uid(moved).ok_or_else(|| gone(uid))?;
        // RFC 9051 §6.4.8: before the expunges.
        self.data(&Data::Status(Status::ok("moved").with(code)));
        self.told_of_removal(true, "moved").await
    }

    /// The answer when messages may have left the open folder. That they did is told before it, so that the modification
    /// sequence in it is theirs (RFC 7162 §3.2.7; RFC 6851 §4.4; RFC 8508 §4.5).
    pub(super) async fn told_of_removal(&mut self, any: bool, text: &str) -> Outcome<Status> {
        self.tell_news(true).await?;
        Ok(match (&self.view, any && self.session.enabled().condstore) {
            (Some(view), true) => Status::ok(text).with(Code::HighestModSeq(view.modseq())),
            _ => Status::ok(text),
        })
    }

    /// The open folder's id, and what of it is meant.
    fn named(&mut self, uid: bool, set: &SequenceSet) -> Outcome<(store::Id, Runs)> {
        let view = self.view()?;
        let uids = view.resolve(set, uid).ok_or_else(|| Stop::bad("there are not that many messages"))?;
        Ok((view.mailbox.id, uids))
    }

    /// What is marked, or what of `set` is; what has gone is told after.
    pub(super) async fn expunge(&mut self, set: Option<SequenceSet>) -> Outcome<Status> {
        let rights = self.rights;
        let view = self.writable_view()?;
        if !rights.has(Rights::EXPUNGE) {
            return Err(Stop::no(Code::NoPerm, "you may not remove messages here"));
        }
        let id = view.mailbox.id;
        let uids = match &set {
            Some(set) => view.resolve(set, true),
            // Those that this client knows: what it has never seen it cannot have meant.
            None => Some((**view.uids()).clone()),
        };
        let store = self.data_store();
        let removing = async { Ok(store.expunge(id, uids).await?) };
        let removed = self.with_progress(&Progress::default(), removing).await?;
        self.summary.removed += u64::from(removed.len());
        self.told_of_removal(!removed.is_empty(), "what was marked is gone").await
    }
}

/// Of all that was named somebody else has taken what was there. By UID that is no fault (RFC 9051 §6.4.9); by number the client is
/// about to hear it (RFC 5530 §3).
fn gone(uid: bool) -> Stop {
    let text = "they have gone";
    if uid { Stop::Answer(Status::ok(text)) } else { Stop::no(Code::ExpungeIssued, text) }
}

fn copy_uid(Copied { uidvalidity, pairs }: Copied) -> Option<Code> {
    (!pairs.to.is_empty()).then_some(Code::CopyUid { uidvalidity, from: pairs.from, to: pairs.to })
}
