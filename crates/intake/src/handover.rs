//! The end of the message: copies, queue entries, and the promise.

use crate::envelope::Transaction;
use crate::listener::Role;
use crate::plan::{Plan, Told};
use crate::quota::{OVER_QUOTA, no_room};
use crate::receive::{HeaderFacts, Received, Signing, not_stored};
use crate::session::Session;
use jiff::Zoned;
use message::{Client, Protocol, Tls};
use smtp::parameter::Priority;
use smtp::reply::Reply;
use smtp::server::{BodyFacts, Decision};
use store::queue::NewMessage;
use store::trail::{self, Entry, Event};
use store::{Body, Id, StoreError};

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
        let results = Box::pin(self.think_of_message(transaction, checks, &facts.header)).await?;
        let id = Id::generate();
        let mut message = self.new_message(id, transaction, body, &facts, signing).await;
        if !results.is_empty() {
            message.trace = [results.as_bytes(), &message.trace].concat().into();
        }
        for Told { id, recipients, delivered } in self.store(&message, transaction, &facts, full).await? {
            if id != message.id {
                tracing::info!(session = %self.id, queue = %id, of = %message.id, "put aside for some of its recipients");
            }
            let (origin, size) = (message.origin.clone(), message.body.size());
            let from = trail::sender(&transaction.mail.from);
            let verdicts = transaction.verdicts.clone();
            let event = Event::Accepted { origin, from, recipients, delivered, size, verdicts };
            self.intake.store.tell(Entry::now(id, event));
        }
        Ok(id)
    }

    /// Plans who gets what, and has it stored. Others may have filled a mailbox since it was asked; then it is planned again
    /// for those who still have room, which ends, as each time it is fewer of them.
    async fn store(
        &self,
        message: &NewMessage,
        transaction: &Transaction,
        facts: &HeaderFacts,
        full: &mut [bool],
    ) -> Result<Vec<Told>, (Reply, String)> {
        while full.contains(&false) {
            let mut plan = Plan::new(&self.intake.store, transaction, facts, message.id.unix_ms());
            for (recipient, full) in transaction.recipients.iter().zip(&*full) {
                match full {
                    false => plan.add(recipient).map_err(|error| not_stored(&error))?,
                    true if self.answers_each() => {}
                    true => plan.queue(recipient),
                }
            }
            let (messages, told) = plan.messages(message).into_iter().unzip();
            let without = match self.intake.store.accept_all(messages).await {
                Ok(()) => return Ok(told),
                Err(StoreError::NoRoom(without)) => without,
                Err(error) => return Err(refusal(&error)),
            };
            for (recipient, full) in transaction.recipients.iter().zip(&mut *full) {
                *full |= without.iter().any(|one| one.recipient == recipient.address);
            }
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

fn refusal(error: &StoreError) -> (Reply, String) {
    match error {
        // The mailbox went away between RCPT and the end: the client is to ask again, and will be told.
        StoreError::NotFound(what) => {
            (Reply::new(450, (4, 2, 1), "a recipient has just been removed, try again"), what.clone())
        }
        error => not_stored(error),
    }
}
