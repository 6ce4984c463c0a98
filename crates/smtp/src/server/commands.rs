//! Each command, in and out of order (RFC 5321 §4.1.4).

use super::config::{FutureRelease, Protocol};
use super::event::{Abort, Closed, Event, Transfer};
use super::session::Session;
use super::state::{Message, Question, State, Transaction};
use super::words::{self, not_offered, out_of_order};
use crate::command::{Auth, Bdat, Command, Hello, HelloVerb, Mail, Rcpt};
use crate::parameter::{Body, ByMode, DeliverBy, Hold, MailParameters, RcptParameters};
use crate::reply::Reply;

impl Session {
    pub(super) fn carry_out(&mut self, command: Command) {
        if matches!(self.state, State::Unwelcome) && !matches!(command, Command::Quit) {
            return self.refuse(&out_of_order("there is no service for you here; QUIT"));
        }
        if self.config.require_tls && !self.tls && needs_tls(&command) {
            return self.refuse(&Reply::new(530, (5, 7, 0), "begin encryption with STARTTLS first"));
        }
        if is_idle(&command) {
            self.counts.idle_commands += 1;
            if self.counts.idle_commands > self.config.limits.idle_commands {
                return self.close(
                    &Reply::new(421, (4, 7, 0), "too many commands without a message"),
                    Closed::Limit,
                );
            }
        }
        match command {
            Command::Hello(hello) => self.hello(hello),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(rcpt) => self.rcpt(rcpt),
            Command::Data => self.data(),
            Command::Bdat(bdat) => self.bdat(bdat),
            Command::Rset => {
                self.reset();
                self.say(&Reply::new(250, (2, 0, 0), "reset"));
            }
            Command::Noop => self.say(&Reply::new(250, (2, 0, 0), "nothing done")),
            Command::Quit => self.close(&self.config.goodbye(), Closed::Quit),
            Command::Vrfy { .. } => {
                self.say(&Reply::new(252, (2, 0, 0), "not verified; send a message and see"));
            }
            Command::Expn { .. } => self.refuse(&Reply::new(502, (5, 5, 1), "lists are not expanded here")),
            Command::Help(_) => self.say(&words::help()),
            Command::StartTls => self.starttls(),
            Command::Auth(auth) => self.auth(auth),
            Command::Etrn(_) => self.refuse(&Reply::new(502, (5, 5, 1), "no queue is run on request here")),
            Command::Xclient(attributes) => {
                let offered = self.config.extensions.xclient;
                self.proxied(offered, Question::Xclient, Event::Xclient(attributes));
            }
            Command::Xforward(attributes) => {
                let offered = self.config.extensions.xforward;
                self.proxied(offered, Question::Xforward, Event::Xforward(attributes));
            }
        }
    }

    /// RFC 2033 §4.1: LMTP has LHLO in the place of HELO and EHLO.
    fn hello(&mut self, hello: Hello) {
        let lmtp = self.config.protocol == Protocol::Lmtp;
        if lmtp != (hello.verb == HelloVerb::Lhlo) {
            let hint = if lmtp { "this is LMTP: say LHLO" } else { "this is not LMTP: say EHLO" };
            return self.refuse(&Reply::new(500, (5, 5, 1), hint));
        }
        self.reset();
        let (previous, _) = self.take_state().into_hello();
        self.ask(Question::Hello { hello: hello.clone(), previous }, Event::Hello(hello));
    }

    /// Ends the transaction, if there is one.
    fn reset(&mut self) {
        if self.state.in_transaction() {
            self.abort(Abort::Reset);
        }
    }

    pub(super) fn abort(&mut self, why: Abort) {
        let (hello, _) = self.take_state().into_hello();
        self.state = State::idle(hello);
        self.events.push_back(Event::Aborted(why));
    }

