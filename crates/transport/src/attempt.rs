//! One attempt: host after host, until every recipient has an answer or there is nobody left to ask.

use crate::answers::{self, Answer};
use crate::client::{Content, OpenError, SendError, Sent};
use crate::decide::needs_tls;
use crate::open::{Opened, open};
use crate::places::{Called, Next, NoAddress, Places, is_own_end};
use crate::pool::{Connection, PoolKey};
use crate::security::Plan;
use crate::{
    Carried, Destination, Errand, ErrandRecipient, NamedHost, NextHop, Outcome, Outgoing, Settings, Transport,
};
use address::{ForwardPath, ReversePath};
use smtp::client::{Ended, Fate, SendError as NotSent, Transaction};
use smtp::command::{Mail, Rcpt};
use smtp::parameter::{MailParameters, RcptParameters};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::Instant;

/// Most notes about hosts that did not take it.
pub(crate) const MAX_NOTES: usize = 20;

pub(crate) struct Attempt<'a> {
    pub(crate) transport: &'a Transport,
    /// Of when it began.
    settings: Arc<Settings>,
    pub(crate) destination: &'a Destination,
    pub(crate) message: Arc<Outgoing>,
    pub(crate) mail: Mail,
    pub(crate) content: Content,
    pub(crate) reencoded: bool,
    pub(crate) waiting: Vec<ErrandRecipient>,
    done: Vec<Carried>,
    /// What kept the last hosts from taking it: the answer for whoever is left in the end.
    trouble: Option<Trouble>,
    pub(crate) notes: Vec<String>,
    /// How each host is to be called, by its name; `None`: not at all.
    pub(crate) plans: HashMap<String, Option<Plan>>,
    /// A call was answered by this very server.
    met_ourselves: bool,
    /// When `mail` was right about the time that is left.
    begun: Instant,
}

struct Trouble {
    host: String,
    answer: Answer,
    /// Whether somebody answered there: what is wrong with a server says more than an address where nobody is.
    met: bool,
}

impl Trouble {
    /// What may pass stands before what will not, and somebody's answer before nobody's.
    fn rank(&self) -> (bool, bool) {
        (!matches!(self.answer.outcome, Outcome::Failed), self.met)
    }

    fn note(&self) -> String {
        format!("{}: {}", self.host, self.answer.reply)
    }
}

/// What is to become of the connection on which something was just sent.
pub(crate) enum Then {
    /// All recipients have their answers.
    Keep,
    /// Another connection to the same address may serve who is left.
    Another,
    /// The server ended the session.
    Gone,
    /// It stands, and another message may go over it.
    NextHost,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(transport: &'a Transport, destination: &'a Destination, errand: Errand) -> Self {
        let Errand { message, recipients } = errand;
        let mut notes = Vec::new();
        let mut parameters = MailParameters::parse(&message.parameters).unwrap_or_else(|error| {
            notes.push(format!("the parameters of MAIL were left out: {error}"));
            MailParameters::default()
        });
        // RFC 4954 §5: nobody vouches for the submitter, which whoever let us log in must be told.
        if destination.route.terms.credentials.is_some() {
            parameters.auth = Some(ReversePath::Null);
        }
        let mail = Mail { from: message.reverse_path.clone(), parameters };
        Self {
            transport,
            settings: transport.settings(),
            destination,
            mail,
            content: Content { prefix: message.trace.clone(), body: message.body.clone() },
            message,
            reencoded: false,
            waiting: recipients,
            done: Vec::new(),
            trouble: None,
            notes,
            plans: HashMap::new(),
            met_ourselves: false,
            begun: Instant::now(),
        }
    }

    pub(crate) async fn run(mut self) -> Vec<Carried> {
        let (transport, settings) = (self.transport, Arc::clone(&self.settings));
        let give_up = Instant::now() + settings.calling;
        let mut places = Places::new(&*transport.dns, &settings, &transport.silent, self.destination);
        while !self.waiting.is_empty() && Instant::now() < give_up {
            match places.next().await {
                None => break,
                Some(Next::Host(host)) => {
                    if let Some(plan) = self.plan(&host).await {
                        self.reuse(&host, &plan).await;
                    }
                }
                Some(Next::Address(called)) => {
                    if let Some(plan) = self.plan(&called.host).await {
                        self.call(&called, &plan).await;
                    }
                    if self.met_ourselves {
                        places.forget_worse();
                    }
                }
                Some(Next::Nothing(host, why)) => self.no_address(&host, &why),
            }
        }
        self.finish()
    }

