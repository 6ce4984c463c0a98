//! Quotas when a message has ended and its size is known.
//!
//! What the client declared was asked at RCPT already. A message that is larger than declared, or of which no size was
//! declared, is asked again here. The store asks last, when it writes: messages that end at the same moment do not
//! exceed a quota together.

use crate::envelope::{Accepted, Destiny, Transaction};
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
        if !full.is_empty() && !full.contains(&false) {
            return self.refuse_for_room();
        }
        self.end_of_message(facts, full).await
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
            self.log_refusal("data", "", &reply, OVER_QUOTA);
            self.tell_refused(&transaction, &format!("{reply} ({OVER_QUOTA})"));
        }
        Decision::Refuse(reply)
    }

    /// The reply to each recipient of LMTP: `reply` to those who are not `full`.
    pub(crate) fn answer_each(&self, transaction: &Transaction, full: &[bool], reply: &Reply) -> Decision {
        let answer = |(recipient, full): (&Accepted, &bool)| {
            if !full {
                return reply.clone();
            }
            self.refuse_address(&transaction.mail.from, &recipient.address.to_string(), no_room(), OVER_QUOTA)
        };
        Decision::Recipients(transaction.recipients.iter().zip(full).map(answer).collect())
    }

    /// Whether a recipient without room is refused by itself.
    pub(crate) fn answers_each(&self) -> bool {
        self.listener.role == Role::Lmtp
    }
}

pub(crate) const OVER_QUOTA: &str = "over quota";

pub(crate) fn no_room() -> Reply {
    Reply::new(452, (4, 2, 2), "the mailbox is full")
}
