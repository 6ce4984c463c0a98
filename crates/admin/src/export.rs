//! Mail for other programs' files: folders with all that is noted about them, and their messages page by page.

use crate::octets::Octets;
use crate::operation::blocking;
use crate::{Access, Actor, AdminError, Operation, Operations, account, mail};
use address::Address;
use serde::{Deserialize, Serialize};
use store::mailbox::{Mailbox, Summary};

/// Messages of a page.
const MAX_PAGE: usize = 500;
/// Octets of a page's messages; a larger message comes by [`mail::Raw`].
const MAX_OCTETS: u64 = 1 << 20;

/// The folders of an account, and the names it subscribes to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Folders {
    pub account: Address,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FoldersReport {
    pub folders: Vec<Mailbox>,
    pub subscriptions: Vec<String>,
}

impl Operation for Folders {
    type Answer = FoldersReport;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    /// That somebody's mail is read is told to the log.
    fn changes(&self) -> Option<String> {
        Some(format!("{} (export)", self.account))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<FoldersReport, AdminError> {
        let store = operations.store.clone();
        blocking(move || {
            let account = account::find(&store, &self.account)?.id;
            Ok(FoldersReport {
                folders: store.mailboxes(account)?,
                subscriptions: store.subscriptions(account)?,
            })
        })
        .await
    }
}

/// The next messages of a folder, in the order of their UIDs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page {
    pub account: Address,
    pub folder: String,
    /// The last UID of the page before; 0 for the first.
    pub after: u32,
    /// Without the octets: these can be had already.
    pub bare: bool,
}

/// A message on its way out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outgoing {
    pub uid: u32,
    pub size: u64,
    /// Milliseconds since 1970.
    pub received: i64,
    /// Bits of [`store::mailbox::flag`].
    pub flags: u32,
    pub keywords: Vec<String>,
    /// The whole message; none where it is too large for a page, or not wanted.
    pub data: Option<Octets>,
}

impl Operation for Page {
    /// None at the end.
    type Answer = Vec<Outgoing>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Outgoing>, AdminError> {
        let store = operations.store.clone();
        let bare = self.bare;
        let (mailbox, rows) = blocking(move || {
            let mailbox = mail::folder(&store, &self.account, &self.folder)?.id;
            Ok((mailbox, store.messages(mailbox, self.after, MAX_PAGE)?))
        })
        .await?;
        let (mut page, mut octets) = (Vec::new(), 0);
        for row in rows {
            let wanted = !bare && row.size <= MAX_OCTETS;
            if wanted && octets > 0 && octets + row.size > MAX_OCTETS {
                break;
            }
            let mut data = None;
            if wanted {
                octets += row.size;
                // One that has been removed meanwhile stays without: asked for by itself it is not found.
                if let Some(message) = operations.store.message(mailbox, row.uid)? {
                    let mut whole = message.prefix.to_vec();
                    whole.extend_from_slice(&message.body.read(MAX_OCTETS as usize).await?);
                    data = Some(Octets::from(whole));
                }
            }
            page.push(outgoing(row, data));
        }
        Ok(page)
    }
}

fn outgoing(row: Summary, data: Option<Octets>) -> Outgoing {
    let keywords = row.keywords.iter().map(str::to_owned).collect();
    Outgoing { uid: row.uid, size: row.size, received: row.received, flags: row.flags, keywords, data }
}
