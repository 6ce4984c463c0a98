//! Searching a folder by reading it: enough for an administrator until there is an index.

use super::{Listed, folder, head, newest};
use crate::{Access, Actor, AdminError, Operation, Operations};
use address::Address;
use message::View;
use serde::{Deserialize, Serialize};

/// Messages that are looked through, the newest.
const MAX_SEARCHED: usize = 10_000;
/// Octets of a message that are looked through: text comes first, attachments after it.
const MAX_READ: usize = 1 << 20;
/// Messages that are found at most.
pub const MAX_FOUND: usize = 1_000;

/// The messages of a folder that have all the words in header or text, in any case, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Search {
    pub account: Address,
    pub folder: String,
    pub words: Vec<String>,
}

impl Operation for Search {
    type Answer = Vec<Listed>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Listed>, AdminError> {
        let store = &operations.store;
        let mailbox = folder(store, &self.account, &self.folder)?;
        let words: Vec<String> = self.words.iter().map(|word| word.to_lowercase()).collect();
        let mut found = Vec::new();
        for summary in newest(store, mailbox.id, mailbox.uidnext, MAX_SEARCHED)? {
            let Some(message) = store.message(mailbox.id, summary.uid)? else { continue };
            let octets = head(&message, MAX_READ).await?;
            if has_all(&octets, &words) {
                found.push(Listed::new(&summary, &octets));
            }
            if found.len() >= MAX_FOUND {
                break;
            }
            // Decoding is work: sessions on this thread get their turn between messages.
            tokio::task::yield_now().await;
        }
        Ok(found)
    }
}

fn has_all(octets: &[u8], words: &[String]) -> bool {
    let view = View::read(octets);
    let mut text = String::new();
    view.fields.iter().for_each(|(name, value)| {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push('\n');
    });
    text.push_str(&view.text());
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}