    fn mail(&mut self, mail: Mail) {
        match &self.state {
            State::Ready(_) => {}
            State::Fresh => return self.refuse(&out_of_order("introduce yourself with EHLO first")),
            _ => return self.refuse(&out_of_order("there is a transaction already; RSET ends it")),
        }
        if self.counts.messages >= self.config.limits.messages {
            let reply = Reply::new(421, (4, 7, 0), "enough messages for one connection; open another");
            return self.close(&reply, Closed::Limit);
        }
        if let Err(reply) = self.admit_mail(&mail.parameters) {
            self.counts.forgiven = self.config.limits.recipients;
            return self.refuse(&reply);
        }
        if let State::Ready(hello) = self.take_state() {
            self.ask(Question::Mail { hello, mail: mail.clone() }, Event::Mail(mail));
        }
    }

    /// Whether the parameters are offered, and within what is offered.
    fn admit_mail(&self, asked: &MailParameters) -> Result<(), Reply> {
        let offered = &self.config.extensions;
        let binary = offered.chunking && offered.binarymime;
        let checks = [
            (asked.body == Some(Body::BinaryMime) && !binary, "BODY=BINARYMIME"),
            (asked.smtputf8 && !offered.smtputf8, "SMTPUTF8"),
            (asked.ret.is_some() && !offered.dsn, "RET"),
            (asked.envid.is_some() && !offered.dsn, "ENVID"),
            (asked.requiretls && !offered.requiretls, "REQUIRETLS"),
            (asked.by.is_some() && offered.deliver_by.is_none(), "BY"),
            (asked.hold.is_some() && self.config.future_release().is_none(), "HOLDFOR or HOLDUNTIL"),
            (asked.priority.is_some() && offered.mt_priority.is_none(), "MT-PRIORITY"),
        ];
        if let Some((_, name)) = checks.iter().find(|(refused, _)| *refused) {
            return Err(not_offered(name));
        }
        if asked.requiretls && !self.tls {
            return Err(Reply::new(530, (5, 7, 10), "REQUIRETLS needs an encrypted connection"));
        }
        let limit = self.config.limits.message_size;
        if limit > 0 && asked.size.is_some_and(|size| size > limit) {
            return Err(Abort::TooLarge.reply());
        }
        self.admit_times(asked)
    }

    /// RFC 2852 §3, RFC 4865 §4.2 and §5.
    fn admit_times(&self, asked: &MailParameters) -> Result<(), Reply> {
        let least = self.config.extensions.deliver_by.and_then(|offer| offer.minimum);
        if let (Some(by), Some(least)) = (asked.by, least)
            && by.mode() == ByMode::Return
            && i64::from(by.seconds()) < i64::from(least)
        {
            return Err(Reply::new(555, (5, 5, 4), format!("BY must give at least {least} seconds")));
        }
        let (Some(offer), Some(hold)) = (self.config.future_release(), asked.hold) else { return Ok(()) };
        let beyond = match hold {
            Hold::For(seconds) => seconds > offer.interval,
            Hold::Until(time) => time > offer.until,
        };
        let after_deadline = asked.by.is_some_and(|by| self.is_released_after(by, hold, offer));
        if beyond || after_deadline {
            return Err(Reply::new(501, (5, 5, 4), "the release is too far off"));
        }
        Ok(())
    }

    /// RFC 4865 §5.2.2. A session has no calendar, but knows how long it is since the offer was made.
    fn is_released_after(&self, by: DeliverBy, hold: Hold, offer: FutureRelease) -> bool {
        let within = i64::from(by.seconds());
        match hold {
            Hold::For(seconds) => i64::from(seconds) > within,
            Hold::Until(time) => {
                let age = self.clock.now().saturating_duration_since(self.begun).as_secs();
                let age = i64::try_from(age).unwrap_or(i64::MAX);
                time.as_second() - offer.made().as_second() > within.saturating_add(age)
            }
        }
    }

