//! Who gets what of a message: a copy here in the same transaction, or an entry of the queue.

use crate::envelope::{Accepted, Destiny, Transaction};
use crate::permit::is_mailbox;
use crate::receive::HeaderFacts;
use address::Address;
use bytes::Bytes;
use directory::Target;
use message::{Header, put_aside};
use smtp::parameter::Hold;
use std::collections::HashSet;
use store::mailbox::{INBOX, JUNK};
use store::queue::{LocalCopy, NewMessage, NewRecipient};
use store::trail::Delivery;
use store::{Id, Store, StoreError};

/// For the recipients of one message, one after the other.
pub(crate) struct Plan<'a> {
    store: &'a Store,
    transaction: &'a Transaction,
    header: Header<'a>,
    due: i64,
    copied: HashSet<Id>,
    plain: Share,
    /// Of those for whom the message is put aside.
    aside: Share,
}

/// What the trail is told of a message that was stored.
pub(crate) struct Told {
    pub(crate) id: Id,
    pub(crate) recipients: Vec<String>,
    pub(crate) delivered: Vec<Delivery>,
}

/// The recipients of one message in the store.
#[derive(Default)]
struct Share {
    recipients: Vec<String>,
    local: Vec<LocalCopy>,
    remote: Vec<NewRecipient>,
    delivered: Vec<Delivery>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(
        store: &'a Store,
        transaction: &'a Transaction,
        facts: &'a HeaderFacts,
        now: i64,
    ) -> Self {
        let due = match transaction.mail.parameters.hold {
            None => now,
            Some(Hold::For(seconds)) => now + i64::from(seconds) * 1000,
            Some(Hold::Until(time)) => time.as_millisecond().max(now),
        };
        let (header, copied) = (Header::parse(&facts.header), HashSet::new());
        let (plain, aside) = (Share::default(), Share::default());
        Self { store, transaction, header, due, copied, plain, aside }
    }

    pub(crate) fn add(&mut self, recipient: &Accepted) -> Result<(), StoreError> {
        match &recipient.destiny {
            Destiny::Here(targets) if self.is_simple(recipient, targets) => {
                self.share(recipient).recipients.push(recipient.address.to_string());
                targets.iter().try_for_each(|target| self.copy(recipient, target))?;
            }
            // The queue knows what to do for those who want to be told, are forwarded, or may be a loop.
            Destiny::Here(_) | Destiny::Queue => self.queue(recipient),
        }
        Ok(())
    }

    pub(crate) fn queue(&mut self, recipient: &Accepted) {
        let (address, parameters) = (recipient.address.clone(), parameters(recipient));
        let (due, share) = (self.due, self.share(recipient));
        share.recipients.push(address.to_string());
        share.remote.push(NewRecipient { address, parameters, due, held: false });
    }

    /// `message`, which has no recipients yet, as it is to be stored. The mark of what was put aside is above all copies of
    /// a message, and stays there on its way on; so it is another message for those whose rules do not ask for it.
    pub(crate) fn messages(self, message: &NewMessage) -> Vec<(NewMessage, Told)> {
        let Self { mut plain, mut aside, .. } = self;
        if aside.is_empty() {
            plain.recipients.append(&mut aside.recipients);
            return vec![plain.of(message.clone())];
        }
        let trace = [put_aside().to_string().as_bytes(), &message.trace].concat().into();
        let marked = NewMessage { trace, ..message.clone() };
        if plain.is_empty() {
            aside.recipients.append(&mut plain.recipients);
            return vec![aside.of(marked)];
        }
        vec![plain.of(message.clone()), aside.of(NewMessage { id: Id::generate(), ..marked })]
    }

    fn share(&mut self, recipient: &Accepted) -> &mut Share {
        if recipient.put_aside { &mut self.aside } else { &mut self.plain }
    }

    /// Whether nothing but copies in mailboxes here is to be made, now.
    fn is_simple(&self, recipient: &Accepted, targets: &[Target]) -> bool {
        let wants_success = recipient.parameters.notify.is_some_and(|notify| notify.success);
        let looped = self.header.was_delivered_to(&recipient.address);
        let held = self.transaction.mail.parameters.hold.is_some();
        !wants_success && !looped && !held && targets.iter().all(is_mailbox)
    }

    fn copy(&mut self, recipient: &Accepted, target: &Target) -> Result<(), StoreError> {
        let Target::Account { account, .. } = target else { return Ok(()) };
        // Two recipients that lead to one mailbox make one copy, as with one recipient named twice.
        if !self.copied.insert(account.id) {
            return Ok(());
        }
        let mailbox = match recipient.put_aside {
            true => self.store.folder_for(account.id, JUNK)?,
            false => INBOX.to_owned(),
        };
        let prefix = prefix(self.transaction, &recipient.address);
        let share = self.share(recipient);
        share.local.push(LocalCopy {
            recipient: recipient.address.clone(),
            account: account.id,
            mailbox: mailbox.clone(),
            prefix,
            flags: 0,
        });
        share.delivered.push(Delivery {
            recipient: recipient.address.to_string(),
            account: account.address.to_string(),
            mailbox,
        });
        Ok(())
    }
}

impl Share {
    /// Whether there is nothing to store, though there may be recipients: others lead to their mailboxes too.
    fn is_empty(&self) -> bool {
        self.local.is_empty() && self.remote.is_empty()
    }

    fn of(self, message: NewMessage) -> (NewMessage, Told) {
        let Self { recipients, local, remote, delivered } = self;
        let told = Told { id: message.id, recipients, delivered };
        (NewMessage { local, remote, ..message }, told)
    }
}

fn prefix(transaction: &Transaction, recipient: &Address) -> Bytes {
    let return_path = message::return_path(&transaction.mail.from);
    format!("{return_path}{}", message::delivered_to(recipient)).into()
}

/// RCPT's parameters for the way on.
fn parameters(recipient: &Accepted) -> String {
    recipient.parameters.to_string().trim().to_owned()
}
