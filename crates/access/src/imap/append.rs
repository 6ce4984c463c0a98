//! APPEND and REPLACE: a client puts messages into a folder (RFC 9051 §6.3.12, RFC 3502, RFC 8508).

use super::connection::{Driver, End};
use super::message::bits_and_keywords;
use super::rights::Rights;
use super::select::may_set;
use super::stop::{Outcome, Stop};
use super::user::Found;
use super::watch::Own;
use bytes::Bytes;
use imap::command::{AppendMessage, AppendTarget};
use imap::response::{Code, Data, Status};
use imap::{MailboxName, SeqNumber, SequenceSet};
use jiff::Timestamp;
use store::mailbox::{Appended, NewCopy};
use store::{Id, Spool, StoreError};

/// Messages on their way into a folder.
#[derive(Debug)]
pub(super) struct Incoming {
    to: Id,
    /// What the user may do there.
    rights: Rights,
    /// Those that are there whole.
    copies: Vec<NewCopy>,
    /// The one that is coming.
    current: Option<(Spool, AppendMessage)>,
    /// Why none of them will be kept: said when all have been read.
    failed: Option<StoreError>,
    /// One of them has a NUL.
    has_nul: bool,
}

impl Driver {
    /// Whether a message may come, before its first octet. The session has measured and counted it.
    pub(super) async fn begin_message(
        &mut self,
        target: &AppendTarget,
        message: AppendMessage,
    ) -> Outcome<()> {
        // What is refused takes the messages before it along.
        let mut incoming = match self.incoming.take() {
            Some(incoming) => incoming,
            None => Box::new(self.begin_append(target).await?),
        };
        if let Some(reason) = self.data_store().trouble() {
            tracing::warn!(protocol = %"imap", %reason, "an APPEND was put off");
            return Err(Stop::no(Code::Unavailable, "nothing can be written now; try again later"));
        }
        let flags = message.flags.iter().filter(|flag| may_set(incoming.rights, flag)).cloned().collect();
        incoming.current = Some((self.data_store().spool(), AppendMessage { flags, ..message }));
        self.incoming = Some(incoming);
        Ok(())
    }

    /// The first message of a command: where it goes, and what may be set there.
    async fn begin_append(&self, target: &AppendTarget) -> Outcome<Incoming> {
        let (AppendTarget::Append(name) | AppendTarget::Replace { to: name, .. }) = target;
        let to = self.target(name).await?;
        Ok(Incoming::new(to.mailbox.id, to.rights))
    }

    /// The folder that messages are put into. RFC 9051 §6.3.12: one that could be made is told so.
    pub(super) async fn target(&self, name: &MailboxName) -> Outcome<Found> {
        let found = self.user()?.look_up(&self.context, name).await?;
        let missing = || Stop::no(Code::TryCreate, format!("there is no mailbox {name}; make it first"));
        let found = found.ok_or_else(missing)?;
        found.require(Rights::INSERT)?;
        Ok(found)
    }

    pub(super) async fn message_data(&mut self, bytes: Bytes) -> Result<(), End> {
        let Some(incoming) = &mut self.incoming else { return Ok(()) };
        // RFC 9051 §4.3: BODY[] could never give it out again, as it is no text; nothing here encodes it anew.
        incoming.has_nul |= bytes.contains(&0);
        if let (None, Some((spool, _))) = (&incoming.failed, &mut incoming.current)
            && let Err(error) = spool.write(bytes).await
        {
            incoming.failed = Some(error);
        }
        Ok(())
    }

    pub(super) async fn end_message(&mut self) -> Result<(), End> {
        let Some(incoming) = &mut self.incoming else { return Ok(()) };
        let (Some((spool, message)), None) = (incoming.current.take(), &incoming.failed) else {
            return Ok(());
        };
        match spool.finish().await {
            Ok(body) => {
                let (flags, keywords) = bits_and_keywords(&message.flags);
                let received = message.date.unwrap_or_else(Timestamp::now).as_millisecond();
                incoming.copies.push(NewCopy { prefix: Bytes::new(), body, flags, keywords, received });
            }
            Err(error) => incoming.failed = Some(error),
        }
        Ok(())
    }

    pub(super) async fn append(&mut self) -> Outcome<Status> {
        let Some(incoming) = self.incoming.take() else { return Err(Stop::bad("there was no message")) };
        let (to, copies) = incoming.all()?;
        self.summary.appended += copies.len() as u64;
        let appended = self.data_store().append(to, copies).await?;
        self.made(&Own::Delivered(to, &appended.uids));
        Ok(Status::ok("the message is there").with(appended_uid(appended)))
    }

    /// The old message goes in the moment in which the new one comes.
    pub(super) async fn replace(&mut self, uid: bool, number: SeqNumber) -> Outcome<Status> {
        let Some(incoming) = self.incoming.take() else { return Err(Stop::bad("there was no message")) };
        if !self.rights.has(Rights::MARK_DELETED | Rights::EXPUNGE) {
            return Err(Stop::no(Code::NoPerm, "you may not remove messages here"));
        }
        let view = self.writable_view()?;
        let old = view.resolve(&SequenceSet::Numbers(vec![(number, number)]), uid);
        // RFC 8508 §3: NO when it cannot be removed. A number that is not there is the client's mistake, a UID is not.
        let missing = "there is no such message";
        let missing = || if uid { Stop::no(Code::Nonexistent, missing) } else { Stop::bad(missing) };
        let old = old.and_then(|old| old.first()).ok_or_else(missing)?;
        let from = view.mailbox.id;
        let (to, mut copies) = incoming.all()?;
        let copy = copies.pop().ok_or_else(|| Stop::bad("there was no message"))?;
        let appended = self.data_store().replace(from, old, to, copy).await?;
        self.made(&Own::Delivered(to, &appended.uids));
        // RFC 8508 §4: before the old one is told to be gone.
        self.data(&Data::Status(Status::ok("the message is there").with(appended_uid(appended))));
        self.told_of_removal(true, "the message is replaced").await
    }
}

impl Incoming {
    fn new(to: Id, rights: Rights) -> Self {
        Self { to, rights, copies: Vec::new(), current: None, failed: None, has_nul: false }
    }

    fn all(self) -> Outcome<(Id, Vec<NewCopy>)> {
        match self.failed {
            Some(error) => Err(error.into()),
            None if self.has_nul => Err(Stop::no(
                Code::UnknownCte,
                "a message with a NUL is not kept: encode that part in base64",
            )),
            None => Ok((self.to, self.copies)),
        }
    }
}

fn appended_uid(Appended { uidvalidity, uids, .. }: Appended) -> Code {
    Code::AppendUid { uidvalidity, uids }
}