    fn rcpt(&mut self, rcpt: Rcpt) {
        let limits = &self.config.limits;
        let reply = match &self.state {
            State::Mailing(open) if open.recipients >= limits.recipients => {
                Reply::new(452, (4, 5, 3), "too many recipients; send to the others in another message")
            }
            State::Mailing(open) if open.has_too_many_domains(&rcpt, limits.recipient_domains) => {
                Reply::new(452, (4, 5, 3), "too many domains; send to the others in another message")
            }
            State::Mailing(_)
                if !self.config.extensions.dsn && rcpt.parameters != RcptParameters::default() =>
            {
                not_offered("NOTIFY or ORCPT")
            }
            State::Mailing(_) => {
                if let State::Mailing(transaction) = self.take_state() {
                    self.ask(Question::Rcpt { transaction, rcpt: rcpt.clone() }, Event::Rcpt(rcpt));
                }
                return;
            }
            State::BetweenChunks(_) => out_of_order("the message is being sent"),
            _ => out_of_order("say MAIL first"),
        };
        // The limits are no fault of the peer's.
        if reply.is_transient() { self.say(&reply) } else { self.refuse_follower(&reply) }
    }

    fn data(&mut self) {
        let reply = match &self.state {
            State::Mailing(open) if open.recipients == 0 => self.no_recipients(),
            State::Mailing(open) if open.mail.parameters.body == Some(Body::BinaryMime) => {
                out_of_order("BODY=BINARYMIME needs BDAT")
            }
            State::Mailing(_) => {
                if let State::Mailing(transaction) = self.take_state() {
                    self.ask(Question::Data(transaction), Event::Data(Transfer::Data));
                }
                return;
            }
            State::BetweenChunks(_) => {
                self.abort(Abort::Sequence);
                out_of_order("BDAT and DATA do not mix; the transaction is over")
            }
            _ => out_of_order("say MAIL and RCPT first"),
        };
        self.refuse_follower(&reply);
        self.expect_silence("DATA");
    }

    fn no_recipients(&self) -> Reply {
        match self.config.protocol {
            // RFC 2033 §4.2 leaves no choice of the code.
            Protocol::Lmtp => out_of_order("no recipient was accepted"),
            Protocol::Smtp | Protocol::Submission => Reply::new(554, (5, 5, 1), "no recipient was accepted"),
        }
    }

    /// RFC 3030 §2: whatever the reply, the chunk is read first.
    fn bdat(&mut self, bdat: Bdat) {
        let reply = match self.take_state() {
            State::Mailing(transaction) if self.config.extensions.chunking && transaction.recipients > 0 => {
                return self.ask(Question::Bdat { transaction, bdat }, Event::Data(Transfer::Bdat(bdat)));
            }
            State::BetweenChunks(message) => return self.begin_chunk(message, bdat),
            // RFC 2033 §4.3: a reply for each recipient, so none at all.
            State::Mailing(transaction) if self.owes_no_reply(bdat) => {
                self.events.push_back(Event::Aborted(Abort::Reset));
                return self.skip(bdat.size, None, Box::new(State::Ready(transaction.hello)));
            }
            other => {
                let reply = match &other {
                    _ if !self.config.extensions.chunking => {
                        Reply::new(502, (5, 5, 1), "CHUNKING is not offered here")
                    }
                    State::Mailing(_) => self.no_recipients(),
                    _ => out_of_order("say MAIL and RCPT first"),
                };
                self.state = other;
                reply
            }
        };
        let then = Box::new(self.take_state());
        self.skip(bdat.size, Some(reply), then);
    }

    fn owes_no_reply(&self, bdat: Bdat) -> bool {
        bdat.last && self.config.extensions.chunking && self.config.protocol == Protocol::Lmtp
    }

    fn starttls(&mut self) {
        let reply = match &self.state {
            _ if self.tls => out_of_order("the connection is encrypted already"),
            _ if !self.config.extensions.starttls => {
                Reply::new(502, (5, 5, 1), "STARTTLS is not offered here")
            }
            State::Fresh | State::Ready(_) => {
                let (hello, _) = self.take_state().into_hello();
                return self.ask(Question::StartTls(hello), Event::StartTls);
            }
            _ => out_of_order("finish the transaction first"),
        };
        self.refuse(&reply);
    }