    /// Sends over connections that were kept.
    async fn reuse(&mut self, host: &NamedHost, plan: &Plan) {
        let key = self.pool_key(host, plan);
        while !self.waiting.is_empty()
            && let Some(connection) = self.transport.pool.take(&key)
        {
            // One that still stands is kept again, and would come back for ever.
            if !matches!(self.use_connection(&key, connection, true).await, Then::Gone) {
                break;
            }
        }
    }

    /// Calls one address, again if one connection is not enough.
    async fn call(&mut self, called: &Called, plan: &Plan) {
        let key = self.pool_key(&called.host, plan);
        loop {
            let before = self.waiting.len();
            let route = &self.destination.route;
            let opened = open(&self.transport.tls, &self.settings, route, called, plan).await;
            self.note_tls(called, plan, opened.as_ref()).await;
            let Opened { client, note, .. } = match opened {
                Ok(opened) => opened,
                Err(error) => return self.not_opened(called, &error),
            };
            self.transport.silent.remove(&called.endpoint);
            if is_own_end(&self.settings.own, client.local(), &called.endpoint) {
                client.dismiss();
                self.met_ourselves = true;
                return self.no_address(&called.host, &NoAddress::Ourselves);
            }
            self.notes.extend(note);
            let connection = Connection { client: Box::new(client), label: called.label() };
            let then = self.use_connection(&key, connection, false).await;
            if !matches!(then, Then::Another) || self.waiting.len() == before {
                return;
            }
        }
    }

    /// Sends over this connection until all have an answer or it will not do any more.
    async fn use_connection(&mut self, key: &PoolKey, mut connection: Connection, reused: bool) -> Then {
        let then = loop {
            match self.send_once(&mut connection, reused).await {
                None if self.waiting.is_empty() => break Then::Keep,
                None => {}
                Some(then) => break then,
            }
        };
        let Connection { client, .. } = &connection;
        let usable = client.is_ready() && !matches!(then, Then::Another);
        if usable && client.messages() < self.settings.max_messages {
            self.transport.pool.put(key.clone(), connection);
        } else if client.ended().is_none() {
            connection.client.dismiss();
        }
        then
    }

    /// One transaction for all who wait. `None`: there may be another on the same connection.
    async fn send_once(&mut self, connection: &mut Connection, reused: bool) -> Option<Then> {
        let Some(transaction) = self.transaction() else {
            let late = "554 5.4.7 the time within which the sender wanted it delivered is over";
            self.answer_all("", &Answer::failed(late));
            return Some(Then::Keep);
        };
        let sent = connection.client.send(transaction, &self.content).await;
        match sent {
            Ok(Sent::Done(outcome)) => self.take_outcome(connection, outcome, reused),
            // Nothing here asks for a stop.
            Ok(Sent::Stopped(_)) => Some(Then::NextHost),
            Err(SendError::NotSent(NotSent::Unsendable(why))) => self.adapt(&connection.label, why).await,
            Err(SendError::NotSent(NotSent::UsedUp)) => Some(Then::Another),
            Err(error @ (SendError::NotSent(NotSent::Misuse(_)) | SendError::Body(_))) => {
                let reply = format!("451 4.3.0 {error}");
                self.answer_all(&connection.label, &Answer::deferred(reply, false));
                Some(Then::Keep)
            }
        }
    }

    /// `None`: it is too late, and the message goes back.
    fn transaction(&mut self) -> Option<Transaction> {
        let mut mail = self.mail.clone();
        // RFC 2852 §4.1.4: what is left when MAIL is said.
        mail.parameters.by = match mail.parameters.by {
            Some(by) => Some(by.after(self.begun.elapsed().as_secs())?),
            None => None,
        };
        let notes = &mut self.notes;
        let rcpt = |recipient: &ErrandRecipient| {
            let parameters = RcptParameters::parse(&recipient.parameters).unwrap_or_else(|error| {
                notes.push(format!("the parameters of RCPT were left out: {error}"));
                RcptParameters::default()
            });
            Rcpt { to: ForwardPath::Address(recipient.address.clone()), parameters }
        };
        let recipients = self.waiting.iter().map(rcpt).collect();
        Some(Transaction { mail, recipients, length: self.content.len() })
    }

