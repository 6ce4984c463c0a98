//! MAIL and RCPT: who may send, and to whom.

use crate::listener::Role;
use crate::permit::{self, Authenticated, RelayPermit, TransactionId};
use crate::receive::Receiving;
use crate::session::Session;
use crate::shared::Verification;
use address::{Address, ForwardPath, ReversePath};
use directory::{DirectoryError, Login, Resolution, Target};
use smtp::command::{Mail, Rcpt};
use smtp::parameter::RcptParameters;
use smtp::reply::Reply;
use smtp::server::Decision;
use std::time::Instant;
use store::trail::{self, Entry, Event};

/// RFC 5321 §4.2.2: a local error in processing.
const LOCAL_ERROR: u16 = 451;

/// From MAIL to the end of the message.
pub(crate) struct Transaction {
    id: TransactionId,
    pub(crate) mail: Mail,
    pub(crate) recipients: Vec<Accepted>,
    pub(crate) receiving: Option<Receiving>,
    /// What the checks found, for the trail.
    pub(crate) verdicts: Vec<String>,
}

/// A recipient with a permit.
pub(crate) struct Accepted {
    pub(crate) address: Address,
    pub(crate) parameters: RcptParameters,
    pub(crate) destiny: Destiny,
    /// The message is to be put aside.
    pub(crate) put_aside: bool,
}

/// What is to be done for a recipient, decided when it was accepted.
pub(crate) enum Destiny {
    /// Ours: these get it.
    Here(Vec<Target>),
    /// To be passed on by the queue.
    Queue,
}

impl Transaction {
    /// The only way to a recipient: a permit, given up.
    fn accept(&mut self, permit: RelayPermit, parameters: RcptParameters, destiny: Destiny) -> bool {
        let address = permit.redeem(&self.id);
        let taken = address.is_some();
        let put_aside = false;
        self.recipients.extend(address.map(|address| Accepted { address, parameters, destiny, put_aside }));
        taken
    }
}

/// Words for the client, and the reason for the trail.
pub(crate) type Refusal = (Reply, String);

impl Session {
    pub(crate) async fn mail(&mut self, mail: Mail) -> Decision {
        let refusal =
            self.refuse_sender(&mail).unwrap_or_else(|error| Some(self.unavailable_directory(&error)));
        if let Some((reply, reason)) = refusal {
            self.log_refusal("mail", &mail.from.to_string(), &reply, &reason);
            // Something is wrong here, and mail that does not come will be asked after. Of a disk without room (452) only the log
            // tells, as words in the trail would take more of it.
            if reply.code() == LOCAL_ERROR {
                self.tell_refused_sender(&mail, format!("{reply} ({reason})"), Vec::new());
            }
            return Decision::Refuse(reply);
        }
        self.look_up_name();
        if let Some((reply, reason)) = self.look_at_sender(&mail) {
            self.log_refusal("mail", &mail.from.to_string(), &reply, &reason);
            self.tell_refused_sender(&mail, reply.to_string(), vec![reason]);
            return Decision::Refuse(reply);
        }
        self.forwarded.begin();
        let (id, recipients, verdicts) = (TransactionId::new(), Vec::new(), Vec::new());
        self.transaction = Some(Box::new(Transaction { id, mail, recipients, receiving: None, verdicts }));
        Decision::Accept
    }

    fn refuse_sender(&self, mail: &Mail) -> Result<Option<Refusal>, DirectoryError> {
        if self.listener.needs_login() && self.login.is_none() {
            let reply = Reply::new(530, (5, 7, 0), "authentication required: log in with AUTH first");
            return Ok(Some((reply, "not authenticated".into())));
        }
        if let Some(refusal) = self.intake.pressure(mail.parameters.size.unwrap_or(0)) {
            return Ok(Some(refusal));
        }
        let Some(login) = &self.login else { return Ok(None) };
        if let Some(refusal) = self.over_rate(login) {
            return Ok(Some(refusal));
        }
        self.refuse_foreign_sender(login, mail)
    }

    fn refuse_foreign_sender(&self, login: &Login, mail: &Mail) -> Result<Option<Refusal>, DirectoryError> {
        let Some(sender) = mail.from.address().filter(|_| self.settings.check_sender) else {
            return Ok(None);
        };
        if self.intake.directory.may_send_as(&login.account, sender)? {
            return Ok(None);
        }
        let words = format!("<{sender}> does not belong to {}", login.account.address);
        Ok(Some((Reply::new(550, (5, 7, 1), &words), words)))
    }

    fn over_rate(&self, login: &Login) -> Option<Refusal> {
        let rate = self.intake.message_rate.as_ref()?;
        let wait = rate.check(login.account.id, 1, Instant::now()).err()?;
        tracing::warn!(session = %self.id, account = %login.account.address, "account over its rate of messages");
        let words = format!("too many messages, try again in {} minutes", wait.0.as_secs() / 60 + 1);
        Some((Reply::new(450, (4, 7, 1), &words), "rate of messages of the account".into()))
    }