    /// RFC 4954 §4.
    fn auth(&mut self, auth: Auth) {
        let offered = &self.config.mechanisms;
        let reply = match &self.state {
            State::Fresh => out_of_order("introduce yourself with EHLO first"),
            State::Ready(hello) if hello.verb == HelloVerb::Helo => out_of_order("AUTH needs EHLO, not HELO"),
            State::Ready(_) if self.authenticated => out_of_order("you are authenticated already"),
            State::Ready(_) if offered.is_empty() && self.config.extensions.starttls && !self.tls => {
                Reply::new(538, (5, 7, 11), "begin encryption with STARTTLS first")
            }
            State::Ready(_) if offered.is_empty() => Reply::new(502, (5, 5, 1), "AUTH is not offered here"),
            State::Ready(_) if !offered.contains(&auth.mechanism) => {
                Reply::new(504, (5, 5, 4), "that mechanism is not offered here")
            }
            State::Ready(_) => {
                if let State::Ready(hello) = self.take_state() {
                    self.ask(Question::Auth(hello), Event::Auth(auth));
                }
                return;
            }
            _ => out_of_order("finish the transaction first"),
        };
        self.refuse(&reply);
    }

    fn proxied(&mut self, offered: bool, question: impl FnOnce(Option<Hello>) -> Question, event: Event) {
        if !offered {
            return self.refuse(&Reply::new(550, (5, 7, 0), "you may not speak for others"));
        }
        if self.state.in_transaction() {
            return self.refuse(&out_of_order("finish the transaction first"));
        }
        let (hello, _) = self.take_state().into_hello();
        self.ask(question(hello), event);
    }

    /// The peer had to wait for a reply that it did not get (RFC 2920 §3.1): what it sent on meanwhile is
    /// not what we would take it for.
    pub(super) fn expect_silence(&mut self, verb: &str) {
        if self.config.strict_pipelining && !self.input.is_empty() {
            self.out_of_sync(verb);
        }
    }

    pub(super) fn out_of_sync(&mut self, verb: &str) {
        let reply = Reply::new(554, (5, 5, 0), format!("wait for the reply to {verb} before you go on"));
        self.close(&reply, Closed::Synchronization);
    }
}

impl Transaction {
    fn has_too_many_domains(&self, rcpt: &Rcpt, limit: Option<usize>) -> bool {
        let Some(limit) = limit else { return false };
        rcpt.domain().is_some_and(|domain| self.domains.len() >= limit && !self.domains.contains(domain))
    }

    pub(super) fn add(&mut self, rcpt: &Rcpt, domains_count: bool) {
        self.recipients += 1;
        if let Some(domain) = rcpt.domain().filter(|_| domains_count) {
            self.domains.insert(domain.clone());
        }
    }
}

impl Message {
    pub(super) fn is_binary(transaction: &Transaction) -> bool {
        transaction.mail.parameters.body == Some(Body::BinaryMime)
    }
}

/// RFC 3207 §4: these go without TLS even where it is required.
fn needs_tls(command: &Command) -> bool {
    !matches!(
        command,
        Command::Hello(_)
            | Command::Noop
            | Command::StartTls
            | Command::Quit
            | Command::Rset
            | Command::Help(_)
    )
}

fn is_idle(command: &Command) -> bool {
    match command {
        Command::Mail(_)
        | Command::Rcpt(_)
        | Command::Data
        | Command::Quit
        | Command::StartTls
        | Command::Auth(_) => false,
        Command::Bdat(bdat) => bdat.size == 0 && !bdat.last,
        Command::Hello(_)
        | Command::Rset
        | Command::Noop
        | Command::Vrfy { .. }
        | Command::Expn { .. }
        | Command::Help(_)
        | Command::Etrn(_)
        | Command::Xclient(_)
        | Command::Xforward(_) => true,
    }
}
