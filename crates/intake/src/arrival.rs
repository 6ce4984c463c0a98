//! Strangers and their mail: what `policy` is asked, and what its answers mean for a session.

use crate::checked::Checked;
use crate::envelope::{Refusal, Transaction};
use crate::listener::Role;
use crate::session::Session;
use address::{Address, Domain, ReversePath};
use bytes::Bytes;
use mailauth::dmarc::Policy;
use mailauth::results::AuthResults;
use message::Edit;
use policy::Verdict;
use policy::arrival::{Conclusion, MessageChecks};
use smtp::command::Mail;
use std::time::Instant;
use store::clock;

impl Session {
    /// Whether the client can have no part in what our name says (RFC 8601 §5): it did not log in, and is neither on this
    /// machine nor in a trusted network.
    pub(crate) fn is_stranger(&self) -> bool {
        let outside = self.client_ip().is_some_and(|ip| !ip.is_loopback()) && !self.is_trusted();
        outside && self.login.is_none() && self.listener.role == Role::Relay
    }

    /// MAIL.
    pub(crate) fn look_at_sender(&mut self, mail: &Mail) -> Option<Refusal> {
        if self.login.is_some() {
            self.visit = None;
        }
        let visit = self.visit.as_mut()?;
        refusal(visit.mail(&mail.from, Instant::now(), clock::seconds()))
    }

    /// RCPT.
    pub(crate) async fn look_at_recipient(&mut self, to: &Address) -> Option<Refusal> {
        // Out of the session while it is asked.
        let mut visit = self.visit.take()?;
        let name = self.reverse_name().await;
        let verdict = Box::pin(visit.recipient(to, &name, clock::millis())).await;
        self.visit = Some(visit);
        refusal(verdict)
    }

    /// The header of a message is there: what goes on while its body comes.
    pub(crate) fn check_message(&self, header: &[u8]) -> Option<Box<MessageChecks>> {
        let visit = self.visit.as_ref()?;
        Some(Box::new(visit.message(header, clock::seconds())))
    }

    /// The message without results that claim to be ours, or that nobody here can read.
    pub(crate) fn without_our_results(&self, message: &Bytes) -> Vec<Bytes> {
        let mut edit = Edit::new(message);
        AuthResults::remove_claims(&mut edit, self.settings.hostname.as_str());
        AuthResults::remove_other_versions(&mut edit);
        edit.finish().pieces(message)
    }

    /// The end of the message: for whom it is put aside, and the field that tells what was found of it (nothing, of one that
    /// is no stranger's); or why nobody gets it.
    pub(crate) async fn think_of_message(
        &mut self,
        transaction: &mut Transaction,
        checks: Option<Box<MessageChecks>>,
        header: &[u8],
    ) -> Result<String, Refusal> {
        let (Some(checks), Some(mut visit)) = (checks, self.visit.take()) else {
            return Ok(String::new());
        };
        let name = self.reverse_name().await;
        let recipients: Vec<Address> = transaction.recipients.iter().map(|r| r.address.clone()).collect();
        let directory = self.intake.directory.clone();
        // A directory that cannot be read is told of elsewhere; nobody's mail is refused for it.
        let is_ours = |domain: &Domain| directory.store().domain(domain).is_ok_and(|found| found.is_some());
        let concluded = checks.finish(&mut visit, &name, &recipients, is_ours).await;
        self.visit = Some(visit);
        transaction.verdicts.clone_from(&concluded.words);
        self.report(&concluded, &transaction.mail.from, header);
        if let Some(refusal) = concluded.refusal().cloned().and_then(refusal) {
            return Err(refusal);
        }
        for (recipient, verdict) in transaction.recipients.iter_mut().zip(&concluded.verdicts) {
            recipient.put_aside = matches!(verdict, Verdict::Quarantine { .. });
        }
        Ok(concluded.field)
    }

    /// Tells who reports on messages. One that is to come back is told of when it does.
    fn report(&self, concluded: &Conclusion, reverse_path: &ReversePath, header: &[u8]) {
        let Some(reporter) = &self.intake.reporter else { return };
        let any = |wanted: fn(&Verdict) -> bool| concluded.verdicts.iter().any(wanted);
        let done = if any(|verdict| matches!(verdict, Verdict::Defer { .. })) {
            return;
        } else if any(|verdict| matches!(verdict, Verdict::Reject { .. })) {
            Policy::Reject
        } else if any(|verdict| matches!(verdict, Verdict::Quarantine { .. })) {
            Policy::Quarantine
        } else {
            Policy::None
        };
        let (facts, results) = (&concluded.facts, concluded.field.as_str());
        reporter.checked(&Checked { facts, reverse_path, header, results, done });
    }
}

/// The words for the client and the reason for the trail, unless it may go on.
fn refusal(verdict: Verdict) -> Option<Refusal> {
    match verdict {
        Verdict::Accept | Verdict::Quarantine { .. } => None,
        Verdict::Defer { reply, reason } | Verdict::Reject { reply, reason } => Some((reply, reason)),
    }
}
