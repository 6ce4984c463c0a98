//! Where mail of an account is put back: through the server or without one.

use crate::commands::backup::source::failed;
use address::Address;
use admin::backup::{Back as Outgoing, Missing, PutBack};
use admin::import::{Content, Outcome, Prepare, Upload};
use admin::{Client, Operation};
use backup::{Back, BackupError, Put, Sink};
use bytes::Bytes;
use store::Id;
use store::mailbox::{Mailbox, Summary};

/// Octets of a message that goes over the socket by itself, in pieces of so many.
const PIECE: usize = 4 << 20;

pub(super) struct Served<'a> {
    pub(super) client: &'a Client,
    pub(super) account: &'a Address,
    /// What is in another folder by now is there.
    pub(super) anywhere: bool,
}

impl Served<'_> {
    async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, BackupError> {
        self.client.call(operation).await.map_err(failed)
    }

    async fn send(&self, body: Bytes) -> Result<Content, BackupError> {
        if body.len() <= PIECE {
            return Ok(Content::Octets(body.into()));
        }
        let id = Id::generate();
        for from in (0..body.len()).step_by(PIECE) {
            let data = body.slice(from..(from + PIECE).min(body.len())).into();
            self.call(Upload { id, data }).await?;
        }
        Ok(Content::Uploaded(id))
    }
}

impl Sink for Served<'_> {
    async fn prepare(&self, folder: &Mailbox) -> Result<(), BackupError> {
        let (account, name) = (self.account.clone(), folder.name.clone());
        // By its name alone: mail goes back where it was.
        let (role, subscribed) = (None, folder.subscribed);
        self.call(Prepare { account, folder: name, role, subscribed, dry_run: false }).await.map(drop)
    }

    async fn missing(&self, folder: &str, messages: &[Summary]) -> Result<Vec<bool>, BackupError> {
        let (account, folder) = (self.account.clone(), folder.to_owned());
        let messages = messages.iter().map(|one| (one.id, one.received, one.body_size())).collect();
        self.call(Missing { account, folder, anywhere: self.anywhere, messages }).await
    }

    async fn put(&self, folder: &str, messages: Vec<Back>) -> Result<Vec<Put>, BackupError> {
        let (account, folder) = (self.account.clone(), folder.to_owned());
        let mut outgoing = Vec::with_capacity(messages.len());
        for Back { summary, prefix, body } in messages {
            outgoing.push(Outgoing {
                id: summary.id,
                prefix: prefix.into(),
                body: self.send(body).await?,
                flags: summary.flags,
                keywords: summary.keywords.iter().map(str::to_owned).collect(),
                received: summary.received,
            });
        }
        let put = PutBack { account, folder, anywhere: self.anywhere, messages: outgoing };
        Ok(self.call(put).await?.into_iter().map(become_of).collect())
    }
}

fn become_of(outcome: Outcome) -> Put {
    match outcome {
        Outcome::Imported | Outcome::ImportedWithoutKeywords => Put::Restored,
        Outcome::Known => Put::Known,
        Outcome::NoRoom => Put::Failed("the account has no room for it (quota)".to_owned()),
        Outcome::Refused(why) => Put::Failed(why),
    }
}
