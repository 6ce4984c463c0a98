//! Telling a client what others did to the folder that it has open.

use super::connection::Driver;
use super::message::flags_of;
use super::stop::Outcome;
use super::view::{News, View};
use imap::Runs;
use imap::response::{Code, Data, FetchData, Status};
use store::mailbox::Summary;

impl Driver {
    /// Brings the client up to date. Without `expunges` messages that have gone keep their numbers until later.
    pub(super) async fn tell_news(&mut self, expunges: bool) -> Outcome<()> {
        if self.view.is_none() {
            return Ok(());
        }
        self.context.mailboxes.catch_up();
        let Some(view) = &mut self.view else { return Ok(()) };
        let news = view.take_news(expunges);
        if news.gone {
            // RFC 9051 §7.1, CLOSED: there is nothing left to be told.
            self.view = None;
            self.session.select(None);
            let text = "the mailbox has been removed";
            self.data(&Data::Status(Status::ok(text).with(Code::Closed)));
            self.session.bye(Status::no(Code::Nonexistent, text));
            return Ok(());
        }
        self.tell_expunged(&news);
        if let Some(exists) = news.exists {
            self.data(&Data::Exists(exists));
            if let Some(recent) = self.view.as_ref().and_then(View::recent).map(Runs::len) {
                self.data(&Data::Recent(recent));
            }
        }
        self.tell_new(&news.new).await?;
        match &self.watch {
            Some(watch) if !watch.wants_flags() => Ok(()),
            // RFC 5465 §5.1: with the UID.
            watch => {
                let with_uid = watch.is_some();
                self.tell_flags(news.flags, with_uid).await
            }
        }
    }

    fn tell_expunged(&mut self, news: &News) {
        if news.expunged.is_empty() {
            return;
        }
        if self.session.enabled().qresync {
            let uids = news.expunged.iter().map(|(_, uid)| *uid).collect::<Runs>();
            return self.data(&Data::Vanished { earlier: false, uids });
        }
        for (number, _) in &news.expunged {
            self.data(&Data::Expunge(*number));
        }
    }

    /// FETCH responses with the flags of these messages, as far as they are still there; with their UIDs when a UID
    /// command is the cause (RFC 3501 §6.4.8).
    pub(super) async fn tell_flags(&mut self, uids: Runs, with_uid: bool) -> Outcome<()> {
        let pages = self.pages(uids)?;
        self.tell_each(pages, |driver, row| driver.tell_flags_of(row, with_uid)).await
    }

    /// As this client is told them.
    pub(super) fn flags_of(&self, row: &Summary) -> FetchData {
        let recent = self.view.as_ref().is_some_and(|view| view.is_recent(row.uid));
        FetchData::Flags { flags: flags_of(row), recent }
    }

    pub(super) fn tell_flags_of(&mut self, row: &Summary, with_uid: bool) {
        let Some(number) = self.view.as_ref().and_then(|view| view.number(row.uid)) else { return };
        self.tell_new_keywords(row);
        let enabled = self.session.enabled();
        let mut items = Vec::with_capacity(3);
        // RFC 9051 asks for the UID in all of these; RFC 7162 §3.2.4 once QRESYNC is enabled.
        if with_uid || enabled.rev2 || enabled.condstore {
            items.push(FetchData::Uid(row.uid));
        }
        items.push(self.flags_of(row));
        if enabled.condstore {
            items.push(FetchData::ModSeq(row.modseq));
        }
        self.data(&Data::Fetch { number, items });
    }
}