    pub(crate) async fn rcpt(&mut self, rcpt: Rcpt) -> Decision {
        let shown = rcpt.to.to_string();
        match self.consider(rcpt).await {
            Ok(Ok(())) => Decision::Accept,
            Ok(Err((reply, reason))) => self.refuse_recipient(&shown, reply, &reason),
            Err(error) => {
                let (reply, reason) = self.unavailable_directory(&error);
                self.refuse_recipient(&shown, reply, &reason)
            }
        }
    }

    /// Accepts the recipient with a permit, or says why not.
    async fn consider(&mut self, rcpt: Rcpt) -> Result<Result<(), Refusal>, DirectoryError> {
        let Some((address, resolution)) = self.resolve(&rcpt.to)? else {
            return Ok(Err(unknown(&rcpt.to.to_string())));
        };
        match &resolution {
            Resolution::Unknown => {
                self.slow_down().await;
                return Ok(Err(unknown(&format!("<{address}>"))));
            }
            Resolution::Disabled => {
                let reply = Reply::new(550, (5, 2, 1), format!("<{address}> takes no mail"));
                return Ok(Err((reply, "account disabled".into())));
            }
            Resolution::Here(targets) => {
                if let Some(refusal) = self.over_quota(&address, targets)? {
                    return Ok(Err(refusal));
                }
            }
            Resolution::Relay(relay) if relay.verify => {
                if let Some(refusal) = self.ask_next_host(&address).await {
                    return Ok(Err(refusal));
                }
            }
            Resolution::Returned(_) if !self.is_notification() => {
                let words = format!("<{address}> takes notifications only");
                return Ok(Err((Reply::new(550, (5, 7, 1), &words), words)));
            }
            Resolution::Relay(_) | Resolution::Returned(_) | Resolution::Elsewhere => {}
        }
        if let Some(refusal) = self.over_recipient_rate() {
            return Ok(Err(refusal));
        }
        if resolution != Resolution::Elsewhere
            && let Some(refusal) = self.look_at_recipient(&address).await
        {
            return Ok(Err(refusal));
        }
        Ok(self.permit_and_accept(address, resolution, rcpt.parameters))
    }

    fn permit_and_accept(
        &mut self,
        address: Address,
        resolution: Resolution,
        parameters: RcptParameters,
    ) -> Result<(), Refusal> {
        let denied = || {
            let words =
                format!("<{address}> is not here, and you may not relay: log in, or ask to be listed");
            (Reply::new(550, (5, 7, 1), words), "relaying denied".to_owned())
        };
        let Some(mut transaction) = self.transaction.take() else { return Err(denied()) };
        let permit = self.permit(&address, &resolution, &transaction);
        let destiny = match resolution {
            Resolution::Here(targets) => Destiny::Here(targets),
            _ => Destiny::Queue,
        };
        let taken = permit.is_some_and(|permit| transaction.accept(permit, parameters, destiny));
        self.transaction = Some(transaction);
        if taken { Ok(()) } else { Err(denied()) }
    }

    /// A permit, if any of its three makers gives one. LMTP is for those who are here.
    fn permit(
        &self,
        address: &Address,
        resolution: &Resolution,
        transaction: &Transaction,
    ) -> Option<RelayPermit> {
        let id = &transaction.id;
        if let Some(permit) = permit::local(address, resolution, &transaction.mail.from, id) {
            return Some(permit);
        }
        if self.listener.role == Role::Lmtp {
            return None;
        }
        if let Some(who) = self.authenticated() {
            return Some(permit::authenticated(address, who, id));
        }
        permit::trusted(address, self.client_ip()?, &self.settings.trusted, id)
    }

    /// The address that a path means, and what is there. A name without a domain means somebody only to those who
    /// are at home here; from others just `<Postmaster>` (RFC 5321 §4.1.1.3).
    fn resolve(&self, path: &ForwardPath) -> Result<Option<(Address, Resolution)>, DirectoryError> {
        match path {
            ForwardPath::Address(address) => {
                Ok(Some((address.clone(), self.intake.directory.resolve(address)?)))
            }
            ForwardPath::Unqualified(local) => {
                let at_home =
                    self.authenticated().is_some() || self.is_trusted() || self.listener.role == Role::Lmtp;
                if !at_home && !local.as_str().eq_ignore_ascii_case("postmaster") {
                    return Ok(None);
                }
                self.intake.directory.resolve_unqualified(local)
            }
        }
    }

    fn over_quota(&self, address: &Address, targets: &[Target]) -> Result<Option<Refusal>, DirectoryError> {
        let size = self.transaction.as_ref().and_then(|t| t.mail.parameters.size).unwrap_or(0);
        for target in targets {
            if let Target::Account { account, .. } = target
                && self.intake.directory.is_over_quota(account, size)?
            {
                let reply = Reply::new(452, (4, 2, 2), format!("the mailbox of <{address}> is full"));
                return Ok(Some((reply, format!("{} is over quota", account.address))));
            }
        }
        Ok(None)
    }

