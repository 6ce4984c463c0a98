//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use super::connection::Driver;
use super::message::bits_and_keywords;
use super::progress::Progress;
use super::rights::Rights;
use super::select::{may_set, settable};
use super::stop::{Outcome, Stop};
use imap::command::{FlagChange as Asked, Store};
use imap::response::{Code, Data, FetchData, Status};
use imap::{Flag, Runs};
use store::mailbox::{FlagChange, FlagMode, Summary};

impl Driver {
    pub(super) async fn store(&mut self, asked: Store) -> Outcome<Status> {
        let rights = self.rights;
        let view = self.writable_view()?;
        let id = view.mailbox.id;
        let Some(uids) = view.resolve(&asked.set, asked.uid) else {
            return Err(Stop::bad("there are not that many messages"));
        };
        // RFC 4314 §4: it fails only when none of them may be changed.
        let none = match asked.change {
            Asked::Replace => !rights.has_any(Rights::SEEN | Rights::WRITE | Rights::MARK_DELETED),
            _ => !asked.flags.is_empty() && !asked.flags.iter().any(|flag| may_set(rights, flag)),
        };
        if none {
            return Err(Stop::no(Code::NoPerm, "you may not change these flags here"));
        }
        // What others did before is told before, so that it is not taken for this command's doing.
        self.tell_news(false).await?;
        let change = change(rights, &asked);
        let (store, among) = (self.data_store(), uids.clone());
        let setting = async { Ok(store.set_flags(id, among, change, asked.unchanged_since).await?) };
        let done = self.with_progress(&Progress::default(), setting).await?;
        let told = uids.difference(&done.modified);
        let view = self.view()?;
        view.made(done.modseqs);
        let gone = view.gone(&told);
        let all_gone = gone.len() == uids.len();
        match asked.silent {
            false => self.tell_flags(told, asked.uid).await?,
            true if self.session.enabled().condstore => self.tell_modseqs(told).await?,
            true => {}
        }
        // RFC 5530 §3. Who asked for no answer is content with what was left, if anything was.
        if !gone.is_empty() && (all_gone || !asked.silent) {
            return Err(Stop::no(Code::ExpungeIssued, "some of them have gone"));
        }
        Ok(stored(self.as_named(done.modified, asked.uid)?))
    }

    /// Sequence numbers or UIDs, as the command named them.
    fn as_named(&mut self, uids: Runs, uid: bool) -> Outcome<Runs> {
        let view = self.view()?;
        Ok(match uid {
            true => uids,
            false => uids.iter().filter_map(|uid| view.number(uid)).collect(),
        })
    }

    async fn tell_modseqs(&mut self, uids: Runs) -> Outcome<()> {
        let pages = self.pages(uids)?;
        let tell = |driver: &mut Self, row: &Summary| {
            let Some(number) = driver.view.as_ref().and_then(|view| view.number(row.uid)) else { return };
            let items = vec![FetchData::Uid(row.uid), FetchData::ModSeq(row.modseq)];
            driver.data(&Data::Fetch { number, items });
        };
        self.tell_each(pages, tell).await
    }
}

/// What the store is to do. Flags that the user has no right to stay as they are.
fn change(rights: Rights, asked: &Store) -> FlagChange {
    let allowed: Vec<Flag> = asked.flags.iter().filter(|flag| may_set(rights, flag)).cloned().collect();
    let (flags, keywords) = bits_and_keywords(&allowed);
    let mode = match asked.change {
        Asked::Add => FlagMode::Add,
        Asked::Remove => FlagMode::Remove,
        Asked::Replace => FlagMode::ReplaceAmong(settable(rights)),
    };
    FlagChange { mode, flags, keywords }
}

fn stored(modified: Runs) -> Status {
    match modified.is_empty() {
        true => Status::ok("flags are set"),
        false => Status::ok("some had changed meanwhile").with(Code::Modified(modified)),
    }
}
