//! The end of the message: copies, queue entries, and the promise.

use crate::envelope::{Accepted, Destiny, Transaction};
use crate::listener::Role;
use crate::permit::is_mailbox;
use crate::quota::{OVER_QUOTA, no_room};
use crate::receive::{HeaderFacts, Received, Signing, not_stored};
use crate::session::Session;
use address::Address;
use bytes::Bytes;
use directory::Target;
use jiff::Zoned;
use message::{Client, Header, Protocol, Tls};
use smtp::parameter::{Hold, Priority};
use smtp::reply::Reply;
use smtp::server::{BodyFacts, Decision};
use std::collections::HashSet;
use std::sync::Arc;
use store::mailbox::{INBOX, JUNK};
use store::queue::{LocalCopy, NewMessage, NewRecipient};
use store::trail::{self, Delivery, Entry, Event};
use store::{Body, Id, Store, StoreError};

impl Session {
    /// Answers the end of the data: 250 when the store has the message, and not before. `full`: which recipients are known
    /// to have no room for it; none if it is empty.
    pub(crate) async fn end_of_message(&mut self, facts: BodyFacts, mut full: Vec<bool>) -> Decision {
        let Some(mut transaction) = self.transaction.take() else {
            return Decision::Refuse(Reply::new(503, (5, 5, 1), "no message is under way"));
        };
        full.resize(transaction.recipients.len(), false);
        let handed_over = self.hand_over(&mut transaction, &mut full).await;
        let each = self.answers_each() && full.contains(&true) && full.contains(&false);
        match handed_over {
            Ok(id) => {
                let (size, from) = (facts.octets, &transaction.mail.from);
                let recipients = transaction.recipients.len();
                let priority = transaction.mail.parameters.priority.map(Priority::value);
                tracing::info!(session = %self.id, queue = %id, size, recipients, from = %from, priority, "accepted");
                let reply = Reply::new(250, (2, 0, 0), format!("ok, queued as {id}"));
                if each {
                    return self.answer_each(&transaction, &full, &reply);
                }
                Decision::AcceptWith(reply)
            }
            Err((reply, reason)) => {
                self.log_refusal("data", "", &reply, &reason);
                self.tell_refused(&transaction, &format!("{reply} ({reason})"));
                if each {
                    return self.answer_each(&transaction, &full, &reply);
                }
                Decision::Refuse(reply)
            }
        }
    }

    async fn hand_over(
        &mut self,
        transaction: &mut Transaction,
        full: &mut [bool],
    ) -> Result<Id, (Reply, String)> {
        let Some(receiving) = transaction.receiving.take() else {
            return Err((Reply::new(503, (5, 5, 1), "no message was sent"), "no message".into()));
        };
        let Received { body, facts, signing, checks } = receiving.finish(self).await?;
        let hops = facts.hops;
        if hops > self.settings.max_hops {
            let words = format!("the message has passed {hops} servers: it goes in circles");
            return Err((Reply::new(554, (5, 4, 6), &words), words));
        }
        let thought = Box::pin(self.think_of_message(transaction, checks, &facts.header)).await?;
        let id = Id::generate();
        let mut message = self.new_message(id, transaction, body, &facts, signing).await;
        message.trace = thought.above(&message.trace);
        let size = message.body.size();
        let origin = message.origin.clone();
        let delivered = self.store(message, transaction, &facts, full).await?;
        let each = self.answers_each();
        let taken = transaction.recipients.iter().zip(&*full).filter(|(_, full)| !(each && **full));
        let recipients = taken.map(|(recipient, _)| recipient.address.to_string()).collect();
        let from = trail::sender(&transaction.mail.from);
        let verdicts = transaction.verdicts.clone();
        let event = Event::Accepted { origin, from, recipients, delivered, size, verdicts };
        self.intake.store.tell(Entry::now(id, event));
        Ok(id)
    }

    /// Plans who gets what, and has it stored. Others may have filled a mailbox since it was asked; then it is planned again
    /// for those who still have room, which ends, as each time it is fewer of them.
    async fn store(
        &self,
        mut message: NewMessage,
        transaction: &Transaction,
        facts: &HeaderFacts,
        full: &mut [bool],
    ) -> Result<Vec<Delivery>, (Reply, String)> {
        while full.contains(&false) {
            let mut plan = Plan::new(&self.intake.store, transaction, facts, message.id.unix_ms());
            for (recipient, full) in transaction.recipients.iter().zip(&*full) {
                match full {
                    false => plan.add(recipient).map_err(|error| not_stored(&error))?,
                    true if self.answers_each() => {}
                    true => plan.queue(recipient),
                }
            }
            (message.local, message.remote) = (plan.local, plan.remote);
            let shared = Arc::new(message);
            let without = match self.intake.store.accept(Arc::clone(&shared)).await {
                Ok(()) => return Ok(plan.delivered),
                Err(StoreError::NoRoom(without)) => without,
                Err(error) => return Err(refusal(&error)),
            };
            for (recipient, full) in transaction.recipients.iter().zip(&mut *full) {
                *full |= without.iter().any(|one| one.recipient == recipient.address);
            }
            message = Arc::unwrap_or_clone(shared);
        }
        Err((no_room(), OVER_QUOTA.into()))
    }