    async fn ask_next_host(&self, address: &Address) -> Option<Refusal> {
        let answer = match &self.intake.recipients {
            Some(check) => check.check(address).await,
            None => Verification::Unknown("recipients cannot be verified here".into()),
        };
        match answer {
            Verification::Taken => None,
            Verification::Refused(words) => {
                let reply =
                    Reply::new(550, (5, 1, 1), format!("the next host does not take <{address}>: {words}"));
                Some((reply, words))
            }
            Verification::Unknown(words) => {
                let reply = Reply::new(
                    450,
                    (4, 1, 1),
                    format!("<{address}> cannot be verified now, try again later"),
                );
                Some((reply, words))
            }
        }
    }

    fn over_recipient_rate(&self) -> Option<Refusal> {
        let (rate, login) = (self.intake.recipient_rate.as_ref()?, self.login.as_ref()?);
        let wait = rate.check(login.account.id, 1, Instant::now()).err()?;
        tracing::warn!(session = %self.id, account = %login.account.address, "account over its rate of recipients");
        let words = format!("too many recipients, try again in {} minutes", wait.0.as_secs() / 60 + 1);
        Some((Reply::new(452, (4, 5, 3), words), "rate of recipients of the account".into()))
    }

    /// Whether the transaction has the null sender.
    fn is_notification(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.mail.from.is_null())
    }

    /// Whoever guesses addresses waits for the answers.
    async fn slow_down(&mut self) {
        let ip = self.client_ip().filter(|ip| !ip.is_loopback() && !self.is_trusted());
        let delay = self.intake.harvest_guard.missed(&mut self.misses, ip, Instant::now());
        tokio::time::sleep(delay).await;
    }

    pub(crate) fn refuse_recipient(&self, recipient: &str, reply: Reply, reason: &str) -> Decision {
        let from = self.transaction.as_ref().map(|transaction| transaction.mail.from.clone());
        Decision::Refuse(self.refuse_address(&from.unwrap_or(ReversePath::Null), recipient, reply, reason))
    }

    /// Log and trail of one recipient who was refused; the reply.
    pub(crate) fn refuse_address(
        &self,
        from: &ReversePath,
        recipient: &str,
        reply: Reply,
        reason: &str,
    ) -> Reply {
        self.log_refusal("rcpt", recipient, &reply, reason);
        let (origin, from) = (self.origin(), trail::sender(from));
        let recipients = vec![recipient.trim_matches(['<', '>']).to_owned()];
        let verdicts = self.visit.as_ref().map(|visit| visit.words()).unwrap_or_default();
        let event =
            Event::Refused { origin, from, recipients, reply: format!("{reply} ({reason})"), verdicts };
        self.intake.store.tell(Entry::now(store::Id::generate(), event));
        reply
    }

    /// The trail of a message that was refused before it had a recipient.
    fn tell_refused_sender(&self, mail: &Mail, reply: String, verdicts: Vec<String>) {
        let (origin, from, recipients) = (self.origin(), trail::sender(&mail.from), Vec::new());
        let event = Event::Refused { origin, from, recipients, reply, verdicts };
        self.intake.store.tell(Entry::now(store::Id::generate(), event));
    }

    /// The trail of a message that was refused as a whole.
    pub(crate) fn tell_refused(&self, transaction: &Transaction, reply: &str) {
        let recipients = transaction.recipients.iter().map(|r| r.address.to_string()).collect();
        let from = trail::sender(&transaction.mail.from);
        let (origin, verdicts) = (self.origin(), transaction.verdicts.clone());
        let event = Event::Refused { origin, from, recipients, reply: reply.to_owned(), verdicts };
        self.intake.store.tell(Entry::now(store::Id::generate(), event));
    }

    pub(crate) fn log_refusal(&self, stage: &str, what: &str, reply: &Reply, reason: &str) {
        let what = what.escape_debug();
        tracing::info!(session = %self.id, stage, %what, %reply, reason, "refused");
    }

    pub(crate) fn unavailable_directory(&self, error: &DirectoryError) -> Refusal {
        tracing::error!(session = %self.id, %error, "the directory cannot be read");
        (Reply::new(451, (4, 3, 0), "temporary failure, try again later"), error.to_string())
    }

    /// Whether this is our own users' mail, which is completed and checked. (It is signed, as is that of trusted networks.)
    pub(crate) fn is_submission(&self) -> bool {
        match self.authenticated() {
            Some(Authenticated::Account(_) | Authenticated::LocalUser(_)) => true,
            None => self.listener.role == Role::Submission,
        }
    }
}

fn unknown(recipient: &str) -> Refusal {
    (Reply::new(550, (5, 1, 1), format!("no such recipient here: {recipient}")), "unknown recipient".into())
}
