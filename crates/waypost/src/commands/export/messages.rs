//! The messages of a folder, however they come over the socket.

use crate::exit::Failure;
use address::Address;
use admin::export::{Outgoing, Page};
use admin::{AdminError, Client, Octets, mail};
use data_encoding::BASE64;
use mailfile::Flags;
use std::collections::HashMap;
use store::mailbox::{Mailbox, flag};

/// A folder of an account.
pub(super) struct Messages<'a> {
    pub(super) client: &'a Client,
    pub(super) account: &'a Address,
    pub(super) folder: &'a Mailbox,
}

/// Messages whose octets came along with another's.
pub(super) type Ready = HashMap<u32, Octets>;

impl Messages<'_> {
    /// The next messages above a UID, without their octets; none at the end.
    pub(super) async fn page(&self, after: u32) -> Result<Vec<Outgoing>, Failure> {
        Ok(self.call(after, true).await?)
    }

    async fn call(&self, after: u32, bare: bool) -> Result<Vec<Outgoing>, AdminError> {
        let (account, folder) = (self.account.clone(), self.folder.name.clone());
        self.client.call(Page { account, folder, after, bare }).await
    }

    /// Gives a message's octets piece by piece; `false` when it has been removed meanwhile.
    pub(super) async fn read(
        &self,
        message: &Outgoing,
        ready: &mut Ready,
        mut sink: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        if !ready.contains_key(&message.uid) {
            ready.clear();
            let page = self.call(message.uid.saturating_sub(1), false).await?;
            ready.extend(page.into_iter().filter_map(|one| Some((one.uid, one.data?))));
        }
        if let Some(whole) = ready.remove(&message.uid) {
            return sink(&whole.0).map(|()| true);
        }
        let mut next = Some(0);
        while let Some(offset) = next {
            let (account, folder) = (self.account.clone(), self.folder.name.clone());
            let raw = mail::Raw { account, folder, uid: message.uid, offset };
            let piece = match self.client.call(raw).await {
                Err(AdminError::NotFound(_)) if offset == 0 => return Ok(false),
                piece => piece?,
            };
            let octets = BASE64.decode(piece.data.as_bytes());
            sink(&octets.map_err(|_| Failure::no("the server sent no base64"))?)?;
            next = piece.next;
        }
        Ok(true)
    }
}

pub(super) fn flags(message: &Outgoing) -> Flags {
    let has = |bit| message.flags & bit != 0;
    Flags {
        seen: has(flag::SEEN),
        answered: has(flag::ANSWERED),
        flagged: has(flag::FLAGGED),
        deleted: has(flag::DELETED),
        draft: has(flag::DRAFT),
        keywords: message.keywords.clone(),
    }
}