    fn take_outcome(
        &mut self,
        connection: &Connection,
        outcome: smtp::client::Outcome,
        reused: bool,
    ) -> Option<Then> {
        let offered = connection.client.capabilities();
        let tls = connection.client.tls().map(|tls| format!("{} {}", tls.version, tls.cipher));
        let before = self.waiting.len();
        let (mut broken, mut put_off) = (false, None);
        for (recipient, fate) in std::mem::take(&mut self.waiting).into_iter().zip(outcome.recipients) {
            match answers::of(&fate.fate, offered) {
                Some(answer) => {
                    let carried = self.carried(&recipient, &connection.label, tls.clone(), answer);
                    self.done.push(carried);
                }
                None => {
                    broken |= matches!(fate.fate, Fate::Broken { .. });
                    if let Fate::NotTried(why) = fate.fate {
                        put_off = Some(why);
                    }
                    self.waiting.push(recipient);
                }
            }
        }
        if let Some(ended) = &outcome.ended {
            // A server may close an idle connection at any moment (RFC 5321 §4.5.3.2.7): that says nothing about it.
            let stale =
                reused && outcome.mail.is_none() && matches!(ended, Ended::Lost(_) | Ended::Shutdown(_));
            if broken && !stale {
                self.trouble(connection.label.clone(), answers::of_ended(ended));
            }
            return Some(Then::Gone);
        }
        if let Some(why) = put_off
            && self.waiting.len() == before
        {
            self.trouble(connection.label.clone(), answers::of_put_off(&why));
            return Some(Then::Another);
        }
        None
    }

    fn not_opened(&mut self, called: &Called, error: &OpenError) {
        if error.is_silence() {
            self.transport.silent.add(&called.endpoint);
        }
        let answer = match error.is_tls() && needs_tls(&self.mail) {
            // RFC 8689 §4.2.1.
            true => Answer::failed(format!("550 5.7.10 the message requires TLS, and: {error}")),
            false => answers::of_open_error(error),
        };
        let credentials = self.destination.route.terms.credentials.as_ref();
        let note = credentials.and_then(|credentials| answers::about_login(&credentials.user, error));
        let answer = Answer { note, ..answer };
        self.add_trouble(Trouble {
            host: called.label(),
            answer,
            met: !matches!(error, OpenError::Connect(_)),
        });
    }

    fn no_address(&mut self, host: &NamedHost, why: &NoAddress) {
        let given = matches!(self.destination.route.next, NextHop::Smtp { .. } | NextHop::Lmtp { .. });
        let answer = answers::of_no_address(host, why, given);
        self.add_trouble(Trouble { host: host.name.clone(), answer, met: false });
    }

    /// Notes what a host that answered said against it.
    pub(crate) fn trouble(&mut self, host: String, answer: Answer) {
        self.add_trouble(Trouble { host, answer, met: true });
    }

    /// Notes what went wrong with a host. The last of the highest rank is the answer in the end.
    fn add_trouble(&mut self, new: Trouble) {
        let (kept, noted) = match self.trouble.take() {
            Some(old) if old.rank() > new.rank() => (old, Some(new)),
            old => (new, old),
        };
        if let Some(noted) = noted
            && self.notes.len() < MAX_NOTES
        {
            self.notes.push(noted.note());
        }
        self.trouble = Some(kept);
    }

    pub(crate) fn answer_all(&mut self, host: &str, answer: &Answer) {
        for recipient in std::mem::take(&mut self.waiting) {
            let carried = self.carried(&recipient, host, None, answer.clone());
            self.done.push(carried);
        }
    }

    /// Answers those of whom `test` holds.
    pub(crate) fn answer_some(
        &mut self,
        host: &str,
        answer: &Answer,
        test: impl Fn(&ErrandRecipient) -> bool,
    ) {
        let (these, others) = std::mem::take(&mut self.waiting).into_iter().partition(test);
        self.waiting = these;
        self.answer_all(host, answer);
        self.waiting = others;
    }

    fn carried(
        &self,
        recipient: &ErrandRecipient,
        host: &str,
        tls: Option<String>,
        answer: Answer,
    ) -> Carried {
        let mut notes = self.notes.clone();
        notes.extend(self.trouble.as_ref().map(Trouble::note));
        notes.extend(answer.note);
        Carried {
            position: recipient.position,
            outcome: answer.outcome,
            host: host.to_owned(),
            tls,
            reply: answer.reply,
            theirs: answer.theirs,
            notes,
        }
    }

    /// Who is left gets the last trouble as an answer.
    fn finish(mut self) -> Vec<Carried> {
        let none = || Trouble {
            host: self.destination.key.0.clone(),
            answer: Answer::deferred("451 4.4.1 no host could be tried".to_owned(), true),
            met: false,
        };
        let Trouble { host, answer, .. } = self.trouble.take().unwrap_or_else(none);
        self.answer_all(&host, &answer);
        self.done
    }

    fn pool_key(&self, host: &NamedHost, plan: &Plan) -> PoolKey {
        PoolKey { destination: self.destination.key.clone(), host: host.name.clone(), plan: plan.clone() }
    }
}