    /// Without recipients yet.
    async fn new_message(
        &mut self,
        id: Id,
        transaction: &Transaction,
        body: Body,
        facts: &HeaderFacts,
        signing: Option<Signing>,
    ) -> NewMessage {
        let now = Zoned::now();
        let mut trace = self.received_field(id, transaction, &now).await.into_bytes();
        if let Some(signing) = signing {
            trace.extend(signing.sign(now.timestamp().as_second().unsigned_abs()).await);
        }
        let mut origin = self.origin();
        origin.protocol = self.protocol(transaction).keyword().to_owned();
        origin.message_id = facts.message_id.clone();
        let mut parameters = transaction.mail.parameters.clone();
        parameters.size = None;
        // Who submitted it is our business alone unless the next server is trusted (RFC 4954 §5).
        parameters.auth = None;
        NewMessage {
            id,
            reverse_path: transaction.mail.from.clone(),
            parameters: parameters.to_string().trim().to_owned(),
            body,
            trace: trace.into(),
            origin,
            local: Vec::new(),
            remote: Vec::new(),
        }
    }

    async fn received_field(&mut self, id: Id, transaction: &Transaction, now: &Zoned) -> String {
        let name = self.client_name().await;
        let hidden = self.settings.hide_client_address && self.is_submission();
        let helo = self.client.helo.as_ref().map(|hello| hello.name.to_string()).unwrap_or_default();
        let user = self.client.peer.uid().map(|uid| format!("uid {uid}")).unwrap_or_default();
        let client = match self.client_ip() {
            _ if hidden => Client::Hidden,
            Some(ip) => Client::Shown { helo: &helo, name: name.as_ref(), ip },
            None if self.listener.role == Role::Local => Client::Local { user: &user },
            None => Client::Socket { helo: &helo },
        };
        let only_recipient = match transaction.recipients.as_slice() {
            [only] => Some(&only.address),
            _ => None,
        };
        let tls = self.client.tls.as_ref().map(|(version, cipher)| Tls { version, cipher });
        let id = id.to_string();
        let with = (self.listener.role != Role::Local).then(|| self.protocol(transaction));
        let priority = transaction.mail.parameters.priority.map(Priority::value);
        let field = message::Received {
            by: &self.settings.hostname,
            client,
            with,
            id: &id,
            only_recipient,
            tls,
            priority,
            now,
        }
        .field();
        field.to_string()
    }

    fn protocol(&self, transaction: &Transaction) -> Protocol {
        Protocol {
            greeting: self.greeting(),
            tls: self.client.tls.is_some(),
            authenticated: self.login.is_some(),
            smtputf8: transaction.mail.parameters.smtputf8,
        }
    }
}

/// Who gets what: a copy here in the same transaction, or an entry of the queue.
struct Plan<'a> {
    store: &'a Store,
    transaction: &'a Transaction,
    header: Header<'a>,
    due: i64,
    copied: HashSet<Id>,
    local: Vec<LocalCopy>,
    remote: Vec<NewRecipient>,
    delivered: Vec<Delivery>,
}

impl<'a> Plan<'a> {
    fn new(store: &'a Store, transaction: &'a Transaction, facts: &'a HeaderFacts, now: i64) -> Self {
        let due = match transaction.mail.parameters.hold {
            None => now,
            Some(Hold::For(seconds)) => now + i64::from(seconds) * 1000,
            Some(Hold::Until(time)) => time.as_millisecond().max(now),
        };
        let header = Header::parse(&facts.header);
        let (local, remote, delivered) = (Vec::new(), Vec::new(), Vec::new());
        Self { store, transaction, header, due, copied: HashSet::new(), local, remote, delivered }
    }

    fn add(&mut self, recipient: &Accepted) -> Result<(), StoreError> {
        match &recipient.destiny {
            Destiny::Here(targets) if self.is_simple(recipient, targets) => {
                targets.iter().try_for_each(|target| self.copy(recipient, target))?;
            }
            // The queue knows what to do for those who want to be told, are forwarded, or may be a loop.
            Destiny::Here(_) | Destiny::Queue => self.queue(recipient),
        }
        Ok(())
    }

    fn queue(&mut self, recipient: &Accepted) {
        let (address, parameters) = (recipient.address.clone(), parameters(recipient));
        self.remote.push(NewRecipient { address, parameters, due: self.due, held: false });
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
        self.local.push(LocalCopy {
            recipient: recipient.address.clone(),
            account: account.id,
            mailbox: mailbox.clone(),
            prefix: prefix(self.transaction, &recipient.address),
            flags: 0,
        });
        self.delivered.push(Delivery {
            recipient: recipient.address.to_string(),
            account: account.address.to_string(),
            mailbox,
        });
        Ok(())
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

fn refusal(error: &StoreError) -> (Reply, String) {
    match error {
        // The mailbox went away between RCPT and the end: the client is to ask again, and will be told.
        StoreError::NotFound(what) => {
            (Reply::new(450, (4, 2, 1), "a recipient has just been removed, try again"), what.clone())
        }
        error => not_stored(error),
    }
}
