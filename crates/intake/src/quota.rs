//! Quotas when a message has ended and its size is known.
//!
//! What the client declared was asked at RCPT already. A message that is larger than declared, or of which no size was
//! declared, is asked again here, so that a mailbox is never over its quota by more than what arrives at the same moment.

use crate::envelope::{Accepted, Destiny};
use crate::listener::Role;
use crate::session::Session;
use directory::{DirectoryError, Target};
use smtp::reply::Reply;
use smtp::server::{BodyFacts, Decision};

impl Session {
    /// Answers the end of the data, for those who have room.
    ///
    /// - Nobody has: 452, and the client keeps the message.
    /// - LMTP: each recipient has a reply of its own (RFC 2033 §4.2).
    /// - SMTP has one for all: those without room get the message from the queue, when there is room, or the sender a
    ///   notification.
    pub(crate) async fn end_for_those_with_room(&mut self, facts: BodyFacts) -> Decision {
        let full = match self.without_room(&facts) {
            Ok(full) => full,
            Err(error) => return Decision::Refuse(self.unavailable_directory(&error).0),
        };
        if !full.contains(&true) {
            return self.end_of_message(facts).await;
        }
        if !full.contains(&false) {
            return self.refuse_for_room();
        }
        if self.listener.role == Role::Lmtp {
            return self.end_each(facts, &full).await;
        }
        for (recipient, _) in self.recipients().iter_mut().zip(&full).filter(|(_, full)| **full) {
            recipient.destiny = Destiny::Queue;
        }
        self.end_of_message(facts).await
    }

    /// For each recipient whether the message is too much for it.
    fn without_room(&mut self, facts: &BodyFacts) -> Result<Vec<bool>, DirectoryError> {
        let declared = self.transaction.as_ref().and_then(|transaction| transaction.mail.parameters.size);
        if declared.is_some_and(|declared| declared >= facts.octets) {
            return Ok(Vec::new());
        }
        let directory = self.intake.directory.clone();
        let full = |recipient: &mut Accepted| match &recipient.destiny {
            Destiny::Queue => Ok(false),
            Destiny::Here(targets) => {
                for target in targets {
                    if let Target::Account { account, .. } = target
                        // What is used may have changed since RCPT.
                        && let Some(account) = directory.store().account_by_id(account.id)?
                        && directory.is_over_quota(&account, facts.octets)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        };
        self.recipients().iter_mut().map(full).collect()
    }

    fn recipients(&mut self) -> &mut [Accepted] {
        self.transaction.as_mut().map(|transaction| transaction.recipients.as_mut_slice()).unwrap_or_default()
    }

    fn refuse_for_room(&mut self) -> Decision {
        let reply = no_room();
        if let Some(transaction) = self.transaction.take() {
            self.log_refusal("data", "", &reply, "over quota");
            self.tell_refused(&transaction, &format!("{reply} (over quota)"));
        }
        Decision::Refuse(reply)
    }

    async fn end_each(&mut self, facts: BodyFacts, full: &[bool]) -> Decision {
        let names: Vec<String> = self.recipients().iter().map(|r| format!("<{}>", r.address)).collect();
        for (name, _) in names.iter().zip(full).filter(|(_, full)| **full) {
            self.refuse_recipient(name, no_room(), "over quota");
        }
        if let Some(transaction) = &mut self.transaction {
            let mut full = full.iter();
            transaction.recipients.retain(|_| full.next() == Some(&false));
        }
        match self.end_of_message(facts).await {
            Decision::AcceptWith(reply) | Decision::Refuse(reply) => {
                let each = full.iter().map(|full| if *full { no_room() } else { reply.clone() });
                Decision::Recipients(each.collect())
            }
            other => other,
        }
    }
}

fn no_room() -> Reply {
    Reply::new(452, (4, 2, 2), "the mailbox is full")
}
